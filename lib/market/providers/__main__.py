"""Command ``python -m lib.market.providers``: update the live store, or test the providers."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from lib.market.calendar import Sessions
from lib.market.errors import SuiteError
from lib.market.ingest import STORES
from lib.market.pointintime import last_closed_day
from lib.market.providers.client import Client, redact
from lib.market.providers.registry import ENDPOINTS, ProviderSettings, read_providers
from lib.market.providers.selftest import self_test
from lib.market.providers.summary import summary
from lib.market.providers.update import update


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status.

    0; 1 after an error, a failed self-test, or an update without any data; 130 after Ctrl-C.
    """
    description = "Fill the live store from free public sources."
    command = argparse.ArgumentParser(prog="make data", description=description)
    command.add_argument("--until", default="latest", help="last day to fetch, as 2025-06-13")
    command.add_argument("--check", action="store_true", help="only test the provider functions")
    command.add_argument("--store", type=Path, default=STORES, help="folder of the stores")
    command.add_argument(
        "--accept-revisions",
        action="store_true",
        help="let sources change stored rows; the old ones are archived",
    )
    options = command.parse_args(arguments)
    try:
        settings = read_providers()
        until = last_closed_day() if options.until == "latest" else pd.Timestamp(options.until)
        day = Sessions.load().on_or_before(until)
        raw = options.store / "live" / "raw" / f"{pd.Timestamp.now():%Y-%m-%d}"
        client = client_of(settings, raw)
        if options.check:
            return _check(settings, client, day)
        with tqdm(unit=" calls", disable=None) as bar:
            report = update(
                settings,
                options.store,
                client,
                day,
                accept_revisions=options.accept_revisions,
                on_progress=lambda calls_left, what: _show(bar, calls_left, what),
            )
        print(summary(report))
        if report.failures and not report.rows:
            print("nothing was fetched: test the providers with make data CHECK=1", file=sys.stderr)
            return 1
    except SuiteError as error:
        print(redact(str(error)), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; responses are kept, run make data again to continue", file=sys.stderr)
        return 130
    return 0


def _check(settings: ProviderSettings, client: Client, day: pd.Timestamp) -> int:
    """Print the self-test and return the exit status."""
    # no retries, and a host that fails for one function is asked for another
    client.attempts = 1
    client.max_failures = len(ENDPOINTS)
    lines = self_test(settings, client, day)
    for line in lines.itertuples():
        row = f"{line.function:32} {line.verdict:8} {line.rows:6} rows  {line.last:10}"
        print(f"{row}  {line.detail[:120]}".rstrip())
    responds = lines["verdict"] == "responds"
    print(f"{responds.sum()} of {len(lines)} provider functions respond as documented")
    skipped = sorted(set(ENDPOINTS) - set(lines["function"]))
    if skipped:
        print(f"skipped, without a token or for a past day: {', '.join(skipped)}")
    return int(not responds.all())


def client_of(settings: ProviderSettings, raw: Path | None) -> Client:
    """Return the client with the pauses and limits of the parameters."""
    return Client(raw, settings.pause, settings.timeout, settings.attempts, settings.backoff)


def _show(bar: tqdm, calls_left: int, what: str) -> None:
    bar.total = bar.n + 1 + calls_left
    bar.set_description(what, refresh=False)
    bar.update()


if __name__ == "__main__":
    sys.exit(main())
