"""Calls stay on record as they were first made, and are judged at later prices only."""

import itertools
import json
import math
from html import unescape

import numpy as np
import pandas as pd
import pytest
from market_folder import SESSIONS, tables, write_folder
from run_folder import manifest as manifest_of
from run_folder import write_run
from test_run import House

from lib.exhibits.positions import next_month_trade, positions
from lib.exhibits.translations import translations
from lib.market.errors import RunError
from lib.market.ingest import open_market
from lib.report.calls import CALLS_FILE, Call, Holding, Record, join_calls, read_record
from lib.report.look_back import DAMAGED, RESULT, look_back, sentences
from lib.report.track_record import earlier_records, outcomes, summary

SECTORS = ["801010.SI", "801050.SI"]
FUNDS = ["510300.SH", "159915.SZ"]
SOURCE = {"source": "folder", "source_label": {"en": "a folder", "zh": "某数据"}}


@pytest.fixture(scope="module")
def market_folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("market"), tables())


@pytest.fixture(scope="module")
def market_on(market_folder, tmp_path_factory):
    stores = tmp_path_factory.mktemp("stores")
    return lambda as_of: open_market(str(market_folder), as_of, store_dir=stores)


def call(system="gp_rotation", weights=None, made="2025-06-13T18:00:00", **changes):
    weights = weights or {SECTORS[0]: 1.0}
    rows = [Holding(symbol=s, name=s, name_en=s, weight=w) for s, w in weights.items()]
    values = dict(
        decided="2025-06-13",
        direction=1,
        each=True,
        rows=rows,
        benchmark={symbol: 0.5 for symbol in SECTORS},
        made=made,
    )
    return Call(system=system, **values | changes)


def record(as_of, *calls, **changes):
    return Record(**{"as_of": as_of, "calls": list(calls)} | SOURCE | changes)


def leave(out, as_of, *calls, **changes):
    """Write a run with calls; return its folder."""
    folder = write_run(out / as_of, {}, **SOURCE | changes)
    made = [one.model_copy(update={"made": f"{as_of}T18:00:00"}) for one in calls]
    record(as_of, *made, **changes).write(folder)
    return folder


def hand_over(folder, *calls):
    """Write the facts of a section that hands over calls."""
    rows = [one.model_dump(exclude={"made", "data", "code"}) for one in calls]
    (folder / "facts").mkdir(parents=True, exist_ok=True)
    (folder / "facts" / "03_gp_rotation.json").write_text(json.dumps({"positions": rows}))


def week_ends(count, until="2025-06-13"):
    """Return the last sessions of the last weeks, by pandas alone."""
    days = pd.Series(SESSIONS[until >= SESSIONS])
    return [f"{day:%Y-%m-%d}" for day in days.groupby(days.dt.to_period("W-SUN")).max()[-count:]]


# ---------------------------------------------------------------- the record


def test_a_call_on_record_stays_and_a_later_run_is_noted(tmp_path):
    manifest = manifest_of(**SOURCE)
    first = call(weights={SECTORS[0]: 1.0})
    kept = join_calls(None, [first], manifest)
    other = call(weights={SECTORS[1]: 1.0}, made="2026-01-01T00:00:00")
    again = join_calls(kept, [other, call(system="absolute_return")], manifest)
    assert [one.targets for one in again.calls if one.system == "gp_rotation"] == [first.targets]
    assert [one.system for one in again.calls] == ["gp_rotation", "absolute_return"]
    assert [one.targets for one in again.later] == [other.targets]
    assert len(join_calls(again, [other], manifest).later) == 1, "the same change is noted once"
    again.write(tmp_path)
    assert read_record(tmp_path) == again.sealed()


@pytest.mark.parametrize(
    ("made", "basis"),
    [
        ("2025-06-13T15:31:00", "live"),
        ("2025-06-20T23:59:00", "live"),
        ("2025-06-21T00:00:00", "recomputed"),
        ("2025-06-12T00:00:00", "recomputed"),
    ],
)
def test_seven_days_divide_live_from_recomputed(made, basis):
    assert record("2025-06-13").basis(call(made=made)) == basis


