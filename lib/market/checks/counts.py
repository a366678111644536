"""Does a file still hold what it held before?"""

from __future__ import annotations

import pandas as pd

from lib.market.checks.ledger import Ledger


def check_counts(ledger: Ledger, previous: pd.Series) -> None:
    """Warn of symbols that now have fewer rows than the store holds.

    Symbols that the file does not mention are left alone: a table may be spread over several files.
    """
    if not len(previous):
        return
    owner = ledger.rows[ledger.owner]
    counts = owner.value_counts()
    before = previous.reindex(counts.index)
    fallen = counts[counts < before].sort_index()
    last = ledger.days().groupby(owner.to_numpy()).max().reindex(fallen.index)
    ledger.event(
        "warn",
        "fewer rows",
        fallen.index,
        last,
        [f"{now} rows where the store has {int(before[symbol])}" for symbol, now in fallen.items()],
        "check the export; rows that vanish are a revision of history",
    )
