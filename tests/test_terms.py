"""The words of everything that is read: one standard term for one meaning."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
#: what is not written here, with the standard term
DROPPED = {
    r"\b(is|are) no (?!longer\b|more\b|later\b|earlier\b|less\b|other\b|different\b|better\b)"
    r"(?<!there is no )(?<!there are no )": "is not a",
    r"\b(told|tells|tell)\b": "reported, shows, says",
    r"\bbeside\b": "next to, and",
    r"(?<!in )(?<!half )(?<!about )(?<!of )(?<!to )(?<!over )\ba year\b(?! of\b| is\b| has\b)": "annualised, per year",
    r"\bnought\b": "zero",
    r"\b(nobody|whoever)\b": "no one, a reader who",
    r"\bstand-?ins?\b": "proxy, simulated response",
    r"\bstands? (in|for|there|below|above|beside)\b": "is stored in, is used for",
    r"\blottery\b|\bblacken": "noise, redact",
    r"\banew\b": "again",
    r"\bat hand\b": "given, available",
    r"\bbroad-base\b": "broad-market",
    r"(?-i:\bSmartBeta\b)": "smart beta",
    r"\bchance in noise\b": "p-value",
    r"\bexcess gone\b": "break-even cost",
}
READ = [
    *sorted((ROOT / "lib").rglob("*.py")),
    *sorted((ROOT / "lib/exhibits/text/en").rglob("*.yaml")),
    *sorted((ROOT / "lib").rglob("*.j2")),
    *sorted((ROOT / "benchmarks").glob("*.py")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "params").rglob("*.yaml")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile")),
]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def dropped(text):
    """Return the passages of a text that hold a dropped pattern, with the standard term."""
    joined = re.sub(r"\s*\n\s*#?\s*", " ", text)
    return [
        f"...{joined[max(match.start() - 30, 0) : match.end() + 20]}... -> {term}"
        for pattern, term in DROPPED.items()
        for match in re.finditer(pattern, joined, re.IGNORECASE)
    ]


@pytest.mark.parametrize("path", READ, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_terms(path):
    assert not dropped(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_terms_of_a_notebook(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert not dropped("\n".join("".join(cell["source"]) for cell in cells))


def test_the_check_sees_a_dropped_pattern():
    assert dropped("Whoever is told that\nit is no index") and not dropped("there is no index")
