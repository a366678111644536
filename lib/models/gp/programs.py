"""Programs: gplearn's trees over our operators and inputs, and their text."""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from gplearn._program import _Program
from gplearn.functions import _Function
from numpy.random import RandomState

from lib.market.errors import ModelError
from lib.models.gp.operators import OPERATORS, Operator
from lib.models.gp.settings import MiningSettings

#: a program in prefix order: gplearn function nodes and positions of inputs
Tree = list

#: deeper texts are refused: no search writes them, and parsing must end
MAX_TEXT_DEPTH = 50

FUNCTIONS: dict[str, _Function] = {
    name: _Function(function=operator, name=name, arity=operator.arity)
    for name, operator in OPERATORS.items()
}


class _FastProgram(_Program):
    """gplearn's program, whose choice of a subtree costs a search instead of five numpy calls."""

    def get_subtree(self, random_state: RandomState, program: Tree | None = None):
        """Return start and end of a random subtree, the same one as gplearn's."""
        tree = self.program if program is None else program
        kinds = tuple([isinstance(node, _Function) for node in tree])
        start = bisect_left(_subtree_chances(kinds), random_state.uniform())
        end, missing = start, 1
        while missing:
            node = tree[end]
            missing += (node.arity if kinds[end] else 0) - 1
            end += 1
        return start, end


@cache
def _subtree_chances(kinds: tuple[bool, ...]) -> list[float]:
    """Return the running chances that each node of a tree is chosen: Koza's nine to one for
    functions against inputs.
    """
    chances = np.where(kinds, 0.9, 0.1)
    return np.cumsum(chances / chances.sum()).tolist()


@dataclass(frozen=True)
class Grammar:
    """Operators and inputs that trees are built from, and gplearn's genetic operations on them.

    Attributes
    ----------
    operators : list of Operator
    names : list of str
        The inputs; a tree holds their positions.
    settings : MiningSettings
    """

    operators: list[Operator]
    names: list[str]
    settings: MiningSettings

    @cached_property
    def _functions(self) -> list[_Function]:
        return [FUNCTIONS[operator.name] for operator in self.operators]

    @cached_property
    def _arities(self) -> dict[int, list[_Function]]:
        arities: dict[int, list[_Function]] = {}
        for function in self._functions:
            arities.setdefault(function.arity, []).append(function)
        return arities

    @cached_property
    def _program(self) -> _FastProgram:
        """The program that all operations use, given its tree before each of them."""
        return _FastProgram(
            function_set=self._functions,
            arities=self._arities,
            init_depth=self.settings.init_depth,
            init_method="half and half",
            n_features=len(self.names),
            # no constants: a number found by chance must never become a window
            const_range=None,
            metric=None,
            p_point_replace=self.settings.p_point_replace,
            parsimony_coefficient=self.settings.parsimony,
            random_state=RandomState(0),
            feature_names=self.names,
        )

    def random_tree(self, random: RandomState) -> Tree:
        """Return a random tree of a depth between the settings' ``init_depth``."""
        return self._program.build_program(random)

    def vary(self, parent: Tree, donor: Tree, random: RandomState) -> Tree:
        """Return an offspring by one of gplearn's variations, within the limits.

        Parameters
        ----------
        parent : list
        donor : list
            Gives a subtree to a crossover.
        random : RandomState

        Returns
        -------
        list
            By crossover, subtree, hoist or point mutation, or reproduction, with the settings'
            probabilities. What is too deep or too long is hoisted up to three times; the parent
            itself where that does not help, or where a bare input is left.
        """
        program, settings = self._program, self.settings
        program.program = parent
        draw = random.uniform() - settings.p_crossover
        if draw < 0:
            tree = program.crossover(donor, random)[0]
        elif draw - settings.p_subtree < 0:
            tree = program.subtree_mutation(random)[0]
        elif draw - settings.p_subtree - settings.p_hoist < 0:
            tree = program.hoist_mutation(random)[0]
        elif draw - settings.p_subtree - settings.p_hoist - settings.p_point < 0:
            tree = program.point_mutation(random)[0]
        else:
            tree = program.reproduce()
        for _ in range(3):
            if self.fits(tree):
                break
            program.program = tree
            tree = program.hoist_mutation(random)[0]
        # a bare input is not a formula
        return tree if self.fits(tree) and len(tree) > 1 else parent

    def fits(self, tree: Tree) -> bool:
        """Say whether a tree keeps to the greatest depth and length."""
        if len(tree) > self.settings.max_length:
            return False
        # a tree of n nodes has at most n - 1 functions above each other
        return len(tree) <= self.settings.max_depth + 1 or depth(tree) <= self.settings.max_depth


