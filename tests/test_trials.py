import pandas as pd
import pytest

from lib.exhibits.trials import TRIALS, read_trials
from lib.market.errors import ParameterError

HEAD = "setting,setting_zh,window_start,window_end,data,chosen,rank_ic\n"
GOOD = "short label,短标签,2018-12-31,2022-09-30,citic,no,0.011\nlong label,长标签,2018-12-31,2022-09-30,citic,yes,\n"


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
        (HEAD + GOOD.replace("2022-09-30,citic,yes", "Sept 2022,citic,yes"), "trial 2 says 'Sept 2022' for window_end"),
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


@pytest.mark.parametrize("path", sorted(TRIALS.glob("*.csv")), ids=lambda path: path.stem)
def test_the_files_of_the_suite_can_be_read(path):
    assert len(read_trials(path.stem))
