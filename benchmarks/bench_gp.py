"""Speed of the factor search: against pandas group-by operators, against gplearn, on narrow and
wide panels.

Each figure is measured in one run of this file; ``against`` says what a ratio compares with.
"""

from __future__ import annotations

import resource
import time
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pandas as pd
from gplearn.functions import _Function
from joblib import Parallel, delayed
from numpy.random import RandomState

from lib.market.panel import Panel
from lib.models.gp import search
from lib.models.gp.baseline import symbolic_transformer
from lib.models.gp.evaluation import Evaluator
from lib.models.gp.inputs import factor_inputs
from lib.models.gp.mining import window_at
from lib.models.gp.operators import OPERATORS, operator_set
from lib.models.gp.programs import Grammar
from lib.models.gp.selection import nsga2_survival
from lib.models.gp.settings import MiningSettings
from lib.models.gp.walkforward import walk_forward_mining

#: families that pandas can express without a Python loop per window
PANDAS_FAMILIES = (
    "add",
    "sub",
    "mul",
    "max",
    "abs",
    "rank",
    "delta",
    "ts_sum",
    "ts_mean",
    "ts_std",
    "ts_zscore",
    "ts_min",
    "ts_max",
    "ts_rank",
    "ts_corr",
)
#: a search as large as those that the targets of speed were set for
SEARCH = dict(
    population=1000,
    generations=5,
    window=490,
    validation=120,
    horizon=20,
    min_train_t=1.4,
    min_validation_t=0.5,
    max_correlation=0.7,
    max_vif=5.0,
    max_factors=20,
    init_depth=(1, 3),
    max_depth=5,
    max_length=24,
    p_crossover=0.5,
    p_subtree=0.2,
    p_hoist=0.05,
    p_point=0.2,
    p_point_replace=0.15,
    tournament=2,
    parsimony=0.0003,
    min_coverage=0.8,
)
#: programs per second of two cores, mean length about twelve
TARGET = 2600
#: the programs of a search that starts at these depths, without parsimony and hoisting, have about
# twelve nodes
DEEP = dict(init_depth=(5, 6), max_depth=9, max_length=40, parsimony=0.0, p_hoist=0.0)


def panel(rows: int, columns: int, seed: int = 0) -> Panel:
    """Return random walks with volumes, (rows, columns)."""
    rng = np.random.default_rng(seed)
    close = 1000 * np.exp((0.015 * rng.standard_normal((rows, columns))).cumsum(axis=0))
    open_ = close * np.exp(0.003 * rng.standard_normal(close.shape))
    volume = np.exp(18 + 0.3 * rng.standard_normal(close.shape))
    fields = {
        "open": open_,
        "high": np.maximum(open_, close) * 1.005,
        "low": np.minimum(open_, close) * 0.995,
        "close": close,
        "volume": volume,
        "amount": volume * close,
    }
    dates = pd.bdate_range("2014-01-01", periods=rows)
    return Panel(
        dates, pd.Index([f"S{k:03d}" for k in range(columns)]), fields, np.ones(close.shape, bool)
    )


def window_of(rows: int, columns: int, settings: MiningSettings):
    inputs = factor_inputs(panel(rows, columns))
    return window_at(inputs, rows - 1, settings)


class Counting(Evaluator):
    """An evaluator that keeps the lengths of the programs it is asked for."""

    lengths: ClassVar[list[int]] = []

    def tree_id(self, tree) -> int:
        self.lengths.append(len(tree))
        return super().tree_id(tree)


def timed_mining(
    window, settings: MiningSettings, *seeds: int, families=None
) -> tuple[int, float, float]:
    """Return programs evaluated, seconds and their mean length, of seeds mined together."""
    search.Evaluator = Counting
    Counting.lengths.clear()
    start = time.perf_counter()
    search.mine([window] * len(seeds), settings, seeds, families)
    seconds = time.perf_counter() - start
    return len(Counting.lengths), seconds, float(np.mean(Counting.lengths))


def both_cores(window, settings: MiningSettings, seeds: int = 1) -> tuple[float, float]:
    """Return programs per second of two minings side by side, and their mean length.

    Each mining has as many ``seeds`` together, as each quarter of a run has five.
    """
    with Parallel(n_jobs=2) as workers:
        # the first round starts the processes and loads the kernels
        small = replace(settings, population=50)
        workers(delayed(timed_mining)(window, small, seed) for seed in (98, 99))
        start = time.perf_counter()
        done = workers(
            delayed(timed_mining)(window, settings, *range(first, first + seeds))
            for first in (0, seeds)
        )
        seconds = time.perf_counter() - start
    programs = sum(programs for programs, _, _ in done)
    return programs / seconds, float(np.mean([length for *_, length in done]))


# --- the same search with pandas
# ------------------------------------------------------------------------------------


def _rolling(name):
    return lambda x, d: (
        getattr(x.groupby(level="symbol").rolling(d), name)().droplevel(0).sort_index()
    )


def _zscore(x, d):
    return (x - _rolling("mean")(x, d)) / _rolling("std")(x, d)


def _corr(x, y, d):
    frame = pd.DataFrame({"x": x, "y": y})
    parts = [part["x"].rolling(d).corr(part["y"]) for _, part in frame.groupby(level="symbol")]
    return pd.concat(parts).sort_index()


