"""Each operator against a slow pandas oracle, on price levels, with holes, ties and constants."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.market.errors import ParameterError
from lib.models.gp.operators import OPERATORS, operator_set


def finite(frame):
    return frame.where(np.isfinite(frame) & (frame.abs() < 1e100))


def both(x, y):
    return x.notna() & y.notna()


def decay(x, d):
    weights = np.arange(1, d + 1)
    return x.rolling(d).apply(lambda w: (w * weights).sum() / weights.sum(), raw=True)


def zscore(x, mean, deviation):
    return ((x - mean) / deviation.where(deviation > 1e-12 * mean.abs())).where(x.notna())


def pairwise(x, y, d, function):
    out = pd.DataFrame(np.nan, index=x.index, columns=x.columns)
    for column in x:
        for t in range(d - 1, len(x)):
            a, b = x[column].iloc[t - d + 1 : t + 1], y[column].iloc[t - d + 1 : t + 1]
            if a.notna().all() and b.notna().all():
                out.loc[x.index[t], column] = function(a, b)
    return out


def correlation(a, b):
    flat = a.nunique() == 1 or b.nunique() == 1
    return np.nan if flat else np.corrcoef(a - a.mean(), b - b.mean())[0, 1]


def grouped(side):
    def function(x, y, d, n):
        def mean(a, b):
            order = b.sort_values(kind="stable").index
            low, high = a[order[:n]].mean(), a[order[-n:]].mean()
            return {"asc": low, "desc": high, "diff": high - low}[side]

        return pairwise(x, y, d, mean)

    return function


def rank(x):
    return (x.rank(axis=1) - 0.5).div(x.notna().sum(axis=1), axis=0)


def flat_std(x, d):
    constant = x.rolling(d).max() == x.rolling(d).min()
    return x.rolling(d).apply(lambda w: np.std(w, ddof=1), raw=True).mask(constant, 0.0)


def skewness(x, d):
    constant = x.rolling(d).max() == x.rolling(d).min()
    return x.rolling(d).apply(lambda w: pd.Series(w - w.mean()).skew(), raw=True).mask(constant)


ORACLES = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: finite(x / y.where(y.abs() >= 1e-12)),
    "max": lambda x, y: np.maximum(x, y).where(both(x, y)),
    "min": lambda x, y: np.minimum(x, y).where(both(x, y)),
    "log": lambda x: np.log(x.abs().where(x.abs() >= 1e-12)),
    "sqrt": lambda x: np.sign(x) * np.sqrt(x.abs()),
    "neg": lambda x: -x,
    "abs": lambda x: x.abs(),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x.clip(-40, 40))),
    "sign": np.sign,
    "rank": rank,
    "rank_sub": lambda x, y: rank(x) - rank(y),
    "rank_div": lambda x, y: rank(x) / rank(y),
    "cs_zscore": lambda x: x.sub(x.mean(axis=1), axis=0).div(
        x.std(axis=1)
        .where(x.std(axis=1) > 1e-12 * x.mean(axis=1).abs())
        .mask(x.nunique(axis=1) < 2),
        axis=0,
    ),
    "cs_demean": lambda x: x.sub(x.mean(axis=1), axis=0),
    "delay": lambda x, d: x.shift(d),
    "delta": lambda x, d: x - x.shift(d),
    "pct_change": lambda x, d: finite(
        (x - x.shift(d)) / x.shift(d).abs().where(x.shift(d).abs() >= 1e-12)
    ),
    "ts_sum": lambda x, d: x.rolling(d).apply(np.sum, raw=True),
    "ts_mean": lambda x, d: x.rolling(d).apply(np.mean, raw=True),
    "ts_std": flat_std,
    "ts_zscore": lambda x, d: zscore(x, x.rolling(d).apply(np.mean, raw=True), flat_std(x, d)),
    "ts_min": lambda x, d: x.rolling(d).min(),
    "ts_max": lambda x, d: x.rolling(d).max(),
    "decay_linear": decay,
    "ts_cov": lambda x, y, d: pairwise(x, y, d, lambda a, b: np.cov(a, b)[0, 1]),
    "ts_corr": lambda x, y, d: pairwise(x, y, d, correlation),
    "sub_pos_decay_linear": lambda x, y, d: decay((x - y).clip(lower=0), d),
    "ts_rank": lambda x, d: x.rolling(d).rank() / d,
    "ts_argmin": lambda x, d: x.rolling(d).apply(lambda w: (d - 1 - w.argmin()) / d, raw=True),
    "ts_argmax": lambda x, d: x.rolling(d).apply(lambda w: (d - 1 - w.argmax()) / d, raw=True),
    "ts_skew": skewness,
    "ts_rank_corr": lambda x, y, d: pairwise(x, y, d, lambda a, b: correlation(a.rank(), b.rank())),
    "group_asc_sort_avg": grouped("asc"),
    "group_desc_sort_avg": grouped("desc"),
    "group_diff_sort_avg": grouped("diff"),
}


def make(seed, rows, columns, kind, holes):
    """Return a frame of price levels, returns or coarse values full of ties, some with holes and
    constants.
    """
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((rows, columns))
    values = {
        "price": 5000 * np.exp(0.01 * noise.cumsum(axis=0)),
        "return": 0.01 * noise,
        "ties": np.round(noise),
        "flat": np.where(rng.random((rows, columns)) < 0.9, 3.7, 3.7 + noise),
    }[kind]
    values[rng.random((rows, columns)) < holes] = np.nan
    return pd.DataFrame(values)


def test_every_operator_has_an_oracle():
    assert {operator.family for operator in OPERATORS.values()} == set(ORACLES)


@pytest.mark.parametrize("name", list(OPERATORS))
@settings(max_examples=3, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    kinds=st.tuples(*[st.sampled_from(["price", "return", "ties", "flat"])] * 2),
    holes=st.sampled_from([0.0, 0.02]),
    columns=st.sampled_from([3, 5]),
)
def test_kernels_equal_the_oracle(name, seed, kinds, holes, columns):
    operator = OPERATORS[name]
    rows = 2 * max(operator.windows, default=5) + 7
    x, y = (make(seed + k, rows, columns, kinds[k], holes) for k in range(2))
    panels = (x, y)[: operator.arity]
    expected = ORACLES[operator.family](*panels, *operator.windows)
    actual = operator(*(panel.to_numpy() for panel in panels))
    scale = np.nanmax(np.abs(expected.to_numpy()), initial=0)
    np.testing.assert_allclose(actual, expected.to_numpy(), rtol=1e-7, atol=1e-10 * scale)


@pytest.mark.parametrize("name", list(OPERATORS))
def test_the_future_does_not_reach_back(name):
    operator = OPERATORS[name]
    rows, cut = 150, 97
    panels = [make(k, rows, 6, "price", 0.01).to_numpy() for k in range(operator.arity)]
    changed = [panel.copy() for panel in panels]
    for panel in changed:
        panel[cut:] = np.nan if operator.windows else -panel[cut:] * 3
        panel[cut + 1 :: 2] = 17.0
    before, after = operator(*panels), operator(*changed)
    assert np.array_equal(before[:cut], after[:cut], equal_nan=True)
    assert not np.array_equal(before[cut:], after[cut:], equal_nan=True)


@pytest.mark.parametrize("name", [name for name, operator in OPERATORS.items() if operator.windows])
def test_lookback_is_what_the_operator_says(name):
    operator = OPERATORS[name]
    panels = [make(k, 180, 3, "price", 0).to_numpy() for k in range(operator.arity)]
    changed = [panel.copy() for panel in panels]
    for panel in changed:
        panel[20] = np.nan
    before, after = operator(*panels), operator(*changed)
    differs = ~((before == after) | (np.isnan(before) & np.isnan(after)))
    touched = np.flatnonzero(differs.any(axis=1))
    fresh = np.flatnonzero(np.isfinite(before).all(axis=1))[0]
    assert touched.max() == 20 + operator.lookback
    assert fresh <= operator.lookback
    assert np.isfinite(after[21 + operator.lookback :]).all()


def test_moments_keep_their_digits_on_price_levels():
    x = 1e8 + np.random.default_rng(0).standard_normal((200, 4))
    frame = pd.DataFrame(x) - 1e8
    np.testing.assert_allclose(
        OPERATORS["ts_std_20"](x)[19:],
        frame.rolling(20).apply(np.std, kwargs={"ddof": 1}, raw=True)[19:],
        rtol=1e-6,
    )


def test_wide_rows_rank_as_narrow_ones():
    x = np.round(np.random.default_rng(1).standard_normal((5, 200)), 1)
    x[1, :30] = np.nan
    x[2] = np.nan
    np.testing.assert_allclose(OPERATORS["rank"](x), rank(pd.DataFrame(x)))


def test_an_unknown_family_is_refused():
    with pytest.raises(ParameterError, match="remedy"):
        operator_set(["ts_mena"])
