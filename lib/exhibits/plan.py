"""The plan of a report: its notebooks, their order, dependencies and exhibits."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from lib.exhibits.parameters import PARAMS, Parameters, checked, load, read_yaml
from lib.market.errors import ParameterError

#: environment variable that the weekly run sets when its user allows stale data
ALLOW_STALE = "WEEKLY_ALLOW_STALE"
#: environment variable of the notebooks of a run, which has brought the store up to date for all
AS_STORED = "WEEKLY_AS_STORED"
#: environment variable with the folder of parameters that the weekly run uses
PARAMS_FOLDER = "WEEKLY_PARAMS"
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


#: two digits, in quotes
Number = Annotated[str, Field(pattern=r"[0-9]{2}")]
Supplement = Annotated[str, Field(pattern=r"s[0-9]{2}")]
#: what is compared with the previous run: names and scores of themes, the sectors held, weights by
#: row or by column, class budgets
Comparison = Literal["themes", "holdings", "weights", "weights_by_column", "budgets"]


class Section(BaseModel):
    """One notebook of the report.

    Attributes
    ----------
    notebook : str
        Its stem, such as ``01_market_recap``.
    needs : list of str
        Earlier notebooks whose results it reads; when one of them failed, it is skipped.
    after : list of str
        Earlier notebooks whose cached models it uses; it waits for them, whether they fail or not.
    parameters_of : list of str
        Other notebooks whose parameters it reads; it is rerun when they change.
    exhibits : list of str
        Numbers of its exhibits, which are in the weekly; one that is missing is named. Anything
        else that the notebook makes is a supplement and in the evidence.
    evidence : dict of str to list of str
        Supplements by the exhibit that they qualify; both link to each other.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    notebook: str
    needs: list[str] = []
    after: list[str] = []
    parameters_of: list[str] = []
    exhibits: list[Number] = []
    evidence: dict[Number, list[Supplement]] = {}


class Plan(BaseModel):
    """The sections in the order they run, and the notebook that assembles the report from them.

    Attributes
    ----------
    sections : list of Section
    report : str
        The report notebook's stem.
    tables : dict of str to list of str
        Exhibits that the weekly shows as a table, with its columns; the others are figures.
    calendar, trades, track_record : list of str
        Supplements that are in the weekly, in the parts of these names.
    compared : dict
        What of an exhibit is compared with the previous run, by its number.
    appendix_code : bool
        Whether the appendices, one per notebook, show code.
    stale_sessions : int
        A series that ends more than this many sessions before the end of the week is stale.
    stale_series : str
        ``print`` names it under the exhibits that use it, ``refuse`` stops the section.
    capital : float
        CNY in each portfolio, from which the trades get amounts and lots; 0: percent only.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    sections: Annotated[list[Section], Field(min_length=1)]
    report: str
    tables: dict[Number | Supplement, list[str]] = {}
    calendar: list[Supplement] = []
    trades: list[Supplement] = []
    track_record: list[Supplement] = []
    compared: dict[Number, Comparison] = {}
    appendix_code: bool = True
    stale_sessions: Annotated[int, Field(ge=0)] = 5
    stale_series: Literal["print", "refuse"] = "print"
    capital: Annotated[float, Field(ge=0, le=1e12, strict=False, allow_inf_nan=False)] = 0.0

    @property
    def notebooks(self) -> list[str]:
        """The stems of all notebooks in the order they run, that of the report last."""
        return [*(section.notebook for section in self.sections), self.report]

    @property
    def exhibits(self) -> list[str]:
        """The numbers of all exhibits in the order of the sections."""
        return [number for section in self.sections for number in section.exhibits]

    @property
    def in_weekly(self) -> set[str]:
        """The numbers of the exhibits that are in the weekly; all others are in the evidence."""
        return {*self.exhibits, *self.calendar, *self.trades, *self.track_record}

    def qualified(self) -> dict[str, list[str]]:
        """Return the exhibits that each supplement qualifies."""
        pairs: dict[str, list[str]] = {}
        for section in self.sections:
            for exhibit, supplements in section.evidence.items():
                for supplement in supplements:
                    pairs.setdefault(supplement, []).append(exhibit)
        return pairs


def read_plan(notebooks: Path = NOTEBOOKS, params: Path = PARAMS) -> Plan:
    """Read and check ``weekly.yaml``.

    Raises
    ------
    ParameterError
        A notebook that does not exist, a duplicate notebook or exhibit, a dependency that does not
        run earlier.
    """
    path = Path(params) / "weekly.yaml"
    plan = checked(Plan, read_yaml(path), path)
    names = plan.notebooks
    for name in names:
        if not (notebooks / f"{name}.ipynb").exists():
            raise ParameterError(
                f"no notebook {name}", file=path, remedy=f"add it to {notebooks} or drop it"
            )
    for kind, entries in (("notebook", names), ("exhibit", plan.exhibits)):
        duplicates = [entry for entry, count in Counter(entries).items() if count > 1]
        if duplicates:
            raise ParameterError(
                f"duplicate {kind} {duplicates[0]}", file=path, remedy="delete one of them"
            )
    named = {
        "compared": plan.compared,
        "tables": [number for number in plan.tables if not number.startswith("s")],
        "evidence": [number for section in plan.sections for number in section.evidence],
    }
    for key, numbers in named.items():
        for number in numbers:
            if number not in plan.exhibits:
                raise ParameterError(
                    f"{key} names exhibit {number}, which no section makes",
                    file=path,
                    remedy="delete the line, or add the number to the exhibits of its section",
                )
    for position, section in enumerate(plan.sections):
        earlier = names[:position]
        for name in section.parameters_of:
            if name not in names:
                fault = (
                    f"{section.notebook} reads the parameters of {name}, which is not in the plan"
                )
                raise ParameterError(fault, file=path, remedy=f"name one of {', '.join(names)}")
        for need in (*section.needs, *section.after):
            if need not in earlier:
                fault = f"{section.notebook} needs {need}, which does not run before it"
                remedy = f"name one of {', '.join(earlier) or 'no notebook'}, or change the order"
                raise ParameterError(fault, file=path, remedy=remedy)
    return plan


def read_parameters(plan: Plan, params: Path = PARAMS) -> dict[str, Parameters]:
    """Read and check the parameters of every notebook of the plan."""
    return {name: load(name, params) for name in plan.notebooks}
