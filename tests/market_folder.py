"""A small data folder for tests: nine instruments, a hundred and fifty sessions, every table."""

from pathlib import Path

import numpy as np
import pandas as pd

from lib.market.calendar import Sessions

INSTRUMENTS = {
    "000300.SH": ("沪深300", "CSI 300", "broad_index", None),
    "399006.SZ": ("创业板指", "ChiNext", "broad_index", None),
    "801010.SI": ("农林牧渔", "Agriculture", "sector", "sw1"),
    "801050.SI": ("有色金属", "Non-ferrous metals", "sector", "sw1"),
    "510300.SH": ("沪深300ETF", "CSI 300 ETF", "etf", None),
    "159915.SZ": ("创业板ETF", "ChiNext ETF", "etf", None),
    "600519.SH": ("贵州茅台", "Kweichow Moutai", "stock", None),
    "SPX": ("标普500", "S&P 500", "global_index", None),
    "US10Y": ("美国十年期国债", "US 10-year Treasury", "yield", None),
}
SESSIONS = Sessions.load().between("2024-11-01", "2025-06-13")


def bars(seed: int = 0) -> pd.DataFrame:
    """Return consistent bars: XSHG instruments on sessions, the others on weekdays, the stock only
    to April.
    """
    weekdays = pd.bdate_range(SESSIONS[0], SESSIONS[-1])
    frames = []
    for place, (symbol, (_, _, kind, _)) in enumerate(INSTRUMENTS.items()):
        rng = np.random.default_rng([seed, place])
        dates = weekdays if kind in ("global_index", "yield") else SESSIONS
        if kind == "stock":
            dates = dates[dates < "2025-05-01"]
        step = 0.003 if kind == "yield" else 0.008
        close = (4 if kind == "yield" else 100 + place) * np.exp(
            np.cumsum(rng.normal(0, step, len(dates)))
        )
        open_ = close * np.exp(rng.normal(0, 0.002, len(dates)))
        frame = pd.DataFrame({"symbol": symbol, "date": dates, "open": open_, "close": close})
        frame["high"] = frame[["open", "close"]].max(axis=1) * 1.003
        frame["low"] = frame[["open", "close"]].min(axis=1) * 0.997
        frame["volume"] = rng.integers(1_000_000, 2_000_000, len(dates)).astype(float)
        frame["amount"] = frame["volume"] * frame["close"]
        if kind in ("global_index", "yield"):
            frame[["volume", "amount"]] = np.nan
        frames.append(frame.assign(kind=kind))
    return pd.concat(frames, ignore_index=True)


def tables(seed: int = 0) -> dict[str, pd.DataFrame]:
    """Return every file of the folder by its name."""
    everything = bars(seed)
    listed = pd.DataFrame.from_dict(
        INSTRUMENTS, orient="index", columns=["name", "name_en", "kind", "group"]
    )
    listed = listed.rename_axis("symbol").reset_index().assign(note=None)
    spans = everything.groupby("symbol")["date"].agg(first_date="min", last_date="max")
    files = {"instruments.csv": listed.merge(spans, on="symbol")}
    for kind, rows in everything.groupby("kind"):
        files[f"bars/{kind}.csv"] = rows.drop(columns="kind")
    index = everything[everything["symbol"] == "000300.SH"]
    files["valuation.csv"] = pd.DataFrame(
        {
            "symbol": "000300.SH",
            "date": index["date"],
            "pe_ttm": index["close"] / 8,
            "pb": index["close"] / 80,
        }
    )
    lists = [
        ("2024-12-31", (60.0, 40.0)),
        ("2025-03-31", (55.0, 45.0)),
        ("2025-06-30", (50.0, 50.0)),
    ]
    files["constituents.csv"] = pd.DataFrame(
        [
            ("000300.SH", day, symbol, w)
            for day, pair in lists
            for symbol, w in zip(("600519.SH", "X"), pair, strict=True)
        ],
        columns=["index_symbol", "as_of", "symbol", "weight"],
    )
    releases = pd.date_range("2025-01-01", periods=6, freq="MS")
    files["macro.csv"] = pd.DataFrame(
        {
            "series": "US_CPI_YOY",
            "period": releases,
            "release_date": releases + pd.Timedelta(days=41),
            "actual": np.linspace(3.0, 2.4, 6),
            "consensus": np.linspace(2.9, 2.5, 6),
            "previous": np.linspace(3.1, 2.5, 6),
        }
    )
    return files


def write_folder(path: Path, files: dict[str, pd.DataFrame]) -> Path:
    """Write the files, as CSV."""
    for name, frame in files.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        frame.to_csv(target, index=False)
    return path
