"""NSGA-II: non-dominated fronts, crowding, survival.

Deb, Pratap, Agarwal and Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002. For two
objectives a sort and a binary search per point replace the pairwise comparisons (Jensen, 2003), so that selection
takes a small share of the evaluation's time even for thousands of programs.
"""

from __future__ import annotations

import numpy as np
from numba import njit


def fronts(objectives: np.ndarray) -> np.ndarray:
    """Return the front of each point, 0 for those no other point dominates.

    Parameters
    ----------
    objectives : float64 array, (P, 2)
        To be maximised; no NaN. A point dominates another if it is nowhere lower and somewhere higher.

    Returns
    -------
    int array, (P,)
    """
    order = np.lexsort((-objectives[:, 1], -objectives[:, 0]))
    result = np.empty(len(objectives), np.int64)
    _sweep(np.ascontiguousarray(objectives[order]), order, result)
    return result


@njit(cache=True)
def _sweep(points, order, result):
    # in the order of falling first objective, a front dominates a point if its last member is at least as high in the
    # second; those last members fall from front to front, hence the binary search
    size = points.shape[0]
    second, first = np.empty(size), np.empty(size)
    found = 0
    for k in range(size):
        a, b = points[k, 0], points[k, 1]
        low, high = 0, found
        while low < high:
            middle = (low + high) // 2
            equal = first[middle] == a and second[middle] == b
            if second[middle] >= b and not equal:
                low = middle + 1
            else:
                high = middle
        found = max(found, low + 1)
        first[low], second[low] = a, b
        result[order[k]] = low


def crowding(objectives: np.ndarray, front: np.ndarray) -> np.ndarray:
    """Return each point's crowding distance within its front, (P,): infinite at the ends, larger where it is lonely.

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


def survivors(objectives: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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
    front = fronts(objectives)
    distance = crowding(objectives, front)
    return np.lexsort((-distance, front))[:size], front, distance
