"""Each check finds its fault, and nothing in a clean folder."""

import numpy as np
import pandas as pd
import pytest
from market_folder import INSTRUMENTS, SESSIONS, tables

from lib.market.calendar import Sessions
from lib.market.errors import DataError
from lib.market.schema import TABLES, Batch
from lib.market.validation import ValidationContext, validate_batch

KINDS = pd.DataFrame.from_dict(
    INSTRUMENTS, orient="index", columns=["name", "name_en", "kind", "group"]
)


def canonical(table, frame):
    frame = frame.reindex(columns=list(TABLES[table])).reset_index(drop=True)
    for column, kind in TABLES[table].items():
        if kind == "number":
            frame[column] = frame[column].astype("float64")
        elif kind == "date":
            frame[column] = pd.to_datetime(frame[column]).astype("datetime64[ns]")
    return frame


def bars(kind="etf"):
    return canonical("bars", tables()[f"bars/{kind}.csv"])


def judge(frame, table="bars", kind="etf", previous=None):
    previous = pd.Series(dtype="int64") if previous is None else previous
    batch = Batch(table, f"{table}.csv", "x", lambda: frame, kind if table == "bars" else None)
    return validate_batch(batch, frame, ValidationContext(Sessions.load(), KINDS, previous))


def found(checked, name):
    return checked.findings[checked.findings["check"] == name]


@pytest.mark.parametrize("kind", ["etf", "stock", "sector", "broad_index", "global_index", "yield"])
def test_clean_bars_pass_untouched(kind):
    checked = judge(bars(kind), kind=kind)
    assert not len(checked.findings) and not len(checked.quarantined)
    given = bars(kind).sort_values(["symbol", "date"], ignore_index=True)
    pd.testing.assert_frame_equal(checked.rows, given)


def put(column, value, row=30):
    def change(frame):
        frame.loc[row, column] = value
        return frame

    return change


def again(frame):
    return pd.concat([frame, frame.iloc[[7]]], ignore_index=True)


def contradicted(frame):
    return pd.concat(
        [frame, frame.iloc[[7]].assign(close=lambda rows: rows["close"] * 1.001)], ignore_index=True
    )


@pytest.mark.parametrize(
    ("spoil", "level", "name", "lost"),
    [
        (put("symbol", "510301.SH"), "refuse", "unknown symbol", 1),
        (put("symbol", "600519.SH"), "refuse", "other kind", 1),
        (put("date", pd.NaT), "quarantine", "key missing", 1),
        (put("date", pd.Timestamp("2025-01-01")), "quarantine", "not a session", 1),
        (put("close", np.nan), "quarantine", "no close", 1),
        (put("close", np.inf), "quarantine", "infinite", 1),
        (put("close", -1.0), "quarantine", "raw level unknown", 1),
        (contradicted, "quarantine", "conflicting rows", 2),
        (again, "repair", "duplicate row", 0),
        (put("high", 1.0), "repair", "high inconsistent", 0),
        (put("low", 1e6), "repair", "low inconsistent", 0),
        (put("open", 0.0), "repair", "open not positive", 0),
        (put("volume", -5.0), "repair", "negative volume", 0),
        (put(["open", "high", "low", "volume"], 0.0), "repair", "zeros for unknown", 0),
        (put("close", 190.0), "warn", "jump", 0),
    ],
)
def test_a_fault_is_found_named_and_counted(spoil, level, name, lost):
    frame = spoil(bars())
    checked = judge(frame)
    hits = found(checked, name)
    assert (
        set(hits["level"]) == {level}
        and (hits["detail"] != "").all()
        and (hits["remedy"] != "").all()
    )
    assert len(checked.rows) == len(bars()) - min(lost, 1)
    if level in ("refuse", "quarantine"):
        assert hits["row_count"].sum() == lost
    assert len(checked.quarantined) == (lost if level == "quarantine" else 0)


def test_zeros_for_unknown_keep_the_close_and_empty_the_volume():
    frame = bars("sector")
    frame.loc[5, ["open", "high", "low", "volume"]] = 0.0
    row = frame.loc[5]
    checked = judge(frame, kind="sector")
    stored = checked.rows[
        (checked.rows["symbol"] == row["symbol"]) & (checked.rows["date"] == row["date"])
    ].iloc[0]
    assert (
        stored["close"] == row["close"] and stored[["open", "high", "low", "volume"]].isna().all()
    )
    assert len(checked.repairs) == 1


def test_a_close_of_zero_is_set_aside_but_a_negative_yield_is_not():
    for kind, lost in (("sector", 1), ("yield", 0)):
        checked = judge(put("close", -0.4)(bars(kind)), kind=kind)
        assert len(checked.quarantined) == lost == len(found(checked, "not positive"))


def test_lots_become_shares():
    frame = bars()
    frame["volume"] /= 100
    checked = judge(frame)
    assert found(checked, "volume in lots")["row_count"].sum() == len(frame)
    np.testing.assert_allclose(
        (checked.rows["amount"] / checked.rows["volume"] / checked.rows["close"]), 1
    )


def test_fractions_for_percent_are_flagged():
    frame = bars("yield")
    prices = ["open", "high", "low", "close"]
    frame[prices] /= 100
    assert len(found(judge(frame, kind="yield"), "unit")) == 1


