"""Evaluation of trees on (T, N) panels, each distinct subtree once as long as memory allows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import numpy as np
from gplearn.functions import _Function

from lib.market.errors import ModelError
from lib.models.gp.operators import OPERATORS
from lib.models.gp.programs import Tree

#: bytes for values: of all operators, small enough for the processor's caches; of the dear ones,
#: from one generation
#: to the next
POOL_BYTES = 32 * 2**20
EXPENSIVE_POOL_BYTES = 384 * 2**20
#: panels a pool holds however large they are: the operands of one deep tree
LEAST_PANELS = 16
#: operators that cost several times what it takes to fetch their value from memory
EXPENSIVE = frozenset(
    name
    for name, operator in OPERATORS.items()
    if operator.family.startswith(("group_", "rank_", "ts_rank_corr", "ts_arg"))
)

COMMUTATIVE = frozenset(name for name, operator in OPERATORS.items() if operator.commutative)


class Pool:
    """Arrays for a bounded number of values; the value used longest ago makes room.

    Parameters
    ----------
    shape : (T, N)
    size : int
        Bytes; at least ``LEAST_PANELS`` values fit however large they are.
    """

    def __init__(self, shape: tuple[int, int], size: int):
        self.shape = shape
        self.room = max(LEAST_PANELS, int(size // (8 * shape[0] * shape[1])))
        self.held: OrderedDict[int, np.ndarray] = OrderedDict()

    def get(self, number: int) -> np.ndarray | None:
        """Return a value that is held, None when it is not."""
        values = self.held.get(number)
        if values is not None:
            self.held.move_to_end(number)
        return values

    def place(self, number: int, pinned: list[int]) -> np.ndarray:
        """Return the array for a new value; those of ``pinned`` numbers stay."""
        if len(self.held) < self.room:
            values = np.empty(self.shape)
        else:
            values = self.held.pop(next(held for held in self.held if held not in pinned))
        self.held[number] = values
        return values


class Evaluator:
    """Values of trees over the same inputs.

    Equal subtrees get one number, whatever program they stand in (``add(x, y)`` equals ``add(y,
    x)``), and their values stay in pools whose arrays are used again: fresh arrays for each node
    cost more in page faults than the cache saves. Values that are dear to compute have a pool of
    their own, from which the others cannot drive them out.

    Parameters
    ----------
    values : list of float64 arrays, (T, N)
        The inputs, in the order that trees number them.
    pool_bytes, expensive_pool_bytes : int
        Sizes of the pools.
    """

    def __init__(
        self,
        values: list[np.ndarray],
        pool_bytes: int = POOL_BYTES,
        expensive_pool_bytes: int = EXPENSIVE_POOL_BYTES,
    ):
        if not values:
            raise ModelError(
                "there is no input to build formulas from",
                remedy="pass a panel with closes that vary",
            )
        self.inputs = [np.ascontiguousarray(panel) for panel in values]
        shape = self.inputs[0].shape
        self._pool, self._expensive_pool = (
            Pool(shape, pool_bytes),
            Pool(shape, expensive_pool_bytes),
        )
        self._pinned: list[int] = []
        # the first numbers belong to the inputs
        self._numbers: dict[tuple, int] = {}
        self._nodes: list[tuple] = [()] * len(self.inputs)
        # for each number the way up from its deepest input along the larger subtrees
        self._ways: list[tuple[int, ...]] = [(number,) for number in range(len(self.inputs))]
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
                key: tuple = (name, stack.pop())
            else:
                first, second = stack.pop(), stack.pop()
                if second < first and name in COMMUTATIVE:
                    first, second = second, first
                key = (name, first, second)
            number = self._numbers.get(key)
            if number is None:
                number = self._numbers[key] = len(self._nodes)
                self._nodes.append(key)
                longest = max((self._ways[argument] for argument in key[1:]), key=len)
                self._ways.append((*longest, number))
            stack.append(number)
        return stack[0]

    def evaluation_order(self, numbers: Iterable[int]) -> list[int]:
        """Return the numbers, each once, in an order in which trees with the same lower parts
        follow each other.

        The pool then still holds what the next tree shares with the last one; a pool that holds
        everything would be larger than the processor's caches, and slower.
        """
        return sorted(set(numbers), key=self._ways.__getitem__)

    def value(self, number: int) -> np.ndarray:
        """Return a tree's value, (T, N); it may be overwritten by later calls, so copy what must
        last.
        """
        if number < len(self.inputs):
            return self.inputs[number]
        name, *arguments = self._nodes[number]
        pool = self._expensive_pool if name in EXPENSIVE else self._pool
        values = pool.get(number)
        if values is not None:
            return values
        operator = OPERATORS[name]
        pins = len(self._pinned)
        panels = []
        for argument in arguments:
            panels.append(self.value(argument))
            self._pinned.append(argument)
        values = pool.place(number, self._pinned)
        del self._pinned[pins:]
        operator.kernel(*panels, *operator.windows, values)
        self.computed += 1
        return values

    def __call__(self, tree: Tree) -> np.ndarray:
        """Return a tree's value; see ``value``."""
        return self.value(self.number(tree))
