"""``python -m lib.market.providers``: bring the live store up to date, or test which providers answer."""

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
from lib.market.providers.client import Client, blacken
from lib.market.providers.routes import ROUTES, Providers, read_providers
from lib.market.providers.selftest import self_test
from lib.market.providers.told import summary
from lib.market.providers.update import update


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit status.

    0; 1 after an error, a failed self-test, or when nothing came; 130 after Ctrl-C.
    """
    command = argparse.ArgumentParser(prog="make data", description="Fill the live store from free public sources.")
    command.add_argument("--until", default="latest", help="last day to fetch, as 2025-06-13 (default: latest)")
    command.add_argument("--check", action="store_true", help="only test which provider functions answer")
    command.add_argument("--store", type=Path, default=STORES, help="folder of the stores")
    command.add_argument(
        "--accept-revisions", action="store_true", help="let sources change stored rows; the old ones are kept aside"
    )
    options = command.parse_args(arguments)
    try:
        settings = read_providers()
        day = Sessions.load().on_or_before(
            last_closed_day() if options.until == "latest" else pd.Timestamp(options.until)
        )
        raw = options.store / "live" / "raw" / f"{pd.Timestamp.now():%Y-%m-%d}"
        client = client_of(settings, raw)
        if options.check:
            # it asks who answers at once, and a host that fails one function may answer another
            client.attempts, client.patience = 1, len(ROUTES)
            lines = self_test(settings, client, day)
            for line in lines.itertuples():
                words = f"{line.function:32} {line.verdict:8} {line.rows:6} rows  {line.last:10}  {line.detail[:120]}"
                print(words.rstrip())
            answering = lines["verdict"] == "answers"
            print(f"{answering.sum()} of {len(lines)} provider functions answer as documented")
            if left_out := sorted(set(ROUTES) - set(lines["function"])):
                print(f"not asked, for want of a token or about a past day: {', '.join(left_out)}")
            return int(not answering.all())
        with tqdm(unit=" calls", disable=None) as bar:
            report = update(
                settings,
                options.store,
                client,
                day,
                accept_revisions=options.accept_revisions,
                step=lambda left, what: _show(bar, left, what),
            )
        print(summary(report))
        if report.failures and not report.rows:
            print("nothing was fetched: see who answers with make data CHECK=1", file=sys.stderr)
            return 1
    except SuiteError as error:
        print(blacken(str(error)), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; what was fetched is kept, run make data again to go on from here", file=sys.stderr)
        return 130
    return 0


def client_of(settings: Providers, raw: Path | None) -> Client:
    """Return the client that the parameters describe."""
    return Client(raw, settings.pause, settings.timeout, settings.attempts, settings.backoff)


def _show(bar: tqdm, left: int, what: str) -> None:
    bar.total = bar.n + 1 + left
    bar.set_description(what, refresh=False)
    bar.update()


if __name__ == "__main__":
    sys.exit(main())
