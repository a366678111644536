"""Which instruments the sample lists: known facts, plus every symbol of every universe list.

Kind of a symbol that only a universe list names, first rule that applies:

1. the list's own ``kind`` column;
2. the list's name: ``*etf*`` holds ETFs, ``themes`` theme indices, ``sectors*`` sectors;
3. its form: six digits starting with 15, 16, 50, 51, 52, 53, 55, 56, 58 or 59 and ``.SH`` or ``.SZ`` are an ETF,
   ``80....SI`` a sector, ``CI005....WI`` a sector, ``(US|CN)nn(M|Y)`` a yield, other codes of ``.SH``, ``.SZ``,
   ``.CSI`` and ``.CNI`` a theme index;
4. its group: the words bond, commodity, fx or currency, yield; otherwise a global index.

The columns ``tracks`` (index of an ETF), ``etf`` (ETF of an index) and ``sectors`` (where an index's members come
from) are followed; several symbols are separated by blanks, ``;`` or ``|``.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from lib.market.schema import KINDS
from lib.market.universe import UNIVERSE_FOLDER, read_universe

FACTS = Path(__file__).parent / "instruments.csv"
COLUMNS = ["symbol", "name", "name_en", "kind", "group", "tracks", "sectors"]
CODE = re.compile(r"^(1[56]|5[0-35689])\d{4}\.(SH|SZ)$")
YIELD = re.compile(r"^(US|CN)\d+[MY]$")


def kind_of(symbol: str, list_name: str, group: str, stated: str = "") -> str:
    """Return the kind of a listed symbol, by the rule of this module."""
    words = f"{group} {list_name}".lower()
    rules = (
        (stated in KINDS, stated),
        ("etf" in list_name, "etf"),
        (list_name == "themes", "theme"),
        (list_name.startswith("sectors"), "sector"),
        (bool(CODE.match(symbol)), "etf"),
        (symbol.endswith((".SI", ".WI")), "sector"),
        (bool(YIELD.match(symbol)), "yield"),
        (symbol.endswith((".CSI", ".CNI")), "theme"),
        ("bond" in words, "bond_index"),
        ("commodit" in words or "metal" in words, "commodity"),
        ("fx" in words or "currenc" in words, "fx"),
        ("yield" in words or "rate" in words, "yield"),
        (symbol.endswith((".SH", ".SZ")), "theme"),
    )
    return next((kind for applies, kind in rules if applies), "global_index")


def catalogue(folder: Path = UNIVERSE_FOLDER) -> pd.DataFrame:
    """Return every instrument but the stocks, with the columns of ``COLUMNS``.

    Facts win over lists, and earlier lists (by name) over later ones; what an ETF tracks is taken from wherever it is
    stated.
    """
    facts = pd.read_csv(FACTS, dtype=str, keep_default_na=False).assign(sectors="")
    rows = {row["symbol"]: row for row in facts.to_dict("records")}
    for path in sorted(Path(folder).glob("*.csv")):
        table = read_universe(path.stem, folder)
        for symbol, row in table.to_dict("index").items():
            kind = kind_of(symbol, path.stem, row["group"], row.get("kind", ""))
            entry = {"symbol": symbol, "name": row["name_zh"], "name_en": row["name_en"], "kind": kind}
            known = rows.setdefault(symbol, entry | {"group": _group(kind, row["group"]), "tracks": "", "sectors": ""})
            known["sectors"] = known["sectors"] or row.get("sectors", "")
            known["tracks"] = known["tracks"] or next(iter(symbols_of(row.get("tracks", ""))), "")
            for etf in symbols_of(row.get("etf", "")):
                names = {"name": f"{row['name_zh']}ETF", "name_en": f"{row['name_en']} ETF"}
                fund = rows.setdefault(
                    etf, {"symbol": etf, **names, "kind": "etf", "group": "", "tracks": "", "sectors": ""}
                )
                fund["tracks"] = fund["tracks"] or symbol
    return pd.DataFrame(list(rows.values()), columns=COLUMNS)


def _group(kind: str, group: str) -> str:
    return group if kind in ("theme", "sector") else ""


def symbols_of(cell: str) -> list[str]:
    """Split the symbols of a cell."""
    return [part for part in re.split(r"[\s;|]+", cell) if part and part not in ("-", "n/a")]
