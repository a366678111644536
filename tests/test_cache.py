"""The cache: what comes back is what was stored; nothing in an entry runs, and no entry stops a run."""

import io
import json
import pickle
import threading
import zipfile
from dataclasses import dataclass
from hashlib import sha256

import lightgbm
import numpy as np
import pandas as pd
import pytest

from lib.models import cache
from lib.models.cache import FORMAT, MANIFEST, cache_key, cached, load_entry
from lib.models.gp.library import Entry, Library, load_library

DATES = pd.bdate_range("2025-06-02", periods=3)


@dataclass(frozen=True)
class Result:
    table: pd.DataFrame
    series: pd.Series
    parts: dict
    models: list
    values: np.ndarray
    is_estimated: bool


def result():
    rng = np.random.default_rng(0)
    data = lightgbm.Dataset(rng.random((200, 3)), rng.random(200))
    model = lightgbm.train({"verbosity": -1, "num_leaves": 4}, data, 2)
    return Result(
        pd.DataFrame({"a": [1.0, np.nan, 3], "名": ["x", "", "z"]}, DATES),
        pd.Series([0.1, 0.2, np.nan], DATES, name="volatility"),
        {"boosted": pd.DataFrame(np.eye(3), DATES, list("abc"))},
        [model.model_to_string()],
        np.arange(6, dtype=np.float32).reshape(2, 3),
        True,
    )


def assert_equal(one, other):
    pd.testing.assert_frame_equal(one.table, other.table, check_freq=False)
    pd.testing.assert_series_equal(one.series, other.series, check_freq=False)
    pd.testing.assert_frame_equal(one.parts["boosted"], other.parts["boosted"], check_freq=False)
    np.testing.assert_array_equal(one.values, other.values)
    assert one.values.dtype == other.values.dtype
    assert one.models == other.models and one.is_estimated is other.is_estimated is True


def count(make=result):
    calls = []

    def counted():
        calls.append(1)
        return make()

    return calls, counted


def entry(folder):
    (path,) = folder.glob("*.entry")
    return path


def test_a_result_comes_back_as_it_was_and_is_made_once(tmp_path):
    calls, make = count()
    first = cached(Result, tmp_path, make, ("data", 1))
    assert_equal(first, result())
    assert_equal(cached(Result, tmp_path, make, ("data", 1)), first)
    assert len(calls) == 1
    x = np.random.default_rng(1).random((50, 3))
    np.testing.assert_array_equal(
        lightgbm.Booster(model_str=first.models[0]).predict(x),
        lightgbm.Booster(model_str=result().models[0]).predict(x),
    )


def test_the_key_holds_inputs_code_kind_and_package_versions(monkeypatch):
    keys = {
        cache_key("data", 1),
        cache_key("data", 2),
        cache_key("data", 1, code=[cache]),
        cache_key("data", 1, code=[json]),
    }
    assert len(keys) == 4
    before = cache_key("data", 1)
    monkeypatch.setattr(cache, "package_versions", lambda: {"lightgbm": "0"})
    assert cache_key("data", 1) != before


def rewritten(body):
    return f"{FORMAT} {sha256(body).hexdigest()}\n".encode() + body


def archive(parts):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return stream.getvalue()


class Bomb:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("an entry ran code",))


def poisoned(good):
    """An entry with a fitting checksum whose array is a pickled object."""
    body = good.partition(b"\n")[2]
    with zipfile.ZipFile(io.BytesIO(body)) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    (array,) = (name for name in parts if name.endswith(".npy"))
    buffer = io.BytesIO()
    np.save(buffer, np.array([Bomb()], dtype=object), allow_pickle=True)
    return rewritten(archive(parts | {array: buffer.getvalue()}))


def with_tree(tree, kind="Result"):
    return rewritten(archive({MANIFEST: json.dumps({"kind": kind, "tree": tree})}))


DAMAGE = {
    "empty": lambda good: b"",
    "cut in the middle": lambda good: good[: len(good) // 2],
    "a byte changed": lambda good: good[:-200] + bytes([good[-200] ^ 1]) + good[-199:],
    "another format": lambda good: good.replace(b"weekly cache", b"weekly cachf", 1),
    "a pickle": lambda good: pickle.dumps(Bomb()),
    "a pickle with a fitting checksum": lambda good: rewritten(pickle.dumps(Bomb())),
    "a pickled object in an array": poisoned,
    "another kind": lambda good: with_tree({"mapping": {}}, "Other"),
    "parts are missing": lambda good: with_tree({"mapping": {"table": {"value": 1}}}),
    "an unknown part": lambda good: with_tree({"module": "os"}),
    "a part outside": lambda good: with_tree({"frame": "../../../etc/passwd"}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_an_entry_that_cannot_be_used_is_made_again_with_one_line(tmp_path, caplog, damage):
    expected = cached(Result, tmp_path, result, ("data",))
    path = entry(tmp_path)
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    calls, make = count()
    assert_equal(cached(Result, tmp_path, make, ("data",)), expected)
    assert len(calls) == 1 and len(caplog.records) == 1
    assert path.name in caplog.text and "made again" in caplog.text
    assert_equal(cached(Result, tmp_path, make, ("data",)), expected)
    assert len(calls) == 1, "the new entry can be used"


def test_a_folder_that_cannot_be_written_costs_only_the_cache(tmp_path, caplog):
    (tmp_path / "file").write_text("not a folder")
    assert_equal(cached(Result, tmp_path / "file", result, ("data",)), result())
    assert "cannot be written" in caplog.text


def test_what_cannot_be_stored_is_refused(tmp_path):
    @dataclass
    class Odd:
        part: object

    for part in (object(), {1: 2.0}, np.array([object()], dtype=object)):
        with pytest.raises((TypeError, ValueError)):
            cached(Odd, tmp_path, lambda part=part: Odd(part), ("data",))
    assert not list(tmp_path.iterdir())


def test_writers_side_by_side_leave_one_whole_entry(tmp_path):
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(cached(Result, tmp_path, result, ("data",))))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 6 and list(tmp_path.iterdir()) == [entry(tmp_path)]
    for one in results:
        assert_equal(one, results[0])


@pytest.mark.parametrize(
    "edit", [lambda t: t[:-40], lambda t: t.replace("0.5", "0.6"), lambda t: "[]"]
)
def test_a_library_in_the_cache_is_used_only_as_it_was_mined(tmp_path, caplog, edit):
    library = Library(DATES[0], 0, (Entry("rank(close)", 1, {"ic": 0.5}),), {"inputs": ["close"]})
    path = library.save(tmp_path)
    assert load_entry(path, lambda: load_library(path, unedited=True)) == library
    path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")
    assert load_entry(path, lambda: load_library(path, unedited=True)) is None
    assert len(caplog.records) == 1
