"""The synthetic market: its planted sector effect is found by every seed, and without effects
nothing is.
"""

import numpy as np
import pytest
from test_gp_search import SEARCH

from lib.market.ingest import open_market
from lib.models.forecast_evaluation import forward_returns, rank_ic
from lib.models.gp.composite import rotation_scores
from lib.models.gp.inputs import factor_inputs, join_panels, week_ends
from lib.models.gp.settings import MiningSettings
from lib.models.gp.walkforward import walk_forward_mining
from lib.models.sector_view import sector_panels

SMALL = MiningSettings(
    **SEARCH
    | dict(generations=2, window=735, validation=120, horizon=10, max_factors=40, max_vif=10.0)
)


def out_of_sample(market, seeds):
    """Return each seed's mean weekly rank IC on the scored sectors after the first library."""
    mined, scored = (
        factor_inputs(join_panels(*sector_panels(market, name)))
        for name in ("sectors_citic1", "sectors_sw")
    )
    libraries = walk_forward_mining(mined, SMALL, seeds, first="2019-12-20")
    weeks = week_ends(scored.dates)
    labels = forward_returns(scored.close, 5)[weeks]
    frames = rotation_scores(scored, libraries, by_seed=True)
    return [
        float(np.nanmean(rank_ic(frame.to_numpy()[weeks], labels))) for frame in frames.values()
    ]


def test_every_seed_finds_the_planted_effect(sample_market):
    # the standard error of such a mean is about 0.011
    assert min(out_of_sample(sample_market, range(5))) > 0.02


def test_nothing_is_found_where_nothing_is_planted(sample_store_dir):
    market = open_market("sample-null", "2025-06-13", store_dir=sample_store_dir)
    assert np.mean(out_of_sample(market, range(2))) == pytest.approx(0, abs=0.02)
