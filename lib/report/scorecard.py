"""Scorecard: every published number of the week and that of this run, with a verdict."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from lib.exhibits.published import HALF_UNITS, Exhibit, Fact, Week
from lib.exhibits.translations import Translations
from lib.report.commentary.quotations import ROW_KEYS, Table, Tables

#: what can be said of a number: differs carries a reason; absent: this run has nothing to compare
#: it with; not_published: the run has an exhibit of which nothing was printed
VERDICTS = ("reproduced", "differs", "not_comparable", "absent", "not_published")
SCORECARD_COLUMNS = [
    "exhibit",
    "name",
    "name_en",
    "measure",
    "relation",
    "published",
    "value",
    "difference",
    "tolerance",
    "verdict",
    "reason",
    "why",
    "why_en",
    "format",
]
#: floating point may not decide whether a difference is within the tolerance
SLACK = 1e-9


def scorecard(
    week: Week, folder: Path, text: Translations, *, numbers: Iterable[str], synthetic: bool
) -> pd.DataFrame:
    """Compare each published number with this run's.

    Parameters
    ----------
    week : Week
        What was published.
    folder : Path
        Of the run.
    text : Translations
        Texts in the report's language.
    numbers : iterable of str
        The exhibits in their order.
    synthetic : bool
        On a synthetic market every value is shown and none is comparable.

    Returns
    -------
    DataFrame
        One row per published number, and one per exhibit of which none was published: ``exhibit``,
        ``name``, ``name_en``, ``measure``, ``relation``, ``published`` and ``value`` (fractions;
        ranks from the top, from the bottom, among the holdings and among the rows for the relations
        first, last, held and listed), ``difference``, ``tolerance``, ``verdict`` (one of
        ``VERDICTS``), ``reason``, ``why``, ``why_en``, ``format``. NaN where there is no value.
    """
    tables = Tables(folder, text)
    rows: list[dict] = []
    for number in numbers:
        part = week.exhibits.get(number)
        table = tables(number)
        if part:
            more = tables(part.supplement) if part.supplement else None
            rows += [_judged(number, part, fact, (table, more), synthetic) for fact in part.facts]
        elif table:
            rows.append({"exhibit": number, "verdict": "not_published"})
    for entry in week.elsewhere:
        verdict = (
            {"verdict": "not_comparable", "reason": "synthetic"}
            if synthetic
            else _absent("no_exhibit")
        )
        words = entry.model_dump(include={"name", "name_en", "relation", "format"})
        rows.append(words | {"published": entry.value} | verdict)
    return pd.DataFrame(rows, columns=SCORECARD_COLUMNS)


def counts(table: pd.DataFrame) -> dict[str, int]:
    """Return how many rows got each verdict, in the order of ``VERDICTS``."""
    return {verdict: int((table["verdict"] == verdict).sum()) for verdict in VERDICTS}


def _judged(
    number: str,
    part: Exhibit,
    fact: Fact,
    listed: tuple[Table | None, Table | None],
    synthetic: bool,
) -> dict:
    """Judge a fact by the table of its exhibit and, for a row that it leaves out, by that of the
    supplement.
    """
    table, more = listed
    value = np.nan if table is None else _value(table, fact)
    if np.isnan(value) and table is not None and more is not None and fact.relation != "listed":
        value = _value(more, fact)
    found = fact.relation in ("held", "listed")
    ranked = found or fact.relation in ("first", "last")
    published = fact.value if isinstance(fact.value, float) else 1.0
    if found:
        published = np.nan
    tolerance = part.tolerance_of(fact)
    row = {
        "exhibit": number,
        "name": fact.name or fact.row,
        "name_en": fact.name_en or fact.row,
        "measure": _measure(fact),
        "relation": fact.relation,
        "published": published,
        "value": value,
        "difference": value - published,
        "tolerance": tolerance if fact.relation in ("equal", "about") else np.nan,
        "format": "count" if ranked else part.format_of(fact),
    }
    if synthetic:
        return row | {"verdict": "not_comparable", "reason": "synthetic"}
    if table is None:
        return row | _absent("no_table")
    why = fact.why or part.why
    words = {"why": why.zh, "why_en": why.en}
    if part.weights and not value >= HALF_UNITS["share"]:
        # an asset that is not held reproduces nothing, not even a printed zero
        verdict = "absent" if published == 0 else "differs"
        return (
            row
            | {"verdict": verdict, "reason": "not_held"}
            | (words if verdict == "differs" else {})
        )
    if np.isnan(value) and not found:
        return row | _absent(fact.reason or "not_listed") | (words if fact.reason else {})
    if _holds(fact.relation, value, published, tolerance):
        return row | {"verdict": "reproduced"}
    return row | {"verdict": "differs", "reason": fact.reason or part.reason} | words


def _absent(reason: str) -> dict:
    return {"verdict": "absent", "reason": reason}


def _holds(relation: str, value: float, published: float, tolerance: float) -> bool:
    """Return whether a value is what was published; a missing one is not."""
    if relation == "above":
        return value > published
    if relation == "below":
        return value < published
    if relation in ("held", "listed"):
        return not np.isnan(value)
    return abs(value - published) <= (0 if relation in ("first", "last") else tolerance) + SLACK


def _value(table: Table, fact: Fact) -> float:
    """Return the run's value of a published number; NaN when the table lacks its rows or all of its
    columns.
    """
    frame = table.frame.reset_index(drop=True)
    if fact.row == "latest":
        found = frame.index == frame.index[-1]
    else:
        keys = [column for column in dict.fromkeys([*ROW_KEYS, "asset_class"]) if column in frame]
        found = frame[keys].astype(str).isin([fact.row, *fact.alternatives]).any(axis=1).to_numpy()
    if not found.any():
        return np.nan
    if fact.relation == "listed":
        return float(np.flatnonzero(found)[0] + 1)
    columns = [column for column in fact.columns if column in frame]
    if not columns or fact.minus not in (None, *frame):
        return np.nan
    if fact.relation == "held":
        names = frame.loc[found, columns].iloc[0].tolist()
        return float(names.index(fact.value) + 1) if fact.value in names else np.nan
    if fact.relation in ("first", "last"):
        ranks = frame[columns[0]].rank(ascending=fact.relation == "last", method="min")
        return float(ranks[found].iloc[0])
    total = frame.loc[found, columns].to_numpy(dtype=float).sum()
    return total - (frame.loc[found, fact.minus].sum() if fact.minus else 0.0)


def _measure(fact: Fact) -> str:
    """Name what is compared; the columns of a table of weights by asset are instruments."""
    if fact.relation in ("held", "listed"):
        return "holdings" if fact.relation == "held" else "rank"
    if fact.row == "latest":
        return "weight"
    return f"{fact.columns[0]}_less_{fact.minus}" if fact.minus else fact.columns[0]
