"""The run of one notebook: its market, its language and the files of its exhibits."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TypeVar

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML, Image, Markdown, display
from matplotlib.figure import Figure

from lib.exhibits.frozen import draw_frozen, read_frozen
from lib.exhibits.parameters import PARAMS, Parameters, RunParameters, checked, load, model_of
from lib.exhibits.plan import ALLOW_STALE, AS_STORED, PARAMS_FOLDER, Plan, read_plan
from lib.exhibits.progress import Progress
from lib.exhibits.style import add_source_line, apply_style, save
from lib.exhibits.tables import column_formats, table_html
from lib.exhibits.translations import Translations, translations
from lib.exhibits.vector import is_wide, plain_ticks, save_vector
from lib.market.calendar import Week
from lib.market.errors import ParameterError, RunError, StaleDataError
from lib.market.ingest import STORES, open_market
from lib.market.pointintime import Market

OUTPUTS = Path(__file__).resolve().parents[2] / "outputs"
#: rows of a table above which the report folds it away
FOLDED = 40
#: ending of the slugs of net asset values, whose charts mark where live begins
NAV = "_nav"
#: symbols that a note names
NOTED_NAMES = 6
#: texts of an exhibit that are not labels in its chart
EXHIBIT_TEXTS = {"title", "caption", "alt"}
SettingsType = TypeVar("SettingsType")
ParametersType = TypeVar("ParametersType", bound=Parameters)


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
        Folder of ``figures``, ``tables``, ``exhibits`` and ``facts``.
    cache_dir : Path
        Cache of fitted models.
    t : Translations
        Texts in that language.
    plan : Plan
        Parameters of the weekly run; they define which series are stale.
    parameters : Parameters
        The notebook's own parameters, checked.
    interactive : bool
        Run by hand, not by the weekly run: progress is shown as a bar.
    """

    notebook: str
    market: Market
    language: str
    out: Path
    cache_dir: Path
    t: Translations
    plan: Plan = field(default_factory=read_plan)
    parameters: Parameters = field(default_factory=Parameters)
    interactive: bool = False

    @property
    def week(self) -> Week:
        """The last completed week."""
        return self.market.week

    def parameters_of(self, notebook: str) -> Parameters:
        """Return the checked parameters of another notebook, from its file.

        ``params/weekly.yaml`` lists that notebook under ``parameters_of`` of this one, so that the
        weekly run reruns this section when they change.
        """
        return load(notebook, Path(os.environ.get(PARAMS_FOLDER) or PARAMS))

    def settings(
        self, kind: type[SettingsType], *, of: Parameters | None = None, **overrides
    ) -> SettingsType:
        """Return a dataclass of settings filled from the parameters of the same names.

        Parameters
        ----------
        kind : type
            The dataclass.
        of : Parameters, optional
            By default the notebook's own; otherwise those of another one (``parameters_of``).
        **overrides
            Values of fields that have no parameter of the same name, or another value.
        """
        parameters = self.parameters if of is None else of
        named = {each.name for each in fields(kind)} & set(type(parameters).model_fields)  # type: ignore[arg-type]
        values = {name: getattr(parameters, name) for name in named} | overrides
        # settings are frozen keys of caches, and YAML has no tuples
        frozen = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        return kind(**frozen)

    def progress(self, total: int) -> Progress:
        """Return the progress of a computation in so many steps."""
        return Progress(total, interactive=self.interactive)

    def labels(self, *groups: str, **values) -> dict[str, str]:
        """Return the texts of groups of the translations, by their key within the group.

        Parameters
        ----------
        *groups : str
            A group of the notebook's file such as ``value``, over the same group of ``common``; the
            number of an exhibit (``s40``, ``fig14``) gives its texts except title, caption and
            alternative text.
        **values
            Values of the placeholders in them.

        Raises
        ------
        ParameterError
            A group has no texts.
        """
        found: dict[str, str] = {}
        for group in groups:
            keys = {
                key.removeprefix(prefix): key
                for prefix in (f"common.{group}.", f"{self.notebook}.{group}.")
                for key in self.t.texts
                if key.startswith(prefix)
            }
            own = {name: key for name, key in keys.items() if name not in EXHIBIT_TEXTS}
            if not own:
                raise ParameterError(
                    f"the {self.language} translations have no labels {self.notebook}.{group}",
                    remedy="add the group to the translations of both languages",
                )
            found |= {name: self.t(key, **values) for name, key in own.items()}
        return found

    def note(self, key: str, **values) -> str:
        """Return a note under an exhibit, the text ``note.<key>`` of the notebook.

        Values are numbers, dates and lists of names; the text says how a number is written.
        """
        return self.t(f"{self.notebook}.note.{key}", **values)

    def notes(self, **found) -> list[str]:
        """Return a note per finding, none for a finding that is empty, false or zero.

        Parameters
        ----------
        **found
            By key of the note: True for a note without values, a mapping of its values, a number
            (its ``count``), or a table with names or a list of them (its ``names`` and ``count``).
        """
        return [
            self.note(key, **self._values(value))
            for key, value in found.items()
            if (len(value) if hasattr(value, "__len__") else value)
        ]

    def event_notes(self, events: pd.DataFrame, names: Mapping[str, str]) -> list[str]:
        """Return a note per kind of event, the text ``note.event.<event>``.

        Parameters
        ----------
        events : DataFrame
            ``date``, ``event`` and ``detail``, such as a symbol.
        names : mapping
            What details are called; others stay as they are. A note lists the first six.
        """
        notes = []
        for event, rows in events.groupby("event", sort=False):
            affected = [names.get(detail, detail) for detail in rows["detail"].unique()]
            shown = affected[:NOTED_NAMES] + ["…"] * (len(affected) > NOTED_NAMES)
            notes.append(self.note(f"event.{event}", months=rows["date"].nunique(), names=shown))
        return notes

    def _values(self, finding) -> Mapping[str, object]:
        """Return the values of a finding's note."""
        if isinstance(finding, Mapping):
            return finding
        if isinstance(finding, pd.DataFrame):
            finding = list(self.names(finding))
        if isinstance(finding, str) or not hasattr(finding, "__len__"):
            return {} if finding is True else {"count": finding, "names": finding}
        return {"count": len(finding), "names": finding}

    def names(self, table: pd.DataFrame) -> pd.Series:
        """Return the names of a table with ``name_zh`` (or ``name``) and ``name_en`` in the run's
        language.
        """
        chinese = table["name_zh"] if "name_zh" in table else table["name"]
        return (
            chinese
            if self.language == "zh"
            else table["name_en"].where(table["name_en"].ne(""), chinese)
        )

    def label(self, number: str) -> str:
        """Return the name of an exhibit, such as "Exhibit 8" or "Supplement 3"."""
        key = "common.supplement" if number.startswith("s") else "common.exhibit"
        return self.t(key, number=int(number.removeprefix("s")))

    def stale(self, symbols: Iterable[str]) -> pd.Series:
        """Return the last date of the series that end too long before the week does.

        Parameters
        ----------
        symbols : iterable of str
            Symbols without data are left out: they are missing, not stale.

        Returns
        -------
        Series of Timestamp, indexed by symbol

        Raises
        ------
        StaleDataError
            A series is stale, and ``params/weekly.yaml`` sets ``stale_series: refuse``.
        """
        stored = self.market.instruments().index
        last = self.market.last_dates([symbol for symbol in symbols if symbol in stored]).dropna()
        age = last.map(lambda date: self.market.sessions.count_between(date, self.week.last))
        limit = self.plan.stale_sessions
        stale = last[age > limit]
        if len(stale) and self.plan.stale_series == "refuse":
            raise StaleDataError(
                f"{len(stale)} series end more than {limit} sessions before"
                f" {self.week.last:%Y-%m-%d}",
                symbol=stale.index[0],
                date=f"{stale.iloc[0]:%Y-%m-%d}",
                remedy="bring newer data, or set stale_series: print in params/weekly.yaml",
            )
        return stale

    def stale_notes(self, stale: pd.Series) -> list[str]:
        """Return the note under an exhibit that names its stale series, an empty list when there
        are none.
        """
        if not len(stale):
            return []
        names = self.names(self.market.instruments().loc[stale.index])
        listed = [
            f"{names[symbol]} ({self.t.date(date)})"
            for symbol, date in stale.head(NOTED_NAMES).items()
        ]
        more = " …" if len(stale) > NOTED_NAMES else ""
        return [self.t("common.stale_series", names=", ".join(listed) + more)]

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
            Part of its file names; one that ends in ``_nav`` marks where live begins.
        table : DataFrame, optional
            Its CSV, the same in every language: ``name`` is the official (Chinese) name,
            ``name_en`` the English one;
            returns and weights are fractions.
        figure : Figure, optional
            Its PNG, and SVG in the width of a report's column; the figure is closed.
        formats : mapping, optional
            Formats that differ from those of ``lib.exhibits.tables.column_formats``, by column.
        words : mapping, optional
            Labels of identifiers in the CSV (symbols, columns), for headings and cells.
        data_date : date, optional
            Last date of its data; by default the session of the run.
        notes : iterable of str
            Fallbacks, missing data and other remarks.
        values : mapping, optional
            Values of the placeholders in its title, caption and alternative text.
        show_table : bool
            Show the table below the figure; otherwise the report folds it away, as it does a long
            table.

        Raises
        ------
        RunError
            Neither table nor figure is given.
        """
        stem = f"{'' if number.startswith('s') else 'fig'}{number}_{slug}"
        if table is None and figure is None:
            raise RunError(
                f"exhibit {number} has neither table nor figure",
                remedy="pass table=, figure= or both",
            )
        record = self._record(number, slug, data_date, list(notes), values or {})
        if figure is not None and slug.endswith(NAV):
            record["notes"].append(self._mark_live(figure))
        record["formats"] = column_formats(table, formats or {}) if table is not None else {}
        record["words"] = dict(words or {})
        record["show_table"] = show_table or (
            figure is None and table is not None and len(table) <= FOLDED
        )
        if table is not None:
            path = self._path("tables", f"{stem}.csv")
            table.to_csv(
                path, index=False, date_format="%Y-%m-%d", encoding="utf-8", lineterminator="\n"
            )
            record["files"].append(f"tables/{stem}.csv")
        if figure is not None:
            synthetic = self.t("common.synthetic") if self.market.source.synthetic else ""
            record["wide"] = is_wide(figure)
            plain_ticks(figure)
            add_source_line(figure, self._source_line(record), synthetic)
            save(figure, self._path("figures", f"{stem}.png"))
            # the page says the source below the figure
            add_source_line(figure, "", synthetic)
            save_vector(figure, self._path("figures", f"{stem}.svg"))
            plt.close(figure)
            record["files"] += [f"figures/{stem}.png", f"figures/{stem}.svg"]
        self._write("exhibits", f"fig{number}_{slug}.json", record)
        self._show(record)

    def save_facts(self, facts: Mapping[str, object]) -> None:
        """Write the numbers that commentary and scorecard use."""
        self._write("facts", f"{self.notebook}.json", dict(facts))

    def _record(
        self, number: str, slug: str, data_date, notes: list[str], values: Mapping[str, object]
    ) -> dict:
        """Return an exhibit's record: its texts, source and date; the files are added as they are
        written.
        """
        key = f"{self.notebook}.{number if number.startswith('s') else 'fig' + number}"
        date = pd.Timestamp(data_date) if pd.notna(data_date) else self.market.as_of
        if self.market.stale_sessions:
            notes = [self._stale_note(), *notes]
        return {
            "number": number,
            "slug": slug,
            "notebook": self.notebook,
            "title": self.t(f"{key}.title", **values),
            "caption": self.t(f"{key}.caption", **values),
            "alt": self.t(f"{key}.alt", **values),
            "source": self.market.source.label[self.language],
            "synthetic": self.market.source.synthetic,
            "data_date": f"{date:%Y-%m-%d}",
            "notes": notes,
            "formats": {},
            "files": [],
        }

    def _mark_live(self, figure: Figure) -> str:
        """Draw where live begins in a chart of net asset values; return the note that says so."""
        frozen = read_frozen().get(self.notebook)
        if frozen is None:
            return self.t("common.not_frozen")
        date = pd.Timestamp(frozen.date)
        is_live = draw_frozen(figure, date, self.t("common.live_from"))
        key = "frozen" if is_live else "all_backtest"
        return self.t(f"common.{key}", date=self.t.date(date), commit=frozen.commit)

    def _stale_note(self) -> str:
        market = self.market
        return self.t(
            "common.stale",
            as_of=self.t.date(market.as_of),
            requested=self.t.date(market.requested),
            sessions=market.stale_sessions,
        )

    def _source_line(self, record: dict) -> str:
        line = self.t(
            "common.origin", source=record["source"], date=self.t.date(record["data_date"])
        )
        return f"{line}  {self._stale_note()}" if self.market.stale_sessions else line

    def _path(self, kind: str, name: str) -> Path:
        path = self.out / kind / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _write(self, kind: str, name: str, content: dict) -> None:
        text = json.dumps(content, ensure_ascii=False, indent=1, default=_json_value)
        self._path(kind, name).write_text(text + "\n", encoding="utf-8")

    def _show(self, record: dict) -> None:
        """Display an exhibit in the notebook: title, figure, table, caption, source and notes."""
        display(Markdown(f"### {self.label(record['number'])} · {record['title']}"))
        for file in sorted(record["files"]):
            if file.endswith(".png"):
                display(Image(self.out / file, alt=record["alt"], width=860))
            elif file.endswith(".csv") and (record["show_table"] or len(record["files"]) == 1):
                display(HTML(table_html(self.out / file, record, self.language)))
        lines = [record["caption"], self._source_line(record), *record["notes"]]
        display(Markdown("  \n".join(f"*{line}*" for line in lines if line)))


def _json_value(value: object) -> object:
    """Return a numpy or pandas value as one that JSON can write."""
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, pd.Series):
        return value.to_dict()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def open_run(notebook: str, namespace: Mapping[str, object], *, seed: int = 20250613) -> Run:
    """Open a notebook's run: check its parameters, update the store, read the market as of the
    date, set seeds and style.

    Parameters
    ----------
    notebook : str
        The notebook's stem.
    namespace : mapping
        Its variables, ``globals()``: the parameters are taken from it.
    seed : int
        For Python's and numpy's global generators; models take seeds of their own.

    Raises
    ------
    ParameterError
        A parameter is missing, of the wrong type or out of range.
    """
    common = _parameters(RunParameters, notebook, namespace)
    own = _parameters(model_of(notebook), notebook, namespace)
    t = translations(common.language)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries that use the global generator must be repeatable as well
    apply_style()
    market = open_market(
        common.data,
        common.as_of,
        allow_stale=os.environ.get(ALLOW_STALE) == "1",
        as_stored=os.environ.get(AS_STORED) == "1",
    )
    default = OUTPUTS / "interactive" / f"{market.as_of:%Y-%m-%d}"
    return Run(
        notebook,
        market,
        common.language,
        (Path(common.out) if common.out else default).resolve(),
        STORES / "cache",
        t,
        parameters=own,
        interactive=not common.out,
    )


def _parameters(
    model: type[ParametersType], notebook: str, namespace: Mapping[str, object]
) -> ParametersType:
    """Return the parameters of a model, taken from a notebook's variables and checked."""
    values = {name: namespace[name] for name in model.model_fields if name in namespace}
    return checked(model, values, f"parameters cell of {notebook}")