@pytest.mark.parametrize("damage", ["not json", '{"calls": 1}', "altered", "moved"])
def test_a_damaged_or_altered_record_is_refused(tmp_path, damage):
    folder = leave(tmp_path, "2025-06-06", call())
    path = folder / CALLS_FILE
    if damage == "altered":
        content = json.loads(path.read_text())
        content["calls"][0]["rows"][0]["weight"] = 0.9
        path.write_text(json.dumps(content))
    elif damage == "moved":
        record("2025-05-30", call()).write(folder)
    else:
        path.write_text(damage)
    if damage != "moved":
        with pytest.raises(RunError, match="calls"):
            read_record(folder)
    earlier = earlier_records(tmp_path, manifest_of(**SOURCE))
    assert not earlier.records and earlier.left_out == [("2025-06-06", "damaged")]


def test_runs_of_another_source_of_the_future_or_without_calls_are_named_and_left_out(tmp_path):
    leave(tmp_path, "2025-05-30", call())
    leave(tmp_path, "2025-06-06", call(), source="sample")
    leave(tmp_path, "2025-06-20", call())
    write_run(tmp_path / "2025-05-23", {}, **SOURCE)
    (tmp_path / "2025-05-16").mkdir()
    unreadable = leave(tmp_path, "2025-05-09", call())
    (unreadable / "manifest.json").write_text("{")
    (tmp_path / "interactive").mkdir()
    earlier = earlier_records(tmp_path, manifest_of(**SOURCE))
    assert [one.as_of for one in earlier.records] == ["2025-05-30"]
    assert dict(earlier.left_out) == {
        "2025-06-06": "other_source",
        "2025-06-20": "future",
        "2025-05-23": "no_calls",
        "2025-05-16": "damaged",
        "2025-05-09": "damaged",
    }


# ---------------------------------------------------------------- the judgement


def close_of(files, symbol, date):
    for name, rows in files.items():
        if name.startswith("bars/") and symbol in set(rows["symbol"]):
            own = rows[(rows["symbol"] == symbol) & (rows["date"] <= date)]
            return own["close"].iloc[-1]
    raise KeyError(symbol)


def test_calls_are_counted_as_an_independent_script_counts_them(market_on):
    files = tables()
    fridays = week_ends(12)
    choice = [SECTORS[place % 2] for place in range(len(fridays))]
    records = [
        record(day, call(weights={symbol: 1.0}, made=f"{day}T20:00:00"))
        for day, symbol in zip(fridays[:-1], choice[:-1], strict=True)
    ]
    table, faults = outcomes(records, market_on("2025-06-13"))
    assert not faults
    counted = summary(table).set_index("weeks")
    for weeks in (1, 4, 13):
        excess = []
        for place, day in enumerate(fridays[:-1]):
            if place + weeks >= len(fridays):
                continue
            start = SESSIONS[SESSIONS.searchsorted(pd.Timestamp(day), side="right")]
            end = pd.Timestamp(fridays[place + weeks])
            gains = {s: close_of(files, s, end) / close_of(files, s, start) - 1 for s in SECTORS}
            excess.append(gains[choice[place]] - np.mean(list(gains.values())))
        row = counted.loc[weeks]
        right = sum(gain > 0 for gain in excess)
        assert (row["calls"], row["judged"], row["right"]) == (11, len(excess), right)
        assert row["open"] == 11 - len(excess) and row["unpriced"] == 0
        assert (row["parts"], row["parts_right"]) == (len(excess), right)
        if not excess:
            assert math.isnan(row["hit_rate"]) and row["verdict"] == "too_early"
            continue
        assert row["mean_excess"] == pytest.approx(np.mean(excess), abs=1e-12)
        windows = math.ceil(len(excess) / weeks)
        rate, z = right / len(excess), 1.959963984540054
        centre = (rate + z**2 / (2 * windows)) / (1 + z**2 / windows)
        half = math.sqrt(rate * (1 - rate) / windows + z**2 / (4 * windows**2))
        half *= z / (1 + z**2 / windows)
        assert row["windows"] == windows
        assert (row["low"], row["high"]) == pytest.approx((centre - half, centre + half))
        assert (row["verdict"] == "too_early") == (len(excess) < 8)


