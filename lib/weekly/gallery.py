"""The gallery of the README: small pictures and short tables of the exhibits, of the synthetic sample only."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jinja2
from bs4 import BeautifulSoup
from PIL import Image

from lib.exhibits.tables import table_html
from lib.exhibits.translations import LANGUAGES, Translations, translations
from lib.market.errors import RunError
from lib.report.html import TEMPLATES, heading
from lib.report.manifest import Manifest
from lib.weekly.run import Settings, weekly_run

ROOT = Path(__file__).resolve().parents[2]
GALLERY = ROOT / "docs" / "gallery"
AS_OF = "2025-06-13"
#: pixels across: a page of 10 inches at 96 dots each
WIDTH = 960
#: colours of a picture; the charts have few
COLOURS = 48
#: longer tables are cut
ROWS = 20


def make_gallery(folder: Path, target: Path, t: Translations) -> Path:
    """Make the gallery of one run in one language.

    Parameters
    ----------
    folder : Path
        Of a run on the synthetic sample.
    target : Path
        Its ``<language>/`` takes the pictures, replacing those there; ``<language>.md`` shows them all.
    t : Translations
        Of the run's language.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    RunError
        The run is of a real market, whose data may not be passed on, or in another language.
    """
    manifest = Manifest.read(folder)
    if not manifest.synthetic:
        raise RunError("a gallery shows the synthetic sample only", file=folder, remedy="make it of DATA=sample")
    if manifest.language != t.language:
        raise RunError(f"the run is not in the language {t.language}", file=folder, remedy="make it in that language")
    shutil.rmtree(target / t.language, ignore_errors=True)
    (target / t.language).mkdir(parents=True)
    parts = []
    for section in manifest.sections:
        shown = [_exhibit(folder, target, number, t) for number in section.exhibits]
        if shown:
            parts.append({"title": heading(t, section.name), "exhibits": shown})
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined, trim_blocks=True, autoescape=False
    )
    page = target / f"{t.language}.md"
    text = environment.get_template("gallery.md.j2").render(parts=parts, t=t, m=manifest)
    page.write_text(text, encoding="utf-8")
    return page


def _exhibit(folder: Path, target: Path, number: str, t: Translations) -> dict:
    """Shrink an exhibit's picture; one without a picture gives its table."""
    (record,) = (json.loads(path.read_text(encoding="utf-8")) for path in folder.glob(f"exhibits/fig{number}_*.json"))
    shown = {"label": t("common.exhibit", number=int(number)), **record, "picture": None, "rows": []}
    for file in record["files"]:
        if file.endswith(".png"):
            shown["picture"] = f"{t.language}/{Path(file).name}"
            _shrink(folder / file, target / shown["picture"])
    if shown["picture"] is None:
        shown["rows"] = _rows(table_html(folder / record["files"][0], record, t.language))
    return shown


def _shrink(source: Path, target: Path) -> None:
    with Image.open(source) as picture:
        size = (min(WIDTH, picture.width), round(picture.height * min(1, WIDTH / picture.width)))
        small = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    small.quantize(COLOURS, dither=Image.Dither.NONE).save(target, "PNG", optimize=True)


def _rows(html: str) -> list[list[str]]:
    """Return a table's cells as text, headings first."""
    lines = BeautifulSoup(html, "html.parser").select("table tr")
    return [[cell.get_text(" ", strip=True) for cell in line.find_all(["th", "td"])] for line in lines[: ROWS + 1]]


def main() -> None:
    """Run the sample in both languages and make both galleries."""
    for language in LANGUAGES:
        out = ROOT / "outputs" / "gallery" / language
        manifest = weekly_run(Settings(as_of=AS_OF, data="sample", out=out, language=language, resume=True))
        print(make_gallery(out / manifest.as_of, GALLERY, translations(language)))


if __name__ == "__main__":
    main()
