"""Structural facts: what was printed about weights, against the weights of a variant."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lib.exhibits.structural_facts import FACTS_FILE, read_facts, structural_facts
from lib.market.errors import ParameterError
from lib.market.universe import read_universe
from lib.portfolio.allocation import Allocation

CLASSES = pd.Series(
    {"CN10Y": "bond", "CN30Y": "bond", "SPX": "equity", "NDX": "equity", "GC": "commodity"}
)
DATES = pd.to_datetime(["2025-04-30", "2025-05-30"])


def market(synthetic=False, as_of="2025-06-13"):
    # made on the Tuesday after: the week that was published counts, not the day of the run
    day = pd.Timestamp(as_of)
    week = SimpleNamespace(last=day)
    return SimpleNamespace(
        as_of=day + pd.Timedelta(days=4), week=week, source=SimpleNamespace(synthetic=synthetic)
    )


def allocation(last, budgets):
    weights = pd.DataFrame(0.1, DATES, CLASSES.index)
    weights.iloc[-1] = pd.Series(last).reindex(CLASSES.index, fill_value=0.0)
    table = pd.DataFrame([budgets, budgets], DATES)
    return Allocation(weights, weights, table, pd.Series(0.03, DATES), pd.DataFrame())


def facts(*rows):
    columns = ["name", "name_en", "measure", "members", "relation", "published", "tolerance"]
    return pd.DataFrame([("事实", "fact", *row, 0.05) for row in rows], columns=columns)


BUDGETS = {"bond": 0.5, "equity": 0.3, "commodity": 0.2}
EQUAL = pd.DataFrame(0.2, DATES, CLASSES.index)


@pytest.mark.parametrize(
    ("fact", "value", "verdict"),
    [
        (("weight", ["CN10Y", "CN30Y"], "about", 0.4), 0.44, "met"),
        (("weight", ["CN10Y", "CN30Y"], "about", 0.3), 0.44, "not_met"),
        (("weight", ["SPX"], "below", 0.01), 0.008, "met"),
        (("weight", ["SPX"], "below", 0.005), 0.008, "not_met"),
        (("weight", ["NDX"], "below", 0.01), 0.0, "not_held"),
        (("weight_change", ["CN30Y"], "about", 0.0), 0.04, "met"),
        (("weight_change", ["CN10Y"], "about", 0.0), 0.2, "not_met"),
        (("active_weight", ["bond"], "above", 0.0), 0.04, "met"),
        (("active_weight", ["equity"], "below", 0.0), 0.008 - 0.4, "met"),
        (("active_weight", ["commodity"], "below", 0.0), -0.2, "not_held"),
        (("active_risk_budget", ["bond"], "above", 0.0), 0.5 - 1 / 3, "met"),
        (("active_risk_budget", ["equity"], "above", 0.0), 0.3 - 1 / 3, "not_met"),
        (("weight", ["SPX"], "below", np.nan), 0.008, "not_compared"),
    ],
)
def test_a_fact_is_measured_and_judged(fact, value, verdict):
    made = allocation({"CN10Y": 0.3, "CN30Y": 0.14, "SPX": 0.008}, BUDGETS)
    row = structural_facts(facts(fact), {"one": made}, CLASSES, EQUAL).iloc[0]
    assert row["one"] == pytest.approx(value)
    assert row["one_verdict"] == verdict


def test_an_empty_portfolio_meets_nothing():
    nothing = allocation({}, dict.fromkeys(BUDGETS, 0.0))
    table = structural_facts(read_facts(market()), {"one": nothing}, CLASSES, EQUAL)
    assert not (table["one_verdict"] == "met").any()


def test_the_facts_of_the_week_are_those_printed_and_of_known_members():
    known = read_universe("allocation")
    table = read_facts(market())
    assert table["published"].notna().all() and len(table) >= 8
    assert {"Chinese government bonds", "S&P 500", "Nasdaq 100"} <= set(table["name_en"])
    for members in table["members"]:
        assert set(members) <= set(known.index) | set(known["group"])


def test_nothing_is_compared_with_a_synthetic_market_or_another_week():
    for other in (market(synthetic=True), market(as_of="2025-06-20")):
        assert read_facts(other)["published"].isna().all()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("active_weight,bond", "excess,bond", "has the measure excess"),
        ("bond,above", "bond,over", "has the relation over"),
        ("as_of,measure", "date,measure", "column as_of is missing"),
        ("about,0,0.02", "about,0,", "about without a tolerance"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path, old, new, message):
    path = tmp_path / "facts.csv"
    path.write_text(FACTS_FILE.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(ParameterError, match=message) as caught:
        read_facts(market(), path)
    assert "facts.csv" in str(caught.value)
    with pytest.raises(ParameterError, match="missing"):
        read_facts(market(), tmp_path / "none.csv")
