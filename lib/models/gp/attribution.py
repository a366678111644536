"""Attribution: why a symbol entered or left the best of the composite score."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from lib.models.gp.composite import rotation_scores
from lib.models.gp.inputs import Inputs
from lib.models.gp.library import Library


def entries_and_exits(scores: pd.DataFrame, top: int) -> pd.DataFrame:
    """Return what came into the best and what left them from the first row to the last.

    Parameters
    ----------
    scores : DataFrame, (2, N)
        Of the decision before and of this one; NaN ranks after every score.
    top : int
        Size of the best.

    Returns
    -------
    DataFrame, indexed by symbol
        ``move`` (entry, exit), ``previous_rank`` and ``rank`` (1 is the best; NaN without a score);
        entries first, by rank.
    """
    ranks = scores.rank(axis=1, ascending=False, method="first")
    before, now = ranks.iloc[0], ranks.iloc[-1]
    move = pd.Series(pd.NA, index=scores.columns, dtype=object)
    move[(now <= top) & ~(before <= top)] = "entry"
    move[(before <= top) & ~(now <= top)] = "exit"
    table = pd.DataFrame({"move": move, "previous_rank": before, "rank": now})
    return table.dropna(subset="move").sort_values(["move", "rank"], kind="stable")


def largest_moves(
    inputs: Inputs,
    libraries: list[Library],
    moves: pd.Series,
    before: pd.Timestamp,
    now: pd.Timestamp,
) -> pd.DataFrame:
    """Return for each symbol the formula whose signed rank moved most in the symbol's direction.

    Parameters
    ----------
    inputs : Inputs
        The history that is scored.
    libraries : list of Library
        The newest ones known at ``before`` are searched: they explain the move best and are few.
    moves : Series, (M,), indexed by symbol
        ``entry`` or ``exit``.
    before, now : Timestamp
        The two decisions.

    Returns
    -------
    DataFrame, indexed by symbol
        ``formula``, ``sign``, ``formula_before`` and ``formula_now``: its signed rank, -0.5 worst
        to 0.5 best. No rows without a formula that scores both dates.
    """
    known = [library for library in libraries if library.mined_on <= before]
    newest = max((library.mined_on for library in known), default=None)
    entries = {
        (entry.formula, entry.sign): replace(library, entries=(entry,))
        for library in known
        if library.mined_on == newest
        for entry in library.entries
    }
    ranks = {}
    for key, library in entries.items():
        frames = rotation_scores(inputs, [library], by_seed=True, since=before)
        ranks[key] = frames[library.seed].reindex([before, now])[moves.index]
    rows = []
    for symbol, move in moves.items():
        pairs = {key: frame[symbol].to_numpy() for key, frame in ranks.items()}
        change = pd.Series({key: pair[1] - pair[0] for key, pair in pairs.items()}, dtype=float)
        change = change.dropna()
        if len(change):
            key = change.idxmax() if move == "entry" else change.idxmin()
            rows.append((symbol, *key, *pairs[key]))
    columns = ["symbol", "formula", "sign", "formula_before", "formula_now"]
    table = pd.DataFrame(rows, columns=columns).set_index("symbol")
    return table.astype({"formula_before": float, "formula_now": float})
