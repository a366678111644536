"""The command line of the weekly run."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from lib.market.errors import SuiteError
from lib.weekly.run import Settings, weekly_run

#: exit codes: a section failed; the run was refused or could not be written; Ctrl-C
FAILED, REFUSED, INTERRUPTED = 1, 2, 130


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    command = argparse.ArgumentParser(prog="python -m lib.weekly", description="Make the weekly research report.")
    command.add_argument("--as-of", default="latest", help="a date as 2025-06-13, or latest (default)")
    command.add_argument(
        "--data", default="sample", help="sample (default), sample-null, store (filled by make data), or a folder"
    )
    command.add_argument(
        "--out", default="outputs", type=Path, help="where the folder <session> goes (default: outputs)"
    )
    command.add_argument("--language", default="en", choices=("en", "zh"), help="of the report (default: en)")
    command.add_argument("--resume", action="store_true", help="rerun only what failed or whose inputs changed")
    command.add_argument("--allow-stale", action="store_true", help="take data that end long before --as-of")
    command.add_argument("--accept-revisions", action="store_true", help="let the data change history already stored")
    return command


def main(arguments: list[str] | None = None) -> int:
    """Carry out one weekly run and return the exit code, 0 when every section went well."""
    settings = Settings(**vars(parser().parse_args(arguments)))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` cleans up as Ctrl-C does
    try:
        manifest = weekly_run(settings)
    except SuiteError as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("interrupted; an earlier report is unchanged", file=sys.stderr)
        return INTERRUPTED
    folder = settings.out / manifest.as_of
    for record in manifest.exports:
        if record.file.startswith("report.") and record.done:
            print(f"report: {folder / record.file}")
    for record in manifest.exports:
        if not record.done:
            print(f"not exported: {folder / record.file}\n  {record.error}", file=sys.stderr)
    if broken := [record.name for record in manifest.sections if not record.done]:
        print(f"without {', '.join(broken)}; mend the cause, then run again with --resume", file=sys.stderr)
    return 0 if manifest.status == "ok" else FAILED
