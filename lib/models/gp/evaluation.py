"""Evaluation of trees on (T, N) panels, each distinct subtree once as long as memory allows."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from gplearn.functions import _Function

from lib.market.errors import ModelError
from lib.models.gp.operators import OPERATORS
from lib.models.gp.programs import Tree

#: bytes of the pool; a few hundred panels of two years and thirty sectors
POOL_BYTES = 48 * 2**20
#: panels the pool holds however large they are: the operands of one deep tree
LEAST_PANELS = 16

COMMUTATIVE = frozenset(name for name, operator in OPERATORS.items() if operator.commutative)


class Evaluator:
    """Values of trees over the same inputs.

    Equal subtrees get one number, whatever program they stand in (``add(x, y)`` equals ``add(y, x)``), and their
    values stay in a pool that is allocated and touched once: fresh arrays for each node cost more in page faults than
    the cache saves. When the pool is full, the value used longest ago makes room.

    Parameters
    ----------
    values : list of float64 arrays, (T, N)
        The inputs, in the order that trees number them.
    pool_bytes : int
        Size of the pool.
    """

    def __init__(self, values: list[np.ndarray], pool_bytes: int = POOL_BYTES):
        if not values:
            raise ModelError("there is no input to build formulas from", remedy="pass a panel with closes that vary")
        self.inputs = [np.ascontiguousarray(panel) for panel in values]
        size = max(LEAST_PANELS, int(pool_bytes // self.inputs[0].nbytes))
        # full() writes every page now
        self._views = list(np.full((size, *self.inputs[0].shape), np.nan))
        self._free = list(range(size))
        self._held: OrderedDict[int, int] = OrderedDict()
        self._pinned: list[int] = []
        # the first numbers belong to the inputs
        self._numbers: dict[tuple, int] = {}
        self._nodes: list[tuple] = [()] * len(self.inputs)
        self.computed = 0

    def number(self, tree: Tree) -> int:
        """Return the number of a tree: the same for the same formula."""
        stack: list[int] = []
        for node in reversed(tree):
            if not isinstance(node, _Function):
                stack.append(node)
                continue
            name = node.name
            if node.arity == 1:
                key = (name, stack.pop())
            else:
                first, second = stack.pop(), stack.pop()
                if second < first and name in COMMUTATIVE:
                    first, second = second, first
                key = (name, first, second)
            number = self._numbers.get(key)
            if number is None:
                number = self._numbers[key] = len(self._nodes)
                self._nodes.append(key)
            stack.append(number)
        return stack[0]

    def value(self, number: int) -> np.ndarray:
        """Return a tree's value, (T, N); it may be overwritten by later calls, so copy what must last."""
        if number < len(self.inputs):
            return self.inputs[number]
        slot = self._held.get(number)
        if slot is not None:
            self._held.move_to_end(number)
            return self._views[slot]
        name, *arguments = self._nodes[number]
        operator = OPERATORS[name]
        pins = len(self._pinned)
        panels = []
        for argument in arguments:
            panels.append(self.value(argument))
            self._pinned.append(argument)
        slot = self._slot()
        del self._pinned[pins:]
        operator.kernel(*panels, *operator.windows, self._views[slot])
        self._held[number] = slot
        self.computed += 1
        return self._views[slot]

    def _slot(self) -> int:
        if self._free:
            return self._free.pop()
        oldest = next(number for number in self._held if number not in self._pinned)
        return self._held.pop(oldest)

    def __call__(self, tree: Tree) -> np.ndarray:
        """Return a tree's value; see ``value``."""
        return self.value(self.number(tree))
