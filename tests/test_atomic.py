"""Atomic replacement: readers see the earlier content or all of the new one, and nothing is left
behind.
"""

import pytest

from lib.market.atomic import atomic_path, atomic_write


@pytest.mark.parametrize(
    ("content", "stored"), [("中文\n", "中文\n".encode()), (b"\x00\r\n", b"\x00\r\n")]
)
def test_text_and_bytes_are_written_as_they_are(tmp_path, content, stored):
    path = tmp_path / "note.json"
    atomic_write(path, "earlier")
    atomic_write(path, content)
    assert path.read_bytes() == stored
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_earlier_file_and_folder(tmp_path, error):
    file, folder = tmp_path / "a.csv", tmp_path / "b"
    atomic_write(file, "earlier")
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        (temporary / "one").write_text("earlier")
    for path in (file, folder):
        with pytest.raises(error), atomic_path(path) as temporary:
            if path == folder:
                temporary.mkdir()
            else:
                temporary.write_text("half")
            raise error
    assert file.read_text() == "earlier" and (folder / "one").read_text() == "earlier"
    assert sorted(tmp_path.iterdir()) == [file, folder]


def test_a_folder_replaces_the_earlier_one_whole(tmp_path):
    folder = tmp_path / "response"
    for name in ("one", "two"):
        with atomic_path(folder) as temporary:
            temporary.mkdir()
            (temporary / name).write_text(name)
    assert [path.name for path in folder.iterdir()] == ["two"]


def test_two_writers_of_one_path_do_not_share_a_temporary_file(tmp_path):
    path = tmp_path / "cache.parquet"
    with atomic_path(path) as first:
        first.write_text("first")
        with atomic_path(path) as second:
            second.write_text("second")
        assert path.read_text() == "second"
    assert path.read_text() == "first"
