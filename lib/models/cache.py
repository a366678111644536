"""Cache of fitted models and results, keyed by inputs, code and package versions.

An entry is one file: a line with the format and the SHA-256 of the rest, then a zip archive of
Parquet tables, npy arrays, texts and a JSON manifest that says how they belong together. Nothing in
it can run code, and an entry that cannot be used is made again.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import platform
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from lib.market.atomic import atomic_write
from lib.market.fingerprint import fingerprint

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record", bound="DataclassInstance")

LOG = logging.getLogger("weekly.cache")
#: raised by one when the layout of an entry changes
FORMAT = "weekly cache 1"
MANIFEST = "manifest.json"
#: packages whose version may change a result
PACKAGES = ("numpy", "pandas", "scipy", "numba", "scikit-learn", "lightgbm", "cvxpy", "torch")


@cache
def package_versions() -> dict[str, str]:
    """Return the versions that enter every key; a package that is not installed is left out."""
    versions = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def cache_key(*inputs, code: Sequence[ModuleType | Path | str] = ()) -> str:
    """Return the key of a result, 32 hex digits, the same in every process.

    Parameters
    ----------
    *inputs
        Data and settings, as ``fingerprint`` takes them.
    code : sequence of module, path or str
        Modules and files that decide the result; a text is used as it is.
    """
    return fingerprint(*inputs, list(code), package_versions())


def cached(
    kind: type[Record],
    folder: Path | None,
    make: Callable[[], Record],
    inputs: Sequence,
    code: Sequence[ModuleType | Path | str] = (),
) -> Record:
    """Return the record that ``make`` makes, from the cache where it has been made before.

    Parameters
    ----------
    kind : dataclass
        Class of the record. Its fields are frames, series, arrays, texts, what JSON can write, and
        lists and string-keyed mappings of these.
    folder : Path or None
        Where entries are stored; None makes the record without a cache. Several processes may use
        one folder: an entry appears whole, and the last writer wins.
    make : callable
        Makes the record; called where the cache has none.
    inputs, code
        As for ``cache_key``.

    Returns
    -------
    dataclass
        Always as it is read back, so that a first run and a later one continue with the same types.
        An entry that is damaged, cut off or of another format is made again, and the log says so.
    """
    if folder is None:
        return make()
    path = Path(folder) / f"{cache_key(kind.__name__, *inputs, code=code)}.entry"
    stored = load_entry(path, lambda: _unpack(path.read_bytes(), kind))
    if stored is not None:
        return stored
    content = _pack(make())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, content)
    except OSError as error:
        LOG.warning("cache entry %s cannot be written: %s", path.name, error)
    return _unpack(content, kind)


def load_entry(path: Path, load: Callable[[], Any]) -> Any:
    """Return what ``load`` reads from an entry, None where there is no entry that can be used.

    Every error of ``load`` becomes one line of the log: a cache may lose what it holds, it may not
    stop a run.
    """
    if not path.exists():
        return None
    try:
        return load()
    except Exception as error:
        LOG.warning("cache entry %s cannot be used and is made again: %s", path.name, error)
        return None


def _pack(record: DataclassInstance) -> bytes:
    """Return a record as the content of an entry."""
    parts = {field.name: getattr(record, field.name) for field in fields(record)}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        tree = _write(archive, "record", parts)
        archive.writestr(MANIFEST, json.dumps({"kind": type(record).__name__, "tree": tree}))
    content = stream.getvalue()
    return f"{FORMAT} {hashlib.sha256(content).hexdigest()}\n".encode() + content


def _unpack(content: bytes, kind: type[Record]) -> Record:
    """Return the record of an entry; raises ValueError where it is not one of this kind."""
    header, _, body = content.partition(b"\n")
    if header.decode("ascii", "replace") != f"{FORMAT} {hashlib.sha256(body).hexdigest()}":
        raise ValueError("another format, or the checksum differs")
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        manifest = json.loads(archive.read(MANIFEST))
        parts = _read(archive, manifest["tree"])
    expected = {field.name for field in fields(kind)}
    if manifest["kind"] != kind.__name__ or parts.keys() != expected:
        raise ValueError(f"it does not hold the parts of a {kind.__name__}")
    return kind(**parts)


def _write(archive: zipfile.ZipFile, name: str, value: Any) -> dict:
    """Write a value's files into an archive and return its node of the manifest.

    Raises
    ------
    TypeError
        A value that the cache cannot hold.
    """
    match value:
        case pd.DataFrame():
            archive.writestr(f"{name}.parquet", value.to_parquet())
            return {"frame": f"{name}.parquet"}
        case pd.Series():
            archive.writestr(f"{name}.parquet", value.to_frame("value").to_parquet())
            return {"series": f"{name}.parquet", "name": value.name}
        case np.ndarray():
            buffer = io.BytesIO()
            np.save(buffer, value, allow_pickle=False)
            archive.writestr(f"{name}.npy", buffer.getvalue())
            return {"array": f"{name}.npy"}
        case str() if "\n" in value:
            archive.writestr(f"{name}.txt", value)
            return {"text": f"{name}.txt"}
        case Mapping():
            if not all(isinstance(key, str) for key in value):
                raise TypeError(f"{name}: keys of a cached mapping are texts")
            pairs = enumerate(value.items())
            return {
                "mapping": {key: _write(archive, f"{name}.{i}", part) for i, (key, part) in pairs}
            }
        case list() | tuple():
            return {"list": [_write(archive, f"{name}.{i}", part) for i, part in enumerate(value)]}
        case None | bool() | int() | float() | str():
            return {"value": value}
    raise TypeError(f"{name}: a {type(value).__name__} cannot be cached")


def _read(archive: zipfile.ZipFile, node: dict) -> Any:
    """Return the value of a node of the manifest."""
    match node:
        case {"frame": file}:
            return pd.read_parquet(io.BytesIO(archive.read(file)))
        case {"series": file, "name": name}:
            return pd.read_parquet(io.BytesIO(archive.read(file)))["value"].rename(name)
        case {"array": file}:
            return np.load(io.BytesIO(archive.read(file)), allow_pickle=False)
        case {"text": file}:
            return archive.read(file).decode("utf-8")
        case {"mapping": parts}:
            return {key: _read(archive, part) for key, part in parts.items()}
        case {"list": parts}:
            return [_read(archive, part) for part in parts]
        case {"value": value}:
            return value
    raise ValueError(f"the manifest has a part that is not known: {str(node)[:80]}")
