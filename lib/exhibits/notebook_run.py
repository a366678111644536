"""What a notebook opens first: its market, its language, and the place for its exhibits."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML, Image, Markdown, display
from matplotlib.figure import Figure

from lib.exhibits.plan import Plan, read_plan
from lib.exhibits.style import add_source_line, apply_style, save
from lib.exhibits.tables import table_html
from lib.exhibits.translations import Translations, translations
from lib.market.calendar import Week
from lib.market.errors import RunError, StaleDataError
from lib.market.ingest import STORES, open_market
from lib.market.pointintime import Market

OUTPUTS = Path(__file__).resolve().parents[2] / "outputs"
#: longer tables are folded away in the report
FOLDED = 40
#: set by the weekly run when its reader has allowed stale data
ALLOW_STALE = "WEEKLY_ALLOW_STALE"


@dataclass(frozen=True)
class Run:
    """One notebook's run.

    Attributes
    ----------
    notebook : str
        Its stem, such as ``01_market_recap``.
    market : Market
    language : str
    out : Path
        Where exhibits go: ``figures``, ``tables``, ``exhibits``, ``facts``.
    cache_dir : Path
        Where models keep what is dear to compute.
    t : Translations
        The texts of the language.
    plan : Plan
        The parameters of the weekly run, which say what is stale.
    """

    notebook: str
    market: Market
    language: str
    out: Path
    cache_dir: Path
    t: Translations
    plan: Plan = field(default_factory=read_plan)

    @property
    def week(self) -> Week:
        """The last completed week."""
        return self.market.week

    def names(self, table: pd.DataFrame) -> pd.Series:
        """Return the names of a table with ``name_zh`` (or ``name``) and ``name_en`` in the run's language."""
        chinese = table["name_zh"] if "name_zh" in table else table["name"]
        return chinese if self.language == "zh" else table["name_en"].where(table["name_en"].ne(""), chinese)

    def stale(self, symbols: Iterable[str]) -> pd.Series:
        """Return the last date of the series that end too long before the week does.

        Parameters
        ----------
        symbols : iterable of str
            Those that the data do not hold are left out: they are missing, not stale.

        Returns
        -------
        Series of Timestamp, indexed by symbol

        Raises
        ------
        StaleDataError
            There are some, and ``params/weekly.yaml`` says ``stale_series: refuse``.
        """
        known = self.market.instruments().index
        last = self.market.last_dates([symbol for symbol in symbols if symbol in known]).dropna()
        age = last.map(lambda date: self.market.sessions.count_between(date, self.week.last))
        old = last[age > self.plan.stale_sessions]
        if len(old) and self.plan.stale_series == "refuse":
            raise StaleDataError(
                f"{len(old)} series end more than {self.plan.stale_sessions} sessions before {self.week.last:%Y-%m-%d}",
                symbol=old.index[0],
                date=f"{old.iloc[0]:%Y-%m-%d}",
                remedy="bring newer data, or set stale_series: print in params/weekly.yaml",
            )
        return old

    def stale_notes(self, old: pd.Series) -> list[str]:
        """Return a note that names the series that ``stale`` found, none when all are fresh."""
        if not len(old):
            return []
        names = self.names(self.market.instruments().loc[old.index])
        listed = ", ".join(f"{names[symbol]} ({self.t.date(date)})" for symbol, date in old.head(6).items())
        return [self.t("common.stale_series", names=listed + (" …" if len(old) > 6 else ""))]

    def exhibit(
        self,
        number: str,
        slug: str,
        table: pd.DataFrame | None = None,
        figure: Figure | None = None,
        *,
        formats: Mapping[str, str] | None = None,
        words: Mapping[str, str] | None = None,
        data_date=None,
        notes: Iterable[str] = (),
        values: Mapping[str, object] | None = None,
        show_table: bool = False,
    ) -> None:
        """Save an exhibit under its number and show it.

        Parameters
        ----------
        number : str
            ``01`` to ``17``, or ``s01`` and up for supplements.
        slug : str
            Names its files.
        table : DataFrame, optional
            Its CSV, independent of the language: ``name`` the official name, ``name_en`` beside it. Fractions.
        figure : Figure, optional
            Its PNG; it is closed.
        formats : mapping, optional
            How the table shows a column, a key of ``lib.exhibits.tables.FORMATS``.
        words : mapping, optional
            What the table shows for a symbol or another identifier of its CSV, as a heading or in a cell.
        data_date : date, optional
            The last date of its data; the run's session by default.
        notes : iterable of str
            Fallbacks, missing data and whatever its reader has to know.
        values : mapping, optional
            Fills braces in its title, caption and description in the translations.
        show_table : bool
            Show the table below the figure too; otherwise the report folds it away, as it does long tables.

        Raises
        ------
        RunError
            It has neither table nor figure.
        """
        stem = f"{'' if number.startswith('s') else 'fig'}{number}_{slug}"
        if table is None and figure is None:
            raise RunError(f"exhibit {number} has neither table nor figure", remedy="pass table=, figure= or both")
        record = self._record(number, slug, stem, data_date, list(notes), dict(formats or {}), values or {})
        record["words"] = dict(words or {})
        record["show_table"] = show_table or (figure is None and len(table) <= FOLDED)
        if table is not None:
            path = self._place("tables", f"{stem}.csv")
            table.to_csv(path, index=False, date_format="%Y-%m-%d", encoding="utf-8", lineterminator="\n")
            record["files"].append(f"tables/{stem}.csv")
        if figure is not None:
            add_source_line(
                figure, self._origin(record), self.t("common.synthetic") if self.market.source.synthetic else ""
            )
            save(figure, self._place("figures", f"{stem}.png"))
            plt.close(figure)
            record["files"].append(f"figures/{stem}.png")
        self._write("exhibits", f"fig{number}_{slug}.json", record)
        self._show(record)

    def save_facts(self, facts: Mapping[str, object]) -> None:
        """Write the facts that commentary and scorecard use."""
        self._write("facts", f"{self.notebook}.json", dict(facts))

    def _record(self, number, slug, stem, data_date, notes, formats, values) -> dict:
        place = f"{self.notebook}.{'s' + number[1:] if number.startswith('s') else 'fig' + number}"
        date = pd.Timestamp(data_date) if pd.notna(data_date) else self.market.as_of
        if self.market.stale_sessions:
            notes = [self._stale(), *notes]
        return {
            "number": number,
            "slug": slug,
            "notebook": self.notebook,
            "title": self.t(f"{place}.title", **values),
            "caption": self.t(f"{place}.caption", **values),
            "alt": self.t(f"{place}.alt", **values),
            "source": self.market.source.label[self.language],
            "synthetic": self.market.source.synthetic,
            "data_date": f"{date:%Y-%m-%d}",
            "notes": notes,
            "formats": formats,
            "files": [],
        }

    def _stale(self) -> str:
        market = self.market
        return self.t(
            "common.stale",
            as_of=self.t.date(market.as_of),
            requested=self.t.date(market.requested),
            sessions=market.stale_sessions,
        )

    def _origin(self, record: dict) -> str:
        line = self.t("common.origin", source=record["source"], date=self.t.date(record["data_date"]))
        return f"{line}  {self._stale()}" if self.market.stale_sessions else line

    def _place(self, kind: str, name: str) -> Path:
        path = self.out / kind / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _write(self, kind: str, name: str, content: dict) -> None:
        text = json.dumps(content, ensure_ascii=False, indent=1, default=_plain)
        self._place(kind, name).write_text(text + "\n", encoding="utf-8")

    def _show(self, record: dict) -> None:
        number = record["number"]
        label = self.t(
            "common.supplement" if number.startswith("s") else "common.exhibit", number=int(number.strip("s"))
        )
        display(Markdown(f"### {label} · {record['title']}"))
        for file in sorted(record["files"]):
            if file.endswith(".png"):
                display(Image(self.out / file, alt=record["alt"], width=860))
            elif record["show_table"] or not any(other.endswith(".png") for other in record["files"]):
                display(HTML(table_html(self.out / file, record, self.language)))
        lines = [record["caption"], self._origin(record), *record["notes"]]
        display(Markdown("  \n".join(f"*{line}*" for line in lines if line)))


def _plain(value):
    """Write numpy and pandas values as JSON does."""
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, pd.Series):
        return value.to_dict()
    raise TypeError(f"{type(value).__name__} cannot be handed over")


def open_run(
    notebook: str,
    *,
    as_of="latest",
    data: str = "sample",
    out: str | Path = "",
    language: str = "en",
    seed: int = 20250613,
) -> Run:
    """Open a notebook's run: data up to date, market as of the date, seeds and style set.

    Parameters
    ----------
    notebook : str
        The notebook's stem.
    as_of : date or "latest"
    data : str
        ``sample``, ``sample-null``, ``store`` or a folder.
    out : path
        Where exhibits go; empty: ``outputs/interactive/<session>``.
    language : str
        ``en`` or ``zh``.
    seed : int
        Of Python's and numpy's global generators; models take seeds of their own.
    """
    text = translations(language)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries that use the global generator must be repeatable too
    apply_style()
    market = open_market(data, as_of, allow_stale=os.environ.get(ALLOW_STALE) == "1")
    folder = Path(out) if out else OUTPUTS / "interactive" / f"{market.as_of:%Y-%m-%d}"
    return Run(notebook, market, language, folder.resolve(), STORES / "cache", text)
