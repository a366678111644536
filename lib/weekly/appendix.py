"""Command line for the export of one notebook: ``python -m lib.weekly.appendix 03``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import nbformat

from lib.exhibits.translations import LANGUAGES, translations
from lib.market.errors import RunError, SuiteError
from lib.report.appendix import describe_issue, export_appendix, was_run
from lib.report.manifest import APPENDIX_FOLDER, MANIFEST_FILE, Manifest
from lib.weekly.cli import EXIT_FAILED, EXIT_REFUSED
from lib.weekly.run import NOTEBOOKS


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    command = argparse.ArgumentParser(
        prog="python -m lib.weekly.appendix", description="Export one notebook as HTML and PDF."
    )
    command.add_argument("notebook", help="number (03), name (03_gp_rotation) or path of an .ipynb")
    command.add_argument(
        "--code", default="1", choices=("0", "1"), help="with the code of its cells (default: 1)"
    )
    command.add_argument(
        "--out", default="outputs", type=Path, help="folder of the runs (default: outputs)"
    )
    command.add_argument(
        "--language", choices=LANGUAGES, help="of headings and notes (default: the notebook's)"
    )
    return command


def find_executed(
    notebook: str, out: Path, notebooks: Path = NOTEBOOKS
) -> tuple[Path, Path | None]:
    """Return an executed notebook, and the folder of the run that executed it.

    The candidates are the one in the folder of notebooks, when it has been run and saved there, and
    those of the runs
    in ``out``; the latest is returned.

    Parameters
    ----------
    notebook : str
        Number, name or path.
    out : Path
        Folder of the runs.
    notebooks : Path
        Folder of the notebooks.

    Raises
    ------
    RunError
        No notebook or several match, or it has not been run.
    """
    if notebook.endswith(".ipynb"):
        path = Path(notebook)
        run = path.resolve().parents[1] if path.resolve().parent.name == "notebooks" else None
        return path, run if run and (run / MANIFEST_FILE).exists() else None
    matches = [
        path
        for path in sorted(notebooks.glob(f"{notebook}*.ipynb"))
        if not path.name.startswith(".")
    ]
    if len(matches) != 1:
        names = ", ".join(sorted(path.stem for path in notebooks.glob("*.ipynb")))
        matching = ", ".join(path.stem for path in matches)
        fault = f"{notebook} matches {matching}" if matches else f"no notebook {notebook}"
        raise RunError(
            fault, file=notebooks, remedy=f"choose one of {names}, or give the path of an .ipynb"
        )
    (saved,) = matches
    candidates: dict[Path, Path | None] = {saved: None} if _was_run(saved) else {}
    for path in out.glob(f"*/notebooks/{saved.name}"):
        if (path.parents[1] / MANIFEST_FILE).exists():
            candidates[path] = path.parents[1]
    if not candidates:
        remedy = "run it in JupyterLab (make lab) and save it, or make a report"
        raise RunError(f"{saved.stem} has not been run", file=saved, remedy=remedy)
    latest = max(candidates, key=lambda path: path.stat().st_mtime)
    return latest, candidates[latest]


def _was_run(path: Path) -> bool:
    try:
        return was_run(nbformat.read(path, as_version=4))
    except Exception:  # the export reads it again and raises the error
        return True


def main(arguments: list[str] | None = None) -> int:
    """Export one notebook and return the exit code, 0 when both files were written."""
    options = parser().parse_args(arguments)
    try:
        executed, run = find_executed(options.notebook, options.out)
        manifest = Manifest.read(run) if run else None
        target = (run or options.out / "interactive") / APPENDIX_FOLDER
        print(f"from {executed}")
        code = options.code == "1"
        appendix = export_appendix(
            executed, target, code=code, manifest=manifest, language=options.language
        )
    except SuiteError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_REFUSED
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_FAILED
    t = translations(options.language or "en")
    for issue in appendix.issues:
        print(describe_issue(issue, t), file=sys.stderr)
    print(f"appendix: {appendix.html}\nappendix: {appendix.pdf}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
