"""The gallery: small pictures of the sample only, and every picture that the READMEs show is
there.
"""

import json
import re
from pathlib import Path

import pytest
from PIL import Image
from run_folder import tables, write_run

from lib.exhibits.translations import translations
from lib.market.errors import RunError
from lib.weekly.gallery import GALLERY, WIDTH, make_gallery

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 1_500_000
#: pages with links to files of the repository
PAGES = [*sorted(ROOT.glob("README*.md")), *sorted(GALLERY.glob("*.md"))]


def run_with_pictures(folder, **changes):
    """Write a run with a wide picture for every exhibit from 1 to 8."""
    write_run(folder, **changes)
    (folder / "figures").mkdir()
    for path in (folder / "exhibits").glob("*.json"):
        record = json.loads(path.read_text())
        stem = path.stem if record["number"].isdigit() else path.stem.removeprefix("fig")
        record |= {
            "notebook": "01_market_recap",
            "title": "T",
            "caption": "C",
            "alt": "A",
            "formats": {},
        }
        record["files"] = [f"tables/{stem}.csv"]
        if record["number"] in [f"{number:02d}" for number in range(1, 9)]:
            record["files"].append(f"figures/{stem}.png")
            Image.effect_noise((1400, 700), 60).convert("RGB").save(
                folder / "figures" / f"{stem}.png"
            )
        path.write_text(json.dumps(record))
    return folder


def test_pictures_are_shrunk_and_tables_written_out(tmp_path):
    folder = run_with_pictures(tmp_path / "2025-06-13")
    page = make_gallery(folder, tmp_path / "gallery", translations("en"))
    text = page.read_text(encoding="utf-8")
    assert text.count("### Exhibit") == len([stem for stem in tables() if stem.startswith("fig")])
    pictures = re.findall(r"!\[A\]\((en/fig0[1-8]_\w+\.png)\)", text)
    assert len(pictures) == 8
    with Image.open(tmp_path / "gallery" / pictures[0]) as picture:
        assert picture.size == (WIDTH, 480) and picture.mode == "P"
    assert "| Sharpe ratio |" in text
    assert "Synthetic sample." in text.split("##")[0]


def test_a_picture_of_an_earlier_gallery_goes(tmp_path):
    (tmp_path / "gallery" / "en").mkdir(parents=True)
    (tmp_path / "gallery" / "en" / "fig99_old.png").touch()
    make_gallery(
        run_with_pictures(tmp_path / "2025-06-13"), tmp_path / "gallery", translations("en")
    )
    assert not (tmp_path / "gallery" / "en" / "fig99_old.png").exists()


@pytest.mark.parametrize(
    ("changes", "language", "words"),
    [({"synthetic": False}, "en", "synthetic sample only"), ({}, "zh", "not in the language zh")],
)
def test_real_data_and_the_other_language_are_refused(tmp_path, changes, language, words):
    folder = run_with_pictures(tmp_path / "2025-06-13", **changes)
    with pytest.raises(RunError, match=words):
        make_gallery(folder, tmp_path / "gallery", translations(language))
    assert not (tmp_path / "gallery").exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_of_a_page_leads_to_a_file(page):
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing, missing


def test_the_committed_pictures_are_small_and_in_palette():
    pictures = sorted(GALLERY.rglob("*.png"))
    assert sum(path.stat().st_size for path in pictures) < LIMIT
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.mode == "P" and picture.width <= WIDTH, path
