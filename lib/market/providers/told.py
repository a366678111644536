"""What an update tells its user."""

from __future__ import annotations

from lib.market.providers.update import Report

#: lines of a list that are printed
SHOWN = 12


def summary(report: Report) -> str:
    """Return the report as text: rows by table, providers, requests, what was refused, missing or stale."""
    lines = [f"live store up to {report.day:%Y-%m-%d}"]
    for (table, kind), rows in sorted(report.rows.items()):
        used = ", ".join(f"{name} ({n})" for name, n in report.providers.get((table, kind), {}).items())
        lines.append(f"  {table:12} {kind:14} {rows:8,} new rows  {used}".rstrip())
    if not report.rows:
        lines.append("  nothing new")
    sent = sum(report.requests.values())
    lines.append(f"requests: {sent:,}" + "".join(f"\n  {n:6,}  {host}" for host, n in report.requests.items()))
    lines += _list(
        "answers set aside whole, stored rows kept",
        [f"{note['symbols'][0]} from {note['provider']}: {'; '.join(note['reasons'])}" for note in report.refused],
    )
    lines += _failures(report.failures)
    lines += _list("comparisons not made", report.unasked)
    if names := sorted(report.trading):
        lines.append(f"a day that is not over was left out: {len(names)} series ({', '.join(names[:3])}...)")
    lines += _list(
        "stale",
        [f"{row.symbol}: {row.sessions} sessions, last {row.last:%Y-%m-%d}" for row in report.stale.itertuples()],
    )
    for variable, symbols in report.locked.items():
        lines.append(f"not asked for without a token in {variable}: {len(symbols)} ({', '.join(symbols[:3])}...)")
    lines += _list("no provider; bring them through a folder (docs/data_sources.md)", report.unserved)
    return "\n".join(lines)


def _failures(failures: dict[str, list[str]]) -> list[str]:
    """Say what got nothing, once for each reason: when a host is down, all of its symbols have the same."""
    symbols: dict[str, list[str]] = {}
    for symbol, said in sorted(failures.items()):
        symbols.setdefault("; ".join(dict.fromkeys(said)), []).append(symbol)
    told = [
        f"{', '.join(some[:3])}{f' and {len(some) - 3} more' if len(some) > 3 else ''}: {reason}"
        for reason, some in symbols.items()
    ]
    return _list("got nothing", told, len(failures))


def _list(title: str, entries: list[str], count: int = 0) -> list[str]:
    if not entries:
        return []
    more = [f"  and {len(entries) - SHOWN} more"] if len(entries) > SHOWN else []
    return [f"{title}: {count or len(entries)}", *(f"  {entry}" for entry in entries[:SHOWN]), *more]
