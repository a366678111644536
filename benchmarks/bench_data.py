"""The live store's own cost of a week: every universe, with hosts that answer at once.

The provider libraries run as they do for a user; only their transport is replaced, by simulated
that answer with rows
of the sample market. The time these take to make their answers is taken off. Pauses between
requests and the way to the
hosts are not part of the figure: they depend on the network and on ``params/providers.yaml``.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from lib.market.ingest import STORES, open_market
from lib.market.store import Store

MONTH_END = pd.Timestamp("2025-05-30")
FRIDAY, NEXT = pd.Timestamp("2025-06-06"), pd.Timestamp("2025-06-13")
#: where the store begins; the increment does not depend on how long the history before it is
FIRST = "2024-01-02"
TESTS = Path(__file__).resolve().parents[1] / "tests"


def measure() -> list[dict]:
    if importlib.util.find_spec("akshare") is None:
        print(
            "data: not measured, the live clients are not installed (pip install -r"
            " requirements-live.txt)"
        )
        return []
    sys.path.insert(0, str(TESTS))
    import pytest
    from fake_providers import hosts_of

    open_market("sample", f"{NEXT:%Y-%m-%d}")
    hosts, _ = hosts_of(Store(STORES / "sample.duckdb"), NEXT)
    # the sample has two lists per year, the CSI one a month, which the week before has brought
    lists = hosts.constituents
    lists = lists[lists["as_of"] == lists.groupby("index_symbol")["as_of"].transform("max")]
    hosts.constituents = lists.assign(as_of=MONTH_END)
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as home:
        patch.delenv("TUSHARE_TOKEN", raising=False)
        with hosts.listening(patch) as fake:
            fake.today = FRIDAY
            _update(Path(home), FRIDAY)
            fake.today = NEXT
            with _spent(fake) as answering:
                start = time.perf_counter()
                report = _update(Path(home), NEXT)
                total = time.perf_counter() - start
    own, sent = total - answering[0], sum(report.requests.values())
    rows = sum(report.rows.values())
    return [
        _figure("week", own, "s", "bound of 10 s", own / 10.0),
        _figure("week_rows", rows, "rows"),
        _figure("week_requests", sent, "requests"),
        _figure("week_refused", len(report.rejected) + len(report.failures), "answers"),
    ]


def _update(home: Path, day: pd.Timestamp):
    from lib.market.providers.client import Client
    from lib.market.providers.registry import read_providers
    from lib.market.providers.update import update

    settings = read_providers().model_copy(update={"first_date": {"": FIRST}})
    client = Client(raw=home / "raw", sleep=lambda seconds: None, today=lambda: day)
    return update(settings, home, client, day)


@contextmanager
def _spent(fake):
    """Sum up the seconds that the simulated hosts take to make their answers."""
    import fake_providers

    spent = [0.0]

    def timed(function):
        def call(*arguments):
            start = time.perf_counter()
            try:
                return function(*arguments)
            finally:
                spent[0] += time.perf_counter() - start

        return call

    fake.answer = timed(fake.answer)
    fake_providers._reply = timed(fake_providers._reply)
    yield spent


def _figure(
    name: str, value: float, unit: str, against: str | None = None, ratio: float | None = None
) -> dict:
    return {
        "name": f"data.{name}",
        "value": value,
        "unit": unit,
        "against": against,
        "ratio": ratio,
    }
