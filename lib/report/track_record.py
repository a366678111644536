"""Track record: what became of the calls of earlier runs, at the prices of this run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from lib.market.errors import RunError, SuiteError
from lib.market.pointintime import Market
from lib.market.universe import read_universe
from lib.models.total_return import CARRIED_DAYS, total_return_index
from lib.report.calls import Call, Record, Valuation, read_record
from lib.report.changes import DATE
from lib.report.manifest import Manifest

#: weeks with sessions after which a call is judged
HORIZONS = (1, 4, 13)
#: with fewer judged calls nothing is concluded
ENOUGH = 8
#: a smaller excess is none
LEVEL = 1e-12
#: share of a basket's weight that needs a price
PRICED = 0.5
TRACK_RECORD_COLUMNS = [
    *("as_of", "system", "basis", "direction", "weeks", "start", "end"),
    *("symbol", "name", "name_en", "return", "benchmark", "excess", "outcome"),
]


@dataclass(frozen=True)
class Earlier:
    """The records of earlier runs.

    Attributes
    ----------
    records : list of Record
        By date.
    left_out : list of (str, str)
        Folder and reason: ``future``, ``other_source``, ``damaged``, ``no_calls``.
    """

    records: list[Record]
    left_out: list[tuple[str, str]]

    @property
    def by_reason(self) -> dict[str, list[str]]:
        """Folders that were left out, by reason."""
        runs: dict[str, list[str]] = {}
        for run, reason in self.left_out:
            runs.setdefault(reason, []).append(run)
        return runs


def earlier_records(out: Path, manifest: Manifest) -> Earlier:
    """Read the calls of the earlier runs of the same source in a folder of runs.

    Runs of a later session are named but not read: what a run says may not depend on them.
    """
    records = []
    left_out = []
    for folder in sorted(path for path in out.glob("*/") if DATE.fullmatch(path.name)):
        if folder.name == manifest.as_of:
            continue
        reason = "future" if folder.name > manifest.as_of else ""
        record = None
        if not reason:
            record, reason = _read(folder, manifest)
        if record is None:
            left_out.append((folder.name, reason))
        else:
            records.append(record)
    return Earlier(records, left_out)


def _read(folder: Path, manifest: Manifest) -> tuple[Record | None, str]:
    """Return the record of a run and an empty text, or None and why it is left out."""
    try:
        other, record = Manifest.read(folder), read_record(folder)
    except (RunError, OSError):
        return None, "damaged"
    if (other.source, other.source_label) != (manifest.source, manifest.source_label):
        return None, "other_source"
    if record is None:
        return None, "no_calls"
    if record.as_of != folder.name or not record.is_of(manifest):
        return None, "damaged"
    return record, ""


def outcomes(records: list[Record], market: Market) -> tuple[pd.DataFrame, list[str]]:
    """Judge each call after each horizon.

    Parameters
    ----------
    records : list of Record
        Of sessions before ``market.as_of``.
    market : Market
        Prices up to its date; a horizon that ends later is open.

    Returns
    -------
    table : DataFrame
        One row per record, call and horizon, and one more for each holding that is a call of its
        own, with its ``symbol`` and names. ``start`` is the first close at which the call could be
        traded, the session after it was made; ``end`` the last session of the ``weeks``-th week
        after. Returns are fractions; weights drift in between, cash earns nothing, and what has no
        price is left out of a basket as long as half of the weight has one. ``outcome``: ``right``
        when the excess over the benchmark has the sign of ``direction``; ``level`` without an
        excess; ``open``;
        ``unpriced``.
    faults : list of str
        Why calls that do not rest on closes could not be valued.
    """
    prices = _Prices(market, [call for record in records for call in record.calls])
    rows: list[dict] = []
    for record in records:
        for weeks, start, end in _windows(record, market):
            for call in record.calls:
                head = {"as_of": record.as_of, "system": call.system, "weeks": weeks}
                head |= {"basis": record.basis(call), "direction": call.direction}
                head |= {"start": start, "end": end}
                rows += [head | row for row in _judged(call, prices, start, end)]
    table = pd.DataFrame(rows, columns=TRACK_RECORD_COLUMNS)
    return table.astype({"start": "datetime64[ns]", "end": "datetime64[ns]"}), prices.faults


def _windows(record: Record, market: Market) -> Iterator[tuple[int, pd.Timestamp, pd.Timestamp]]:
    """Yield weeks, start and end of each horizon, NaT where the market does not reach so far."""
    as_of = pd.Timestamp(record.as_of)
    sessions = market.sessions.between(as_of + pd.Timedelta(days=1), market.as_of)
    start = sessions[0] if len(sessions) else pd.NaT
    # weeks that begin after the call, without those of a single session, which have no return
    weeks = market.sessions.weeks(start=as_of + pd.Timedelta(days=1), until=market.as_of)
    ends = weeks.loc[weeks["last"] > start, "last"]
    for horizon in HORIZONS:
        yield horizon, start, ends.iloc[horizon - 1] if len(ends) >= horizon else pd.NaT


def _judged(call: Call, prices: _Prices, start: pd.Timestamp, end: pd.Timestamp) -> Iterator[dict]:
    """Yield the rows of a call at one horizon: the whole call first, then each holding."""
    targets = pd.Series(call.targets, dtype=float)
    returns = prices.returns(call, start, end)
    benchmark = _basket(pd.Series(call.benchmark, dtype=float), returns)
    parts: list[tuple[str | None, str | None, str | None, float]]
    parts = [(None, None, None, _basket(targets, returns))]
    if call.each:
        held = [row for row in call.rows if row.weight > 0]
        parts += [(row.symbol, row.name, row.name_en, returns[row.symbol]) for row in held]
    for symbol, name, english, result in parts:
        excess = result - benchmark
        outcome = "open" if pd.isna(end) else _outcome(excess * call.direction)
        row = {"symbol": symbol, "name": name, "name_en": english, "outcome": outcome}
        yield row | {"return": result, "benchmark": benchmark, "excess": excess}


def _outcome(gain: float) -> str:
    """Return how a call with a gain against its benchmark is judged."""
    if np.isnan(gain):
        return "unpriced"
    if abs(gain) < LEVEL:
        return "level"
    return "right" if gain > 0 else "wrong"


def _basket(weights: pd.Series, returns: pd.Series) -> float:
    """Return the return of weights that drift, NaN where too little of them has a price."""
    own = returns.reindex(weights.index)
    priced = weights[own.notna()].sum()
    if not len(weights) or priced < PRICED * weights.sum():
        return np.nan
    return float((weights * own).sum() / priced * weights.sum())


class _Prices:
    """Values of everything that calls hold or compare with, by how they are valued."""

    def __init__(self, market: Market, calls: list[Call]):
        self.stored = market.instruments().index
        self.market = market
        self.values: dict[Valuation | None, pd.DataFrame] = {}
        self.faults: list[str] = []
        plain = [call for call in calls if not call.values]
        series = {_series(call).get(name, name) for call in plain for name in _symbols(call)}
        known = sorted(series & set(self.stored))
        self.values[None] = market.closes(known) if known else _nothing()
        for rule in dict.fromkeys(call.values for call in calls if call.values):
            try:
                self.values[rule] = self._assets(rule)
            except SuiteError as error:
                self.values[rule] = _nothing()
                self.faults.append(f"{rule.universe}: {error.message}")

    def returns(self, call: Call, start: pd.Timestamp, end: pd.Timestamp) -> pd.Series:
        """Return each symbol's return from the close of start to that of end, NaN where one is
        missing.

        Parameters
        ----------
        call : Call
            The call whose symbols are valued.
        start : Timestamp
            Session of the first close.
        end : Timestamp
            Session of the last close; NaT gives NaN for all.
        """
        symbols = _symbols(call)
        if pd.isna(end):
            return pd.Series(np.nan, index=symbols)
        values = self.values[call.values]
        series = [_series(call).get(symbol, symbol) for symbol in symbols]
        columns = values.reindex(columns=series)
        before = columns.loc[start - pd.Timedelta(days=CARRIED_DAYS) : start]
        after = columns.loc[start + pd.Timedelta(days=1) : end]
        gain = _last(after).to_numpy() / _last(before).to_numpy() - 1.0
        return pd.Series(gain, index=symbols)

    def _assets(self, rule: Valuation) -> pd.DataFrame:
        """Return the values of a universe by the rules of its assets, those that have prices."""
        assets = read_universe(rule.universe)
        assets = assets[assets.index.isin(self.stored)]
        closes = self.market.closes(assets.index)
        return total_return_index(closes, assets, rule.hedging)


def _nothing() -> pd.DataFrame:
    return pd.DataFrame(index=pd.DatetimeIndex([]), dtype=float)


def _last(values: pd.DataFrame) -> pd.Series:
    """Return the last value of each column, NaN where there is none."""
    return values.ffill().iloc[-1] if len(values) else pd.Series(np.nan, index=values.columns)


def _symbols(call: Call) -> list[str]:
    return list(dict.fromkeys([*call.targets, *call.benchmark]))


def _series(call: Call) -> dict[str, str]:
    return {row.symbol: row.series for row in call.rows if row.series}


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Count outcomes since the first call, live and recomputed calls apart.

    Parameters
    ----------
    table : DataFrame
        As ``outcomes`` returns it.

    Returns
    -------
    DataFrame
        One row per ``system``, ``basis`` and ``weeks``. ``calls`` made, of them ``open`` and
        ``unpriced``; ``judged``, of them ``right``; ``hit_rate`` with its 95% Wilson interval
        ``low`` to ``high``. Windows that overlap are not independent: the interval is that of
        ``windows``, the number of judged windows without an overlap, at the same rate.
        ``mean_excess``: of the judged calls, a fraction; of a call with direction -1 a negative one
        is right. ``parts`` and ``parts_right``: the holdings that are calls of their own.
        ``first``, ``last``: dates of the calls. ``verdict``: ``too_early`` with fewer than
        eight judged calls, ``better`` or ``worse`` where the interval excludes one half, else
        ``luck``.
    """
    keys = ["system", "basis", "weeks"]
    rows = [
        dict(zip(keys, group, strict=True)) | _counted(part)
        for group, part in table.groupby(keys, sort=False)
    ]
    columns = [*keys, "calls", "open", "unpriced", "judged", "right", "hit_rate", "low", "high"]
    columns += ["windows", "mean_excess", "parts", "parts_right", "first", "last", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def _counted(part: pd.DataFrame) -> dict:
    """Return the counts of one system, basis and horizon."""
    whole, each = part[part["symbol"].isna()], part[part["symbol"].notna()]
    judged = whole[whole["outcome"].isin(["right", "wrong"])].sort_values("start")
    right, count = int((judged["outcome"] == "right").sum()), len(judged)
    windows = 0
    free_from = pd.Timestamp.min
    for row in judged.itertuples():
        if row.start >= free_from:
            windows += 1
            free_from = row.end
    rate = right / count if count else np.nan
    low, high = np.nan, np.nan
    if count:
        low, high = proportion_confint(rate * windows, windows, method="wilson")
    verdict = "luck"
    if count < ENOUGH:
        verdict = "too_early"
    elif low > 0.5 or high < 0.5:
        verdict = "better" if low > 0.5 else "worse"
    counts = {kind: int((whole["outcome"] == kind).sum()) for kind in ("open", "unpriced")}
    return counts | {
        "calls": len(whole),
        "judged": count,
        "right": right,
        "hit_rate": rate,
        "low": low,
        "high": high,
        "windows": windows,
        "mean_excess": judged["excess"].mean(),
        "parts": int(each["outcome"].isin(["right", "wrong"]).sum()),
        "parts_right": int((each["outcome"] == "right").sum()),
        "first": whole["as_of"].min(),
        "last": whole["as_of"].max(),
        "verdict": verdict,
    }