def test_live_and_recomputed_calls_are_never_in_one_number(market_on):
    days = week_ends(5)[:-1]
    made = [f"{day}T18:00:00" if place % 2 else "2026-01-01" for place, day in enumerate(days)]
    records = [record(day, call(made=stamp)) for day, stamp in zip(days, made, strict=True)]
    counted = summary(outcomes(records, market_on("2025-06-13"))[0])
    counted = counted[counted["weeks"] == 1].set_index("basis")
    assert counted["calls"].to_dict() == {"recomputed": 2, "live": 2}


def test_a_call_against_is_right_when_it_falls_behind(market_on):
    day = week_ends(3)[0]
    for_it, against = record(day, call()), record(day, call(direction=-1))
    market = market_on("2025-06-13")
    rows = [outcomes([one], market)[0].iloc[0] for one in (for_it, against)]
    assert rows[0]["excess"] == rows[1]["excess"]
    assert {row["outcome"] for row in rows} == {"right", "wrong"}


def test_prices_after_the_date_change_nothing(market_on):
    days = week_ends(6)[:3]
    records = [record(day, call()) for day in days]
    early, late = (outcomes(records, market_on(day))[0] for day in ("2025-05-30", "2025-06-13"))
    closed = early["outcome"].ne("open")
    assert closed.any() and early["outcome"].eq("open").any()
    pd.testing.assert_frame_equal(early[closed], late[closed])


def test_a_basket_without_a_price_is_unpriced_and_one_with_half_is_judged(market_on):
    day = week_ends(3)[0]
    gone = {"600519.SH": 1.0}
    rows = [Holding(symbol="x", name="x", name_en="x", weight=1.0, series=SECTORS[0])]
    records = [
        record(
            day,
            call("stopped", gone),
            call("unknown", {"NONE": 1.0}),
            call("half", {SECTORS[0]: 0.6, "NONE": 0.4}, benchmark={SECTORS[1]: 1.0}),
            call("other_series", rows=rows, benchmark={SECTORS[1]: 1.0}),
            call("no_universe", values={"universe": "none_such", "hedging": "hedged"}),
        )
    ]
    table, faults = outcomes(records, market_on("2025-06-13"))
    whole = table[table["symbol"].isna() & (table["weeks"] == 1)].set_index("system")
    assert whole.loc[["stopped", "unknown", "no_universe"], "outcome"].eq("unpriced").all()
    assert whole.loc["half", "excess"] == pytest.approx(whole.loc["other_series", "excess"])
    assert len(faults) == 1 and "none_such" in faults[0]


def test_a_call_of_a_midweek_session_is_judged_over_whole_weeks(market_on):
    table, _ = outcomes([record("2025-06-04", call())], market_on("2025-06-13"))
    first = table.iloc[0]
    assert (first["start"], first["end"]) == (
        pd.Timestamp("2025-06-05"),
        pd.Timestamp("2025-06-13"),
    )


# ---------------------------------------------------------------- the run


