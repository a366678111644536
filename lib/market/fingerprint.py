"""Fingerprints of data, parameters and code, as keys of cached results."""

from __future__ import annotations

import hashlib
import inspect
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

from lib.market.panel import Panel


def file_fingerprint(path: str | Path) -> str:
    """Return the SHA-256 of a file's content, as 64 hex digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fingerprint(*parts) -> str:
    """Return a hash of data, parameters and code, as 32 hex digits.

    Parameters
    ----------
    *parts
        Arrays, frames, series, indices, panels, modules (their source text), paths (their content),
        and whatever JSON can write; the order of dictionaries is ignored. NaN equals NaN. The
        result is the same in every process and on every day.
    """
    digest = hashlib.sha256()
    for part in parts:
        _feed(digest, part)
    return digest.hexdigest()[:32]


def _feed(digest, part) -> None:
    """Add a part to a hash; returns nothing."""
    digest.update(f"<{type(part).__name__}>".encode())
    match part:
        case np.ndarray():
            digest.update(f"{part.dtype}{part.shape}".encode())
            if part.dtype.kind in "OUST":
                digest.update("\x1f".join(map(str, part.ravel().tolist())).encode())
            else:
                digest.update(np.ascontiguousarray(part).tobytes())
        case pd.DataFrame():
            _feed(digest, part.index)
            _feed(digest, part.columns)
            for _, column in part.items():
                _feed(digest, column.to_numpy())
        case pd.Series():
            _feed(digest, part.index)
            _feed(digest, part.to_numpy())
        case pd.DatetimeIndex():
            digest.update(part.as_unit("ns").asi8.tobytes())
        case pd.Index():
            digest.update("\x1f".join(map(str, part)).encode())
        case Panel():
            _feed(digest, part.dates)
            _feed(digest, part.symbols)
            for name in sorted(part.fields):
                _feed(digest, name)
                _feed(digest, part.fields[name])
            _feed(digest, part.mask)
        case ModuleType():
            digest.update(inspect.getsource(part).encode())
        case Path():
            digest.update(file_fingerprint(part).encode())
        case dict():
            for item in sorted(part.items(), key=lambda item: str(item[0])):
                _feed(digest, item)
        case list() | tuple():
            for item in part:
                _feed(digest, item)
        case _:
            text = json.dumps(part, sort_keys=True, default=str, ensure_ascii=False)
            digest.update(text.encode())
