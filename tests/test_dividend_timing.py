"""The three documented signals of the dividend slot."""

import numpy as np
import pandas as pd
import pytest

from lib.market.errors import ModelError
from lib.models.dividend_timing import dividend_timing

DATES = pd.bdate_range("2020-01-01", periods=500)
#: sessions and standard deviations
CHOICE = (20, 0.5)


def noise(seed, scale=1.0):
    return pd.Series(np.random.default_rng(seed).normal(0, scale, len(DATES)).cumsum(), index=DATES)


def inputs():
    return {
        "relative_momentum": noise(1, 0.01),
        "term_spread": noise(2, 0.02),
        "repo_volume": noise(3),
    }


def test_signs_follow_the_record():
    shock = pd.Series(0.0, index=DATES)
    shock.iloc[400:] = 50.0
    for name, vote in {"relative_momentum": 1, "term_spread": -1, "repo_volume": 1}.items():
        x = noise(7, 0.1) + shock
        result = dividend_timing({name: x}, DATES, *CHOICE)
        assert result.signals[name].iloc[410] == vote
        assert bool(result.hold.iloc[410]) is (vote > 0)


def test_the_sum_of_the_votes_decides():
    result = dividend_timing(inputs(), DATES, *CHOICE)
    assert result.missing == ()
    assert set(np.unique(result.signals)) <= {-1.0, 0.0, 1.0}
    pd.testing.assert_series_equal(result.hold, result.signals.sum(axis=1) > 0, check_names=False)
    assert 0.1 < result.hold.mean() < 0.9
    assert not result.hold.iloc[:100].any(), "no view before a window is known"


def test_missing_signals_are_named_not_filled():
    given = {"relative_momentum": inputs()["relative_momentum"], "repo_volume": None}
    result = dividend_timing(given, DATES, *CHOICE)
    assert result.missing == ("term_spread", "repo_volume")
    assert list(result.signals) == ["relative_momentum"]


def test_the_future_does_not_change_the_past():
    cut = DATES[350]
    altered = {name: x.where(x.index < cut, x * 3 + 5) for name, x in inputs().items()}
    before, after = (dividend_timing(given, DATES, *CHOICE) for given in (inputs(), altered))
    pd.testing.assert_frame_equal(before.signals[:349], after.signals[:349])
    assert not before.signals.equals(after.signals), "the alteration is seen where it should be"


def test_inputs_on_other_dates_are_read_at_their_last_value():
    sparse = inputs()["term_spread"].iloc[::3]
    result = dividend_timing({"term_spread": sparse}, DATES, *CHOICE)
    dense = dividend_timing({"term_spread": sparse.reindex(DATES).ffill()}, DATES, *CHOICE)
    pd.testing.assert_frame_equal(result.signals, dense.signals)


def test_bad_input_is_refused_with_its_remedy():
    with pytest.raises(ModelError, match=r"no dividend signal momentum(.|\n)*relative_momentum"):
        dividend_timing({"momentum": noise(1)}, DATES, *CHOICE)
    with pytest.raises(ModelError, match="none of the three"):
        dividend_timing({"repo_volume": pd.Series(dtype=float)}, DATES, *CHOICE)
