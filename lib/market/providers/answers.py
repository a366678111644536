"""What every provider gives back: rows in the columns of the store, or an error that says what was wrong."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from datetime import date
from io import StringIO

import numpy as np
import pandas as pd

from lib.market.errors import SuiteError
from lib.market.providers.client import Client, ProviderError, blacken
from lib.market.schema import KNOWN_ON, TABLES

#: types of the store's columns
TYPES = {"text": "str", "date": "datetime64[ns]", "time": "datetime64[ns]", "number": "float64"}
#: decimals of a share and of a yuan
WHOLE = {"volume": 0, "amount": 2}


@dataclass(frozen=True)
class Want:
    """What is asked for in one call.

    Attributes
    ----------
    kind : str
        Of the instruments; ``inflation`` for releases.
    symbols : tuple of str
        The symbols the answer is for; several where one request gives them all.
    codes : dict
        The provider's name of each symbol.
    start, end : Timestamp
        First and last day wanted, both included.
    base : DataFrame
        Rows of the store from ``start`` on, by symbol and date, for providers whose prices have to be chained.
    """

    kind: str
    symbols: tuple[str, ...]
    codes: dict[str, str]
    start: pd.Timestamp
    end: pd.Timestamp
    base: pd.DataFrame

    @property
    def symbol(self) -> str:
        """Return the only symbol."""
        (symbol,) = self.symbols
        return symbol

    @property
    def code(self) -> str:
        """Return the provider's name of the only symbol."""
        return self.codes[self.symbol]


#: table -> rows
Answer = dict[str, pd.DataFrame]


def ask(name: str, function: Callable[[Want, Client], Answer], want: Want, client: Client) -> Answer:
    """Call a provider; whatever a library raises or prints becomes one ``ProviderError``.

    The libraries raise whatever their parsing stumbles over (KeyError, ValueError, TypeError...), so here, and only
    here, every exception is caught: it is told, not swallowed.
    """
    said = StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the libraries' own use of pandas
            answer = function(want, client)
    except SuiteError:
        raise
    except Exception as error:
        hint = f"; it said: {blacken(said.getvalue().strip())[:200]}" if said.getvalue().strip() else ""
        raise ProviderError(
            f"{name} did not answer as documented: {type(error).__name__}: {blacken(str(error))[:200]}{hint}",
            symbol=", ".join(want.symbols[:3]),
            remedy="see which functions still answer with make data CHECK=1",
        ) from error
    return {table: within(frame, table, want) for table, frame in answer.items()}


def within(frame: pd.DataFrame, table: str, want: Want) -> pd.DataFrame:
    """Cut an answer to the days wanted; rows without a day stay, to be judged."""
    day = frame[KNOWN_ON[table]].to_numpy()
    outside = (day < want.start.to_datetime64()) | (day > want.end.to_datetime64())
    return frame[~outside] if outside.any() else frame


def among(rows: pd.DataFrame, others: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Return which rows have the same values in some columns as one of the others."""
    return pd.MultiIndex.from_frame(rows[columns]).isin(pd.MultiIndex.from_frame(others[columns]))


def typed(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a table in their order and types."""
    return frame[list(TABLES[table])].astype({column: TYPES[kind] for column, kind in TABLES[table].items()})


def take(table: pd.DataFrame | None, columns: dict[str, str], name: str) -> pd.DataFrame:
    """Pick and rename the columns of a library's answer.

    Parameters
    ----------
    table : DataFrame
    columns : dict
        The answer's column -> the store's.
    name : str
        The function asked, for the error.

    Raises
    ------
    ProviderError
        No rows, or a column is missing.
    """
    if table is None or not len(table):
        raise ProviderError(f"{name} gave no rows", remedy="check the code, or wait for the provider")
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ProviderError(
            f"{name} lacks the column {missing[0]}; it has {', '.join(map(str, table.columns))}",
            remedy="the provider has changed; the next in the list is asked",
        )
    return table[list(columns)].set_axis(list(columns.values()), axis=1)


def bars(rows: pd.DataFrame, symbol: str, scale: dict[str, float] | None = None) -> pd.DataFrame:
    """Type picked rows as bars of one symbol, oldest first; fields that are absent are empty.

    Parameters
    ----------
    scale : dict
        Field -> what one unit of the answer is in shares or CNY. Pages in hundred millions give decimals that hold
        whole shares and fen, so that is what the numbers are rounded to.
    """
    dates = days(rows["date"])
    columns = {"symbol": np.full(len(rows), symbol, dtype=object), "date": dates}
    for field in ("open", "high", "low", "close", "volume", "amount"):
        values = numbers(rows[field]).to_numpy() if field in rows else np.full(len(rows), np.nan)
        if field in (scale or {}):
            values = np.round(values * scale[field], WHOLE[field])
        columns[field] = values
    order = np.argsort(dates, kind="stable")
    return pd.DataFrame({name: values[order] for name, values in columns.items()})


def days(column: pd.Series) -> np.ndarray:
    """Read days; dates and ISO texts, as nearly all are, without guessing the format of each column."""
    first = column.iloc[0] if len(column) else None
    if isinstance(first, date) or (isinstance(first, str) and first[4:5] == "-"):
        with suppress(ValueError, TypeError):
            return np.asarray(column, dtype=object).astype("datetime64[ns]")
    return pd.to_datetime(column).to_numpy().astype("datetime64[ns]")


def numbers(column: pd.Series) -> pd.Series:
    """Read numbers that may come as text; empty text and dashes are NaN, other text is an error."""
    if column.dtype.kind in "fiu":
        return column.astype("float64")
    with suppress(ValueError):  # numbers only, as nearly always
        return pd.Series(np.asarray(column, dtype=object).astype("float64"), index=column.index)
    values = pd.to_numeric(column, errors="coerce").astype("float64")
    odd = (values.isna() & column.notna()).to_numpy()
    if odd.any():
        text = column[odd].astype(str).str.strip().str.replace(",", "")
        values[odd] = pd.to_numeric(text.mask(text.isin(["", "-", "--", "None", "nan"])), errors="raise")
    return values


def digits(symbol: str) -> str:
    """Return the code before the dot."""
    return symbol.split(".")[0]


def one_each(symbols: Iterable[str]) -> list[tuple[str, ...]]:
    """Ask for each symbol on its own."""
    return [(symbol,) for symbol in symbols]
