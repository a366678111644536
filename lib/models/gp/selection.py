"""NSGA-II: non-dominated fronts, crowding, survival.

Deb, Pratap, Agarwal and Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II",
2002. The fronts come from moocore; the crowding distance is its definition, with ties in a fixed
order so that a mining can be repeated.
"""

from __future__ import annotations

import moocore
import numpy as np


def nondominated_fronts(objectives: np.ndarray) -> np.ndarray:
    """Return the front of each point, 0 for those no other point dominates.

    Parameters
    ----------
    objectives : float64 array, (P, 2)
        To be maximised; no NaN. A point dominates another if it is nowhere lower and somewhere
        higher.

    Returns
    -------
    int array, (P,)
    """
    return moocore.pareto_rank(np.ascontiguousarray(objectives, float), maximise=True)


def crowding_distance(objectives: np.ndarray, front: np.ndarray) -> np.ndarray:
    """Return each point's crowding distance within its front, (P,): infinite at the ends, larger
    where it is lonely.

    Parameters
    ----------
    objectives : float64 array, (P, 2)
    front : int array, (P,)
    """
    distance = np.zeros(len(objectives))
    for values in objectives.T:
        order = np.lexsort((values, front))
        group, ordered = front[order], values[order]
        starts = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
        ends = np.append(starts[1:], len(order)) - 1
        span = np.repeat(ordered[ends] - ordered[starts], ends - starts + 1)
        gap = np.zeros(len(order))
        gap[1:-1] = ordered[2:] - ordered[:-2]
        gap = np.divide(gap, span, out=np.zeros_like(gap), where=span > 0)
        gap[starts] = gap[ends] = np.inf
        distance[order] += gap
    return distance


def nsga2_survival(objectives: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose the next generation: whole fronts first, the lonelier points of the front that is cut.

    Parameters
    ----------
    objectives : float64 array, (P, 2)
    size : int
        Points to keep.

    Returns
    -------
    kept : int array, (min(P, size),)
        Positions, best first; equals keep their order.
    front, distance : arrays, (P,)
    """
    front = nondominated_fronts(objectives)
    distance = crowding_distance(objectives, front)
    return np.lexsort((-distance, front))[:size], front, distance
