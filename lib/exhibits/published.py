"""What a published weekly printed for a week: one file per week, each number tied to a cell of an
exhibit's table.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lib.exhibits.parameters import PARAMS, checked, read_yaml
from lib.exhibits.plan import Number, read_plan
from lib.exhibits.tables import ROW_FORMATS
from lib.market.errors import ParameterError
from lib.market.pointintime import Market

PUBLISHED_FOLDER = PARAMS / "published"
PUBLISHED_COLUMNS = [
    "exhibit",
    "row",
    "name",
    "name_en",
    "column",
    "minus",
    "value",
    "relation",
    "format",
]

#: half a unit of the last digit that a format prints
HALF_UNITS = {
    "percent": 0.00005,
    "share": 0.00005,
    "points": 0.05,
    "score": 0.005,
    "change": 0.005,
    "number": 0.05,
    "count": 0.5,
}
#: share of the printed number by which a result of other data may miss it and still count as
#: reproduced
TOLERATED_SHARE = 0.1

Text = Annotated[str, Field(min_length=1)]
Relation = Literal["equal", "about", "above", "below", "first", "last", "held", "listed"]
Reason = Literal["other_data", "other_universe", "our_choice"]
Tolerance = Annotated[float, Field(ge=0)]
#: the keys of ``lib.exhibits.tables.FORMATS``
Format = Literal["percent", "share", "points", "score", "change", "number", "count"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Words(_Strict):
    """The same words in both languages."""

    en: Text
    zh: Text


class Fact(_Strict):
    """One published number and the cells of this suite's tables that answer to it.

    Attributes
    ----------
    row : str
        Names the table's row; ``latest`` the last one. Rows of the same class are added up.
    column : str or list of str
        Several columns are added up.
    minus : str or None
        A column to be taken off.
    value : float, str or None
        As printed: a fraction for returns and weights, a name for ``held``, nothing for ``first``,
        ``last`` and ``listed``.
    alternatives : list of str
        Other rows that may hold the same thing, such as another fund of the same role; what is
        listed is added up.
    relation : str
        How it was said: ``equal``, ``about``, ``above``, ``below``; ``first`` and ``last`` in the
        order of the column; ``held`` among the columns' names; ``listed`` among the exhibit's rows.
    tolerance, reason, why, format : optional
        In place of the exhibit's.
    """

    row: Text
    column: Text | Annotated[list[Text], Field(min_length=1)]
    minus: Text | None = None
    alternatives: list[Text] = []
    value: float | str | None = None
    relation: Relation = "equal"
    name: Text | None = None
    name_en: Text | None = None
    tolerance: Tolerance | None = None
    reason: Reason | None = None
    why: Words | None = None
    format: Format | None = None

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        return [self.column] if isinstance(self.column, str) else self.column

    @model_validator(mode="after")
    def _value_fits_relation(self):
        """Return the fact, or raise when its relation takes another kind of value."""
        kind = {"first": type(None), "last": type(None), "listed": type(None), "held": str}.get(
            self.relation, float
        )
        if not isinstance(self.value, kind):
            needed = {
                "NoneType": "no value",
                "str": "a name as its value",
                "float": "a number as its value",
            }
            raise ValueError(
                f"the relation {self.relation} of {self.row} takes {needed[kind.__name__]}"
            )
        return self


class Exhibit(_Strict):
    """The published numbers of one exhibit, and what holds for all of them.

    Attributes
    ----------
    tolerance, reason, why, format
        For every fact that does not set its own; the tolerance is the widest that a fact can have,
        ``tolerance_of``.
    supplement : str or None
        Number of the supplement that lists the rows which the exhibit leaves out, such as ``s17``.
    weights : bool
        The numbers are weights: one of zero, and a row that the run's table does not list, is not
        held.
    facts : list of Fact
    """

    tolerance: Tolerance
    reason: Reason
    why: Words
    format: Format | None = None
    supplement: Annotated[str, Field(pattern=r"s\d{2}")] | None = None
    weights: bool = False
    facts: Annotated[list[Fact], Field(min_length=1)]

    def format_of(self, fact: Fact) -> str:
        """Return how a fact's number is written."""
        return fact.format or self.format or ROW_FORMATS.get(fact.row, "percent")

    def tolerance_of(self, fact: Fact) -> float:
        r"""Return the largest difference that counts as reproduced.

        With the printed number :math:`x`, half a unit :math:`u` of its last printed digit and the
        widest tolerance
        :math:`w`,

        .. math:: \min(w, \max(u, |x| / 10)).

        A number that was said with "about" has one digit: its tolerance is :math:`w`, half a unit
        of that digit.
        """
        widest = self.tolerance if fact.tolerance is None else fact.tolerance
        if fact.relation != "equal" or not isinstance(fact.value, float):
            return widest
        return min(widest, max(HALF_UNITS[self.format_of(fact)], TOLERATED_SHARE * abs(fact.value)))


