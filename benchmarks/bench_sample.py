"""How long the synthetic market takes, by itself and into an empty store."""

import tempfile
import time
from pathlib import Path

from lib.market.ingest import ingest
from lib.market.sample import SampleSource
from lib.market.store import Store


def measure() -> list[dict]:
    """Return generation, ingest into an empty store and unchanged re-ingest, in seconds."""
    start = time.perf_counter()
    for batch in SampleSource().batches():
        batch.load()
    seconds = {"store.sample_generation": (time.perf_counter() - start, 7.0)}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "sample.duckdb")
        for name, budget in (("store.sample_ingest", 20.0), ("store.sample_again", 2.0)):
            start = time.perf_counter()
            ingest(SampleSource(), store)
            seconds[name] = (time.perf_counter() - start, budget)
    return [
        {
            "name": name,
            "value": round(value, 3),
            "unit": "s",
            "against": budget,
            "ratio": round(value / budget, 3),
        }
        for name, (value, budget) in seconds.items()
    ]