def depth(tree: Tree) -> int:
    """Return the number of functions on the longest way from root to input."""
    open_arguments: list[int] = []
    deepest = 0
    for node in tree:
        if isinstance(node, _Function):
            open_arguments.append(node.arity)
            deepest = max(deepest, len(open_arguments))
            continue
        _close(open_arguments)
    return deepest


def _close(open_arguments: list[int]) -> None:
    """Take note of a complete argument; a function whose last one it was is itself a complete
    argument.
    """
    while open_arguments:
        open_arguments[-1] -= 1
        if open_arguments[-1]:
            return
        open_arguments.pop()


def lookback(tree: Tree) -> int:
    """Return how many rows before t the tree's value at t may depend on."""
    stack: list[int] = []
    for node in reversed(tree):
        if isinstance(node, _Function):
            arguments = [stack.pop() for _ in range(node.arity)]
            stack.append(max(arguments) + OPERATORS[node.name].lookback)
        else:
            stack.append(0)
    return stack[0]


def to_text(tree: Tree, names: list[str]) -> str:
    """Return the formula, such as ``sub(ts_mean_20(returns), close_z)``."""
    stack: list[str] = []
    for node in reversed(tree):
        if isinstance(node, _Function):
            stack.append(f"{node.name}({', '.join(stack.pop() for _ in range(node.arity))})")
        else:
            stack.append(names[node])
    return stack[0]


def from_text(text: str, names: list[str], file=None) -> Tree:
    """Parse a formula.

    Parameters
    ----------
    text : str
        Operator names, input names, brackets and commas only.
    names : list of str
        Available inputs.
    file : optional
        Named in errors.

    Raises
    ------
    ModelError
        Unknown operator or input, wrong number of arguments, brackets that do not match.
    """
    tokens = re.findall(r"[A-Za-z_][A-Za-z_0-9]*|[(),]|\S", text)
    tree: Tree = []
    rest = _parse(tokens, 0, names, tree, text, file, 0)
    if rest != len(tokens):
        raise ModelError(
            f"the formula {text!r} goes on after its end: {tokens[rest]!r}",
            file=file,
            remedy="delete what follows",
        )
    return tree


def _parse(tokens, at, names, tree, text, file, level) -> int:
    if level > MAX_TEXT_DEPTH:
        raise ModelError(
            f"the formula {text[:40]!r}... is nested too deeply", file=file, remedy="simplify it"
        )
    if at >= len(tokens):
        raise ModelError(
            f"the formula {text!r} stops short", file=file, remedy="close its brackets"
        )
    word = tokens[at]
    call = at + 1 < len(tokens) and tokens[at + 1] == "("
    if not call:
        if word not in names:
            raise ModelError(
                f"the formula {text!r} has an unknown input {word!r}",
                file=file,
                remedy=_near(word, names, "inputs"),
            )
        tree.append(names.index(word))
        return at + 1
    if word not in FUNCTIONS:
        remedy = _near(word, list(FUNCTIONS), "operators")
        raise ModelError(
            f"the formula {text!r} has an unknown operator {word!r}", file=file, remedy=remedy
        )
    arity = FUNCTIONS[word].arity
    tree.append(FUNCTIONS[word])
    at += 2
    for argument in range(arity):
        at = _parse(tokens, at, names, tree, text, file, level + 1)
        expected = ")" if argument == arity - 1 else ","
        if at >= len(tokens) or tokens[at] != expected:
            token = tokens[at] if at < len(tokens) else "the end"
            raise ModelError(
                f"the formula {text!r} has {token!r} where {expected!r} belongs",
                file=file,
                remedy=(
                    f"{word} takes {arity} argument{'s' if arity > 1 else ''} in brackets, commas"
                    " between"
                ),
            )
        at += 1
    return at


def _near(word: str, valid: list[str], what: str) -> str:
    close = difflib.get_close_matches(word, valid, n=1)
    return f"did you mean {close[0]}?" if close else f"the {what} are {', '.join(valid)}"
