"""The sector view: kept, point-in-time, and silent before the rotation has a library."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_gp_search import SEARCH as MINING

from lib.exhibits.parameters import checked, load, model_of
from lib.market.calendar import Sessions
from lib.market.errors import ParameterError
from lib.market.panel import Panel
from lib.market.universe import read_universe
from lib.models import sector_view as module
from lib.models.gp.composite import rotation_scores
from lib.models.gp.inputs import factor_inputs, join_panels
from lib.models.gp.mining import window_at
from lib.models.gp.settings import MiningSettings
from lib.models.gp.walkforward import close_only_quarters, mining_ends, walk_forward_mining
from lib.models.sector_view import join_views, scores_by_seed, sector_panels, sector_view

DATES = Sessions.load().between("2020-01-02", "2022-03-31")
SECTORS = 15
SMALL = {"population": 20, "generations": 1, "window": 300, "validation": 60, "horizon": 5}
SETTINGS = MiningSettings(**MINING | SMALL | {"min_train_t": 0.0, "min_validation_t": 0.0})
SEARCH = {"settings": SETTINGS, "seeds": 1, "first_mined": "2021-09-01"}


def panels(until=DATES[-1], spoil_after=None, seed=4):
    rng = np.random.default_rng(seed)
    shape = (len(DATES), SECTORS)
    close = 100 * np.exp(rng.normal(0, 0.015, shape).cumsum(axis=0))
    fields = {"close": close, "volume": rng.uniform(1e6, 2e6, shape)}
    fields |= {"open": close * 1.001, "high": close * 1.01, "low": close * 0.99}
    fields["amount"] = fields["volume"] * close
    if spoil_after is not None:
        late = spoil_after < DATES
        for values in fields.values():
            values[late] *= np.random.default_rng(9).uniform(0.5, 2.0, (late.sum(), SECTORS))
    symbols = pd.Index([f"s{k}" for k in range(SECTORS)])
    prices = Panel(DATES, symbols, fields, np.ones(shape, bool)).until(until)
    nothing = {name: np.full(prices.shape, np.nan) for name in ("pe_ttm", "pb")}
    return prices, Panel(prices.dates, symbols, nothing, np.zeros(prices.shape, bool))


def test_scores_start_with_the_first_library_and_know_nothing_later():
    cut = pd.Timestamp("2022-01-31")
    scores = sector_view(*panels(), **SEARCH)
    first = scores.dropna(how="all").index[0]
    assert pd.Timestamp("2021-09-01") <= first <= pd.Timestamp("2021-12-31")
    later = sector_view(*panels(spoil_after=cut), **SEARCH)
    pd.testing.assert_frame_equal(scores.loc[:cut], later.loc[:cut])
    assert not np.allclose(scores.loc[cut:].iloc[5:], later.loc[cut:].iloc[5:], equal_nan=True)


def test_there_is_no_view_before_the_first_quarter_end():
    scores = sector_view(*panels(until="2021-06-30"), **SEARCH)
    assert scores.isna().all(axis=None) and scores.index[-1] == pd.Timestamp("2021-06-30")


def test_kept_scores_are_the_same_and_depend_on_data_and_search(tmp_path, monkeypatch):
    made = sector_view(*panels(), **SEARCH, cache_dir=tmp_path)
    sector_view(
        *panels(), **SEARCH | {"settings": replace(SETTINGS, horizon=6)}, cache_dir=tmp_path
    )
    sector_view(*panels(until="2022-03-30"), **SEARCH, cache_dir=tmp_path)
    assert len(list((tmp_path / "sector_view").iterdir())) == 3
    sector_view(*panels(), **SEARCH, mining=panels(seed=5), cache_dir=tmp_path)
    assert len(list((tmp_path / "sector_view").iterdir())) == 4
    monkeypatch.setattr(module, "walk_forward_mining", lambda *_, **__: pytest.fail("mined again"))
    again = sector_view(*panels(), **SEARCH, cache_dir=tmp_path)
    pd.testing.assert_frame_equal(made, again, check_freq=False)


def test_formulas_may_be_mined_on_other_sectors_and_know_nothing_later():
    cut = pd.Timestamp("2022-01-31")
    scored, mined = panels(), panels(seed=5)
    scores = sector_view(*scored, **SEARCH, mining=mined)
    assert not scores.equals(sector_view(*scored, **SEARCH))
    later = sector_view(*scored, **SEARCH, mining=panels(seed=5, spoil_after=cut))
    pd.testing.assert_frame_equal(scores.loc[:cut], later.loc[:cut])
    assert not scores.equals(later)


def test_mined_sectors_serve_before_the_handover_and_are_scored_no_longer_than_needed(monkeypatch):
    scored, mined = panels(), panels(seed=5)
    alone = sector_view(*scored, **SEARCH, mining=mined)
    earlier = sector_view(*mined, **SEARCH)
    counterparts = pd.Series({"s0": "s3", "s1": "s4"})
    handover = "2022-01-28"
    until = []

    def rows(inputs, first, stop):
        until.append(inputs.dates[stop - 1])
        return whole_rows(inputs, first, stop)

    whole_rows = module.Inputs.rows
    monkeypatch.setattr(module.Inputs, "rows", rows)
    joined = sector_view(*scored, **SEARCH, mining=mined, earlier=(counterparts, handover))
    expected = join_views(alone, earlier, counterparts, handover)
    pd.testing.assert_frame_equal(joined, expected)
    assert (
        joined.loc[:handover, "s0"].notna().any() and joined.loc[:"2022-01-27", "s2"].isna().all()
    )
    assert pd.Timestamp("2022-01-27") in until


def test_scores_do_not_depend_on_which_sessions_are_asked_for():
    scored, mined = panels(), panels(seed=5)
    earlier = (pd.Series({"s0": "s3", "s1": "s4"}), "2022-01-28")
    every = sector_view(*scored, **SEARCH, mining=mined, earlier=earlier)
    asked = pd.DatetimeIndex(["2021-12-31", "2022-01-05", "2022-03-01", "2022-03-05"])
    some = sector_view(*scored, **SEARCH, mining=mined, earlier=earlier, sessions=asked)
    assert every.loc[asked[:3]].notna().any(axis=1).all()
    pd.testing.assert_frame_equal(some, every.loc[asked[:3]], check_freq=False)


def test_scores_of_the_seeds_are_cached(tmp_path, monkeypatch):
    prices, valuations = panels()
    inputs = factor_inputs(join_panels(prices, valuations))
    libraries = walk_forward_mining(inputs, SETTINGS, (0, 1), first="2021-09-01")
    weeks = inputs.dates[inputs.dates >= "2021-12-01"][::5]
    made = scores_by_seed(inputs, libraries, weeks, tmp_path)
    whole = rotation_scores(inputs, libraries, by_seed=True, since=weeks[0])
    assert sorted(made) == [0, 1] and made[0].drop(weeks).isna().all(axis=None)
    pd.testing.assert_frame_equal(made[0].loc[weeks], whole[0].loc[weeks], check_freq=False)
    monkeypatch.setattr(module, "rotation_scores", lambda *_, **__: pytest.fail("scored again"))
    again = scores_by_seed(inputs, libraries, weeks, tmp_path)
    pd.testing.assert_frame_equal(made[1], again[1], check_freq=False)


def test_an_earlier_view_serves_until_the_first_quarter_and_where_the_view_is_missing():
    days = DATES[:6]
    view = pd.DataFrame(
        {"a": [np.nan, 1, 2, np.nan, 4, 5], "b": [np.nan, 1, 2, np.nan, np.nan, 5]}, days
    )
    earlier = pd.DataFrame({"x": np.arange(5.0) * 10, "other": 7.0}, days[:5])
    joined = join_views(view, earlier, pd.Series({"a": "x", "b": "gone"}), f"{days[2]:%Y-%m-%d}")
    assert joined["a"].tolist() == [0, 10, 2, 30, 4, 5]
    assert joined["b"].isna().tolist() == [
        True,
        True,
        False,
        True,
        True,
        False,
    ], "a session has one classification"
    changed = view.copy()
    changed.iloc[4:] = 99.0
    pd.testing.assert_frame_equal(
        join_views(changed, earlier, pd.Series({"a": "x", "b": "gone"}), days[2]).iloc[:4],
        joined.iloc[:4],
    )


def test_sector_panels_hold_the_sectors_that_the_data_have(sample_market, monkeypatch):
    prices, valuations = sector_panels(sample_market, "sectors_citic1")
    assert prices.symbols.equals(
        read_universe("sectors_citic1").index
    ) and valuations.symbols.equals(prices.symbols)
    few = read_universe("sectors_citic1").rename(
        index=lambda symbol: f"x{symbol}" if symbol > "CI005014.WI" else symbol
    )
    monkeypatch.setattr(module, "read_universe", lambda _: few)
    assert sector_panels(sample_market, "sectors_citic1") is None
    monkeypatch.setattr(module, "read_universe", lambda _: few.iloc[:14])
    with pytest.raises(ParameterError, match="14 sectors"):
        sector_panels(sample_market, "sectors_citic1")


def test_a_list_that_does_not_exist_or_is_too_short_is_a_wrong_parameter(tmp_path):
    values = load("03_gp_rotation").model_dump()
    with pytest.raises(ParameterError, match="did you mean sectors_citic1"):
        checked(model_of("03_gp_rotation"), values | {"mined_on": "sectors_citic"}, tmp_path)
    with pytest.raises(ParameterError, match="at least 15"):
        checked(model_of("03_gp_rotation"), values | {"mined_on": "reference"}, tmp_path)


@pytest.mark.real
def test_the_real_sectors_are_mined_to_the_last_quarter_end_with_full_bars(real_market):
    values = load("03_gp_rotation").model_dump()
    settings = MiningSettings(
        **{name: values[name] for name in values if name in MiningSettings.__dataclass_fields__}
    )
    inputs = factor_inputs(join_panels(*sector_panels(real_market, values["mined_on"])))
    ends = mining_ends(inputs, settings, values["first_mined"])
    assert [f"{day:%Y-%m-%d}" for day in inputs.dates[ends[[0, -1]]]] == [
        "2018-12-28",
        "2024-12-31",
    ]
    assert list(close_only_quarters(inputs, values["first_mined"])) == [pd.Timestamp("2025-03-31")]
    # the bars that the trials were made with, 0.03 and 0.02, at a full window
    window = window_at(inputs, ends[-1], settings)
    assert settings.min_train_t * window.training.null_standard_error == pytest.approx(
        0.03, rel=0.02
    )
    assert settings.min_validation_t * window.validation.null_standard_error == pytest.approx(
        0.02, rel=0.03
    )
