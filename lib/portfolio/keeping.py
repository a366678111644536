"""Keep what is dear to compute: a dataclass of frames, one Parquet file per part, under a
fingerprint.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pandas as pd

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record", bound="DataclassInstance")


def kept(kind: type[Record], folder: Path, make: Callable[[], Record]) -> Record:
    """Return the record in a folder, made and written first where there is none.

    Parameters
    ----------
    kind : dataclass
        Its parts are DataFrames, or Series annotated as ``pd.Series``.
    folder : Path
        Named by the fingerprint of everything the record depends on. The parts are written aside
        and renamed, so a
        killed run leaves no half of them.
    make : callable
    """
    if not folder.exists():
        record = make()
        aside = folder.with_name(f"{folder.name}.{os.getpid()}")
        aside.mkdir(parents=True, exist_ok=True)
        for part in fields(kind):
            value = getattr(record, part.name)
            frame = value.to_frame("value") if isinstance(value, pd.Series) else value
            frame.to_parquet(aside / f"{part.name}.parquet")
        if not folder.exists():
            os.replace(aside, folder)
    read = {part.name: pd.read_parquet(folder / f"{part.name}.parquet") for part in fields(kind)}
    return kind(
        **{
            p.name: read[p.name]["value"].rename(None) if "Series" in str(p.type) else read[p.name]
            for p in fields(kind)
        }
    )
