"""The search: populations of programs that evolve side by side on one cache of subtree values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.random import RandomState

from lib.models.gp.evaluation import Evaluator
from lib.models.gp.fitness import Fitness, evaluate_fitness
from lib.models.gp.mining import Window
from lib.models.gp.operators import operator_set
from lib.models.gp.programs import Grammar, Tree
from lib.models.gp.selection import nsga2_survival
from lib.models.gp.settings import MiningSettings


@dataclass(frozen=True)
class Candidate:
    """A surviving program.

    Attributes
    ----------
    tree : list
    training : Fitness
    values : float64 array, (W + V, N), or None
        On the rows of ``admission_rows``: the W training weeks, then the V validation days. None
        where the rank IC stays below the bar of training and nothing else needed them.
    """

    tree: Tree
    training: Fitness
    values: np.ndarray | None


@dataclass
class _Population:
    """The programs of one seed.

    Attributes
    ----------
    window : Window
        Its labels judge the programs.
    random : RandomState
    fitness : dict of int to Fitness
        By tree id; populations on the same labels share it.
    trees : list of Tree
    ids : list of int
        The evaluator's id of each tree.
    """

    window: Window
    random: RandomState
    fitness: dict[int, Fitness]
    trees: list[Tree] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)

    def add(self, trees: list[Tree], ids: list[int]) -> None:
        """Add programs."""
        self.trees += trees
        self.ids += ids

    def keep(self, positions: Iterable[int]) -> None:
        """Drop all programs but those at some positions, in their order."""
        positions = list(positions)
        self.trees = [self.trees[position] for position in positions]
        self.ids = [self.ids[position] for position in positions]


def admission_rows(window: Window) -> np.ndarray:
    """Return the rows that admission looks at: training weeks, then validation days, (W + V,)."""
    days = np.arange(window.validation.first, window.validation.stop)
    return np.concatenate([window.training.rows, days])


def mine(
    windows: Sequence[Window], settings: MiningSettings, seeds: Sequence[int], families=None
) -> list[list[Candidate]]:
    """Search for programs with a high |mean rank IC| and a high NDCG@5 on the training weeks.

    The populations evolve side by side on one cache of values: those of the same seed start from
    the same programs, and all of them share subtrees.

    Parameters
    ----------
    windows : sequence of Window, (S,)
        One per population, all with the same inputs and days; their labels may differ.
    settings : MiningSettings
    seeds : sequence of int, (S,)
        With the window's last date a seed fixes every random choice of its population.
    families : iterable of str or None
        Operator families to use; None for all.

    Returns
    -------
    list of list of Candidate, (S,)
        The last generation without degenerate programs, by falling |rank IC|. What one population
        finds does not depend on the others.
    """
    inputs = windows[0].inputs
    grammar = Grammar(operator_set(families), inputs.names, settings)
    evaluator = Evaluator(list(inputs.values.values()))
    values: dict[int, np.ndarray] = {}
    fitness: dict[int, dict[int, Fitness]] = {}
    populations = []
    for window, seed in zip(windows, seeds, strict=True):
        entropy = np.random.SeedSequence([seed, int(f"{window.last_date:%Y%m%d}")])
        random = RandomState(entropy.generate_state(1)[0])
        populations.append(_Population(window, random, fitness.setdefault(id(window), {})))
    for generation in range(settings.generations):
        for population in populations:
            if generation:
                _survive(population, settings)
                trees = _offspring(population, grammar)
            else:
                trees = [grammar.random_tree(population.random) for _ in range(settings.population)]
            population.add(trees, [evaluator.tree_id(tree) for tree in trees])
        _evaluate(populations, evaluator, values, settings)
    for population in populations:
        _survive(population, settings)
    return [_candidates(population, evaluator, values, settings) for population in populations]


def _evaluate(
    populations: list[_Population],
    evaluator: Evaluator,
    values: dict[int, np.ndarray],
    settings: MiningSettings,
) -> None:
    """Evaluate the programs that have no fitness yet.

    ``values`` is left with the rows for admission of those programs of the populations that reach
    its bar in training.
    """
    judged_by: dict[int, list[_Population]] = {}
    for population in populations:
        for tree_id in population.ids:
            if tree_id not in population.fitness:
                judged_by.setdefault(tree_id, []).append(population)
    present = {tree_id for population in populations for tree_id in population.ids}
    for tree_id in values.keys() - present:
        del values[tree_id]
    rows = admission_rows(populations[0].window)
    for tree_id in evaluator.evaluation_order(judged_by):
        value = evaluator.value(tree_id)
        for population in judged_by[tree_id]:
            if tree_id in population.fitness:
                continue
            training = population.window.training
            fitness = evaluate_fitness(value, training, settings.min_coverage)
            population.fitness[tree_id] = fitness
            if abs(fitness.ic) >= settings.min_train_t * training.null_standard_error:
                values[tree_id] = value[rows]


def _candidates(
    population: _Population,
    evaluator: Evaluator,
    values: dict[int, np.ndarray],
    settings: MiningSettings,
) -> list[Candidate]:
    """Return the programs of a population that are worth something, the highest |rank IC| first."""
    rows = admission_rows(population.window)
    least = settings.min_train_t * population.window.training.null_standard_error
    candidates = []
    for tree, tree_id in zip(population.trees, population.ids, strict=True):
        fitness = population.fitness[tree_id]
        # a program that another population had dropped before does not have its values any more
        if abs(fitness.ic) >= least and tree_id not in values:
            values[tree_id] = evaluator.value(tree_id)[rows]
        if fitness.ic != 0:
            candidates.append(Candidate(tree, fitness, values.get(tree_id)))
    return sorted(candidates, key=lambda candidate: -abs(candidate.training.ic))


def _survive(population: _Population, settings: MiningSettings) -> None:
    """Keep the best ``population`` programs, one of those that rank the symbols alike."""
    # formulas that order the symbols alike have equal measures: x, neg(x), sigmoid(x)
    first_of: dict[tuple[float, float], int] = {}
    for position, tree_id in enumerate(population.ids):
        fitness = population.fitness[tree_id]
        first_of.setdefault((round(abs(fitness.ic), 10), round(fitness.ndcg, 10)), position)
    distinct = list(first_of.values())
    fitnesses = [population.fitness[population.ids[position]] for position in distinct]
    lengths = np.array([len(population.trees[position]) for position in distinct])
    objectives = np.array([(abs(fitness.ic), fitness.ndcg) for fitness in fitnesses])
    objectives -= settings.parsimony * lengths[:, None]
    kept, _, _ = nsga2_survival(objectives, settings.population)
    population.keep(distinct[position] for position in kept)


def _offspring(population: _Population, grammar: Grammar) -> list[Tree]:
    """Return as many varied programs as the settings say, of parents chosen by tournament."""
    settings, random, trees = grammar.settings, population.random, population.trees
    offspring = []
    for _ in range(settings.population):
        # survivors come best first, so the least position of a tournament wins
        parent = trees[min(random.randint(0, len(trees), settings.tournament).tolist())]
        donor = trees[min(random.randint(0, len(trees), settings.tournament).tolist())]
        offspring.append(grammar.vary(parent, donor, random))
    return offspring
