"""The plan of a report: which notebooks, in which order, which needs which."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from lib.exhibits.parameters import PARAMS, Parameters, checked, load, read_yaml
from lib.market.errors import ParameterError

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


class Section(BaseModel):
    """One notebook of the report.

    Attributes
    ----------
    notebook : str
        Its stem, such as ``01_market_recap``.
    needs : list of str
        Earlier notebooks whose results it reads; it is skipped when one of them failed.
    exhibits : list of str
        Numbers of the exhibits it has to make; a run in which one is missing names it in its place.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    notebook: str
    needs: list[str] = []
    exhibits: list[Annotated[str, Field(pattern=r"[0-9]{2}")]] = []


class Plan(BaseModel):
    """The sections in the order they run, and the notebook that assembles the report from them.

    Attributes
    ----------
    sections : list of Section
    report : str
        The report notebook's stem.
    appendix_code : bool
        Whether the appendices, one per notebook, show code.
    stale_sessions : int
        A series that ends more sessions than this before the week does is stale.
    stale_series : str
        ``print`` names it under the exhibits that rest on it, ``refuse`` stops the section.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    sections: Annotated[list[Section], Field(min_length=1)]
    report: str
    appendix_code: bool = True
    stale_sessions: Annotated[int, Field(ge=0)] = 5
    stale_series: Literal["print", "refuse"] = "print"


def read_plan(notebooks: Path = NOTEBOOKS, params: Path = PARAMS) -> Plan:
    """Read and check ``weekly.yaml``.

    Raises
    ------
    ParameterError
        A notebook that does not exist or stands there twice, a need that does not run earlier, an exhibit that two
        sections claim.
    """
    path = Path(params) / "weekly.yaml"
    plan = checked(Plan, read_yaml(path), path)
    names = [section.notebook for section in plan.sections] + [plan.report]
    for name in names:
        if not (notebooks / f"{name}.ipynb").exists():
            raise ParameterError(f"there is no notebook {name}", file=path, remedy=f"add it to {notebooks}, or drop it")
    exhibits = [number for section in plan.sections for number in section.exhibits]
    for what, several in (("notebook", names), ("exhibit", exhibits)):
        twice = [entry for entry, count in Counter(several).items() if count > 1]
        if twice:
            raise ParameterError(f"the {what} {twice[0]} stands there twice", file=path, remedy="delete one of them")
    for place, section in enumerate(plan.sections):
        for need in section.needs:
            if need not in names[:place]:
                raise ParameterError(
                    f"{section.notebook} needs {need}, which does not run before it",
                    file=path,
                    remedy=f"name one of {', '.join(names[:place]) or 'no notebook'}, or change the order",
                )
    return plan


def read_parameters(plan: Plan, params: Path = PARAMS) -> dict[str, Parameters]:
    """Read and check the parameters of every notebook of the plan."""
    return {name: load(name, params) for name in [section.notebook for section in plan.sections] + [plan.report]}
