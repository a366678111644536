"""Performance figures of a net asset value, by one set of conventions for every exhibit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.market.calendar import Week
from lib.market.errors import ModelError
from lib.portfolio.backtest import Backtest
from lib.portfolio.conventions import DAYS_PER_YEAR, SESSIONS_PER_YEAR

METRICS = (
    "annual_return",
    "annual_volatility",
    "sharpe",
    "max_drawdown",
    "calmar",
    "ytd_return",
    "week_return",
)


def drawdown(nav: pd.Series | pd.DataFrame) -> pd.Series | pd.DataFrame:
    """Return the fall from the highest value so far, (T,) or (T, S), 0 at a new high and negative
    below.
    """
    return nav / nav.cummax() - 1.0


def performance(nav: pd.Series | pd.DataFrame, week: Week | None = None) -> pd.DataFrame:
    r"""Return the figures that the published tables show.

    With :math:`V_0 \dots V_n` on sessions that span :math:`Y` calendar years,

    .. math:: \text{return} = (V_n / V_0)^{1/Y} - 1, \qquad \text{volatility} =
    \operatorname{sd}(V_t / V_{t-1} - 1)
              \sqrt{n / Y}

    Sharpe is return over volatility without a risk-free rate and Calmar is return over the depth of
    the largest drawdown: both hold for every published set of figures. The published ratios cannot
    separate 252 sessions per year from calendar years, as the factor cancels to first order; the
    calendar
    is taken because it is right for Shanghai (243 sessions) and for global markets (261) alike.

    Parameters
    ----------
    nav : Series (T,) or DataFrame (T, S), indexed by date
        Net asset values, positive. A column may start late or end early (NaN outside), not pause.
    week : Week, optional
        The report's week: values after its last session are left out, so that every figure of a
        report is of the same date, and ``week_return`` runs from the last session before it to its
        last one. None takes all values and leaves ``week_return`` NaN.

    Returns
    -------
    DataFrame, (7, S), indexed by metric
        Fractions; ``max_drawdown`` is negative. ``ytd_return`` starts at the last session of the
        year before, or NaN when the column starts within the year; ``week_return`` is NaN where the
        column lacks either end of the week. A ratio over zero is NaN.

    Raises
    ------
    ModelError
        Fewer than three values, a value that is not positive, dates not increasing, or a gap inside
        a column.
    """
    frame = nav.to_frame(nav.name or "nav") if isinstance(nav, pd.Series) else nav
    if not frame.index.is_monotonic_increasing or not frame.index.is_unique:
        raise ModelError(
            "the dates of a net asset value do not increase",
            remedy="sort it and drop repeated dates",
        )
    if week is not None:
        frame = frame.loc[: week.last]
    return pd.DataFrame(
        {name: _figures(frame[name], week) for name in frame}, index=list(METRICS)
    ).rename_axis("metric")


def cost_curve(
    strategy: Backtest, benchmark_return: float, levels: Sequence[float]
) -> tuple[pd.DataFrame, float]:
    r"""Return the annualised excess return at each uniform cost, and the break-even cost.

    Cost is taken in proportion, so gross value and turnover :math:`\tau` suffice:
    :math:`\text{net}_t = \text{gross}_t \prod_{s \le t} (1 - c\,\tau_s)`.

    Parameters
    ----------
    strategy : Backtest
        Its ``gross`` (T,) and ``turnover`` (F,).
    benchmark_return : float
        Annualised return of the benchmark, a fraction.
    levels : sequence of float, (L,)
        Costs in rising order, fractions of the traded value, one way.

    Returns
    -------
    table : DataFrame, (L, 2)
        ``cost``, ``excess``.
    break_even : float
        Interpolated between levels; NaN where the excess is not positive at the first level or
        still positive at the last.
    """
    turnover = strategy.turnover.reindex(strategy.gross.index, fill_value=0.0)
    net = pd.DataFrame(
        {level: strategy.gross * (1.0 - level * turnover).cumprod() for level in levels}
    )
    excess = performance(net).loc["annual_return"].to_numpy() - benchmark_return
    falling = excess[0] > 0 > excess[-1]
    break_even = float(np.interp(0.0, excess[::-1], np.array(levels)[::-1])) if falling else np.nan
    return pd.DataFrame({"cost": levels, "excess": excess}), break_even


def excess_statistics(nav: pd.DataFrame, benchmark: str, week: Week | None = None) -> pd.DataFrame:
    r"""Return how large and how sure the daily excess return is.

    With active returns of mean :math:`m` and standard deviation :math:`s` over :math:`T` sessions,
    the annualised information ratio is :math:`\sqrt{243}\, m / s` and :math:`t = m \sqrt T / s`.

    Parameters
    ----------
    nav : DataFrame, (T, S), indexed by date
        Net asset values, without NaN between the first and the last.
    benchmark : str
        Its column.
    week : Week, optional
        Values after its last session are left out.

    Returns
    -------
    DataFrame, (2, S), indexed by metric
        ``information_ratio`` and ``t_stat``; NaN for the benchmark itself.
    """
    returns = nav.loc[: week.last if week else None].pct_change()
    active = returns.sub(returns[benchmark], axis=0)
    ratio = active.mean() / active.std().where(active.std() > 1e-12)
    rows = {
        "information_ratio": ratio * np.sqrt(SESSIONS_PER_YEAR),
        "t_stat": ratio * np.sqrt(active.count()),
    }
    return pd.DataFrame(rows).T.rename_axis("metric")


def _figures(column: pd.Series, week: Week | None) -> dict[str, float]:
    """Return the figures of one column by metric, or raise ModelError for too few values."""
    first, last = column.first_valid_index(), column.last_valid_index()
    nav = column.loc[first:last] if first is not None else column.dropna()
    if len(nav) < 3 or nav.isna().any() or (nav <= 0).any():
        raise ModelError(
            f"{column.name} has no performance: {len(nav)} values, {int(nav.isna().sum())} missing"
            " inside",
            symbol=str(column.name),
            remedy="give at least three positive values without a gap",
        )
    years = (nav.index[-1] - nav.index[0]).days / DAYS_PER_YEAR
    returns = nav.to_numpy()[1:] / nav.to_numpy()[:-1] - 1.0
    annual = float((nav.iloc[-1] / nav.iloc[0]) ** (1.0 / years) - 1.0)
    volatility = float(returns.std(ddof=1) * np.sqrt(len(returns) / years))
    depth = float(drawdown(nav).min())
    return {
        "annual_return": annual,
        "annual_volatility": volatility,
        "sharpe": annual / volatility if volatility > 1e-12 else np.nan,
        "max_drawdown": depth,
        "calmar": annual / -depth if depth < 0 else np.nan,
        "ytd_return": _ytd_return(nav),
        "week_return": np.nan if week is None else _week_return(nav, week),
    }


def _ytd_return(nav: pd.Series) -> float:
    """Return the change since the last value of the year before; NaN when there is none."""
    before = nav[nav.index.year < nav.index[-1].year]
    return float(nav.iloc[-1] / before.iloc[-1] - 1.0) if len(before) else np.nan


def _week_return(nav: pd.Series, week: Week) -> float:
    """Return the change over a week; NaN where the value at either end is missing."""
    ends = nav.reindex([week.previous_last, week.last])
    return float(ends.iloc[1] / ends.iloc[0] - 1.0)
