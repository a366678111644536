"""Looking back: put a run's calls on record and judge those of earlier runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from lib.exhibits.translations import Translations, translations
from lib.market.atomic import atomic_write
from lib.market.errors import RunError
from lib.market.pointintime import Market
from lib.report.calls import CALLS_FILE, Record, handed_over, join_calls, read_record
from lib.report.html import system_name
from lib.report.manifest import Manifest, code_fingerprint
from lib.report.track_record import ENOUGH, Earlier, earlier_records, outcomes, summary

RESULT = "facts/track_record.json"
DAMAGED = "facts/calls_damaged.json"


def _now() -> pd.Timestamp:
    """Return the present time in Shanghai."""
    return pd.Timestamp.now(tz="Asia/Shanghai").tz_localize(None)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    csv = table.to_csv(index=False, date_format="%Y-%m-%d", lineterminator="\n")
    atomic_write(path, csv)


@dataclass(frozen=True)
class LookBack:
    """What a run says of earlier calls.

    Attributes
    ----------
    record : Record
        The calls of this session.
    differs : list of str
        Systems whose call this run would have made otherwise than it is on record.
    replaced : str
        Why an earlier record of this session was not kept: ``damaged``, ``other_source``, or empty.
    earlier : Earlier
    outcomes, summary : DataFrame
        As ``lib.report.track_record`` returns them.
    latest : DataFrame
        The rows of the latest earlier run after one week: whole calls and their holdings.
    faults : list of str
        Why calls could not be valued.
    """

    record: Record
    differs: list[str]
    replaced: str
    earlier: Earlier
    outcomes: pd.DataFrame
    summary: pd.DataFrame
    latest: pd.DataFrame
    faults: list[str]

    def write(self, folder: Path, said: list[str]) -> None:
        """Write the record, ``facts/track_record.json`` with the sentences on it, and its two
        tables to a run's folder.
        """
        self.record.write(folder)
        write_table(folder / "tables" / "track_record.csv", self.summary)
        write_table(folder / "tables" / "track_record_calls.csv", self.outcomes)
        content = {
            "as_of": self.record.as_of,
            "sentences": said,
            "runs": [record.as_of for record in self.earlier.records],
            "left_out": [{"run": run, "reason": reason} for run, reason in self.earlier.left_out],
            "differs": self.differs,
            "replaced": self.replaced,
            "changed_earlier": self.changed_earlier,
            "faults": self.faults,
            "enough": ENOUGH,
            "summary": json.loads(self.summary.to_json(orient="records")),
        }
        text = json.dumps(content, ensure_ascii=False, indent=1)
        atomic_write(folder / RESULT, text + "\n")

    @property
    def changed_earlier(self) -> list[str]:
        """Sessions whose record has calls that a later run would have made otherwise."""
        return [record.as_of for record in self.earlier.records if record.later]


def look_back(
    folder: Path,
    out: Path,
    manifest: Manifest,
    market: Market,
    now: Callable[[], pd.Timestamp] = _now,
) -> LookBack:
    """Put the calls of a run on record and judge those of earlier runs.

    Parameters
    ----------
    folder : Path
        Of the run, with the facts of its sections.
    out : Path
        The folder of runs. The record of an earlier run of the same session in it stays as it is:
        what this run would have said instead is noted with it.
    manifest : Manifest
        Of the run.
    market : Market
        Judges the calls by prices up to its ``as_of``.
    now : callable
        The present time in Shanghai.
    """
    kept, replaced = _on_record(out / manifest.as_of, folder, manifest)
    made = f"{now():%Y-%m-%dT%H:%M:%S}"
    calls = handed_over(folder, made=made, data=market.fingerprint(), code=code_fingerprint())
    record = join_calls(kept, calls, manifest)
    first = {call.system: call for call in record.calls}
    differs = [call.system for call in calls if not call.says_the_same(first[call.system])]
    earlier = earlier_records(out, manifest)
    table, faults = outcomes(earlier.records, market)
    latest = table[(table["as_of"] == table["as_of"].max()) & (table["weeks"] == 1)]
    return LookBack(
        record,
        differs,
        replaced,
        earlier,
        table,
        summary(table),
        latest.reset_index(drop=True),
        faults,
    )


def _on_record(target: Path, folder: Path, manifest: Manifest) -> tuple[Record | None, str]:
    """Return the record of the same session that an earlier run left, or None and why not; a
    damaged file is kept next to the new one.
    """
    try:
        record = read_record(target)
    except RunError:
        (folder / DAMAGED).parent.mkdir(parents=True, exist_ok=True)
        if target != folder:
            shutil.copy2(target / CALLS_FILE, folder / DAMAGED)
        return None, "damaged"
    if record is not None and not record.is_of(manifest):
        return None, "other_source"
    return record, ""


def exhibits_of(back: LookBack) -> Iterator[tuple[str, str, pd.DataFrame, dict[str, str], str]]:
    """Yield number, slug, table, formats and first date of the exhibits: the latest calls one by
    one, and the counts since the first; nothing without an earlier call.
    """
    if back.outcomes.empty:
        return
    calls = back.latest
    for column, language in (("name", "zh"), ("name_en", "en")):
        whole = calls["system"].map(partial(system_name, t=translations(language)))
        calls = calls.assign(**{column: calls[column].fillna(whole)})
    columns = ["as_of", "system", "name", "name_en", "return", "benchmark", "excess", "outcome"]
    yield (
        "s52",
        "calls_of_last_week",
        calls[columns],
        {"benchmark": "percent"},
        calls["as_of"].min(),
    )
    columns = ["system", "basis", "weeks", "judged", "right", "open", "hit_rate", "low", "high"]
    formats = dict.fromkeys(("hit_rate", "low", "high"), "share")
    counted = back.summary[[*columns, "mean_excess", "verdict"]]
    yield "s53", "track_record", counted, formats, back.summary["first"].min()


def sentences(back: LookBack, t: Translations) -> list[str]:
    """Say on what the record rests, what it lacks, and whether it is too early to conclude."""

    def text(key: str, **values) -> str:
        return t(f"06_weekly_report.track_record_{key}", **values)

    said = [text("intro" if back.earlier.records else "none", runs=len(back.earlier.records))]
    if len(back.summary) and back.summary["judged"].max() < ENOUGH:
        said.append(text("early", enough=ENOUGH))
    first = back.summary[(back.summary["weeks"] == 1) & (back.summary["judged"] > 0)]
    for row in first.itertuples():
        rates = [t.percent(rate, 0, signed=False) for rate in (row.hit_rate, row.low, row.high)]
        counts = dict(zip(("rate", "low", "high"), rates, strict=True))
        counts |= {"right": row.right, "judged": row.judged, "excess": t.percent(row.mean_excess)}
        words = {key: t(f"06_weekly_report.value.{key}") for key in (row.basis, row.verdict)}
        counts |= {"basis": words[row.basis], "verdict": words[row.verdict]}
        said.append(text("counted", system=system_name(row.system, t), **counts))
    if back.differs:
        names = ", ".join(system_name(system, t) for system in back.differs)
        said.append(text("differs", systems=names))
    if back.changed_earlier:
        said.append(text("changed", runs=", ".join(back.changed_earlier)))
    if back.replaced:
        said.append(text(back.replaced))
    for reason, runs in back.earlier.by_reason.items():
        why = t(f"06_weekly_report.left_out_{reason}")
        said.append(text("left_out", reason=why, runs=", ".join(runs)))
    return said + [text("fault", fault=fault) for fault in back.faults]
