"""Checks of daily and minute bars."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.market.adjust import LOST, REPAIRED, find_adjustment
from lib.market.calendar import Sessions
from lib.market.checks.findings import FindingsLog
from lib.market.checks.gaps import check_gaps, check_missing_sessions
from lib.market.checks.series import (
    check_jumps,
    check_open_is_close,
    check_scale,
    check_unchanged,
    first_rows,
)
from lib.market.checks.tables import refuse_unknown
from lib.market.schema import PRICES, XSHG_KINDS

#: share of the price by which high and low may miss open and close: rounding of single-precision
#: exports
ROUNDING = 2e-6


def check_bars(log: FindingsLog, sessions: Sessions, instruments: pd.DataFrame) -> None:
    """Run every check of bars, in an order in which each can rely on the ones before.

    Parameters
    ----------
    log : FindingsLog
        Holds the bars; repaired and quarantined rows are changed and removed in it.
    sessions : Sessions
        Of the Shanghai exchange.
    instruments : DataFrame
        Indexed by symbol, with ``kind`` and ``group``.
    """
    refuse_unknown(log, instruments)
    _refuse_other_kinds(log, instruments)
    kind = log.batch.kind or ""
    _check_dates(log, sessions, on_exchange=kind in XSHG_KINDS)
    _sort(log)
    _blank_zeros(log)
    log.quarantine(
        log.rows["close"].isna(), "no close", "the row has no close", "leave such rows out"
    )
    infinite = np.isinf(log.rows[list(PRICES)]).any(axis=1)
    log.quarantine(infinite, "infinite", "a price is infinite", "correct it")
    if log.batch.table == "bars" and kind in ("stock", "etf"):
        _repair_lots(log)
    if log.batch.table == "bars" and kind == "etf" and not log.batch.increment:
        _repair_subtracted(log)
    _check_signs(log, kind)
    _check_shape(log)
    if log.batch.table == "minute_bars" or not len(log.rows):
        return
    check_scale(log, kind)
    check_open_is_close(log)
    check_jumps(log, kind)
    check_unchanged(log)
    if kind in XSHG_KINDS:
        groups = instruments["group"].fillna("")
        check_missing_sessions(log, sessions, groups)
        check_gaps(log, kind, groups)


def _refuse_other_kinds(log: FindingsLog, instruments: pd.DataFrame) -> None:
    """Refuse rows whose symbol is of another kind than the file; returns nothing."""
    codes, symbols = pd.factorize(log.rows["symbol"])
    kinds = instruments["kind"].reindex(symbols).to_numpy(dtype=object)
    mask = (kinds != log.batch.kind)[codes]
    log.refuse(
        mask,
        "other kind",
        [
            f"the kind is {kind} in instruments, {log.batch.kind} in the file"
            for kind in kinds[codes[mask]]
        ],
        "move the symbol to the file of its kind, or correct its kind in instruments",
    )


def _check_dates(log: FindingsLog, sessions: Sessions, on_exchange: bool) -> None:
    """Quarantine rows after today and, of exchange data, outside sessions; warn of weekends."""
    # the day after today's in Shanghai has begun nowhere
    tomorrow = pd.Timestamp.now(tz="Asia/Shanghai").tz_localize(None).normalize()
    tomorrow += pd.Timedelta(days=1)
    future = (log.days() >= tomorrow).to_numpy()
    log.quarantine(future, "in the future", "the row is dated after today", "correct the date")
    days = log.days()
    weekend = days.dt.day_of_week >= 5
    if on_exchange:
        # past the horizon of the calendar only weekends are known not to be sessions
        closed = ~days.isin(sessions.all) & ((days <= sessions.horizon) | weekend)
        remedy = "leave out rows on holidays and weekends"
        log.quarantine(closed, "not a session", "the exchange was closed", remedy)
    else:
        remedy = "check the dates: wrong time zone, or forward-filled rows"
        log.warn(weekend, "weekend", "the row is dated on a weekend", remedy)


def _sort(log: FindingsLog) -> None:
    codes = pd.factorize(log.rows["symbol"], sort=True)[0]
    times = log.rows[log.date_column].to_numpy().astype(np.int64)
    same_symbol = codes[1:] == codes[:-1]
    in_order = (codes[1:] > codes[:-1]) | (same_symbol & (times[1:] > times[:-1]))
    if not in_order.all():
        log.rows = log.rows.take(np.lexsort((times, codes))).reset_index(drop=True)


def _blank_zeros(log: FindingsLog) -> None:
    """Empty open, high and low that are all 0 with a positive close, and a volume of 0 too."""
    rows = log.rows
    no_range = (rows["open"] == 0) & (rows["high"] == 0) & (rows["low"] == 0)
    zero = (no_range & (rows["close"] > 0)).to_numpy()
    if zero.any():
        log.repair(
            zero,
            "zeros for unknown",
            "open, high and low are 0 but the close is not; stored as empty, and so is a volume or"
            " amount of 0",
            "leave unknown fields empty",
        )
        rows.loc[zero, ["open", "high", "low"]] = np.nan
        for field in ("volume", "amount"):
            rows.loc[zero & (rows[field] == 0).to_numpy(), field] = np.nan


def _average_price(rows: pd.DataFrame) -> np.ndarray:
    """Return amount per share traded, (T,), NaN where it is not known."""
    volume = rows["volume"].to_numpy()
    amount = rows["amount"].to_numpy()
    average = np.full(len(rows), np.nan)
    np.divide(amount, volume, out=average, where=(volume > 0) & (amount > 0))
    return average


def _repair_lots(log: FindingsLog) -> None:
    """Turn volumes in lots into shares: amount / volume is 100 times the price from the start."""
    rows = log.rows
    ratio = _average_price(rows) / rows["close"].to_numpy()
    first = np.flatnonzero(first_rows(pd.factorize(rows["symbol"])[0]))
    starts_in_lots = (ratio[first] > 85) & (ratio[first] < 115)
    lots = np.repeat(starts_in_lots, np.diff(np.append(first, len(rows))))
    lots &= (ratio > 70) & (ratio < 140)
    log.repair(
        lots,
        "volume in lots",
        "amount / volume is 100 times the price; the volume is stored times 100",
        "give volume in shares",
    )
    if lots.any():
        rows.loc[lots, "volume"] *= 100


def _repair_subtracted(log: FindingsLog) -> None:
    """Replace ETF prices adjusted by subtraction with total returns, or quarantine the rows."""
    rows = log.rows
    if not len(rows):
        return
    prices = rows[list(PRICES)].to_numpy()
    is_first = first_rows(pd.factorize(rows["symbol"])[0])
    adjustment = find_adjustment(is_first, prices, _average_price(rows))
    repaired = adjustment.verdict == REPAIRED
    offset = adjustment.offset[repaired]
    # the detail names the size of the fault in steps of 5%, so that the repairs table lists a
    # stretch of rows once
    share = offset / (prices[repaired, 3] + offset)
    rounded_share = np.clip(np.round(share * 20), 0, 19) / 20
    log.repair(
        repaired,
        "subtracted dividends",
        [
            f"the source overstates moves about {1 / (1 - step):.2f} times; total-return prices are"
            " stored"
            for step in rounded_share
        ],
        "bring raw or proportionally adjusted prices",
    )
    total_return = (prices[repaired] + offset[:, None]) * adjustment.factor[repaired, None]
    rows.loc[repaired, list(PRICES)] = total_return
    log.quarantine(
        adjustment.verdict == LOST,
        "raw level unknown",
        "dividends were subtracted, and amount and volume do not show how much",
        "bring raw prices, or amount and volume for every row",
    )


def _check_signs(log: FindingsLog, kind: str | None) -> None:
    """Quarantine non-positive closes and empty other impossible values; returns nothing."""
    if kind != "yield":
        log.quarantine(
            log.rows["close"] <= 0,
            "not positive",
            "the close is zero or negative",
            "correct the price; if it is adjusted by subtraction, bring raw prices, or volume and"
            " amount with it",
        )
        for field in ("open", "high", "low"):
            bad = (log.rows[field] <= 0).to_numpy()
            detail = f"the {field} is zero or negative; stored as empty"
            log.repair(bad, f"{field} not positive", detail, "correct the price")
            log.rows.loc[bad, field] = np.nan
    for field in ("volume", "amount"):
        bad = (log.rows[field] < 0).to_numpy()
        log.repair(
            bad, f"negative {field}", f"the {field} is negative; stored as empty", "correct it"
        )
        log.rows.loc[bad, field] = np.nan


def _check_shape(log: FindingsLog) -> None:
    """Empty a high below open or close, and a low above them."""
    rows = log.rows
    tolerance = ROUNDING * rows["close"].abs().to_numpy()
    open_, high, low, close = (rows[field].to_numpy() for field in PRICES)
    with np.errstate(invalid="ignore"):
        low_high = high < np.fmax(open_, close) - tolerance
        high_low = low > np.fmin(open_, close) + tolerance
    for mask, field, detail in (
        (low_high, "high", "the high is below open or close; stored as empty"),
        (high_low, "low", "the low is above open or close; stored as empty"),
    ):
        log.repair(mask, f"{field} inconsistent", detail, "correct the bar")
        rows.loc[mask, field] = np.nan
