"""Two languages of one run: the results of the second are in a folder inside the run's."""

from __future__ import annotations

from pathlib import Path

from lib.exhibits.translations import LANGUAGES, Language
from lib.market.errors import ParameterError, RunError
from lib.report.manifest import ExportRecord, Manifest


def languages_of(text: str) -> list[Language]:
    """Return the languages of a setting such as ``en``, ``zh`` or ``en zh``, the first one first.

    Raises
    ------
    ParameterError
        There is none, one is unknown, or one is named twice.
    """
    words = text.split()
    languages = [language for word in words for language in LANGUAGES if language == word]
    if not words or len(set(languages)) < len(words):
        raise ParameterError(
            f"language is {text!r}",
            remedy=f"take {' or '.join(LANGUAGES)}, or both as {' '.join(LANGUAGES)!r}",
        )
    return languages


def add_to_manifest(manifest: Manifest, other: Manifest, folder: Path) -> None:
    """Add a second language to a run: its appendices and what went wrong in it. The pages of each
    language alone are deleted, those of both take their place.

    Parameters
    ----------
    manifest : Manifest
        Of the run; it is changed.
    other : Manifest
        Of the run in the second language, in a folder of its name.
    folder : Path
        The run's folder.
    """
    language = other.language
    for record in [*manifest.exports, *other.exports]:
        if "/" not in record.file:
            for place in (folder, folder / language):
                (place / record.file).unlink(missing_ok=True)
    manifest.language = f"{manifest.language} {language}"
    if not all(section.done for section in other.sections):
        manifest.status = "failed"
    moved = [
        record.model_copy(update={"file": f"{language}/{record.file}"})
        for record in other.exports
        if "/" in record.file
    ]
    kept = [record for record in manifest.exports if "/" in record.file]
    manifest.set_exports([*kept, *moved, *_different_tables(folder, language)])


def _different_tables(folder: Path, language: str) -> list[ExportRecord]:
    """Return a failure for each table that is not the same in a second language, though the models
    were fitted once.
    """
    first, second = (_tables(path) for path in (folder, folder / language))
    names = sorted(name for name in {*first, *second} if first.get(name) != second.get(name))
    fault = "the table differs from that of the first language: it depends on a text"
    return [
        ExportRecord(file=f"{language}/tables/{name}", status="failed", error=fault)
        for name in names
    ]


def _tables(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "tables").glob("*.csv")}


def replacement_notice(target: Path, source: str, language: str) -> str:
    """Return what to say before a run replaces one of another source or language, else nothing.

    Parameters
    ----------
    target : Path
        Folder of the earlier run, which may not exist.
    source : str
        Of the data of the new run.
    language : str
        One or two languages of the new run.
    """
    try:
        old = Manifest.read(target)
    except RunError:
        return ""
    if (old.source, old.language) == (source, language):
        return ""
    return (
        f"{target} holds a report of {old.source} in {old.language}; this run of {source} in"
        f" {language} replaces it when it has finished (another --out keeps both)"
    )
