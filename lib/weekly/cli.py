"""Command line of the weekly run."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from pathlib import Path

from lib.market.errors import RunError, SuiteError
from lib.weekly.forking import fork_server

#: a section or an export failed
EXIT_FAILED = 1
#: nothing was run, or the folder could not be written
EXIT_REFUSED = 2
#: Ctrl-C
EXIT_INTERRUPTED = 130


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    command = argparse.ArgumentParser(
        prog="python -m lib.weekly", description="Make the weekly research report."
    )
    command.add_argument(
        "--as-of", default="latest", help="a date as 2025-06-13, or latest (default)"
    )
    add_run_options(command)
    command.add_argument(
        "--resume", action="store_true", help="rerun only what failed or has new inputs"
    )
    command.add_argument(
        "--allow-stale", action="store_true", help="accept data that end long before --as-of"
    )
    return command


def add_run_options(command: argparse.ArgumentParser) -> None:
    """Add the options that one report and the reports of many weeks have in common."""
    command.add_argument(
        "--data",
        default="sample",
        help="sample (default), sample-null, store (make data) or a folder",
    )
    command.add_argument(
        "--out", default="outputs", type=Path, help="folder of the runs (default: outputs)"
    )
    command.add_argument(
        "--language", default="en", help='en (default), zh, or both side by side: "en zh"'
    )
    command.add_argument(
        "--accept-revisions", action="store_true", help="accept data that change stored history"
    )
    command.add_argument(
        "--workers",
        type=int,
        default=0,
        choices=range(1, 65),
        metavar="N",
        help="how much is made at a time (default: two notebooks; in a backfill a week per core)",
    )


def main(arguments: list[str] | None = None) -> int:
    """Make one weekly report and return the exit code, 0 when every section and export
    succeeded.
    """
    options = vars(parser().parse_args(arguments))
    with contextlib.suppress(RunError):  # without it kernels are new interpreters, which is printed
        fork_server()  # it imports while this process does
    from lib.weekly import run

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` cleans up as Ctrl-C does
    try:
        manifest = run.weekly_run(run.Settings(**options))
    except SuiteError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_REFUSED
    except KeyboardInterrupt:
        print("interrupted; an earlier report is unchanged", file=sys.stderr)
        return EXIT_INTERRUPTED
    folder = options["out"] / manifest.as_of
    for record in manifest.exports:
        if record.file.startswith("report.") and record.done:
            print(f"report: {folder / record.file}")
    for record in manifest.exports:
        if not record.done:
            print(f"not exported: {folder / record.file}\n  {record.error}", file=sys.stderr)
    failed = [record.name for record in manifest.sections if not record.done]
    if failed:
        print(
            f"without {', '.join(failed)}; correct the cause, then run again with --resume",
            file=sys.stderr,
        )
    return 0 if manifest.status == "ok" else EXIT_FAILED
