"""Positions: what a section hands over so that trades and a track record can be made of it."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from lib.market.calendar import Sessions


def positions(
    system: str,
    table: pd.DataFrame,
    benchmark: pd.Series,
    decided: pd.Timestamp,
    *,
    direction: int = 1,
    each: bool = False,
    values: Mapping[str, str] | None = None,
    **trading: object,
) -> dict:
    """Return a system's call as facts.

    Parameters
    ----------
    system : str
        Its name, the same in every run.
    table : DataFrame, indexed by symbol
        ``name_zh``, ``name_en``, ``weight`` (the target, a fraction), and if the system trades
        ``held`` (the drifted weight at the last close), ``fund`` (symbol of the fund that is
        traded, missing where there is none) and ``cost`` (fraction, one way); ``series``: symbol of
        the series that prices it, where that is another. Rows without weight are dropped.
    benchmark : Series, (N,), indexed by symbol
        Its weights.
    decided : Timestamp
        The session of the decision.
    direction : int
        1: expected above the benchmark; -1: below.
    each : bool
        Each row is a call of its own, not only all of them together.
    values : mapping, optional
        ``universe`` and ``hedging``, where values follow ``total_return_index`` instead of closes.
    **trading
        ``held_on``, the session of ``held``, and ``due``, that of the next trade by the rule or
        None.
    """
    used = table["weight"].gt(0)
    if "held" in table:
        used |= table["held"].gt(0)
    columns = table.rename(columns={"name_zh": "name"}).rename_axis("symbol")[used].reset_index()
    rows = columns.astype(object).where(columns.notna(), None).to_dict("records")
    fixed = {"system": system, "decided": decided, "direction": direction, "each": each}
    shares = benchmark[benchmark > 0].to_dict()
    priced_by = dict(values) if values else None
    return fixed | {"rows": rows, "benchmark": shares, "values": priced_by, **trading}


def next_session(sessions: Sessions, date: pd.Timestamp) -> pd.Timestamp | None:
    """Return the first session after a date, None where the calendar does not reach so far."""
    later = sessions.all[sessions.all > date]
    return later[0] if len(later) else None


def next_month_trade(
    sessions: Sessions, decided: pd.Timestamp, held_on: pd.Timestamp
) -> pd.Timestamp | None:
    """Return the session on which a portfolio that is decided at month ends trades next: the one
    after the last decision if that is not traded yet, else the one after the next month end; None
    where the calendar does not reach so far.

    Parameters
    ----------
    sessions : Sessions
        Sessions of the exchange.
    decided : Timestamp
        The last decision.
    held_on : Timestamp
        Last session of the week.
    """
    if decided < held_on:
        ends = sessions.month_ends(start=held_on)
        if not len(ends):
            return None
        decided = ends[0]
    return next_session(sessions, decided)