def test_looking_back_writes_record_counts_and_what_would_change(tmp_path, market_on):
    market = market_on("2025-06-13")
    days = week_ends(5)
    for day in days[:-1]:
        leave(tmp_path, day, call())
    target = leave(tmp_path, days[-1], call(weights={SECTORS[1]: 1.0}))
    before = (target / CALLS_FILE).read_bytes()
    folder = write_run(tmp_path / ".building", {}, **SOURCE | {"as_of": days[-1]})
    hand_over(folder, call(), call("absolute_return", {FUNDS[0]: 0.5}, each=False))
    manifest = manifest_of(days[-1], **SOURCE)
    back = look_back(folder, tmp_path, manifest, market, lambda: pd.Timestamp("2025-07-30"))
    back.write(folder, sentences(back, translations("en")))
    assert (target / CALLS_FILE).read_bytes() == before, (
        "the record of the earlier run is not touched"
    )
    assert back.differs == ["gp_rotation"]
    kept = read_record(folder)
    assert {one.system: kept.basis(one) for one in kept.calls} == {
        "gp_rotation": "live",
        "absolute_return": "recomputed",
    }
    assert kept.calls[0].targets == {SECTORS[1]: 1.0}
    assert kept.later[0].data == market.fingerprint() and kept.later[0].code
    result = json.loads((folder / RESULT).read_text())
    assert result["runs"] == days[:-1] and result["differs"] == ["gp_rotation"]
    counted = pd.read_csv(folder / "tables" / "track_record.csv").set_index("weeks")
    assert counted.loc[1, "judged"] == 4 and counted.loc[4, "judged"] == 1
    assert counted["verdict"].eq("too_early").all()
    listed = pd.read_csv(folder / "tables" / "track_record_calls.csv")
    assert len(listed) == 4 * 3 * 2
    assert set(back.latest["as_of"]) == {days[-2]} and set(back.latest["weeks"]) == {1}


def test_a_damaged_record_of_the_same_session_is_kept_beside_the_new_one(tmp_path, market_on):
    target = leave(tmp_path, "2025-06-13", call())
    (target / CALLS_FILE).write_text("torn")
    folder = write_run(tmp_path / ".building", {}, **SOURCE | {"as_of": "2025-06-13"})
    hand_over(folder, call())
    manifest = manifest_of("2025-06-13", **SOURCE)
    back = look_back(folder, tmp_path, manifest, market_on("2025-06-13"))
    back.write(folder, sentences(back, translations("en")))
    assert back.replaced == "damaged" and (folder / DAMAGED).read_text() == "torn"
    assert read_record(folder).calls[0].system == "gp_rotation"


def test_a_run_without_facts_or_earlier_runs_has_an_empty_record(tmp_path, market_on):
    folder = write_run(tmp_path / "2025-06-13", {}, **SOURCE)
    manifest = manifest_of("2025-06-13", **SOURCE)
    back = look_back(folder, tmp_path, manifest, market_on("2025-06-13"))
    back.write(folder, sentences(back, translations("en")))
    assert not back.record.calls and back.summary.empty and back.latest.empty
    assert pd.read_csv(folder / "tables" / "track_record.csv").empty


# ---------------------------------------------------------------- what sections hand over


def test_positions_become_a_call(market_on):
    sessions = market_on("2025-06-13").sessions
    table = pd.DataFrame(
        {
            "name_zh": ["甲", "乙", "丙"],
            "name_en": ["A", "B", "C"],
            "weight": [0.5, 0.0, 0.0],
            "held": [0.0, 0.4, 0.0],
            "fund": ["F", np.nan, "G"],
            "cost": 0.001,
        },
        index=["a", "b", "c"],
    )
    benchmark = pd.Series({"a": 0.5, "b": 0.5, "c": 0.0})
    day = pd.Timestamp("2025-05-30")
    facts = positions("x", table, benchmark, day, held_on=day, due=None)
    made = Call.model_validate(json.loads(json.dumps(facts, default=lambda d: f"{d:%Y-%m-%d}")))
    assert [row.symbol for row in made.rows] == ["a", "b"] and made.rows[1].fund is None
    assert made.targets == {"a": 0.5} and made.benchmark == {"a": 0.5, "b": 0.5}
    held_on = pd.Timestamp("2025-06-13")
    assert next_month_trade(sessions, day, held_on) == pd.Timestamp("2025-07-01")
    assert next_month_trade(sessions, day, day) == pd.Timestamp("2025-06-03")


