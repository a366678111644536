"""Prose of the notebooks in another language than their own, cell by cell.

``python -m lib.report.prose`` lists the Markdown cells that have no translation of their present
words.
"""

from __future__ import annotations

import hashlib
import sys
from functools import lru_cache
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

from lib.exhibits.plan import NOTEBOOKS
from lib.exhibits.translations import LANGUAGES, TEXT_FOLDER, YAML_LOADER

#: the language that the notebooks are written in
PROSE_LANGUAGE = "en"


def source_hash(words: str) -> str:
    """Return the hash by which a translation names the words that it translates."""
    return hashlib.sha256(words.strip().encode()).hexdigest()[:8]


def read_prose(language: str, notebook: str) -> dict[str, dict[str, str]]:
    """Read the translations of a notebook's cells.

    Parameters
    ----------
    language : str
        Of the translations.
    notebook : str
        Its stem, such as ``01_market_recap``.

    Returns
    -------
    dict of str to dict
        ``source``, the hash of the words, and ``text`` by the id of the cell; empty without a
        file.
    """
    path = TEXT_FOLDER / language / "prose" / f"{notebook}.yaml"
    return yaml.load(path.read_text(encoding="utf-8"), YAML_LOADER) if path.exists() else {}


@lru_cache
def _texts(language: str) -> dict[str, str]:
    """Return the translations of all notebooks by the hash of the words, so that a copied cell or
    notebook has them too.
    """
    files = sorted((TEXT_FOLDER / language / "prose").glob("*.yaml"))
    return {
        cell["source"]: cell["text"]
        for path in files
        for cell in read_prose(language, path.stem).values()
    }


def markdown_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the cells of a notebook that hold prose."""
    return [c for c in notebook.cells if c.cell_type == "markdown" and c.source.strip()]


def translate_prose(notebook: NotebookNode, language: str) -> tuple[int, int]:
    """Replace the prose of a notebook by its translation, in place.

    A cell whose words have no translation, because they were changed or are a user's, keeps them.

    Parameters
    ----------
    notebook : NotebookNode
        Changed in place.
    language : str
        Of the translation; nothing is replaced in the language of the notebooks.

    Returns
    -------
    tuple of int
        The number of cells that keep their words and of all cells of prose.
    """
    cells = markdown_cells(notebook)
    if language == PROSE_LANGUAGE:
        return 0, len(cells)
    kept = 0
    for cell in cells:
        text = _texts(language).get(source_hash(cell.source))
        kept += text is None
        cell.source = cell.source if text is None else text.rstrip()
    return kept, len(cells)


def outdated(notebooks: Path = NOTEBOOKS) -> list[str]:
    """Return a line for each cell of the notebooks without a translation of its present words, and
    for each translation without a cell.
    """
    lines = []
    for language in LANGUAGES:
        for path in sorted(notebooks.glob("*.ipynb")) if language != PROSE_LANGUAGE else []:
            texts = read_prose(language, path.stem)
            cells = markdown_cells(nbformat.read(path, as_version=4))
            for cell in cells:
                present = source_hash(cell.source)
                if texts.get(cell.id, {}).get("source") != present:
                    state = "words changed" if cell.id in texts else "not translated"
                    lines.append(f'{language} {path.stem} {cell.id}: {state}, source: "{present}"')
            gone = texts.keys() - {cell.id for cell in cells}
            lines += [f"{language} {path.stem} {cell}: cell is gone" for cell in sorted(gone)]
    return lines


def main() -> int:
    """Print the cells to translate; 1 when there are any."""
    lines = outdated()
    print("\n".join(lines) or "the prose of every notebook is translated")
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())
