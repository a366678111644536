"""Catalogue of instruments other than stocks: known facts and the symbols of the universe lists.

Kind of a symbol that only a universe list names, first rule that applies:

1. the list's own ``kind`` column;
2. the list's name: ``*etf*`` holds ETFs, ``themes`` theme indices, ``sectors*`` sectors;
3. its form: the code of a fund is an ETF, ``80....SI`` and ``CI005....WI`` a sector,
   ``(US|CN)nn(M|Y)`` a yield, other codes of ``.SH``, ``.SZ``, ``.CSI`` and ``.CNI`` a theme index;
4. its group: the words bond, commodity, fx or currency, yield; otherwise a global index.

The columns ``tracks`` (index of an ETF), ``etf`` (ETF of an index) and ``sectors`` (sectors of an
index's members) are followed; several symbols are separated by blanks, ``;`` or ``|``.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from lib.market.schema import KINDS
from lib.market.symbols import FUND_CODE
from lib.market.universe import UNIVERSE_FOLDER, read_universe

FACTS_FILE = Path(__file__).parent / "instruments.csv"
CATALOGUE_COLUMNS = ["symbol", "name", "name_en", "kind", "group", "tracks", "sectors"]
YIELD_SYMBOL = re.compile(r"^(US|CN)\d+[MY]$")


def kind_of(symbol: str, list_name: str, group: str, stated: str = "") -> str:
    """Return the kind of a listed symbol by the rules of this module.

    Parameters
    ----------
    symbol : str
        The suite's symbol, such as ``000300.SH``.
    list_name : str
        Stem of the universe list.
    group : str
        Group of the symbol in the list.
    stated : str
        Kind in the list; empty for none.
    """
    words = f"{group} {list_name}".lower()
    rules = (
        (stated in KINDS, stated),
        ("etf" in list_name, "etf"),
        (list_name == "themes", "theme"),
        (list_name.startswith("sectors"), "sector"),
        (bool(FUND_CODE.match(symbol)), "etf"),
        (symbol.endswith((".SI", ".WI")), "sector"),
        (bool(YIELD_SYMBOL.match(symbol)), "yield"),
        (symbol.endswith((".CSI", ".CNI")), "theme"),
        ("bond" in words, "bond_index"),
        ("commodit" in words or "metal" in words, "commodity"),
        ("fx" in words or "currenc" in words, "fx"),
        ("yield" in words or "rate" in words, "yield"),
        (symbol.endswith((".SH", ".SZ")), "theme"),
    )
    return next((kind for applies, kind in rules if applies), "global_index")


def read_catalogue(folder: Path = UNIVERSE_FOLDER) -> pd.DataFrame:
    """Return every instrument except the stocks, with the columns ``CATALOGUE_COLUMNS``.

    Facts have precedence over lists, and earlier lists (by name) over later ones; the index that an
    ETF tracks is taken from any of them.
    """
    facts = pd.read_csv(FACTS_FILE, dtype=str, keep_default_na=False).assign(sectors="")
    rows = {row["symbol"]: row for row in facts.to_dict("records")}
    for path in sorted(Path(folder).glob("*.csv")):
        table = read_universe(path.stem, folder)
        for symbol, listed in table.to_dict("index").items():
            kind = kind_of(symbol, path.stem, listed["group"], listed.get("kind", ""))
            group = listed["group"] if kind in ("theme", "sector") else ""
            names = (listed["name_zh"], listed["name_en"])
            row = rows.setdefault(symbol, _row(symbol, *names, kind, group))
            tracked = split_symbols(listed.get("tracks", ""))
            row["sectors"] = row["sectors"] or listed.get("sectors", "")
            row["tracks"] = row["tracks"] or next(iter(tracked), "")
            for etf in split_symbols(listed.get("etf", "")):
                names = (f"{listed['name_zh']}ETF", f"{listed['name_en']} ETF")
                fund = rows.setdefault(etf, _row(etf, *names, "etf", ""))
                fund["tracks"] = fund["tracks"] or symbol
    return pd.DataFrame(list(rows.values()), columns=CATALOGUE_COLUMNS)


def _row(symbol: str, name: str, name_en: str, kind: str, group: str) -> dict[str, str]:
    values = (symbol, name, name_en, kind, group, "", "")
    return dict(zip(CATALOGUE_COLUMNS, values, strict=True))


def split_symbols(cell: str) -> list[str]:
    """Return the symbols of a cell."""
    return [part for part in re.split(r"[\s;|]+", cell) if part and part not in ("-", "n/a")]