class Elsewhere(_Strict):
    """A published number that no exhibit can show."""

    name: Text
    name_en: Text
    value: float
    relation: Relation = "equal"
    format: Format


class Week(_Strict):
    """Everything that was published for one week."""

    as_of: Annotated[str, Field(pattern=r"\d{4}-\d{2}-\d{2}")]
    published: Annotated[str, Field(pattern=r"\d{4}-\d{2}-\d{2}")]
    report: Words
    exhibits: dict[Number, Exhibit]
    elsewhere: list[Elsewhere] = []


def published_week(as_of, folder: Path = PUBLISHED_FOLDER) -> Week | None:
    """Read what was published for the week that ends with a session; None when there is no file for
    it.

    Raises
    ------
    ParameterError
        The file cannot be read, or does not say what it has to; with place and remedy.
    """
    path = Path(folder) / f"{pd.Timestamp(as_of):%Y-%m-%d}.yaml"
    if not path.exists():
        return None
    content = read_yaml(path)
    unquoted = [
        key for key in ("as_of", "published") if isinstance(content.get(key), datetime.date)
    ]
    if unquoted:
        raise ParameterError(
            f"{unquoted[0]} is not text",
            file=path,
            remedy=f"put the date of {unquoted[0]} in quotes",
        )
    week = checked(Week, content, path)
    if week.as_of != path.stem:
        raise ParameterError(
            f"the file of {path.stem} says as_of: {week.as_of}",
            file=path,
            remedy="rename the file, or correct as_of",
        )
    known = read_plan().exhibits
    unknown = [number for number in week.exhibits if number not in known]
    if unknown:
        raise ParameterError(
            f"there is no exhibit {unknown[0]}",
            file=path,
            remedy=f"params/weekly.yaml lists the exhibits: {', '.join(known)}",
        )
    return week


def published(as_of, exhibit: str | None = None, folder: Path = PUBLISHED_FOLDER) -> pd.DataFrame:
    """Return the published numbers of a week, to be shown with one's own.

    Parameters
    ----------
    as_of : date
        Last session of the week.
    exhibit : str, optional
        Its number, such as ``"12"``; all exhibits when left out.
    folder : Path
        Of the files, one per week.

    Returns
    -------
    DataFrame
        One row per published number: ``exhibit``, ``row`` and ``column`` (its place in the
        exhibit's table), ``minus``, ``name``, ``name_en``, ``value`` (fractions), ``relation``,
        ``format``. Empty when nothing was published for that date.

    Examples
    --------
    >>> numbers = published("2025-06-13", "12")
    >>> numbers[numbers["column"] == "strategy"].set_index("row")["value"]["sharpe"]
    1.69
    """
    week = published_week(as_of, folder)
    rows = [
        fact.model_dump(include={"row", "name", "name_en", "column", "minus", "value", "relation"})
        | {"exhibit": number, "format": part.format_of(fact)}
        for number, part in (week.exhibits if week else {}).items()
        for fact in part.facts
        if exhibit in (None, number)
    ]
    return pd.DataFrame(rows, columns=PUBLISHED_COLUMNS)


def with_published(measured: pd.DataFrame, market: Market, exhibit: str) -> pd.DataFrame:
    """Return a performance table with the published figures of the week in a column of their own.

    Parameters
    ----------
    measured : DataFrame
        One row per metric, with a column ``strategy``.
    market : Market
        Its last completed week is compared.
    exhibit : str
        The exhibit's number.

    Returns
    -------
    DataFrame
        With ``published`` as the last column, NaN where a metric was not published; as it came when
        nothing was published for the market's last session, or when its data are synthetic and
        nothing can be compared.
    """
    facts = published(market.week.last, exhibit)
    facts = facts[(facts["column"] == "strategy") & facts["minus"].isna()]
    if market.source.synthetic or facts.empty:
        return measured
    return measured.assign(
        published=facts.set_index("row")["value"].astype(float).reindex(measured.index)
    )
