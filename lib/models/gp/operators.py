"""The operators a formula may use: names, kernels, windows.

A window is part of the operator's name (``ts_mean_20``), never an argument of a formula: a constant
found by the search would otherwise reach a time-series operator as a window of 3.7 days. The 30
operators that the research house documents for its stock factors are here with windows that suit
weekly sector rotation; ``ts_mean``, ``ts_zscore``, ``ts_skew``, ``abs``, ``max``, ``min``,
``cs_zscore`` and ``cs_demean`` are what panel languages usually add.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lib.market.errors import ParameterError
from lib.models.gp import kernels_cross as cross
from lib.models.gp import kernels_elementwise as cell
from lib.models.gp import kernels_rolling as rolling
from lib.models.gp import kernels_sorting as sorting


@dataclass(frozen=True)
class Operator:
    """One function a formula may call.

    Attributes
    ----------
    name : str
        As written in formulas, with its windows: ``group_diff_sort_avg_20_5``.
    arity : int
        Number of panels it takes.
    kernel : callable
        ``kernel(*panels, *windows, out)``.
    windows : tuple of int
        Rows it looks back over; empty for cell and cross-section operators.
    commutative : bool
        Whether the two arguments may be exchanged without moving the last digit.
    """

    name: str
    arity: int
    kernel: Callable
    windows: tuple[int, ...] = ()
    commutative: bool = False

    @property
    def family(self) -> str:
        """The name without its windows."""
        return self.name.removesuffix("".join(f"_{window}" for window in self.windows))

    @property
    def lookback(self) -> int:
        """Rows before t that the value at t may depend on."""
        if not self.windows:
            return 0
        return self.windows[0] - (self.family not in ("delay", "delta", "pct_change"))

    def __call__(self, *panels: np.ndarray) -> np.ndarray:
        """Return the operator's value on (T, N) float64 panels."""
        panels = tuple(np.ascontiguousarray(panel, dtype=float) for panel in panels)
        out = np.empty_like(panels[0])
        self.kernel(*panels, *self.windows, out)
        return out


#: family -> (arity, kernel, commutative)
UNWINDOWED: dict[str, tuple[int, Callable, bool]] = {
    "add": (2, cell.add, True),
    "sub": (2, cell.sub, False),
    "mul": (2, cell.mul, True),
    "div": (2, cell.div, False),
    "max": (2, cell.maximum, True),
    "min": (2, cell.minimum, True),
    "log": (1, cell.log, False),
    "sqrt": (1, cell.sqrt, False),
    "neg": (1, cell.neg, False),
    "abs": (1, cell.absolute, False),
    "sigmoid": (1, cell.sigmoid, False),
    "sign": (1, cell.sign, False),
    "rank": (1, cross.cs_rank, False),
    "rank_sub": (2, cross.rank_sub, False),
    "rank_div": (2, cross.rank_div, False),
    "cs_zscore": (1, cross.cs_zscore, False),
    "cs_demean": (1, cross.cs_demean, False),
}
WINDOWED: dict[str, tuple[int, Callable, bool]] = {
    "delay": (1, sorting.delay, False),
    "delta": (1, sorting.delta, False),
    "pct_change": (1, sorting.pct_change, False),
    "ts_sum": (1, rolling.ts_sum, False),
    "ts_mean": (1, rolling.ts_mean, False),
    "ts_std": (1, rolling.ts_std, False),
    "ts_zscore": (1, rolling.ts_zscore, False),
    "ts_min": (1, rolling.ts_min, False),
    "ts_max": (1, rolling.ts_max, False),
    "decay_linear": (1, rolling.decay_linear, False),
    "ts_cov": (2, rolling.ts_cov, False),
    "ts_corr": (2, rolling.ts_corr, False),
    "sub_pos_decay_linear": (2, rolling.sub_pos_decay_linear, False),
    "ts_rank": (1, sorting.ts_rank, False),
    "ts_argmin": (1, sorting.ts_argmin, False),
    "ts_argmax": (1, sorting.ts_argmax, False),
    "ts_skew": (1, rolling.ts_skew, False),
    "ts_rank_corr": (2, sorting.ts_rank_corr, True),
    "group_asc_sort_avg": (2, sorting.group_asc_sort_avg, False),
    "group_desc_sort_avg": (2, sorting.group_desc_sort_avg, False),
    "group_diff_sort_avg": (2, sorting.group_diff_sort_avg, False),
}
#: windows each family is offered with, in rows (sessions); pairs are (d, n)
WINDOW_CHOICES: dict[str, tuple] = {
    "delay": (1, 5, 10, 20),
    "delta": (1, 5, 10, 20),
    "pct_change": (1, 5, 10, 20),
    "ts_rank_corr": (5, 10),
    "ts_skew": (20, 60),
    "ts_rank": (5, 10, 20),
    "ts_argmin": (5, 10, 20),
    "ts_argmax": (5, 10, 20),
    "group_asc_sort_avg": ((10, 3), (20, 5), (40, 10)),
    "group_desc_sort_avg": ((10, 3), (20, 5), (40, 10)),
    "group_diff_sort_avg": ((10, 3), (20, 5), (40, 10)),
}
DEFAULT_WINDOWS = (5, 10, 20, 60)


def _build() -> dict[str, Operator]:
    table = {
        name: Operator(name, arity, kernel, (), swap)
        for name, (arity, kernel, swap) in UNWINDOWED.items()
    }
    for family, (arity, kernel, swap) in WINDOWED.items():
        for choice in WINDOW_CHOICES.get(family, DEFAULT_WINDOWS):
            windows = choice if isinstance(choice, tuple) else (choice,)
            name = "_".join([family, *map(str, windows)])
            table[name] = Operator(name, arity, kernel, windows, swap)
    return table


#: name -> operator, in a fixed order
OPERATORS: dict[str, Operator] = _build()


def operator_set(families=None) -> list[Operator]:
    """Return the operators of some families, in the table's order.

    Parameters
    ----------
    families : iterable of str or None
        Families such as ``ts_mean``; None for all.

    Raises
    ------
    ParameterError
        A family is unknown.
    """
    if families is None:
        return list(OPERATORS.values())
    wanted = set(families)
    unknown = wanted - {operator.family for operator in OPERATORS.values()}
    if unknown:
        raise ParameterError(
            f"unknown operator family {sorted(unknown)[0]}",
            remedy=f"the families are {', '.join([*UNWINDOWED, *WINDOWED])}",
        )
    return [operator for operator in OPERATORS.values() if operator.family in wanted]


def compile_kernels(family: str) -> None:
    """Run a family's kernel once, which compiles it or loads it from numba's cache on disk."""
    operator = next(each for each in OPERATORS.values() if each.family == family)
    operator(*np.ones((operator.arity, 2, 2)))
