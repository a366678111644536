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
    folder : path
        Folder of the lists.

    Returns
    -------
    DataFrame, indexed by symbol
        Text columns ``name_zh``, ``name_en``, ``group`` and those the list adds, in the file's
        order; empty cells are empty strings.

    Raises
    ------
    DataError
        No such list, a missing column, a symbol listed twice, an empty name.
    """
    path = Path(folder) / f"{name}.csv"
    if not path.exists():
        names = sorted(file.stem for file in Path(folder).glob("*.csv"))
        near = difflib.get_close_matches(name, names, n=1)
        remedy = f"did you mean {near[0]}?" if near else f"existing lists: {', '.join(names)}"
        raise DataError(f"unknown universe {name}", file=path, remedy=remedy)
    table = pd.read_csv(path, dtype=str, keep_default_na=False, comment="#", encoding="utf-8-sig")
    missing = [column for column in UNIVERSE_COLUMNS if column not in table.columns]
    if missing:
        raise DataError(
            f"the universe {name} lacks {', '.join(missing)}",
            file=path,
            remedy=f"the first columns are {', '.join(UNIVERSE_COLUMNS)}",
        )
    duplicates = table.loc[table["symbol"].duplicated(), "symbol"]
    if len(duplicates):
        symbol = duplicates.iloc[0]
        message = f"{symbol} is listed twice"
        raise DataError(message, file=path, symbol=symbol, remedy="delete one row")
    is_unnamed = (table[["symbol", "name_zh", "name_en"]] == "").any(axis=1)
    if is_unnamed.any():
        symbol = table.loc[is_unnamed, "symbol"].iloc[0]
        remedy = "fill name_zh and name_en"
        raise DataError("a row lacks its name", file=path, symbol=symbol, remedy=remedy)
    return table.set_index("symbol")
