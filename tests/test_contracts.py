"""The small contracts of the ground floor: errors, fingerprints, panels, universes."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.market import panel as panel_module
from lib.market.errors import DataError, RevisionError
from lib.market.fingerprint import file_fingerprint, fingerprint
from lib.market.panel import Panel
from lib.market.universe import UNIVERSE_COLUMNS, UNIVERSE_FOLDER, read_universe


def make_panel(seed=0):
    rng = np.random.default_rng(seed)
    close = rng.random((4, 3))
    close[1, 2] = np.nan
    dates = pd.DatetimeIndex(["2025-06-10", "2025-06-11", "2025-06-12", "2025-06-13"])
    return Panel(dates, pd.Index(["a", "b", "c"]), {"close": close}, ~np.isnan(close))


def test_an_error_names_place_and_remedy_and_survives_a_process():
    error = DataError(
        "a price is not positive",
        file="bars/etf.csv",
        symbol="510300.SH",
        date="2025-06-13",
        remedy="fix it",
    )
    for text in (
        "a price is not positive",
        "bars/etf.csv",
        "510300.SH",
        "2025-06-13",
        "remedy: fix it",
    ):
        assert text in str(error)
    again = pickle.loads(pickle.dumps(RevisionError("history changed", remedy="look", symbol="x")))
    assert type(again) is RevisionError
    assert str(again) == "history changed\n  symbol: x\n  remedy: look"


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.one_of(st.integers(), st.text(max_size=5), st.booleans()),
        max_size=5,
    )
)
def test_a_fingerprint_ignores_the_order_of_keys_only(parameters):
    shuffled = dict(reversed(parameters.items()))
    assert fingerprint(parameters) == fingerprint(shuffled)
    assert fingerprint(parameters) != fingerprint({**parameters, "one more": 1})


def test_a_fingerprint_sees_every_part():
    panel = make_panel()
    parts = {
        "panel": panel,
        "another panel": make_panel(1),
        "its frame": panel.frame(),
        "its transpose": panel.frame().T,
        "its values": panel.frame().to_numpy(),
        "a series": panel.frame()["a"],
        "the dates": panel.dates,
        "a module": panel_module,
        "text": "1",
        "a number": 1,
        "a list": [1, "1"],
    }
    prints = {name: fingerprint(part) for name, part in parts.items()}
    assert len(set(prints.values())) == len(parts), prints
    assert fingerprint(make_panel()) == prints["panel"], (
        "equal data, NaN included, have equal fingerprints"
    )
    assert fingerprint(["ab", "c"]) != fingerprint(["a", "bc"])


def test_a_fingerprint_is_the_same_in_every_process():
    code = (
        "from lib.market.fingerprint import fingerprint; print(fingerprint({'b': [1.5, None], 'a':"
        " 'x'}))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == fingerprint({"a": "x", "b": [1.5, None]})


def test_a_file_fingerprint_is_that_of_its_content(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"same")
    second.write_bytes(b"same")
    assert file_fingerprint(first) == file_fingerprint(second)
    second.write_bytes(b"other")
    assert file_fingerprint(first) != file_fingerprint(second)


def test_a_panel_is_cut_at_a_date():
    panel = make_panel()
    assert panel.shape == (4, 3)
    assert panel.until("2025-06-12").dates[-1] == pd.Timestamp("2025-06-12")
    assert panel.until("2025-06-15").shape == panel.shape
    assert panel.until("2025-06-09").shape == (0, 3)
    pd.testing.assert_frame_equal(panel.until("2025-06-11").frame(), panel.frame().iloc[:2])


@pytest.mark.parametrize("path", sorted(UNIVERSE_FOLDER.glob("*.csv")), ids=lambda path: path.stem)
def test_every_universe_reads_and_has_names_in_both_languages(path):
    table = read_universe(path.stem)
    assert len(table)
    assert (table["name_zh"].str.contains(r"[\u4e00-\u9fff]|^[A-Z0-9&. ]+$")).all()
    assert not table["name_en"].str.contains(r"[\u4e00-\u9fff]").any()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("symbol,name_zh,group\n1,a,b\n", ["name_en"]),
        ("symbol,name_zh,name_en,group\nx,甲,A,g\nx,乙,B,g\n", ["x is listed twice", "delete"]),
        ("symbol,name_zh,name_en,group\nx,,A,g\n", ["lacks its name", "x"]),
    ],
)
def test_a_broken_universe_is_refused_with_its_remedy(tmp_path, text, words):
    (tmp_path / "mine.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_universe("mine", tmp_path)
    assert all(word in str(caught.value) for word in [*words, "mine.csv"])


def test_an_unknown_universe_names_the_nearest(tmp_path):
    (tmp_path / "sector_etf.csv").write_text(",".join(UNIVERSE_COLUMNS) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="did you mean sector_etf"):
        read_universe("sector_eft", tmp_path)


def test_codes_in_a_universe_keep_their_zeros(tmp_path):
    (tmp_path / "a.csv").write_text(
        "symbol,name_zh,name_en,group\n000300,沪深300,CSI 300,NA\n", encoding="utf-8"
    )
    table = read_universe("a", tmp_path)
    assert table.index[0] == "000300" and table["group"].iloc[0] == "NA"