def test_an_open_equal_to_the_close_is_flagged():
    frame = bars("global_index")
    frame["open"] = frame["close"]
    assert len(found(judge(frame, kind="global_index"), "open is close")) == 1


def test_a_session_missing_from_a_group_and_a_symbol_that_stops():
    frame = bars("sector")
    frame = frame[frame["date"] != SESSIONS[40]]
    late = (frame["symbol"] == "801050.SI") & (frame["date"] > SESSIONS[100])
    checked = judge(frame[~late].reset_index(drop=True), kind="sector")
    missing = found(checked, "session missing")
    assert len(missing) == 1 and missing["last_date"].iloc[0] == SESSIONS[41], (
        "dated by the session that shows it"
    )
    stop = found(checked, "rows stop")
    assert stop["symbol"].tolist() == ["801050.SI"] and stop["last_date"].iloc[0] == SESSIONS[110]


def test_fewer_rows_than_before_are_named():
    previous = pd.Series({"510300.SH": len(SESSIONS) + 10, "159915.SZ": len(SESSIONS)})
    hits = found(judge(bars(), previous=previous), "fewer rows")
    assert hits["symbol"].tolist() == ["510300.SH"]


def test_later_rows_change_no_finding():
    rng = np.random.default_rng(4)
    frame = bars().sort_values(["symbol", "date"], ignore_index=True)
    frame.loc[20, "high"] = 1.0
    # dividends subtracted
    frame.loc[frame["date"] < "2025-03-01", ["open", "high", "low", "close"]] -= 30
    cut = pd.Timestamp("2025-02-14")
    other = frame.copy()
    later = (other["date"] > cut).to_numpy()
    wild = rng.uniform(0.2, 5, (later.sum(), 6))
    other.loc[later, ["open", "high", "low", "close", "volume", "amount"]] *= wild
    other = other.drop(other.index[later][::3]).reset_index(drop=True)
    one, two = judge(frame), judge(other)
    assert len(found(one, "subtracted dividends")) > 50
    for left, right, day in (
        (one.rows, two.rows, "date"),
        (one.findings, two.findings, "last_date"),
    ):
        order = ["symbol", day] + (["check"] if day == "last_date" else [])
        left, right = (
            part[part[day] <= cut].sort_values(order, ignore_index=True) for part in (left, right)
        )
        pd.testing.assert_frame_equal(left, right)


def test_tables_other_than_bars():
    values = canonical("valuation", tables()["valuation.csv"])
    values.loc[0, ["pe_ttm", "pb"]] = np.nan
    values.loc[1, "pe_ttm"] = -12.0
    checked = judge(values, "valuation")
    assert len(found(checked, "no value")) == 1 and (checked.rows["pe_ttm"] < 0).sum() == 1
    members = canonical("constituents", tables()["constituents.csv"])
    members["weight"] /= 100
    assert len(found(judge(members, "constituents"), "weights do not sum to 100")) == 3
    releases = canonical("macro", tables()["macro.csv"])
    releases.loc[2, "release_date"] = pd.Timestamp("2020-01-01")
    releases.loc[3, "release_date"] = pd.NaT
    checked = judge(releases, "macro")
    assert (
        len(found(checked, "released before its period")) == 1
        and len(found(checked, "key missing")) == 1
    )
    listed = canonical("instruments", tables()["instruments.csv"])
    listed.loc[0, "kind"] = "broad_indx"
    checked = judge(listed, "instruments")
    hit = found(checked, "unknown kind").iloc[0]
    assert (
        hit["level"] == "refuse"
        and "broad_index" in hit["detail"]
        and hit["symbol"] not in set(checked.rows["symbol"])
    )


def test_frames_that_are_not_a_table_are_refused():
    with pytest.raises(DataError, match="close is missing"):
        judge(bars().drop(columns="close"))
    with pytest.raises(DataError, match="type"):
        judge(bars().astype({"close": "str"}))
    with pytest.raises(DataError, match="no rows"):
        judge(bars().iloc[:0])


@pytest.mark.parametrize("kind", ["etf", "global_index"])
@pytest.mark.parametrize("days", [2, 200, 3000])
def test_rows_dated_in_the_future_are_set_aside(kind, days):
    rows = tables()[f"bars/{kind}.csv"]
    future = pd.Timestamp.now().normalize() + pd.Timedelta(days=days)
    late = rows.iloc[[-1]].assign(date=future)
    result = judge(canonical("bars", pd.concat([rows, late], ignore_index=True)), kind=kind)
    assert len(result.rows) == len(rows)
    assert result.quarantined["check"].tolist() == ["in the future"]


def test_sessions_past_the_horizon_are_those_of_the_data(monkeypatch):
    horizon = Sessions.load().horizon
    later = pd.bdate_range(horizon + pd.Timedelta(days=1), periods=8)
    clock = lambda tz=None: (later[-1] + pd.Timedelta(hours=20)).tz_localize(tz)  # noqa: E731
    monkeypatch.setattr(pd.Timestamp, "now", clock)
    rows = tables()["bars/etf.csv"]
    more = [rows.groupby("symbol").tail(1).assign(date=day) for day in later]
    result = judge(canonical("bars", pd.concat([rows, *more], ignore_index=True)))
    assert not len(result.quarantined)
    assert set(later) <= set(result.rows["date"])