# ---------------------------------------------------------------- a backfill

OPEN = """from pathlib import Path
from lib.exhibits.notebook_run import Run
from lib.exhibits.translations import translations
from lib.market.ingest import open_market
market = open_market(data, as_of)
run = Run("06_weekly_report", market, language, Path(out), Path(out), translations(language))
"""
SECTION = """from dataclasses import replace
from lib.exhibits.positions import positions
import pandas as pd
run = replace(run, notebook="03_gp_rotation")
symbols = ["801010.SI", "801050.SI"]
closes = run.market.closes(symbols)
best = closes.iloc[-1].div(closes.iloc[-6]).idxmax()
table = pd.DataFrame({"name_zh": symbols, "name_en": symbols, "weight": 0.0}, index=symbols)
table.loc[best, "weight"] = 1.0
table = table.assign(held=0.5, fund=["510300.SH", None], cost=0.001)
day = run.week.last
even = pd.Series(0.5, index=symbols)
call = positions("gp_rotation", table, even, day, each=True, held_on=day, due=None)
run.save_facts({"positions": [call]})"""
ASSEMBLE = """from IPython.display import display
from lib.report.assemble import collect
report = collect(run)
display(report.trades())
display(report.track_record())"""


def test_a_backfill_of_four_weeks_makes_a_track_record_that_a_rerun_does_not_change(
    tmp_path, market_folder, monkeypatch
):
    monkeypatch.setattr("lib.market.ingest.STORES", tmp_path / "stores")
    monkeypatch.setattr("test_run.REPORT", OPEN + ASSEMBLE)
    house = House(tmp_path, market_folder).plan(section=OPEN + SECTION)
    days = week_ends(4)
    for day in (days[1], days[0], *days[2:]):  # the first run is made after a later one
        assert house.run(day, language="zh").status == "ok"
    last = house.out / days[-1]
    result = json.loads((last / RESULT).read_text())
    assert result["runs"] == days[:-1] and not result["left_out"] and not result["differs"]
    first = json.loads((house.out / days[0] / RESULT).read_text())
    assert not first["runs"] and first["left_out"] == [{"run": days[1], "reason": "future"}]
    counted = pd.read_csv(last / "tables" / "track_record.csv").set_index("weeks")
    files = tables()
    right = 0
    for day, end in itertools.pairwise(days):
        start = SESSIONS[SESSIONS.searchsorted(pd.Timestamp(day), side="right")]
        gains = {s: close_of(files, s, end) / close_of(files, s, start) - 1 for s in SECTORS}
        held = json.loads((house.out / day / CALLS_FILE).read_text())["calls"][0]["rows"]
        best = next(row["symbol"] for row in held if row["weight"] > 0)
        right += gains[best] > np.mean(list(gains.values()))
    assert (counted.loc[1, "judged"], counted.loc[1, "right"]) == (3, right)
    assert counted.loc[1, "basis"] == "recomputed" and counted.loc[1, "verdict"] == "too_early"
    page, text = (last / "report.html").read_text(encoding="utf-8"), translations("zh")
    for key in ("track_record", "trades", "value.recomputed"):
        assert text(f"06_weekly_report.{key}") in page
    assert text("06_weekly_report.track_record_early", enough=8) in page
    traded = pd.read_csv(last / "tables" / "trades.csv").set_index("symbol")
    assert np.allclose(traded["from_weight"] + traded["change"], traded["to_weight"])
    assert traded.loc["801050.SI", "status"] == "no_fund"

    before = read_record(last)
    house.plan(section=OPEN + SECTION.replace("idxmax", "idxmin")).run(days[-1])
    after = read_record(last)
    assert after.calls == before.calls and len(after.later) == 1
    assert after.later[0].targets != before.calls[0].targets
    said = translations("en")("06_weekly_report.track_record_differs", systems="Sector rotation")
    assert said in unescape((last / "report.html").read_text(encoding="utf-8"))
