"""Report of an update, and its summary as text."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from lib.market.ingest import IngestReport

#: entries of a list that are printed
MAX_ENTRIES = 12


@dataclass
class UpdateReport:
    """Result of an update.

    Attributes
    ----------
    day : Timestamp
    rows : dict
        (table, kind) -> number of new rows.
    providers : dict
        (table, kind) -> provider functions that gave them, with the number of symbols.
    rejected : list of dict
        Notes of the responses that were set aside.
    failures : dict
        Symbol -> errors of its providers, for symbols without any data.
    unsupported : list of str
        Symbols of the universes that no provider in the parameters serves.
    missing_token : dict
        Environment variable that is not set -> symbols that need its token.
    skipped_cross_checks : list of str
        Comparisons that could not be made.
    still_open : set of str
        Symbols whose last day was not over and was left out.
    stale : DataFrame
        Symbols whose last row is too many sessions old: symbol, last, sessions.
    requests : dict
        Host -> requests sent.
    ingest : IngestReport
    """

    day: pd.Timestamp
    rows: dict[tuple[str, str], int] = field(default_factory=dict)
    providers: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    rejected: list[dict] = field(default_factory=list)
    failures: dict[str, list[str]] = field(default_factory=dict)
    unsupported: list[str] = field(default_factory=list)
    missing_token: dict[str, list[str]] = field(default_factory=dict)
    skipped_cross_checks: list[str] = field(default_factory=list)
    still_open: set[str] = field(default_factory=set)
    stale: pd.DataFrame = field(default_factory=pd.DataFrame)
    requests: dict[str, int] = field(default_factory=dict)
    ingest: IngestReport = field(default_factory=IngestReport)


def summary(report: UpdateReport) -> str:
    """Return the report as text: new rows, providers, requests, rejected and missing data."""
    lines = [f"live store up to {report.day:%Y-%m-%d}"]
    for (table, kind), rows in sorted(report.rows.items()):
        counts = report.providers.get((table, kind), {})
        providers = ", ".join(f"{name} ({count})" for name, count in counts.items())
        lines.append(f"  {table:12} {kind:14} {rows:8,} new rows  {providers}".rstrip())
    if not report.rows:
        lines.append("  nothing new")
    lines.append(f"requests: {sum(report.requests.values()):,}")
    lines += [f"  {count:6,}  {host}" for host, count in report.requests.items()]
    rejected = [
        f"{note['symbols'][0]} from {note['provider']}: {'; '.join(note['reasons'])}"
        for note in report.rejected
    ]
    lines += _list("responses set aside whole, stored rows kept", rejected)
    lines += _failures(report.failures)
    lines += _list("cross-checks skipped", report.skipped_cross_checks)
    if report.still_open:
        names = ", ".join(sorted(report.still_open)[:3])
        count = len(report.still_open)
        lines.append(f"a day that is not over was left out: {count} series ({names}...)")
    stale = [
        f"{row.symbol}: {row.sessions} sessions, last {row.last:%Y-%m-%d}"
        for row in report.stale.itertuples()
    ]
    lines += _list("stale", stale)
    for variable, symbols in report.missing_token.items():
        names = ", ".join(symbols[:3])
        lines.append(f"skipped without a token in {variable}: {len(symbols)} ({names}...)")
    title = "no provider; bring them through a folder (docs/data_sources.md)"
    lines += _list(title, report.unsupported)
    return "\n".join(lines)


def _failures(failures: dict[str, list[str]]) -> list[str]:
    """Return the lines on symbols without data, one per reason: all symbols of a host share it."""
    symbols_of: dict[str, list[str]] = {}
    for symbol, errors in sorted(failures.items()):
        symbols_of.setdefault("; ".join(dict.fromkeys(errors)), []).append(symbol)
    entries = []
    for reason, symbols in symbols_of.items():
        names = ", ".join(symbols[:3])
        more = f" and {len(symbols) - 3} more" if len(symbols) > 3 else ""
        entries.append(f"{names}{more}: {reason}")
    return _list("got nothing", entries, len(failures))


def _list(title: str, entries: list[str], count: int = 0) -> list[str]:
    if not entries:
        return []
    lines = [f"{title}: {count or len(entries)}"]
    lines += [f"  {entry}" for entry in entries[:MAX_ENTRIES]]
    if len(entries) > MAX_ENTRIES:
        lines.append(f"  and {len(entries) - MAX_ENTRIES} more")
    return lines
