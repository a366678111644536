"""One mining: a window of sessions, a seed, and the programs that survive."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.random import RandomState

from lib.market.errors import ModelError
from lib.models.forecast_evaluation import forward_returns
from lib.models.gp.evaluation import Evaluator
from lib.models.gp.fitness import MIN_SHARE, Fitness, Target, coverage, evaluate_fitness
from lib.models.gp.inputs import MIN_SESSIONS, Inputs, week_ends
from lib.models.gp.operators import operator_set
from lib.models.gp.programs import Grammar, Tree
from lib.models.gp.selection import nsga2_survival
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


@dataclass(frozen=True)
class Candidate:
    """A surviving program and its measures in training."""

    tree: Tree
    training: Fitness


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


def window_at(
    inputs: Inputs, end: int, settings: MiningSettings, shuffle: int | None = None
) -> Window:
    """Cut the window of sessions that ends with row ``end``.

    Parameters
    ----------
    inputs : Inputs
    end : int
        Row of the quarter's last session; later rows are not looked at.
    settings : MiningSettings
    shuffle : int or None
        Seed of a permutation that gives every symbol another one's labels: the null hypothesis with
        the labels' own distribution and memory.

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
    if shuffle is not None:
        labels = labels[:, RandomState(shuffle).permutation(labels.shape[1])]
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


def mine(
    window: Window, settings: MiningSettings, seed: int, families=None
) -> tuple[list[Candidate], int]:
    """Search for programs with a high |mean rank IC| and a high NDCG@5 on the training weeks.

    Parameters
    ----------
    window : Window
    settings : MiningSettings
    seed : int
        With the window's last date it fixes every random choice.
    families : iterable of str or None
        Operator families to use; None for all.

    Returns
    -------
    candidates : list of Candidate
        The last generation without degenerate programs, by falling |rank IC|.
    evaluated : int
        Programs evaluated in all generations.
    """
    grammar = Grammar(operator_set(families), window.inputs.names, settings)
    evaluator = Evaluator(list(window.inputs.values.values()))
    state = np.random.SeedSequence([seed, int(f"{window.last_date:%Y%m%d}")]).generate_state(1)
    random = RandomState(state[0])
    fitness: dict[int, Fitness] = {}

    def evaluate(trees: list[Tree]) -> list[int]:
        numbers = [evaluator.number(tree) for tree in trees]
        for number in evaluator.evaluation_order(set(numbers) - fitness.keys()):
            fitness[number] = evaluate_fitness(
                evaluator.value(number), window.training, settings.min_coverage
            )
        return numbers

    trees = [grammar.program(random).program for _ in range(settings.population)]
    numbers = evaluate(trees)
    evaluated = len(trees)
    for _ in range(settings.generations - 1):
        trees, numbers = _survive(trees, numbers, fitness, settings)
        offspring = []
        for _ in range(settings.population):
            parent, donor = (trees[_tournament(len(trees), random, settings)] for _ in range(2))
            offspring.append(grammar.vary(parent, donor, random))
        numbers = numbers + evaluate(offspring)
        trees = trees + offspring
        evaluated += len(offspring)
    trees, numbers = _survive(trees, numbers, fitness, settings)
    candidates = [
        Candidate(tree, fitness[number])
        for tree, number in zip(trees, numbers, strict=True)
        if fitness[number].ic != 0
    ]
    return sorted(candidates, key=lambda candidate: -abs(candidate.training.ic)), evaluated


def _survive(trees, numbers, fitness, settings) -> tuple[list[Tree], list[int]]:
    """Keep the best ``population`` programs, one of those that rank the symbols alike."""
    seen, unique = set(), []
    for position, number in enumerate(numbers):
        this = fitness[number]
        # formulas that order the symbols alike have equal measures: x, neg(x), sigmoid(x)
        alike = (round(abs(this.ic), 10), round(this.ndcg, 10))
        if alike not in seen:
            seen.add(alike)
            unique.append(position)
    values = [fitness[numbers[position]] for position in unique]
    lengths = np.array([len(trees[position]) for position in unique])
    objectives = (
        np.array([(abs(this.ic), this.ndcg) for this in values])
        - settings.parsimony * lengths[:, None]
    )
    kept, _, _ = nsga2_survival(objectives, settings.population)
    chosen = [unique[position] for position in kept]
    return [trees[position] for position in chosen], [numbers[position] for position in chosen]


def _tournament(size: int, random: RandomState, settings: MiningSettings) -> int:
    # survivors come best first, so the least position wins
    return int(random.randint(0, size, settings.tournament).min())
