"""Contract of a provider function: a fetch request in, rows in the columns of the store out.

A provider that fails raises a ``ProviderError`` with the cause and the remedy.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from datetime import date
from io import StringIO

import numpy as np
import pandas as pd

from lib.market.errors import SuiteError
from lib.market.providers.client import Client, ProviderError, redact
from lib.market.schema import BAR, KNOWN_ON

#: decimals of a whole share and of a fen
DECIMALS = {"volume": 0, "amount": 2}


@dataclass(frozen=True)
class FetchRequest:
    """Parameters of one call of a provider function.

    Attributes
    ----------
    kind : str
        Of the instruments; ``inflation`` for releases.
    symbols : tuple of str
        The symbols to fetch; several where one request returns them all.
    codes : dict
        The provider's name of each symbol.
    start, end : Timestamp
        First and last day to fetch, both included.
    stored : DataFrame
        Rows of the store from ``start`` on, by symbol and date: providers whose prices have to be
        chained continue them.
    """

    kind: str
    symbols: tuple[str, ...]
    codes: dict[str, str]
    start: pd.Timestamp
    end: pd.Timestamp
    stored: pd.DataFrame

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
Response = dict[str, pd.DataFrame]
ProviderFunction = Callable[[FetchRequest, Client], Response]


def call_provider(
    name: str, function: ProviderFunction, request: FetchRequest, client: Client
) -> Response:
    """Call a provider function; any other error of a library becomes a ``ProviderError``.

    The libraries raise whatever their parsing fails on (KeyError, ValueError, TypeError...). So
    here, and only here, every exception is caught, and reported in the error.

    Parameters
    ----------
    name : str
        Name of the function, for the error.
    function : callable
        Takes the request and the client.
    request : FetchRequest
        What to fetch.
    client : Client
        Sends the requests.

    Returns
    -------
    dict of str to DataFrame
        By table, one row per record, between the request's first and last day; rows without a day
        are kept for the checks.
    """
    printed = StringIO()
    try:
        with redirect_stdout(printed), redirect_stderr(StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the libraries' own use of pandas
            response = function(request, client)
    except SuiteError:
        raise
    except Exception as error:
        message = f"{name} failed: {type(error).__name__}: {redact(str(error))[:200]}"
        output = redact(printed.getvalue().strip())[:200]
        if output:
            message += f"; its output: {output}"
        raise ProviderError(
            message,
            symbol=", ".join(request.symbols[:3]),
            remedy="see which functions still respond with make data CHECK=1",
        ) from error
    return {table: clip_to_dates(rows, table, request) for table, rows in response.items()}


def clip_to_dates(rows: pd.DataFrame, table: str, request: FetchRequest) -> pd.DataFrame:
    """Drop rows outside the days of a request; rows without a day are kept.

    Parameters
    ----------
    rows : DataFrame
        Columns of the table, one row per record.
    table : str
        A key of ``TABLES``.
    request : FetchRequest
        Its first and last day are kept.
    """
    day = rows[KNOWN_ON[table]].to_numpy()
    outside = (day < request.start.to_datetime64()) | (day > request.end.to_datetime64())
    return rows[~outside] if outside.any() else rows


def isin_keys(rows: pd.DataFrame, others: pd.DataFrame, keys: list[str]) -> np.ndarray:
    """Return which rows have the keys of one of the others.

    Parameters
    ----------
    rows : DataFrame, (T, ...)
        One row per record.
    others : DataFrame
        With the same columns of keys, one row per record.
    keys : list of str
        Columns of both; NaN equals NaN.

    Returns
    -------
    bool array, (T,)
    """
    return pd.MultiIndex.from_frame(rows[keys]).isin(pd.MultiIndex.from_frame(others[keys]))


def select_columns(table: pd.DataFrame | None, columns: dict[str, str], name: str) -> pd.DataFrame:
    """Select and rename the columns of a library's response.

    Parameters
    ----------
    table : DataFrame or None
        The response, one row per record; None counts as empty.
    columns : dict
        The response's column -> the store's.
    name : str
        Name of the library's function, for the error.

    Raises
    ------
    ProviderError
        No rows, or a column is missing.
    """
    if table is None or not len(table):
        remedy = "check the code, or wait for the provider"
        raise ProviderError(f"{name} returned no rows", remedy=remedy)
    missing = [column for column in columns if column not in table.columns]
    if missing:
        names = ", ".join(map(str, table.columns))
        message = f"{name} lacks the column {missing[0]}; it has {names}"
        raise ProviderError(message, remedy="the provider has changed; the next one is asked")
    return table[list(columns)].set_axis(list(columns.values()), axis=1)


def to_bars(rows: pd.DataFrame, symbol: str, scale: dict[str, float] | None = None) -> pd.DataFrame:
    """Turn selected rows into bars of one symbol, oldest first.

    Parameters
    ----------
    rows : DataFrame
        ``date`` and the fields of a bar; a field that is absent becomes NaN.
    symbol : str
        Written into the column ``symbol``.
    scale : dict, optional
        Field -> shares or CNY in one unit of the response. Pages in hundred millions have decimals
        that resolve whole shares and fen, so the products are rounded to those.
    """
    scale = scale or {}
    dates = parse_days(rows["date"])
    columns = {"symbol": np.full(len(rows), symbol, dtype=object), "date": dates}
    for field in BAR:
        values = np.full(len(rows), np.nan)
        if field in rows:
            values = parse_numbers(rows[field]).to_numpy()
        if field in scale:
            values = np.round(values * scale[field], DECIMALS[field])
        columns[field] = values
    order = np.argsort(dates, kind="stable")
    return pd.DataFrame({name: values[order] for name, values in columns.items()})


def parse_days(column: pd.Series) -> np.ndarray:
    """Parse days; dates and ISO texts, the usual case, without inferring a format."""
    first = column.iloc[0] if len(column) else None
    if isinstance(first, date) or (isinstance(first, str) and first[4:5] == "-"):
        with suppress(ValueError, TypeError):
            return np.asarray(column, dtype=object).astype("datetime64[ns]")
    return pd.to_datetime(column).to_numpy().astype("datetime64[ns]")


def parse_numbers(column: pd.Series) -> pd.Series:
    """Parse numbers that may be text; empty text and dashes are NaN, other text is an error."""
    if column.dtype.kind in "fiu":
        return column.astype("float64")
    with suppress(ValueError):  # numbers only: the usual case
        return pd.Series(np.asarray(column, dtype=object).astype("float64"), index=column.index)
    values = pd.to_numeric(column, errors="coerce").astype("float64")
    unparsed = (values.isna() & column.notna()).to_numpy()
    if unparsed.any():
        text = column[unparsed].astype(str).str.strip().str.replace(",", "")
        empty = text.isin(["", "-", "--", "None", "nan"])
        values[unparsed] = pd.to_numeric(text.mask(empty), errors="raise")
    return values
