"""Check that a file still has the rows that it had before."""

from __future__ import annotations

import pandas as pd

from lib.market.checks.findings import FindingsLog


def check_counts(log: FindingsLog, previous: pd.Series) -> None:
    """Warn of symbols that have fewer rows than the store holds.

    Symbols that the file does not mention are ignored, because several files may share a table.
    """
    if not len(previous):
        return
    symbols = log.rows[log.symbol_column]
    counts = symbols.value_counts()
    stored = previous.reindex(counts.index)
    fewer = counts[counts < stored].sort_index()
    last_days = log.days().groupby(symbols.to_numpy()).max().reindex(fewer.index)
    log.add_finding(
        "warn",
        "fewer rows",
        fewer.index,
        last_days,
        [f"{count} rows; the store has {int(stored[symbol])}" for symbol, count in fewer.items()],
        "check the export; rows that disappear are a revision of history",
    )
