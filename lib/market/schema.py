"""Tables of the store: the layout that every source delivers and every reader gets.

Units: prices in the quote currency, yields in percent, volume in shares, amount in CNY, constituent
weights in percent, macro releases in the unit of the series. A field that a source does not have is
NaN, never a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

#: increased with every change of the tables below
SCHEMA_VERSION = 1

#: fields of a bar, of a day or of a minute
BAR = dict.fromkeys(("open", "high", "low", "close", "volume", "amount"), "number")
#: type of a column -> pandas dtype; times are naive, in exchange local time
DTYPES = {"text": "str", "date": "datetime64[ns]", "time": "datetime64[ns]", "number": "float64"}
#: table -> {column: type}
TABLES: dict[str, dict[str, str]] = {
    "instruments": {
        "symbol": "text",
        "name": "text",
        "name_en": "text",
        "kind": "text",
        "group": "text",
        "first_date": "date",
        "last_date": "date",
        "note": "text",
    },
    "bars": {"symbol": "text", "date": "date", **BAR},
    "minute_bars": {"symbol": "text", "time": "time", **BAR},
    "valuation": {"symbol": "text", "date": "date", "pe_ttm": "number", "pb": "number"},
    "constituents": {"index_symbol": "text", "as_of": "date", "symbol": "text", "weight": "number"},
    "macro": {
        "series": "text",
        "period": "date",
        "release_date": "date",
        "actual": "number",
        "consensus": "number",
        "previous": "number",
    },
}

#: table -> the columns that identify a row
KEYS: dict[str, tuple[str, ...]] = {
    "instruments": ("symbol",),
    "bars": ("symbol", "date"),
    "minute_bars": ("symbol", "time"),
    "valuation": ("symbol", "date"),
    "constituents": ("index_symbol", "as_of", "symbol"),
    "macro": ("series", "period", "release_date"),
}

#: table -> the column with the day on which a row becomes known; instruments are timeless
KNOWN_ON: dict[str, str] = {
    "bars": "date",
    "minute_bars": "time",
    "valuation": "date",
    "constituents": "as_of",
    "macro": "release_date",
}

#: kinds of instruments; those of XSHG have rows only on the exchange's sessions
XSHG_KINDS = ("sector", "theme", "etf", "stock", "broad_index")
GLOBAL_KINDS = ("global_index", "commodity", "fx", "yield", "bond_index")
KINDS = XSHG_KINDS + GLOBAL_KINDS

PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True)
class Batch:
    """One file of a source, or its equivalent.

    Attributes
    ----------
    table : str
        A key of ``TABLES``.
    file : str
        Name in findings and errors, such as ``bars/etf.parquet``.
    fingerprint : str
        Hash of the content; an ingest skips a batch whose fingerprint is already stored.
    load : callable
        Returns the rows with the columns of ``TABLES[table]`` and the types of ``DTYPES``; raises
        ``DataError``.
    kind : str or None
        The instruments' kind, for bars.
    increment : bool
        The rows continue the stored ones: fewer rows than the store has are not a loss, and prices
        of funds are total returns already.
    """

    table: str
    file: str
    fingerprint: str
    load: Callable[[], pd.DataFrame]
    kind: str | None = None
    increment: bool = False


class Source(Protocol):
    """Source of data.

    ``name`` is ``sample``, ``folder`` or ``live``; ``label`` maps a language to the text printed
    under each exhibit; ``synthetic`` is True for generated data; ``batches`` yields the instruments
    first.
    """

    name: str
    label: dict[str, str]
    synthetic: bool

    def batches(self) -> Iterator[Batch]:
        """Yield the batches, instruments first, each loaded only when it is asked for."""
        ...


def cast_to_schema(table: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a table in their order and types."""
    columns = TABLES[table]
    return rows[list(columns)].astype({name: DTYPES[kind] for name, kind in columns.items()})


def empty_table(table: str) -> pd.DataFrame:
    """Return a table without rows, with its columns and types."""
    return cast_to_schema(table, pd.DataFrame(columns=list(TABLES[table])))
