"""The command line that exports one notebook: ``python -m lib.weekly.appendix 03``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import nbformat

from lib.exhibits.translations import LANGUAGES, translations
from lib.market.errors import RunError, SuiteError
from lib.report.appendix import FOLDER, export_appendix, told, was_run
from lib.report.manifest import NAME, Manifest
from lib.weekly.cli import FAILED, REFUSED
from lib.weekly.run import NOTEBOOKS


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    command = argparse.ArgumentParser(
        prog="python -m lib.weekly.appendix", description="Export one notebook as HTML and PDF."
    )
    command.add_argument("notebook", help="its number (03), its name (03_gp_rotation) or the path of an .ipynb")
    command.add_argument("--code", default="1", choices=("0", "1"), help="with the code of its cells (default: 1)")
    command.add_argument("--out", default="outputs", type=Path, help="folder of the runs (default: outputs)")
    command.add_argument("--language", choices=LANGUAGES, help="of the words around it (default: the notebook's)")
    return command


def find(notebook: str, out: Path, notebooks: Path = NOTEBOOKS) -> tuple[Path, Path | None]:
    """Return the executed notebook that a number, a name or a path stands for, and the run's folder it lies in.

    Of the one in the folder of notebooks, when a researcher has run and saved it there, and those of the runs in
    ``out``, the one that was executed last.

    Raises
    ------
    RunError
        There is none, or there are several of that name.
    """
    if notebook.endswith(".ipynb"):
        path = Path(notebook)
        run = path.resolve().parents[1] if path.resolve().parent.name == "notebooks" else None
        return path, run if run and (run / NAME).exists() else None
    own = [path for path in sorted(notebooks.glob(f"{notebook}*.ipynb")) if not path.name.startswith(".")]
    names = {path.stem for path in own}
    if len(names) != 1:
        known = ", ".join(sorted(path.stem for path in notebooks.glob("*.ipynb")))
        what = f"{notebook} stands for {', '.join(sorted(names))}" if names else f"there is no notebook {notebook}"
        raise RunError(what, file=notebooks, remedy=f"choose one of {known}, or give the path of an .ipynb")
    name = names.pop()
    found: dict[Path, Path | None] = {own[0]: None} if _was_run(own[0]) else {}
    for path in out.glob(f"*/notebooks/{name}.ipynb"):
        if (path.parents[1] / NAME).exists():
            found[path] = path.parents[1]
    if not found:
        remedy = "run it in JupyterLab (make lab) and save it, or make a report"
        raise RunError(f"{name} has not been run", file=own[0], remedy=remedy)
    newest = max(found, key=lambda path: path.stat().st_mtime)
    return newest, found[newest]


def _was_run(path: Path) -> bool:
    try:
        return was_run(nbformat.read(path, as_version=4))
    except Exception:  # the export reads it again and says what is wrong with it
        return True


def main(arguments: list[str] | None = None) -> int:
    """Export one notebook and return the exit code, 0 when both files were written."""
    chosen = parser().parse_args(arguments)
    try:
        executed, run = find(chosen.notebook, chosen.out)
        manifest = Manifest.read(run) if run else None
        target = (run or chosen.out / "interactive") / FOLDER
        print(f"from {executed}")
        made = export_appendix(executed, target, code=chosen.code == "1", manifest=manifest, language=chosen.language)
    except SuiteError as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    t = translations(chosen.language or "en")
    for issue in made.issues:
        print(told(issue, t), file=sys.stderr)
    print(f"appendix: {made.html}\nappendix: {made.pdf}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
