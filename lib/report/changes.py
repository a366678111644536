"""What changed against the previous run: holdings, scores, weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from lib.exhibits.parameters.weekly_report import WeeklyReport
from lib.exhibits.plan import Comparison
from lib.exhibits.translations import Translations
from lib.market.errors import RunError
from lib.report.commentary.portfolios import rank_columns
from lib.report.commentary.quotations import Table, Tables
from lib.report.manifest import Manifest

DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
CHANGE_COLUMNS = ["exhibit", "name", "name_en", "what", "previous", "latest", "change", "format"]


def previous_run(out: Path, manifest: Manifest) -> tuple[Path | None, list[str]]:
    """Find the latest run of an earlier session that was made of the same source.

    Parameters
    ----------
    out : Path
        The folder of runs.
    manifest : Manifest
        Of the present run.

    Returns
    -------
    folder : Path or None
        None when there is no such run.
    broken : list of str
        Names of later folders that cannot be read and were passed over.
    """
    broken = []
    earlier = [
        path for path in out.glob("*/") if DATE.fullmatch(path.name) and path.name < manifest.as_of
    ]
    for folder in sorted(earlier, reverse=True):
        try:
            other = Manifest.read(folder)
        except RunError:
            broken.append(folder.name)
            continue
        if (other.source, other.source_label) == (manifest.source, manifest.source_label):
            return folder, broken
    return None, broken


def changes(
    folder: Path,
    previous: Path,
    text: Translations,
    settings: WeeklyReport,
    assets: pd.DataFrame,
    compared: Mapping[str, Comparison],
) -> tuple[pd.DataFrame, list[str]]:
    """Compare two runs.

    Parameters
    ----------
    folder, previous : Path
        Of the present and of the previous run.
    text : Translations
        Texts in the report's language.
    settings : WeeklyReport
        From which size on a change of a score or of a weight is listed.
    assets : DataFrame indexed by symbol
        ``name_zh`` and ``name_en`` of the instruments that head the columns of weights.
    compared : mapping
        What is compared, by the number of the exhibit.

    Returns
    -------
    table : DataFrame
        ``exhibit``, ``name``, ``name_en``, ``what`` (new, dropped, score, weight, budget),
        ``previous``, ``latest``,
        ``change`` (scores; fractions), ``format``. New and dropped names have no numbers.
    missing : list of str
        Numbers of the exhibits that one of the runs lacks, so that nothing is compared.
    """
    now = Tables(folder, text)
    before = Tables(previous, text)
    missing = []
    rows: list[dict] = []
    for number, kind in compared.items():
        old = before(number)
        new = now(number)
        if old is None or new is None:
            missing.append(number)
            continue
        pair = old, new
        if kind == "themes":
            rows += _names(number, *map(_listed, pair))
            rows += _moves(number, *pair, "latest_score", settings)
        elif kind == "holdings":
            rows += _names(number, *map(_held, pair))
        elif kind == "weights":
            rows += _moves(number, *pair, "weight", settings)
        elif kind == "weights_by_column":
            rows += _assets(number, *pair, settings, assets)
        else:
            rows += _moves(number, *pair, "budget", settings)
    return pd.DataFrame(rows, columns=CHANGE_COLUMNS), missing


def _listed(table: Table) -> pd.DataFrame:
    return table.frame[["name", "name_en"]]


def _held(table: Table) -> pd.DataFrame:
    last = table.frame.iloc[-1]
    ranks = rank_columns(table.frame)
    held = pd.DataFrame(
        {"name": last[ranks].tolist(), "name_en": last[[f"{rank}_en" for rank in ranks]].tolist()}
    )
    return held.dropna().set_index("name", drop=False)


def _names(number: str, before: pd.DataFrame, now: pd.DataFrame) -> Iterator[dict]:
    """Yield the names that came and those that went."""
    came = now[~now.index.isin(before.index)]
    went = before[~before.index.isin(now.index)]
    for what, names in (("new", came), ("dropped", went)):
        for name, english in zip(names["name"], names["name_en"], strict=True):
            yield {"exhibit": number, "name": name, "name_en": english, "what": what}


def _moves(
    number: str, before: Table, now: Table, column: str, settings: WeeklyReport
) -> Iterator[dict]:
    """Yield the rows of both tables whose value has changed; a weight that only one lists was or is
    zero.

    Scores are compared where both come from the same source.
    """
    score = column == "latest_score"
    rows = now.frame.index.union(before.frame.index, sort=False)
    if score:
        rows = now.frame.index.intersection(before.frame.index, sort=False)
        sources = [
            table.frame.get("score_source", pd.Series(dtype=object)).reindex(rows)
            for table in (before, now)
        ]
        rows = rows[sources[0].eq(sources[1])]
    for row in rows:
        source = now if row in now.frame.index else before
        previous, latest = [
            table.value(row, column) if row in table.frame.index else 0.0 for table in (before, now)
        ]
        if abs(latest - previous) < (settings.score_change if score else settings.weight_change):
            continue
        name = source.value(row, "name") if "name" in source.frame else row
        english = source.value(row, "name_en") if "name_en" in source.frame else name
        what = "score" if score else column
        yield _row(number, name, english, what, previous, latest, "score" if score else "share")


def _assets(
    number: str, before: Table, now: Table, settings: WeeklyReport, assets: pd.DataFrame
) -> Iterator[dict]:
    last = [table.frame.drop(columns=table.key).iloc[-1] for table in (before, now)]
    for symbol in last[1].index.union(last[0].index, sort=False):
        previous, latest = [float(weights.get(symbol, 0.0)) for weights in last]
        if abs(latest - previous) >= settings.weight_change:
            name, english = [
                assets[column].get(symbol, symbol) for column in ("name_zh", "name_en")
            ]
            yield _row(number, name, english, "weight", previous, latest, "share")


def _row(number, name, english, what, previous, latest, kind) -> dict:
    words = {"exhibit": number, "name": name, "name_en": english, "what": what, "format": kind}
    return words | {"previous": previous, "latest": latest, "change": latest - previous}
