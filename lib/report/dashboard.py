"""First page of the weekly: the model portfolios at a glance, and what changed, one line per
model.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from lib.exhibits.translations import Translations
from lib.report.cells import ARROWS, Cell
from lib.report.commentary.portfolios import changes, class_weights, latest_weights, rank_columns
from lib.report.commentary.quotations import Table, Tables

#: exhibits of performance, NAV and weights of each model portfolio, and when it decides
MODELS = {
    "rotation": ("09", "08", "10", "week"),
    "absolute": ("12", "11", "13", "month"),
    "global": ("15", "14", "16", "month"),
}
SEPARATORS = {"en": ", ", "zh": "、"}
FACTS = "facts/dashboard.json"
#: changes that one line names
NAMED = 6
#: change of a weight that a line mentions
LEAST = 0.005


def dashboard(folder: Path, t: Translations) -> dict | None:
    """Return the table of the model portfolios; None when the run made none of them."""
    tables = Tables(folder, t)
    facts = _facts(folder)
    found = [_row(tables, model, facts.get("next", {}), t) for model in MODELS]
    rows = [row for row in found if row is not None]
    heads = ("model", "week", "against", "ytd", "against", "drawdown", "position", "decision")
    numbers = ("week", "against", "ytd", "drawdown")
    columns = [
        {"text": t(f"06_weekly_report.dashboard.{head}"), "number": head in numbers}
        for head in heads
    ]
    return {"columns": columns, "rows": rows, "left": 0} if rows else None


def _row(tables: Tables, model: str, decisions: dict, t: Translations) -> list[dict] | None:
    """Return a model's row; None without its performance."""
    measured, nav, weights, when = MODELS[model]
    performance, path = tables(measured), tables(nav)
    if performance is None:
        return None
    cells = [Cell(t(f"06_weekly_report.model.{model}"))]
    for metric in ("week_return", "ytd_return"):
        strategy = _value(performance, metric, "strategy")
        gap = strategy - _value(performance, metric, "benchmark")
        cells += [_signed(t.percent(strategy), strategy), _signed(t.percent(gap), gap)]
    fall = _drawdown(path) if path else float("nan")
    cells.append(Cell(t.percent(fall, signed=False), _sort(fall)))
    held = tables(weights)
    cells.append(Cell(_position(model, held, _facts(tables.folder), t) if held else "–"))
    cells.append(Cell(t.date(decisions.get(when))))
    return [asdict(cell) for cell in cells]


def _value(table: Table, row: str, column: str) -> float:
    return float(table.value(row, column)) if row in table.frame.index else float("nan")


def _signed(text: str, value: float) -> Cell:
    """Return a number in the colour of its sign, none when it rounds to zero."""
    tone = "up" if value > 0 else "down"
    if pd.isna(value) or not text.strip("+-0.%"):
        tone = ""
    return Cell(text, _sort(value), tone)


def _sort(value: float) -> float | str:
    return "" if pd.isna(value) else round(value, 6)


def _drawdown(table: Table) -> float:
    """Return how far a NAV is below its highest so far."""
    column = "nav" if "nav" in table.frame else "strategy"
    nav = table.frame[column].astype(float)
    return float(nav.iloc[-1] / nav.max() - 1)


def _position(model: str, table: Table, facts: dict, t: Translations) -> str:
    """Return what a model holds in few words."""
    if model == "rotation":
        last = table.frame.iloc[-1]
        suffix = "_en" if t.language == "en" and "rank1_en" in table.frame else ""
        names = [last[f"{rank}{suffix}"] for rank in rank_columns(table.frame)]
        return _listed(t, [str(name) for name in names if pd.notna(name)])
    if model == "absolute":
        held = class_weights(table)
        named = {name: t(f"common.value.{name}") for name in held.index}
    else:
        held = latest_weights(table).head(3)
        named = facts.get("assets", {})
    return _listed(
        t,
        [
            f"{named.get(name, name)} {t.percent(weight, 1, signed=False)}"
            for name, weight in held.items()
        ],
    )


def model_changes(folder: Path, t: Translations) -> list[dict]:
    """Return what changed, per model: ``model`` and ``parts``, each ``word`` and ``text``."""
    tables = Tables(folder, t)
    facts = _facts(folder)
    lines = [_theme_changes(folder, tables, t)]
    holdings = tables("10")
    if holdings is not None:
        lines.append(_sector_changes(holdings, t))
    weights = tables("13")
    if weights is not None:
        column = "name_en" if t.language == "en" else "name"
        frame = weights.frame
        lines.append(
            _moves("absolute", frame[column], frame["previous_weight"], frame["weight"], t)
        )
    weights = tables("16")
    if weights is not None and len(weights.frame) > 1:
        frame = weights.frame.drop(columns=weights.key).astype(float)
        names = pd.Series({each: facts.get("assets", {}).get(each, each) for each in frame})
        lines.append(_moves("global", names, frame.iloc[-2], frame.iloc[-1], t))
    return [line for line in lines if line]


def _line(model: str, parts: list[tuple[str, str]], t: Translations) -> dict:
    named = [(t(f"06_weekly_report.change.{word}") if word else "", text) for word, text in parts]
    return {
        "model": t(f"06_weekly_report.model.{model}"),
        "parts": [{"word": word, "text": text} for word, text in named],
    }


def _theme_changes(folder: Path, tables: Tables, t: Translations) -> dict | None:
    """Return the themes that entered and left the hottest since the previous run, as its table of
    changes says; None when there is no earlier run.
    """
    table = tables("s51")
    if table is None:
        return None
    column = "name_en" if t.language == "en" else "name"
    frame = table.frame[table.frame["exhibit"].astype(str).str.zfill(2) == "06"]
    parts = []
    for word, what in (("in", "new"), ("out", "dropped")):
        names = frame.loc[frame["what"] == what, column].tolist()
        if names:
            parts.append((word, _listed(t, names[:NAMED])))
    return _line("themes", parts or [("", t("06_weekly_report.change.none"))], t)


def _sector_changes(table: Table, t: Translations) -> dict:
    """Return the sectors that the rotation buys and sells."""
    new, gone = changes(table)
    suffix = "_en" if t.language == "en" and "rank1_en" in table.frame else ""
    parts = []
    for word, week, ranks in (("in", -1, new), ("out", -2, gone)):
        if ranks:
            row = table.frame.iloc[week]
            parts.append((word, _listed(t, [str(row[f"{rank}{suffix}"]) for rank in ranks])))
    return _line("rotation", parts or [("", t("06_weekly_report.change.none"))], t)


def _moves(
    model: str, names: pd.Series, before: pd.Series, now: pd.Series, t: Translations
) -> dict:
    """Return the weights that moved, the largest first, with arrows; the others are counted."""
    change = (now - before).astype(float)
    moved = change[change.abs() >= LEAST].abs().sort_values(ascending=False, kind="stable").index
    words = []
    for label in moved[:NAMED]:
        arrow = ARROWS["up" if change[label] > 0 else "down"]
        weights = [t.percent(float(one[label]), 1, signed=False) for one in (before, now)]
        words.append(f"{names[label]} {weights[0]} {arrow} {weights[1]}")
    if len(moved) > NAMED:
        words.append(t("06_weekly_report.change.more", count=len(moved) - NAMED))
    text = _listed(t, words) if words else t("06_weekly_report.change.none")
    return _line(model, [("", text)], t)


def _listed(t: Translations, words: list[str]) -> str:
    return SEPARATORS[t.language].join(words)


def _facts(folder: Path) -> dict:
    """Return the facts that the report notebook wrote, none when it did not run."""
    path = folder / FACTS
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
