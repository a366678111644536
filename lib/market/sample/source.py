"""The sample as a source: what the store takes in when there is no other market."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import exchange_calendars
import numpy as np
import pandas as pd

from lib.market.catalogue import read_catalogue, split_symbols
from lib.market.fingerprint import file_fingerprint, fingerprint
from lib.market.sample import macro, stocks, valuations
from lib.market.sample.dates import sessions
from lib.market.sample.effects import NO_EFFECTS, PLANTED
from lib.market.sample.funds import Funds
from lib.market.sample.indices import IndexBuilder, SyntheticIndex
from lib.market.sample.world import World
from lib.market.schema import GLOBAL_KINDS, Batch, cast_to_schema
from lib.market.universe import UNIVERSE_FOLDER

FIELDS = ("open", "high", "low", "close", "volume", "amount")
BASKET_KINDS = ("sector", "theme", "broad_index")


class SampleSource:
    """A seeded synthetic market with the full breadth of the suite.

    Parameters
    ----------
    effects : bool
        Plant the effects of ``lib.market.sample.effects``; False gives the null sample.
    seed : int
        Draws another market.
    folder : path
        The universe lists whose symbols it holds.
    """

    synthetic = True

    def __init__(self, effects: bool = True, seed: int = 20250613, folder: Path = UNIVERSE_FOLDER):
        self.effects = PLANTED if effects else NO_EFFECTS
        self.seed, self.folder = seed, Path(folder)
        self.name = "sample" if effects else "sample-null"
        null = {"en": "", "zh": ""} if effects else {"en": " without effects", "zh": "(无效应)"}
        self.label = {"en": f"synthetic sample{null['en']}", "zh": f"合成样本数据{null['zh']}"}

    def batches(self) -> Iterator[Batch]:
        """Yield the batches, instruments first; nothing is generated before the first one is loaded."""
        loads: list[tuple[str, str | None, Callable[[], pd.DataFrame]]] = [("instruments", None, self._instruments)]
        loads.append(("bars", "stock", self._stock_bars))
        loads += [("bars", kind, lambda kind=kind: self._basket_bars(kind)) for kind in BASKET_KINDS]
        loads.append(("bars", "etf", self._fund_bars))
        loads += [("bars", kind, lambda kind=kind: self._global_bars(kind)) for kind in GLOBAL_KINDS]
        loads += [("valuation", None, self._valuations), ("constituents", None, self._constituents)]
        loads.append(("macro", None, lambda: macro.releases(self.seed)))
        for table, kind, load in loads:
            file = f"{self.name}/{table}" + (f"/{kind}" if kind else "")
            yield Batch(
                table, file, fingerprint(self._origin, file), lambda t=table, f=load: cast_to_schema(t, f()), kind
            )

    @cached_property
    def _origin(self) -> str:
        """Return what the rows depend on: code, facts, universe lists, calendar, seed and effects."""
        folder = Path(__file__).parent
        files = sorted(folder.glob("*.py")) + sorted(folder.glob("*.csv"))
        files += [folder.parent / name for name in ("catalogue.py", "instruments.csv", "symbols.py")]
        lists = sorted(self.folder.glob("*.csv"))
        contents = [file_fingerprint(file) for file in files + lists]
        versions = [exchange_calendars.__version__, np.__version__, sys.platform]
        return fingerprint(contents, [path.name for path in lists], versions, self.seed, self.name)

    @cached_property
    def _catalogue(self) -> pd.DataFrame:
        return read_catalogue(self.folder)

    @cached_property
    def _world(self) -> World:
        world = World(self.effects, self.seed)
        for row in self._catalogue[self._catalogue["kind"].isin(GLOBAL_KINDS)].itertuples(index=False):
            world.add_default_asset(row.symbol, row.kind, f"{row.name} {row.name_en}")
        return world

    @cached_property
    def _stocks(self) -> stocks.Stocks:
        return stocks.build(self._world, self.effects, self.seed)

    @cached_property
    def _builder(self) -> IndexBuilder:
        return IndexBuilder(self._stocks, self.seed)

    @cached_property
    def _baskets(self) -> dict[str, SyntheticIndex]:
        rows = self._catalogue[self._catalogue["kind"].isin(BASKET_KINDS)]
        return {
            row.symbol: self._builder.build(row.symbol, row.name, row.group, split_symbols(row.sectors))
            for row in rows.itertuples(index=False)
        }

    def _of_kind(self, kind: str) -> list[str]:
        return self._catalogue.loc[self._catalogue["kind"] == kind, "symbol"].tolist()

    def _instruments(self) -> pd.DataFrame:
        table = self._stocks.table
        listed = pd.DataFrame(
            {
                "symbol": table["symbol"],
                "name": table["name"],
                "name_en": table["name_en"],
                "kind": "stock",
                "group": table["sw1"],
                "note": "synthetic; board " + table["board"],
            }
        )
        others = self._catalogue.drop(columns=["tracks", "sectors"])
        notes = np.where(others["kind"] == "yield", "synthetic; percent", "synthetic")
        frame = pd.concat([listed, others.assign(note=notes)], ignore_index=True)
        return frame.assign(first_date=pd.NaT, last_date=sessions()[-1])

    def _stock_bars(self) -> pd.DataFrame:
        made = self._stocks
        kept = ~np.isnan(made.close.T)
        column, row = np.nonzero(kept)
        values = {field: getattr(made, field).T[kept] for field in FIELDS}
        return _bars(made.table["symbol"].tolist(), column, sessions()[row], values)

    def _basket_bars(self, kind: str) -> pd.DataFrame:
        symbols = self._of_kind(kind)
        # amounts are sums of fen: the errors of summing must not show in the last digits
        digits = {"volume": 0, "amount": 2}
        values = {
            field: np.concatenate(
                [np.round(self._baskets[symbol].bars[field], digits.get(field, 6)) for symbol in symbols]
            )
            for field in FIELDS
        }
        column = np.repeat(np.arange(len(symbols)), len(sessions()))
        return _bars(symbols, column, np.tile(sessions(), len(symbols)), values)

    def _fund_bars(self) -> pd.DataFrame:
        themes = set(self._of_kind("theme"))
        indices = {symbol: basket.bars for symbol, basket in self._baskets.items()}
        funds = Funds(self._world, self._builder, indices, self.seed)
        rows = self._catalogue[self._catalogue["kind"] == "etf"].itertuples(index=False)
        frames = [funds.bars(row.symbol, row.name, row.tracks, young=row.tracks in themes) for row in rows]
        return pd.concat(frames, ignore_index=True)

    def _global_bars(self, kind: str) -> pd.DataFrame:
        return self._world.frames(self._of_kind(kind))

    def _valuations(self) -> pd.DataFrame:
        symbols = [symbol for symbol in self._baskets if symbol not in set(self._of_kind("theme"))]
        parts = self._catalogue.loc[self._catalogue["group"] == "citic2", "symbol"].tolist()
        frames = [
            valuations.valuation(symbol, self._baskets[symbol].bars["close"], self.seed) for symbol in symbols + parts
        ]
        return pd.concat(frames, ignore_index=True)

    def _constituents(self) -> pd.DataFrame:
        frames = [basket.weights.assign(index_symbol=symbol) for symbol, basket in self._baskets.items()]
        return pd.concat(frames, ignore_index=True)


def _bars(symbols: list[str], column: np.ndarray, dates, values: dict[str, np.ndarray]) -> pd.DataFrame:
    names = pd.Categorical.from_codes(column, categories=symbols)
    return pd.DataFrame({"symbol": names.astype("str"), "date": dates, **values})