PANDAS = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "max": lambda x, y: np.maximum(x, y),
    "abs": lambda x: x.abs(),
    "rank": lambda x: x.groupby(level="date").rank(pct=True),
    "delta": lambda x, d: x - x.groupby(level="symbol").shift(d),
    "ts_sum": _rolling("sum"),
    "ts_mean": _rolling("mean"),
    "ts_std": _rolling("std"),
    "ts_zscore": _zscore,
    "ts_min": _rolling("min"),
    "ts_max": _rolling("max"),
    "ts_rank": _rolling("rank"),
    "ts_corr": _corr,
}


def pandas_program(tree, inputs: list[pd.Series], labels: pd.Series) -> float:
    """Evaluate one tree and its |mean rank IC| with group-by operators on long series."""
    stack = []
    for node in reversed(tree):
        if isinstance(node, _Function):
            operator = OPERATORS[node.name]
            stack.append(
                PANDAS[operator.family](
                    *(stack.pop() for _ in range(operator.arity)), *operator.windows
                )
            )
        else:
            stack.append(inputs[node])
    frame = pd.DataFrame({"factor": stack[0], "label": labels}).dropna()
    ranks = frame.groupby(level="date").rank()
    return abs(
        ranks.groupby(level="date").apply(lambda day: day["factor"].corr(day["label"])).mean()
    )


def pandas_rate(window, settings: MiningSettings, programs: int = 6) -> float:
    """Return programs per second."""
    cut = window.inputs
    index = pd.MultiIndex.from_product([cut.dates, cut.symbols], names=["date", "symbol"])
    inputs = [pd.Series(values.ravel(), index) for values in cut.values.values()]
    labels = np.full(cut.close.shape, np.nan)
    labels[window.training.rows] = window.training.labels
    labels = pd.Series(labels.ravel(), index)
    grammar, random = Grammar(operator_set(PANDAS_FAMILIES), cut.names, settings), RandomState(0)
    trees = [grammar.random_tree(random) for _ in range(programs)]
    start = time.perf_counter()
    for tree in trees:
        pandas_program(tree, inputs, labels)
    return programs / (time.perf_counter() - start)


def measure() -> list[dict]:
    """Measure everything; about two minutes on two cores."""
    results = []

    def add(name, value, unit, against=None, ratio=None):
        results.append(
            dict(name=f"gp.{name}", value=value, unit=unit, against=against, ratio=ratio)
        )

    settings = MiningSettings(**SEARCH | DEEP | {"window": 1280})
    narrow = window_of(1400, 32, settings)
    rate, length = both_cores(narrow, settings)
    add("programs_two_cores", rate, "1/s", "target 2600/s on 1400 x 32", rate / TARGET)
    add("mean_length", length, "nodes")
    together, _ = both_cores(narrow, settings, seeds=5)
    add("programs_two_cores_five_seeds", together, "1/s", "target 2600/s", together / TARGET)

    points = np.random.default_rng(0).random((2 * settings.population, 2))
    start = time.perf_counter()
    for _ in range(20):
        nsga2_survival(points, settings.population)
    share = (time.perf_counter() - start) / 20 / (settings.population / rate)
    add("selection_share", share, "of a generation's time", "a tenth", share / 0.1)

    few = replace(settings, population=400, generations=3, init_depth=(3, 5))
    timed_mining(narrow, replace(few, population=40), 9, families=PANDAS_FAMILIES)
    programs, seconds, _ = timed_mining(narrow, few, 0, families=PANDAS_FAMILIES)
    slow = pandas_rate(narrow, few)
    add(
        "programs_one_core_simple_operators",
        programs / seconds,
        "1/s",
        "pandas group-by",
        programs / seconds / slow,
    )

    programs, seconds, _ = timed_mining(narrow, few, 0)
    one_core = programs / seconds
    small = replace(few, population=100)
    add("programs_one_core", one_core, "1/s")
    # gplearn as it comes ranks 45,000 values twice a program; given our measure, its own evaluation
    # is what is left
    for metric, words in (("spearman", "with its own fitness"), ("rank ic", "with our fitness")):
        start = time.perf_counter()
        fitted = symbolic_transformer(narrow, small, 0, metric=metric)
        theirs = (
            len(fitted.run_details_["generation"])
            * small.population
            / (time.perf_counter() - start)
        )
        add(
            f"gplearn_{metric.replace(' ', '_')}",
            theirs,
            "1/s",
            f"ours to gplearn on our kernels {words}",
            one_core / theirs,
        )

    per_cell = 1e9 / one_core / narrow.inputs.close.size
    broad = replace(few, window=2311, population=60)
    wide = window_of(2431, 787, broad)
    programs, seconds, _ = timed_mining(wide, broad, 0)
    wide_cell = seconds / programs / wide.inputs.close.size * 1e9
    add("cell_cost_wide", wide_cell, "ns per cell and program", "1400 x 32", wide_cell / per_cell)
    add("peak_memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, "GiB")

    start = time.perf_counter()
    quarters = walk_forward_mining(
        panel(1400, 32), MiningSettings(**SEARCH), (0,), first="2016-06-01", n_jobs=2
    )
    seconds = time.perf_counter() - start
    add(
        "walk_forward",
        seconds * 12 / len(quarters),
        "s per 12 quarters of 1000 x 5",
        "target 60 s",
        seconds / 60,
    )
    return results


if __name__ == "__main__":
    for result in measure():
        print(result)
