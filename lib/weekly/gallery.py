"""Gallery of the README: small pictures and short tables of the exhibits on the synthetic
sample.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from bs4 import BeautifulSoup, Tag
from PIL import Image

from lib.exhibits.tables import table_html
from lib.exhibits.translations import LANGUAGES, Translations, translations
from lib.market.errors import RunError
from lib.report.html import environment, heading
from lib.report.manifest import Manifest
from lib.weekly.run import Settings, weekly_run

ROOT = Path(__file__).resolve().parents[2]
GALLERY = ROOT / "docs" / "gallery"
AS_OF = "2025-06-13"
#: pixels: 10 inches at 96 dots per inch
WIDTH = 960
#: colours of a picture; charts have few
COLOURS = 48
#: rows of a table; longer ones are cut
ROWS = 20


def make_gallery(folder: Path, target: Path, t: Translations) -> Path:
    """Make the gallery of one run in one language.

    Parameters
    ----------
    folder : Path
        Folder of a run on the synthetic sample.
    target : Path
        Pictures replace those in ``<language>/``; the page is ``<language>.md``.
    t : Translations
        In the run's language.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    RunError
        The run is on real data, which may not be redistributed, or in another language.
    """
    manifest = Manifest.read(folder)
    if not manifest.synthetic:
        raise RunError(
            "a gallery shows the synthetic sample only", file=folder, remedy="run DATA=sample"
        )
    if manifest.language != t.language:
        raise RunError(
            f"the run is not in the language {t.language}",
            file=folder,
            remedy="run it in that language",
        )
    shutil.rmtree(target / t.language, ignore_errors=True)
    (target / t.language).mkdir(parents=True)
    parts = []
    for section in manifest.sections:
        exhibits = [_exhibit(folder, target, number, t) for number in section.exhibits]
        if exhibits:
            parts.append({"title": heading(t, section.name), "exhibits": exhibits})
    page = target / f"{t.language}.md"
    text = (
        environment()
        .overlay(autoescape=False)
        .get_template("gallery.md.j2")
        .render(parts=parts, t=t, m=manifest)
    )
    page.write_text(text, encoding="utf-8")
    return page


def _exhibit(folder: Path, target: Path, number: str, t: Translations) -> dict:
    """Return an exhibit with its picture, which is reduced, or with its table when it has no
    picture.
    """
    (path,) = folder.glob(f"exhibits/fig{number}_*.json")
    record = json.loads(path.read_text(encoding="utf-8"))
    exhibit = {
        "label": t("common.exhibit", number=int(number)),
        **record,
        "picture": None,
        "rows": [],
    }
    for file in record["files"]:
        if file.endswith(".png"):
            exhibit["picture"] = f"{t.language}/{Path(file).name}"
            _shrink(folder / file, target / exhibit["picture"])
    if exhibit["picture"] is None:
        exhibit["rows"] = _rows(table_html(folder / record["files"][0], record, t.language))
    return exhibit


def _shrink(source: Path, target: Path) -> None:
    with Image.open(source) as picture:
        size = (min(WIDTH, picture.width), round(picture.height * min(1, WIDTH / picture.width)))
        small = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    small.quantize(COLOURS, dither=Image.Dither.NONE).save(target, "PNG", optimize=True)


def _rows(html: str) -> list[list[str]]:
    """Return the cells of a table as text, the headings first."""
    rows = BeautifulSoup(html, "html.parser").select("table tr")
    return [_cells(row) for row in rows[: ROWS + 1]]


def _cells(row: Tag) -> list[str]:
    return [cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])]


def main() -> None:
    """Run the sample in both languages and make both galleries."""
    for language in LANGUAGES:
        out = ROOT / "outputs" / "gallery" / language
        manifest = weekly_run(
            Settings(as_of=AS_OF, data="sample", out=out, language=language, resume=True)
        )
        print(make_gallery(out / manifest.as_of, GALLERY, translations(language)))


if __name__ == "__main__":
    main()
