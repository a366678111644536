"""Changes over the week: from the last close of the previous week to the last close of this
week.
"""

from __future__ import annotations

import pandas as pd

from lib.exhibits.notebook_run import Run
from lib.market.checks.series import JUMP, UNUSUAL
from lib.market.errors import DataError
from lib.market.pointintime import Market

#: equal closes in sequence up to the end of the week from which a series counts as unchanged
UNCHANGED_CLOSES = 6
#: mark of a spot price in an instrument's Chinese name
SPOT = "现货"


def week_changes(market: Market, assets: pd.DataFrame) -> pd.DataFrame:
    """Return each asset's change over the last completed week.

    Each asset keeps its own dates: its last close on or before the week's last session against its
    last close on or before the last session of the week before.

    Parameters
    ----------
    market : Market
        Gives closes and the last completed week.
    assets : DataFrame indexed by symbol
        A universe: ``name_zh``, ``name_en``, ``group``. Assets without data are left out.

    Returns
    -------
    DataFrame
        Columns ``symbol``, ``name`` (Chinese), ``name_en``, ``group``, ``previous_date``, ``date``,
        ``previous_close``, ``close``, ``change`` (fraction; basis points for yields) and ``unit``;
        in the universe's order. NaN where a close is missing or there is none in the week (a stale
        series is not an unchanged one), and where a move in the week is beyond what the instrument
        can do: that change is in ``withheld``. ``unusual`` and ``unchanged`` (bool) ask for a
        second look.

    Raises
    ------
    DataError
        None of the assets has data.
    """
    kinds = market.instruments()["kind"]
    listed = len(assets)
    assets = assets[assets.index.isin(kinds.index)]
    if assets.empty:
        raise DataError(
            f"none of the {listed} instruments of this universe has data",
            file=market.store.path,
            remedy="put symbols of your data into the list in params/universe",
        )
    week = market.week
    closes = market.closes(assets.index, start=week.previous_last - pd.Timedelta(days=30))
    before = _last(closes.loc[: week.previous_last])
    now = _last(closes.loc[: week.last])
    columns = ["previous_date", "date", "previous_close", "close"]
    quotes = before.add_prefix("previous_").join(now)[columns]
    table = assets.rename(columns={"name_zh": "name"})[["name", "name_en", "group"]].join(quotes)
    table = table.rename_axis("symbol").reset_index()
    is_yield = table["symbol"].map(kinds).eq("yield")
    fraction = table["close"] / table["previous_close"] - 1
    # yields are stored in percent: a hundredth of a point is a basis point
    points = (table["close"] - table["previous_close"]) * 100
    change = fraction.where(~is_yield, points).where(table["date"] > table["previous_date"])
    found = _checks_of_the_week(market, table)
    table["change"] = change.mask(found["jump"])
    table["unit"] = is_yield.map({True: "basis points", False: "fraction"})
    table["withheld"] = change.where(found["jump"])
    table["unusual"] = found["unusual"]
    tails = closes.loc[: week.last].apply(lambda column: column.dropna().tail(UNCHANGED_CLOSES))
    equal = (tails.max() == tails.min()) & (tails.count() == UNCHANGED_CLOSES)
    table["unchanged"] = table["symbol"].map(equal).fillna(False).astype(bool)
    return table


def _checks_of_the_week(market: Market, table: pd.DataFrame) -> pd.DataFrame:
    """Return which changes hold a jump or an unusual move, bool columns ``jump``, ``unusual``."""
    first = table["previous_date"].min()
    findings = market.findings(table["symbol"], first, market.week.last)
    spans = findings.merge(
        table[["symbol", "previous_date", "date"]], on="symbol", suffixes=["", "_last"]
    )
    inside = spans[(spans["date"] > spans["previous_date"]) & (spans["date"] <= spans["date_last"])]
    return pd.DataFrame(
        {
            name: table["symbol"].isin(inside.loc[inside["check"] == check, "symbol"])
            for name, check in (("jump", JUMP), ("unusual", UNUSUAL))
        }
    )


def _last(closes: pd.DataFrame) -> pd.DataFrame:
    """Return each column's last close and its date."""
    dates = closes.apply(lambda column: column.last_valid_index())
    values = (
        closes.ffill().iloc[-1] if len(closes) else pd.Series(float("nan"), index=closes.columns)
    )
    return pd.DataFrame({"date": pd.to_datetime(dates), "close": values}, index=closes.columns)


def series_notes(run: Run, changes: pd.DataFrame, listed: pd.DataFrame) -> list[str]:
    """Return the notes under an exhibit of changes.

    They name the series that are stale, missing, without a close in the week, withheld, unusual,
    unchanged, spot prices, or measured between other dates than the week's.

    Parameters
    ----------
    run : Run
        Gives the market and the texts.
    changes : DataFrame
        Of ``week_changes``.
    listed : DataFrame indexed by symbol
        The universe.
    """
    stale = run.stale(listed.index)
    stored = run.market.instruments()["name"]
    week = run.week
    old = changes[~changes["symbol"].isin(stale.index)]
    without = old[old["change"].isna() & old["withheld"].isna()]
    return [
        *run.stale_notes(stale),
        *run.notes(
            missing=listed[~listed.index.isin(changes["symbol"])],
            no_close=without,
            withheld=_with_changes(run, changes[changes["withheld"].notna()]),
            unusual=changes[changes["unusual"]],
            unchanged=old[old["unchanged"]],
            spot=changes[changes["symbol"].map(stored).str.contains(SPOT)],
        ),
        *(
            run.note("dates", first=first, last=last, names=run.names(rows))
            for (first, last), rows in old.dropna(subset="change").groupby(
                ["previous_date", "date"]
            )
            if (first, last) != (week.previous_last, week.last)
        ),
    ]


def _with_changes(run: Run, rows: pd.DataFrame) -> list[str]:
    """Return the names of assets with the changes that are withheld."""
    units = {"fraction": "{:+.2%}", "basis points": "{:+.1f} bp"}
    changes = [
        units[unit].format(change)
        for unit, change in zip(rows["unit"], rows["withheld"], strict=True)
    ]
    return [f"{name} ({change})" for name, change in zip(run.names(rows), changes, strict=True)]


def dates_and_extremes(run: Run, changes: pd.DataFrame) -> dict[str, object]:
    """Return the dates of the week and its best and worst asset with their changes, for titles and
    descriptions; yields do not count.
    """
    ranked = changes[changes["unit"] == "fraction"].dropna(subset="change").sort_values("change")
    moves = run.names(ranked) + ranked["change"].map(" {:+.2%}".format)
    dates = {"last": run.week.last, "previous": run.week.previous_last}
    return dates | {"worst": moves.iloc[0], "best": moves.iloc[-1]}


def latest_inflation(releases: pd.DataFrame, series: list[str]) -> pd.DataFrame:
    """Return the latest release of each series.

    Parameters
    ----------
    releases : DataFrame
        Point-in-time macro releases, one row per release.
    series : list of str
        In the order of the table; those never released are left out.

    Returns
    -------
    DataFrame
        Columns ``series``, ``actual``, ``consensus``, ``previous`` (percent), ``surprise`` (actual
        minus consensus, percentage points), ``period`` and ``release_date``.
    """
    newest = (
        releases.sort_values(["period", "release_date"])
        .groupby("series")
        .tail(1)
        .set_index("series")
    )
    table = newest.reindex([name for name in series if name in newest.index]).reset_index()
    table["surprise"] = (table["actual"] - table["consensus"]).round(6)
    return table[
        ["series", "actual", "consensus", "previous", "surprise", "period", "release_date"]
    ]
