"""How unusual the week was: the size of each event against its own history, over all sections."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from lib.market.pointintime import Market

#: years of weeks that an asset's week is compared with
YEARS = 5
#: weeks without which a size says nothing
FEWEST = 26
#: exhibits of assets with the section that makes them, and the NAVs of the portfolios
ASSETS = {"01": "01", "03": "01", "04": "01", "05": "01"}
NAVS = {
    "08": ("rotation", "03", "09"),
    "11": ("absolute", "04", "12"),
    "14": ("global", "05", "15"),
}
THEMES = {"06": "02", "07": "02"}
COLUMNS = ["symbol", "section", "exhibit", "name", "name_en", "measure"]
COLUMNS += ["value", "typical", "size", "weeks", "format"]


def unusual(folder: Path, market: Market) -> pd.DataFrame:
    """Rank the events of a week.

    Parameters
    ----------
    folder : Path
        Of the run's ``tables``.
    market : Market
        As of the run's date.

    Returns
    -------
    DataFrame
        One row per event: ``symbol`` (of the asset or theme, or a word for the event),
        ``section`` (digits of its notebook), ``exhibit``, ``name``, ``name_en``, ``measure``
        (asset, yield, score, count, excess), ``value``, ``typical`` (standard deviation of its
        history before this week; of the pool for a score), ``size`` (absolute value by typical),
        ``weeks`` of history (NaN for scores), ``format``. The largest size comes first.
    """
    tables = {
        path.name[3:5]: pd.read_csv(path, dtype={"symbol": str})
        for path in sorted((folder / "tables").glob("fig*.csv"))
    }
    pool = next(iter(sorted((folder / "tables").glob("s17_*.csv"))), None)
    changes = pd.read_csv(pool)["change"] if pool else pd.Series(dtype=float)
    rows = [
        *_assets(tables, market),
        *_excess(tables, market),
        *_scores(tables, changes),
        *_counts(tables),
    ]
    found = pd.DataFrame(rows, columns=COLUMNS).drop_duplicates("symbol")
    return found.sort_values("size", ascending=False, kind="stable").reset_index(drop=True)


def _assets(tables: dict[str, pd.DataFrame], market: Market) -> list[dict]:
    """Return the weeks of the assets of the recap against their own weeks before."""
    rows = []
    ends = market.sessions.weeks(until=market.week.last)["last"].tail(52 * YEARS + 2)
    for exhibit, section in ASSETS.items():
        table = tables.get(exhibit)
        if table is None:
            continue
        column = "change" if "change" in table else "week_return"
        closes = market.closes(table["symbol"].tolist(), start=ends.iloc[0])
        closes = closes.reindex(closes.index.union(ends)).ffill().loc[ends]
        for row in table.dropna(subset=column).to_dict("records"):
            if row["symbol"] not in closes:
                continue
            close = closes[row["symbol"]]
            bonds = row.get("unit") == "basis points"
            history = (close.diff() * 100 if bonds else close.pct_change(fill_method=None)).dropna()
            measure, kind = ("yield", "points") if bonds else ("asset", "percent")
            rows += _row(row, section, exhibit, measure, row[column], history.iloc[:-1], kind)
    return rows


def _excess(tables: dict[str, pd.DataFrame], market: Market) -> list[dict]:
    """Return the weeks of the portfolios against their benchmarks."""
    rows = []
    for exhibit, (portfolio, section, measured) in NAVS.items():
        table = tables.get(exhibit)
        if table is None or measured not in tables:
            continue
        column = "nav" if "nav" in table else "strategy"
        nav = table.assign(date=pd.to_datetime(table["date"])).set_index("date")
        ends = market.sessions.weeks(start=nav.index[0], until=nav.index[-1])["last"]
        weekly = nav.loc[nav.index.intersection(pd.DatetimeIndex(ends)), [column, "benchmark"]]
        returns = weekly.pct_change(fill_method=None).dropna()
        if returns.empty:
            continue
        gap = returns[column] - returns["benchmark"]
        named = {"symbol": f"excess_{portfolio}", "name": portfolio, "name_en": portfolio}
        rows += _row(named, section, measured, "excess", gap.iloc[-1], gap.iloc[:-1], "percent")
    return rows


def _row(row: dict, section: str, exhibit: str, measure: str, value, history, kind) -> list[dict]:
    """Return one event, none when its history is too short."""
    typical = float(np.std(history)) if len(history) >= FEWEST else 0.0
    if not typical > 0:
        return []
    size = abs(value) / typical
    words = {name: row[name] for name in ("symbol", "name", "name_en")}
    words |= {"section": section, "exhibit": exhibit, "measure": measure, "format": kind}
    return [words | {"value": value, "typical": typical, "size": size, "weeks": len(history)}]


def _scores(tables: dict[str, pd.DataFrame], changes: pd.Series) -> list[dict]:
    """Return the changes of the scores of the hottest and weakest themes against the pool's."""
    typical = float(changes.std())
    rows = []
    for exhibit, section in THEMES.items():
        if exhibit not in tables or not typical > 0:
            continue
        for row in tables[exhibit].dropna(subset="change").to_dict("records"):
            words = {name: row[name] for name in ("symbol", "name", "name_en")}
            words |= {"section": section, "exhibit": exhibit, "measure": "score"}
            value = row["change"]
            numbers = {"value": value, "typical": typical, "size": abs(value) / typical}
            rows.append(words | numbers | {"weeks": np.nan, "format": "change"})
    return rows


def _counts(tables: dict[str, pd.DataFrame]) -> list[dict]:
    """Return how one-sided the hottest themes moved, against tosses of a coin."""
    if "06" not in tables:
        return []
    change = tables["06"]["change"].dropna()
    if change.empty:
        return []
    value = float(np.sign(change).sum())
    typical = float(np.sqrt(len(change)))
    words = {"symbol": "hot_themes", "name": "热点主题", "name_en": "hot themes"}
    words |= {"section": "02", "exhibit": "06", "measure": "count", "format": "points"}
    return [
        words | {"value": value, "typical": typical, "size": abs(value) / typical, "weeks": np.nan}
    ]
