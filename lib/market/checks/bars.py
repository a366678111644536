"""Checks of daily and minute bars."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.market.adjust import LOST, REPAIRED, find_adjustment
from lib.market.calendar import Sessions
from lib.market.checks.ledger import Ledger
from lib.market.checks.series import check_jumps, check_open_is_close, check_scale, first_rows
from lib.market.checks.span import check_gaps, check_missing_sessions
from lib.market.checks.tables import refuse_unknown
from lib.market.schema import PRICES, XSHG_KINDS

#: share of the price by which high and low may miss open and close: rounding of single-precision exports
ROUNDING = 2e-6


def check_bars(ledger: Ledger, sessions: Sessions, instruments: pd.DataFrame) -> None:
    """Run every check of bars, in an order in which each can rely on the ones before."""
    refuse_unknown(ledger, instruments)
    _refuse_other_kinds(ledger, instruments)
    kind = ledger.batch.kind
    _check_dates(ledger, sessions, on_exchange=kind in XSHG_KINDS)
    _sort(ledger)
    _blank_zeros(ledger)
    ledger.quarantine(ledger.rows["close"].isna(), "no close", "the row has no close", "leave such rows out")
    ledger.quarantine(np.isinf(ledger.rows[list(PRICES)]).any(axis=1), "infinite", "a price is infinite", "correct it")
    if ledger.batch.table == "bars" and kind in ("stock", "etf"):
        _repair_lots(ledger)
    if ledger.batch.table == "bars" and kind == "etf" and not ledger.batch.increment:
        _repair_subtracted(ledger)
    _check_signs(ledger, kind)
    _check_shape(ledger)
    if ledger.batch.table == "minute_bars" or not len(ledger.rows):
        return
    check_scale(ledger, kind)
    check_open_is_close(ledger)
    check_jumps(ledger, kind)
    if kind in XSHG_KINDS:
        groups = instruments["group"].fillna("")
        check_missing_sessions(ledger, sessions, groups)
        check_gaps(ledger, kind, groups)


def _refuse_other_kinds(ledger: Ledger, instruments: pd.DataFrame) -> None:
    codes, symbols = pd.factorize(ledger.rows["symbol"])
    kinds = instruments["kind"].reindex(symbols).to_numpy(dtype=object)
    other = kinds != ledger.batch.kind
    mask = other[codes]
    ledger.refuse(
        mask,
        "other kind",
        [f"instruments call it {kind}, the file {ledger.batch.kind}" for kind in kinds[codes[mask]]],
        "move the symbol to the file of its kind, or correct its kind in instruments",
    )


def _check_dates(ledger: Ledger, sessions: Sessions, on_exchange: bool) -> None:
    days = ledger.days()
    if on_exchange:
        # past the horizon of the calendar only weekends are known not to be sessions
        off = ~days.isin(sessions.all) & ((days <= sessions.horizon) | (days.dt.day_of_week >= 5))
        ledger.quarantine(off, "not a session", "the exchange was closed", "leave out rows on holidays and weekends")
    else:
        ledger.warn(
            days.dt.day_of_week >= 5, "weekend", "a row on a weekend", "check the dates: time zone, or filled in"
        )


def _sort(ledger: Ledger) -> None:
    key = ledger.dated
    codes = pd.factorize(ledger.rows["symbol"], sort=True)[0]
    times = ledger.rows[key].to_numpy().astype(np.int64)
    same = codes[1:] == codes[:-1]
    if not ((codes[1:] > codes[:-1]) | (same & (times[1:] > times[:-1]))).all():
        ledger.rows = ledger.rows.take(np.lexsort((times, codes))).reset_index(drop=True)


def _blank_zeros(ledger: Ledger) -> None:
    """Empty open, high and low that are 0 beside a valid close, and the volume that is 0 with them."""
    rows = ledger.rows
    zero = ((rows["open"] == 0) & (rows["high"] == 0) & (rows["low"] == 0) & (rows["close"] > 0)).to_numpy()
    if zero.any():
        ledger.repair(
            zero,
            "zeros for unknown",
            "open, high and low are 0 beside a close; stored as empty, and so is a volume or amount of 0",
            "leave fields that are not known empty",
        )
        rows.loc[zero, ["open", "high", "low"]] = np.nan
        for field in ("volume", "amount"):
            rows.loc[zero & (rows[field] == 0).to_numpy(), field] = np.nan


def _average(rows: pd.DataFrame) -> np.ndarray:
    """Return amount per share traded, NaN where it is not known."""
    volume, amount = rows["volume"].to_numpy(), rows["amount"].to_numpy()
    average = np.full(len(rows), np.nan)
    np.divide(amount, volume, out=average, where=(volume > 0) & (amount > 0))
    return average


def _repair_lots(ledger: Ledger) -> None:
    """Turn volumes in lots of 100 into shares: where amount / volume is a hundred times the price from the start."""
    rows = ledger.rows
    ratio = _average(rows) / rows["close"].to_numpy()
    first = np.flatnonzero(first_rows(pd.factorize(rows["symbol"])[0]))
    lots = np.repeat((ratio[first] > 85) & (ratio[first] < 115), np.diff(np.append(first, len(rows))))
    lots &= (ratio > 70) & (ratio < 140)
    ledger.repair(
        lots,
        "volume in lots",
        "amount / volume is a hundred times the price; the volume is stored times 100",
        "give volume in shares",
    )
    if lots.any():
        rows.loc[lots, "volume"] *= 100


def _repair_subtracted(ledger: Ledger) -> None:
    """Replace ETF prices from which dividends were subtracted by total-return prices, or set them aside."""
    rows = ledger.rows
    if not len(rows):
        return
    prices = rows[list(PRICES)].to_numpy()
    found = find_adjustment(first_rows(pd.factorize(rows["symbol"])[0]), prices, _average(rows))
    repaired = found.verdict == REPAIRED
    share = found.offset[repaired] / (prices[repaired, 3] + found.offset[repaired])
    # the detail names the size of the fault in steps, so that a stretch of rows shares one line of the repairs
    ledger.repair(
        repaired,
        "subtracted dividends",
        [
            f"the source overstates moves about {1 / (1 - step / 20):.2f} times; total-return prices are stored"
            for step in np.clip(np.round(share * 20), 0, 19)
        ],
        "bring raw or proportionally adjusted prices",
    )
    mended = (prices[repaired] + found.offset[repaired, None]) * found.factor[repaired, None]
    rows.loc[repaired, list(PRICES)] = mended
    ledger.quarantine(
        found.verdict == LOST,
        "raw level unknown",
        "dividends were subtracted, and amount and volume do not tell how much",
        "bring raw prices, or amount and volume for every row",
    )


def _check_signs(ledger: Ledger, kind: str | None) -> None:
    if kind != "yield":
        ledger.quarantine(
            ledger.rows["close"] <= 0,
            "not positive",
            "the close is zero or negative",
            "correct the price; if it is adjusted by subtraction, bring raw prices, or volume and amount with it",
        )
        for field in ("open", "high", "low"):
            bad = (ledger.rows[field] <= 0).to_numpy()
            ledger.repair(
                bad, f"{field} not positive", f"the {field} is zero or negative; stored as empty", "correct the price"
            )
            ledger.rows.loc[bad, field] = np.nan
    for field in ("volume", "amount"):
        bad = (ledger.rows[field] < 0).to_numpy()
        ledger.repair(bad, f"negative {field}", f"the {field} is negative; stored as empty", "correct it")
        ledger.rows.loc[bad, field] = np.nan


def _check_shape(ledger: Ledger) -> None:
    """Empty a high below open or close, and a low above them."""
    rows = ledger.rows
    slack = ROUNDING * rows["close"].abs().to_numpy()
    open_, high, low, close = (rows[field].to_numpy() for field in PRICES)
    with np.errstate(invalid="ignore"):
        top, bottom = np.fmax(open_, close), np.fmin(open_, close)
        low_high, high_low = high < top - slack, low > bottom + slack
    for mask, field, words in (
        (low_high, "high", "the high lies below open or close; stored as empty"),
        (high_low, "low", "the low lies above open or close; stored as empty"),
    ):
        ledger.repair(mask, f"{field} inconsistent", words, "correct the bar")
        rows.loc[mask, field] = np.nan
