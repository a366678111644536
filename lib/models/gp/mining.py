"""The window of sessions that a quarter's mining may see."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.random import RandomState

from lib.market.errors import ModelError
from lib.models.forecast_evaluation import forward_returns
from lib.models.gp.fitness import MIN_SHARE, Target, coverage
from lib.models.gp.inputs import MIN_SESSIONS, Inputs, week_ends
from lib.models.gp.settings import MIN_SYMBOLS, MiningSettings
from lib.models.gp.slow_inputs import SLOWEST

#: sessions before the window that rolling operators may look back to
WARM_UP = 120


@dataclass(frozen=True)
class Window:
    """What one quarter's mining may see.

    Attributes
    ----------
    inputs : Inputs
        Sessions up to the quarter end and no further, the warm-up in front.
    training, validation : Target
        Weeks, labels and days of both parts; between them, and behind the validation, a gap as long
        as the labels.
    dropped : dict of str to str
        Input -> why this window does without it.
    """

    inputs: Inputs
    training: Target
    validation: Target
    dropped: dict[str, str]

    @property
    def first_date(self) -> pd.Timestamp:
        """First training day."""
        return self.inputs.dates[self.training.first]

    @property
    def last_date(self) -> pd.Timestamp:
        """The last session anything here depends on."""
        return self.inputs.dates[-1]


def window_bounds(inputs: Inputs, end: int, settings: MiningSettings) -> tuple[int, int]:
    """Return the first row that the formulas of a window may look at, and its first training row.

    Parameters
    ----------
    inputs : Inputs
    end : int
        Row of the quarter's last session; later rows are not looked at.
    settings : MiningSettings
        ``window`` sessions at most. The first 250 sessions of the history are the warm-up of the
        slow inputs, if half a window and 250 sessions are left after them; in a shorter history the
        window starts with the 60-session z-scores, and slow inputs that do not cover it are left
        out.

    Raises
    ------
    ModelError
        Fewer than 15 symbols or 250 sessions.
    """
    stop = end + 1
    start = max(stop - settings.window - WARM_UP, 0)
    day = f"{inputs.dates[end]:%Y-%m-%d}"
    listed = np.isfinite(inputs.close[start:stop]).sum(axis=1)
    if listed[-1] < MIN_SYMBOLS:
        raise ModelError(
            f"only {listed[-1]} sectors have a close",
            date=day,
            remedy=f"choose a universe with at least {MIN_SYMBOLS} sectors, or an earlier date",
        )
    scores = inputs.values["close_z"][start:stop]
    scored = np.isfinite(scores).sum(axis=1) >= np.maximum(MIN_SHARE * listed, MIN_SYMBOLS)
    usable = start + int(np.argmax(scored)) if scored.any() else stop
    warm = SLOWEST if stop - SLOWEST >= max(settings.window / 2, MIN_SESSIONS) else 0
    first = max(stop - settings.window, usable, warm)
    if stop - first < MIN_SESSIONS:
        raise ModelError(
            f"the window ending here has {stop - first} sessions",
            date=day,
            remedy=(
                f"mining needs {MIN_SESSIONS} after the inputs' warm-up: start later or load more"
                " history"
            ),
        )
    return start, first


def window_at(inputs: Inputs, end: int, settings: MiningSettings) -> Window:
    """Cut the window of sessions that ends with row ``end``.

    Parameters
    ----------
    inputs : Inputs
    end : int
        Row of the quarter's last session; later rows are not looked at.
    settings : MiningSettings

    Raises
    ------
    ModelError
        As ``window_bounds``, or no input that varies.
    """
    start, first = window_bounds(inputs, end, settings)
    cut = inputs.rows(start, end + 1)
    first -= start
    listed = np.isfinite(cut.close).sum(axis=1)
    labels = forward_returns(cut.close, settings.horizon)
    weeks = week_ends(cut.dates)
    gap = settings.horizon + 1
    tail = len(cut.dates) - settings.validation

    def target(low: int, high: int) -> Target:
        rows = weeks[(weeks >= low) & (weeks < high)]
        return Target(rows, np.ascontiguousarray(labels[rows]), listed, low, high)

    training, validation = target(first, tail - gap), target(tail, len(cut.dates) - gap)
    dropped, kept = {}, {}
    for name, panel in cut.values.items():
        share = coverage(panel, listed, training.first, training.stop)
        if share < settings.min_coverage:
            dropped[name] = f"varies on {share:.0%} of the training days"
        else:
            kept[name] = panel
    if not kept:
        raise ModelError(
            "no input varies over this window",
            date=f"{inputs.dates[end]:%Y-%m-%d}",
            remedy="check the sector prices: constant or missing series cannot be mined",
        )
    cut = replace(cut, values=kept)
    return Window(cut, training, validation, dropped)


def shuffle_labels(window: Window, seed: int) -> Window:
    """Return the window with every symbol's labels replaced by another one's.

    This is the null hypothesis with the labels' own distribution and persistence. The permutation
    is fixed by the seed and the window's last date.
    """
    entropy = np.random.SeedSequence([seed, int(f"{window.last_date:%Y%m%d}"), 1])
    random = RandomState(entropy.generate_state(1)[0])
    order = random.permutation(len(window.inputs.symbols))
    training, validation = (
        replace(target, labels=np.ascontiguousarray(target.labels[:, order]))
        for target in (window.training, window.validation)
    )
    return replace(window, training=training, validation=validation)
