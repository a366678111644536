"""Structural facts: what a published weekly prints about its weights, and whether an allocation
shows the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from lib.exhibits.parameters import PARAMS
from lib.exhibits.published import published
from lib.market.errors import ParameterError
from lib.market.pointintime import Market
from lib.portfolio.allocation import Allocation

FACTS_FILE = PARAMS / "structural_facts.csv"
#: a smaller weight is not held
HELD = 1e-4
#: how near a weight has to be to one that was printed as "about", unless the fact says so itself
ABOUT = 0.05
VERDICTS = ("met", "not_met", "not_held", "not_compared")
FACT_COLUMNS = [
    "as_of",
    "measure",
    "members",
    "relation",
    "published",
    "tolerance",
    "name",
    "name_en",
]
MEASURES = ("weight", "weight_change", "active_weight", "active_risk_budget")
RELATIONS = ("about", "above", "below")


def read_facts(market: Market, path: Path = FACTS_FILE) -> pd.DataFrame:
    """Return the facts to compare with: printed weights of the week, and statements about classes.

    Returns
    -------
    DataFrame
        ``name``, ``name_en``, ``measure``, ``members`` (list of symbols or classes), ``relation``,
        ``published`` (a fraction; NaN where the data are synthetic or the statement was made for
        another week), ``tolerance`` (of the relation ``about``, a fraction).

    Raises
    ------
    ParameterError
        The file is missing, lacks a column, or has a measure or relation that does not exist.
    """
    weights = published(market.week.last, "16").rename(columns={"value": "published"})
    weights = weights[weights["relation"].isin(RELATIONS)]
    members = [one if isinstance(one, list) else [one] for one in weights["column"]]
    weights = weights.assign(measure="weight", members=members, tolerance=ABOUT)
    said = _read(path)
    said["published"] = said["published"].where(said["as_of"] == market.week.last)
    columns = ["name", "name_en", "measure", "members", "relation", "published", "tolerance"]
    facts = pd.concat([part[columns] for part in (weights, said) if len(part)], ignore_index=True)
    facts["published"] = facts["published"].astype(float)
    return facts.assign(published=np.nan) if market.source.synthetic else facts


def _read(path: Path) -> pd.DataFrame:
    """Return the statements of the file, ``members`` as lists."""
    if not path.exists():
        raise ParameterError(
            "the file of structural facts is missing", file=path, remedy="restore it"
        )
    table = pd.read_csv(path, comment="#", encoding="utf-8-sig")
    missing = [column for column in FACT_COLUMNS if column not in table]
    if missing:
        raise ParameterError(
            f"column {missing[0]} is missing",
            file=path,
            remedy=f"columns: {', '.join(FACT_COLUMNS)}",
        )
    for column, known in (("measure", MEASURES), ("relation", RELATIONS)):
        unknown = table.loc[~table[column].isin(known), column]
        if len(unknown):
            raise ParameterError(
                f"fact {unknown.index[0] + 1} has the {column} {unknown.iloc[0]}",
                file=path,
                remedy=f"use {', '.join(known)}",
            )
    vague = table.index[table["relation"].eq("about") & table["tolerance"].isna()]
    if len(vague):
        raise ParameterError(
            f"fact {vague[0] + 1} says about without a tolerance",
            file=path,
            remedy="give the largest difference",
        )
    return table.assign(as_of=pd.to_datetime(table["as_of"]), members=table["members"].str.split())


def structural_facts(
    facts: pd.DataFrame,
    allocations: Mapping[str, Allocation],
    classes: pd.Series,
    equal_weight: pd.DataFrame,
) -> pd.DataFrame:
    """Compare the facts with the weights at the last decision of each allocation.

    An asset or class that is not held meets no fact: a weight of zero is not a weight "below 1%".

    Parameters
    ----------
    facts : DataFrame
        As ``read_facts`` returns them.
    allocations : mapping of variant to Allocation
        Weights of each variant, (K, N).
    classes : Series, (N,)
        Class of each asset.
    equal_weight : DataFrame, (K, N)
        Equal weights of the assets that could be held.

    Returns
    -------
    DataFrame
        ``name``, ``name_en``, ``relation``, ``published``, then for each variant its value (a
        fraction) and ``<variant>_verdict``, one of ``VERDICTS``; ``format``: how the values of a
        row are shown.
    """
    table = facts.drop(columns=["members", "measure", "tolerance"])
    table["format"] = np.where(facts["measure"] == "weight", "share", "percent")
    for variant, made in allocations.items():
        pairs = [_measured(fact, made, classes, equal_weight) for _, fact in facts.iterrows()]
        table[variant] = [value for value, _ in pairs]
        table[f"{variant}_verdict"] = [
            _verdict(fact, value, held)
            for (_, fact), (value, held) in zip(facts.iterrows(), pairs, strict=True)
        ]
    return table


def _measured(
    fact: pd.Series, made: Allocation, classes: pd.Series, equal_weight: pd.DataFrame
) -> tuple[float, bool]:
    """Return what an allocation shows for a fact, and whether it holds what the fact is about."""
    members = classes.index[classes.isin(fact["members"])].union(
        classes.index.intersection(fact["members"])
    )
    weights = made.weights[members].sum(axis=1)
    last = float(weights.iloc[-1])
    match fact["measure"]:
        case "weight":
            value = last
        case "weight_change":
            value = last - float(weights.iloc[-2]) if len(weights) > 1 else np.nan
        case "active_weight":
            value = last - float(equal_weight.loc[weights.index[-1], members].sum())
        case "active_risk_budget":
            budgets = made.budgets.iloc[-1]
            value = float(budgets.reindex(fact["members"]).sum()) - len(fact["members"]) / len(
                budgets
            )
    return value, last > HELD


def _verdict(fact: pd.Series, value: float, held: bool) -> str:
    if np.isnan(fact["published"]) or np.isnan(value):
        return "not_compared"
    if not held:
        return "not_held"
    gap = value - fact["published"]
    met = {"about": abs(gap) <= fact["tolerance"], "below": gap < 0, "above": gap > 0}[
        fact["relation"]
    ]
    return "met" if met else "not_met"
