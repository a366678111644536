"""Entries and exits: who moved, and the formula behind it."""

import numpy as np
import pandas as pd

from lib.market.universe import read_universe
from lib.models.gp.attribution import entries_and_exits, largest_moves
from lib.models.gp.inputs import factor_inputs, join_panels
from lib.models.gp.library import Entry, Library
from lib.models.sector_view import FIELDS


def test_entries_and_exits_are_those_of_the_ranks():
    scores = pd.DataFrame(
        [[0.4, 0.3, 0.2, np.nan, 0.1], [0.1, 0.3, 0.2, 0.5, np.nan]], columns=list("abcde")
    )
    table = entries_and_exits(scores, 2)
    assert table["move"].to_dict() == {"d": "entry", "a": "exit"}
    assert table.loc["a", ["previous_rank", "rank"]].tolist() == [1, 4]
    assert np.isnan(table.loc["d", "previous_rank"]) and table.loc["d", "rank"] == 1


def test_the_formula_is_the_one_whose_signed_rank_moved_most(sample_market):
    symbols = read_universe("sectors_sw").index
    prices = sample_market.panel(symbols, FIELDS, start="2023-01-01")
    inputs = factor_inputs(join_panels(prices, sample_market.valuation(symbols)))
    names = list(inputs.values)[:4]
    old, new = inputs.dates[-120], inputs.dates[-60]
    before, now = inputs.dates[-6], inputs.dates[-1]
    entries = tuple(Entry(name, sign) for name, sign in zip(names, (1, -1, 1, -1), strict=True))
    stale = Library(old, 0, (Entry(list(inputs.values)[5], 1),))
    future = Library(now, 0, (Entry(list(inputs.values)[6], 1),))
    moves = pd.Series({symbols[3]: "entry", symbols[7]: "exit"})
    table = largest_moves(
        inputs,
        [stale, Library(new, 0, entries), Library(new, 1, entries[:2]), future],
        moves,
        before,
        now,
    )
    rows = inputs.dates.get_indexer([before, now])
    for symbol, better in ((symbols[3], max), (symbols[7], min)):
        change = {}
        for entry in entries:
            values = pd.DataFrame(inputs.values[entry.formula], columns=inputs.symbols).iloc[rows]
            ranks = values.rank(axis=1)
            counts = values.notna().sum(axis=1)
            signed = ((ranks[symbol] - 1) / (counts - 1) - 0.5) * entry.sign
            change[entry.formula] = signed.iloc[1] - signed.iloc[0]
        best = better(change.values())
        row = table.loc[symbol]
        assert np.isclose(row["formula_now"] - row["formula_before"], best, atol=0.02)
        assert np.isclose(change[row["formula"]], best, atol=0.04)
    assert largest_moves(inputs, [], moves, before, now).empty
