import pandas as pd
import pytest

from lib.exhibits.trials import TRIALS, applicable_trials, history_key, read_trials
from lib.market.errors import ParameterError

HEAD = "setting,setting_zh,window_start,window_end,data,history,chosen,trials,rank_ic\n"
GOOD = (
    "short label,短标签,2018-12-31,2022-09-30,citic,abc,no,1,0.011\n"
    "long label,长标签,2018-12-31,2022-09-30,citic,abc,yes,2,\n"
)


def written(folder, text):
    (folder / "03_x.csv").write_text(text, encoding="utf-8")
    return read_trials("03_x", folder)


def test_trials_are_read_and_typed(tmp_path):
    table = written(tmp_path, "# what was tried\n" + HEAD + GOOD)
    assert len(table) == 2
    assert table["chosen"].tolist() == [False, True]
    assert table["window_end"].iloc[0] == pd.Timestamp("2022-09-30")
    assert table["rank_ic"].iloc[0] == 0.011 and pd.isna(table["rank_ic"].iloc[1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read"),
        (HEAD, "is empty"),
        (HEAD.replace("data,", "") + GOOD, "no column data"),
        (HEAD + GOOD.replace("0.011", "a lot"), "trial 1 says 'a lot' for rank_ic"),
        (
            HEAD + GOOD.replace("2022-09-30,citic,abc,yes", "Sept 2022,citic,abc,yes"),
            "trial 2 says 'Sept 2022' for window_end",
        ),
        (HEAD + GOOD.replace(",yes,", ",no,"), "0 trials are marked"),
        (HEAD + GOOD.replace(",no,", ",yes,"), "2 trials are marked"),
        (HEAD + GOOD.replace(",no,", ",perhaps,"), "marked"),
    ],
)
def test_a_malformed_file_is_refused_with_its_name(tmp_path, text, message):
    with pytest.raises(ParameterError, match=message) as caught:
        written(tmp_path, text)
    assert "03_x.csv" in str(caught.value)


def test_a_missing_file_is_refused_with_its_name(tmp_path):
    with pytest.raises(ParameterError, match="missing") as caught:
        read_trials("03_x", tmp_path)
    assert "03_x.csv" in str(caught.value)


FILES = sorted(path.stem for path in TRIALS.glob("*.csv"))


@pytest.mark.parametrize("notebook", FILES)
def test_trials_are_not_charged_to_the_sample(notebook, sample_market):
    assert applicable_trials(sample_market, notebook).empty


@pytest.mark.real
@pytest.mark.parametrize("notebook", FILES)
def test_trials_are_charged_to_the_history_they_were_made_on(notebook, real_market):
    pd.testing.assert_frame_equal(applicable_trials(real_market, notebook), read_trials(notebook))


def test_a_market_that_ends_within_the_window_has_no_trials(tmp_path, sample_market):
    key = history_key(sample_market, "2018-12-31", "2022-09-30")
    (tmp_path / "03_x.csv").write_text(HEAD + GOOD.replace("abc", key), encoding="utf-8")
    assert applicable_trials(sample_market, "03_x", tmp_path)["trials"].tolist() == [1, 2]
    assert history_key(sample_market, "2018-12-31", "2030-09-30") is None
    assert history_key(sample_market, "1980-12-31", "2022-09-30") is None
