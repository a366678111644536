"""Fixtures that tests share: the sample market, the real market where it is at hand."""

import os
import signal
from pathlib import Path

import matplotlib
import pytest

matplotlib.use("Agg")

ROOT = Path(__file__).resolve().parents[1]
# the tests fill a store of their own, never the user's; set before the library reads it
os.environ["WEEKLY_STORE"] = str(ROOT / "tests" / ".market" / "store")
#: real market history, laid out like any data folder; CI sets it
MARKET_FOLDER = os.environ.get("MARKET_FOLDER", "")
PUBLISHED_WEEK = "2025-06-13"


def pytest_collection_modifyitems(items):
    """Begin with the file that takes longest, so that the other worker has something to do until
    its end.
    """
    items.sort(key=lambda item: item.path.stem != "test_notebooks")


@pytest.fixture(scope="session")
def sample_store_dir():
    """The folder of stores with the sample in it, the suite's own: filled once, then reused while
    unchanged.
    """
    from lib.market.ingest import STORES, open_market

    open_market("sample", PUBLISHED_WEEK)
    return STORES


@pytest.fixture(scope="session")
def sample_market(sample_store_dir):
    """The synthetic sample as of the published week."""
    from lib.market.ingest import open_market

    return open_market("sample", PUBLISHED_WEEK, store_dir=sample_store_dir)


@pytest.fixture(scope="session")
def sample_null_market(sample_store_dir):
    """The synthetic sample without its planted effects."""
    from lib.market.ingest import open_market

    return open_market("sample-null", PUBLISHED_WEEK, store_dir=sample_store_dir)


@pytest.fixture(scope="session")
def real_market_dir():
    """The folder of real market history; tests that need it are skipped where it is absent."""
    if not MARKET_FOLDER:
        pytest.skip("no real market history: set MARKET_FOLDER to its folder")
    folder = Path(MARKET_FOLDER)
    assert (folder / "instruments.csv").exists(), (
        f"MARKET_FOLDER is {folder}, which has no instruments.csv"
    )
    return folder


@pytest.fixture(scope="session")
def real_market(real_market_dir):
    """The real market as of the published week."""
    from lib.market.ingest import open_market

    # checks that have changed since may repair stored rows otherwise
    return open_market(str(real_market_dir), PUBLISHED_WEEK, accept_revisions=True)


@pytest.fixture(autouse=True)
def missing_glyphs_are_errors(recwarn):
    """Fail a test that draws a character its fonts do not have."""
    yield
    missing = [
        str(warning.message) for warning in recwarn if "missing from font" in str(warning.message)
    ]
    assert not missing, missing


# a shell that starts the tests in the background hands on an ignored Ctrl-C; tests that send one
# need it back
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")


@pytest.fixture(autouse=True)
def hash_seed():
    """Restore the hash seed after each test: a local Dask cluster sets its own in this process."""
    before = os.environ.get("PYTHONHASHSEED")
    yield
    os.environ.pop("PYTHONHASHSEED", None)
    if before is not None:
        os.environ["PYTHONHASHSEED"] = before
