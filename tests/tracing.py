"""Whether every number of a commentary comes from the cells it names, found out without the code
that wrote it.
"""

import json
import re
from calendar import month_name

import pandas as pd

from lib.exhibits.translations import translations
from lib.market.universe import read_universe

NAMES = {
    "en": read_universe("allocation")["name_en"].to_dict(),
    "zh": read_universe("allocation")["name_zh"].to_dict(),
}
KEYS = ["symbol", "series", "metric", "measure", "date", "week", "name", "asset_class", "score"]


def statements(record):
    paragraphs = [
        *record["sections"].values(),
        record["risks"],
        record["key_points"],
        [record["headline"]],
        record["findings"].values(),
        record["evidence"].values(),
    ]
    return [one for paragraph in paragraphs for one in paragraph]


def cell(folder, file, row, column):
    """Look a cell up without the code under test."""
    if file == "manifest.json":
        record = json.loads((folder / file).read_text())
        section = next(
            (section for section in record["sections"] if section["name"] == row), record
        )
        return section[column]
    table = pd.read_csv(folder / file, dtype={"symbol": str})
    found = [table[table[key].astype(str) == row] for key in KEYS if key in table]
    (value,) = next(rows for rows in found if len(rows))[column]
    return value


def recomputed(folder, language, how, kind, cells):
    """Write a quotation again from its cells, without the code under test."""
    if how == "count":
        return str(len(cells))
    if how == "heading":
        assert cell(folder, *cells[0]) is not None
        return NAMES[language].get(cells[0][2], cells[0][2])
    values = [cell(folder, *place) for place in cells]
    if how == "word" and isinstance(values[0], list):
        return values[0]
    if how == "word":
        return translations(language)(f"common.value.{values[0]}")
    value = {
        "cell": lambda: values[0],
        "difference": lambda: values[0] - values[1],
        "sum": lambda: sum(values),
    }[how]()
    if kind == "date":
        year, month, day = str(value).split("-")
        chinese = f"{year}年{int(month)}月{int(day)}日"
        return chinese if language == "zh" else f"{int(day)} {month_name[int(month)]} {year}"
    forms = {
        "word": lambda: str(value),
        "percent": lambda: f"{value * 100:+.2f}%",
        "size": lambda: f"{abs(value) * 100:.2f}%",
        "plain": lambda: f"{value * 100:.2f}%",
        "share": lambda: f"{value * 100:.1f}%",
        "gap": lambda: f"{abs(value) * 100:.2f}",
        "points": lambda: f"{abs(value):.1f}",
        "score": lambda: f"{value:.2f}",
        "step": lambda: f"{abs(value):.2f}",
        "level": lambda: f"{value:.1f}",
        "count": lambda: f"{value:.0f}",
    }
    return forms[kind]()


def untraceable(folder, language, one):
    """Return what is wrong with a sentence: a quotation its cells do not give, a number that
    nothing accounts for.
    """
    wrong, rest = [], one["text"]
    for quotation in sorted(
        one["quotations"].values(), key=lambda quotation: -len(quotation["text"])
    ):
        again = recomputed(
            folder, language, quotation["how"], quotation["format"], quotation["cells"]
        )
        allowed = [str(int(number)) for number in again] if isinstance(again, list) else [again]
        wrong += (
            [] if quotation["text"] in allowed else [f"{quotation['text']} is {again} by its cells"]
        )
        # a number stands by itself: the 2 that is accounted for does not account for that of 20 or
        # of 0.2
        rest = (
            re.sub(rf"(?<![\d.]){re.escape(quotation['text'])}(?![\d]|\.\d)", "", rest)
            if quotation["text"]
            else rest
        )
    return wrong + re.findall(r"\d[\d.,%]*", rest)
