"""Evaluation of trees on (T, N) panels, each distinct subtree once as long as memory allows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import numpy as np
from gplearn.functions import _Function

from lib.market.errors import ModelError
from lib.models.gp.operators import OPERATORS
from lib.models.gp.programs import Tree

#: bytes for the values of all operators: small enough for the processor's caches
POOL_BYTES = 32 * 2**20
#: bytes for the values of the expensive ones: large enough to last from one generation to the next
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
    """Arrays for a bounded number of values; the least recently used one makes room.

    Parameters
    ----------
    shape : (T, N)
    size : int
        Bytes; at least ``LEAST_PANELS`` values fit however large they are.
    """

    def __init__(self, shape: tuple[int, int], size: int):
        self.shape = shape
        self.capacity = max(LEAST_PANELS, int(size // (8 * shape[0] * shape[1])))
        self.arrays: OrderedDict[int, np.ndarray] = OrderedDict()

    def get(self, tree_id: int) -> np.ndarray | None:
        """Return a value that is held, None when it is not."""
        array = self.arrays.get(tree_id)
        if array is not None:
            self.arrays.move_to_end(tree_id)
        return array

    def allocate(self, tree_id: int, pinned: list[int]) -> np.ndarray:
        """Return the array for a new value; those of ``pinned`` trees are not given away."""
        if len(self.arrays) < self.capacity:
            array = np.empty(self.shape)
        else:
            array = self.arrays.pop(next(held for held in self.arrays if held not in pinned))
        self.arrays[tree_id] = array
        return array


class Evaluator:
    """Values of trees over the same inputs.

    Equal subtrees have one id, whatever program they are part of (``add(x, y)`` equals ``add(y,
    x)``), and their values stay in pools whose arrays are used again: fresh arrays for each node
    cost more in page faults than the cache saves. Values that are expensive to compute have a pool
    of their own, from which the others cannot drive them out.

    Parameters
    ----------
    values : list of float64 arrays, (T, N)
        The inputs, in the order of their positions in trees.
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
            Pool(shape, size) for size in (pool_bytes, expensive_pool_bytes)
        )
        self._pinned: list[int] = []
        # the first ids belong to the inputs
        self._ids: dict[tuple, int] = {}
        self._nodes: list[tuple] = [()] * len(self.inputs)
        # for each tree its deepest input and the larger subtrees on the way up to its root
        self._paths: list[tuple[int, ...]] = [(tree_id,) for tree_id in range(len(self.inputs))]
        self.computed = 0

    def tree_id(self, tree: Tree) -> int:
        """Return the id of a tree: the same for the same formula."""
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
            tree_id = self._ids.get(key)
            if tree_id is None:
                tree_id = self._ids[key] = len(self._nodes)
                self._nodes.append(key)
                longest = max((self._paths[argument] for argument in key[1:]), key=len)
                self._paths.append((*longest, tree_id))
            stack.append(tree_id)
        return stack[0]

    def evaluation_order(self, tree_ids: Iterable[int]) -> list[int]:
        """Return the ids, each once, so that trees with the same lower parts follow each other.

        The pool then still holds what the next tree shares with the last one; a pool that holds
        everything would be larger than the processor's caches, and slower.
        """
        return sorted(set(tree_ids), key=self._paths.__getitem__)

    def value(self, tree_id: int) -> np.ndarray:
        """Return a tree's value, (T, N); later calls may overwrite it, so copy what must last."""
        if tree_id < len(self.inputs):
            return self.inputs[tree_id]
        name, *arguments = self._nodes[tree_id]
        pool = self._expensive_pool if name in EXPENSIVE else self._pool
        values = pool.get(tree_id)
        if values is not None:
            return values
        operator = OPERATORS[name]
        pins = len(self._pinned)
        panels = []
        for argument in arguments:
            panels.append(self.value(argument))
            self._pinned.append(argument)
        values = pool.allocate(tree_id, self._pinned)
        del self._pinned[pins:]
        operator.kernel(*panels, *operator.windows, values)
        self.computed += 1
        return values

    def __call__(self, tree: Tree) -> np.ndarray:
        """Return a tree's value; see ``value``."""
        return self.value(self.tree_id(tree))
