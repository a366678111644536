"""Universes: curated lists of instruments, one CSV each in ``params/universe``."""

from __future__ import annotations

import difflib
from pathlib import Path

import pandas as pd

from lib.market.errors import DataError

UNIVERSE_FOLDER = Path(__file__).resolve().parents[2] / "params" / "universe"
UNIVERSE_COLUMNS = ("symbol", "name_zh", "name_en", "group")


def read_universe(name: str, folder: Path = UNIVERSE_FOLDER) -> pd.DataFrame:
    """Read one universe.

    Parameters
    ----------
    name : str
        The file's stem, such as ``sector_etf``.

    Returns
    -------
    DataFrame, indexed by symbol
        Text columns ``name_zh``, ``name_en``, ``group`` and those the list adds, in the file's order; empty cells
        are empty strings.

    Raises
    ------
    DataError
        No such list, a missing column, a symbol listed twice, an empty name.
    """
    path = Path(folder) / f"{name}.csv"
    if not path.exists():
        known = sorted(file.stem for file in Path(folder).glob("*.csv"))
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known lists: {', '.join(known)}"
        raise DataError(f"there is no universe called {name}", file=path, remedy=hint)
    table = pd.read_csv(path, dtype=str, keep_default_na=False, comment="#", encoding="utf-8-sig")
    missing = [column for column in UNIVERSE_COLUMNS if column not in table.columns]
    if missing:
        raise DataError(
            f"the universe {name} lacks {', '.join(missing)}",
            file=path,
            remedy=f"the first columns are {', '.join(UNIVERSE_COLUMNS)}",
        )
    twice = table.loc[table["symbol"].duplicated(), "symbol"]
    if len(twice):
        raise DataError(f"{twice.iloc[0]} is listed twice", file=path, symbol=twice.iloc[0], remedy="delete one row")
    unnamed = table.loc[(table[["symbol", "name_zh", "name_en"]] == "").any(axis=1), "symbol"]
    if len(unnamed):
        raise DataError("a row lacks its name", file=path, symbol=unnamed.iloc[0], remedy="fill name_zh and name_en")
    return table.set_index("symbol")
