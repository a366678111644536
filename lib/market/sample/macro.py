"""US inflation releases of the synthetic economy: actual, consensus and previous, as printed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from lib.market.sample.dates import LAST, rng_for
from lib.market.sample.processes import autoregression, decay

FIRST_PERIOD = "1999-01-01"
#: index -> (yearly rate in percent, standard deviation of a monthly change in percent, day of the
#: month of the release)
INDICES = {
    "US_CPI": (2.4, 0.16, 12),
    "US_CORE_CPI": (2.4, 0.08, 12),
    "US_PPI": (2.2, 0.30, 13),
    "US_CORE_PPI": (2.2, 0.15, 13),
}
#: standard deviation of actual minus consensus, in percentage points
SURPRISE = 0.1


def releases(seed: int) -> pd.DataFrame:
    """Return the releases with the columns of the table ``macro``: changes in percent.

    A value for a month is released in the middle of the next, on a weekday. Monthly and yearly
    changes are rounded to a tenth from an index with three decimals; ``previous`` is the actual of
    the month before; ``consensus`` is the actual less a surprise, rounded. ``US_CPI_INDEX_SA`` is
    the index level, without a consensus.
    """
    periods = pd.date_range(FIRST_PERIOD, LAST, freq="MS")
    common = autoregression(rng_for(seed, "macro").standard_normal(len(periods)), decay(4.0))
    frames: list[pd.DataFrame] = []
    for name in INDICES:
        frames += _releases_of(name, periods, common, seed)
    table = pd.concat(frames, ignore_index=True)
    return table[table["release_date"] <= LAST].reset_index(drop=True)


def _releases_of(
    name: str, periods: pd.DatetimeIndex, common: np.ndarray, seed: int
) -> Iterator[pd.DataFrame]:
    """Yield the series of one index: for the CPI its level, then monthly and yearly changes."""
    rate, deviation, day = INDICES[name]
    rng = rng_for(seed, "macro", name)
    shocks = 0.6 * common + 0.8 * rng.standard_normal(len(periods))
    level = np.round(160.0 * np.exp(np.cumsum(rate / 1200.0 + deviation * shocks / 100.0)), 3)
    released = _weekday(periods + pd.DateOffset(months=1) + pd.Timedelta(days=day - 1))
    if name == "US_CPI":
        yield _frame("US_CPI_INDEX_SA", periods, released, level, np.nan, np.nan)
    for suffix, months in (("MOM", 1), ("YOY", 12)):
        actual = np.round(100.0 * (level[months:] / level[:-months] - 1.0), 1)
        consensus = np.round(actual[1:] - SURPRISE * rng.standard_normal(len(actual) - 1), 1)
        # adding zero turns a rounded -0.0 into 0.0
        values = (actual[1:] + 0.0, consensus + 0.0, actual[:-1] + 0.0)
        yield _frame(f"{name}_{suffix}", periods[months + 1 :], released[months + 1 :], *values)


def _weekday(dates: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Move Saturdays and Sundays to the next Monday."""
    days = dates.values.astype("datetime64[D]")
    return pd.DatetimeIndex(np.busday_offset(days, 0, roll="forward"))


def _frame(series, periods, released, actual, consensus, previous) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "series": series,
            "period": periods,
            "release_date": released,
            "actual": actual,
            "consensus": consensus,
            "previous": previous,
        }
    )
