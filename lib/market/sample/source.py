"""Synthetic market as a source for the store."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import cached_property, partial
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
from lib.market.schema import BAR, GLOBAL_KINDS, Batch, cast_to_schema
from lib.market.universe import UNIVERSE_FOLDER

INDEX_KINDS = ("sector", "theme", "broad_index")


class SampleSource:
    """A seeded synthetic market with the full breadth of the suite.

    Parameters
    ----------
    effects : bool
        Plant the effects of ``lib.market.sample.effects``; False gives the null sample.
    seed : int
        Another seed gives another market.
    folder : path
        The universe lists whose symbols the market contains.
    """

    synthetic = True

    def __init__(self, effects: bool = True, seed: int = 20250613, folder: Path = UNIVERSE_FOLDER):
        self.effects = PLANTED if effects else NO_EFFECTS
        self.seed = seed
        self.folder = Path(folder)
        self.name = "sample" if effects else "sample-null"
        self.label = {"en": "synthetic sample", "zh": "合成样本数据"}
        if not effects:
            self.label = {"en": "synthetic sample without effects", "zh": "合成样本数据(无效应)"}

    def batches(self) -> Iterator[Batch]:
        """Yield the batches, instruments first; each is generated when it is loaded."""
        loaders: list[tuple[str, str | None, Callable[[], pd.DataFrame]]] = [
            ("instruments", None, self._instruments),
            ("bars", "stock", self._stock_bars),
            *(("bars", kind, partial(self._index_bars, kind)) for kind in INDEX_KINDS),
            ("bars", "etf", self._fund_bars),
            *(("bars", kind, partial(self._global_bars, kind)) for kind in GLOBAL_KINDS),
            ("valuation", None, self._valuations),
            ("constituents", None, self._constituents),
            ("macro", None, partial(macro.releases, self.seed)),
        ]
        for table, kind, load in loaders:
            file = f"{self.name}/{table}" + (f"/{kind}" if kind else "")
            content = fingerprint(self._origin, file)
            yield Batch(table, file, content, partial(_load, table, load), kind)

    @cached_property
    def _origin(self) -> str:
        """Return the fingerprint of code, facts, universe lists, calendar, seed and effects."""
        folder = Path(__file__).parent
        files = sorted(folder.glob("*.py")) + sorted(folder.glob("*.csv"))
        files += [
            folder.parent / name for name in ("catalogue.py", "instruments.csv", "symbols.py")
        ]
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
        is_global = self._catalogue["kind"].isin(GLOBAL_KINDS)
        for row in self._catalogue[is_global].itertuples(index=False):
            world.add_default_asset(row.symbol, row.kind, f"{row.name} {row.name_en}")
        return world

    @cached_property
    def _stocks(self) -> stocks.Stocks:
        return stocks.build(self._world, self.effects, self.seed)

    @cached_property
    def _builder(self) -> IndexBuilder:
        return IndexBuilder(self._stocks, self.seed)

    @cached_property
    def _indices(self) -> dict[str, SyntheticIndex]:
        rows = self._catalogue[self._catalogue["kind"].isin(INDEX_KINDS)]
        return {
            row.symbol: self._builder.build(
                row.symbol, row.name, row.group, split_symbols(row.sectors)
            )
            for row in rows.itertuples(index=False)
        }

    def _of_kind(self, kind: str) -> list[str]:
        return self._catalogue.loc[self._catalogue["kind"] == kind, "symbol"].tolist()

    def _instruments(self) -> pd.DataFrame:
        """Return stocks and catalogue with the columns of the table ``instruments``."""
        columns = ["symbol", "name", "name_en", "board", "sw1"]
        shares = self._stocks.table[columns].rename(columns={"sw1": "group"})
        shares = shares.assign(kind="stock", note="synthetic; board " + shares["board"])
        others = self._catalogue.drop(columns=["tracks", "sectors"])
        notes = np.where(others["kind"] == "yield", "synthetic; percent", "synthetic")
        listed = pd.concat([shares, others.assign(note=notes)], ignore_index=True)
        return listed.assign(first_date=pd.NaT, last_date=sessions()[-1])

    def _stock_bars(self) -> pd.DataFrame:
        generated = self._stocks
        has_bar = ~np.isnan(generated.close.T)
        column, row = np.nonzero(has_bar)
        values = {field: getattr(generated, field).T[has_bar] for field in BAR}
        return _bars(generated.table["symbol"].tolist(), column, sessions()[row], values)

    def _index_bars(self, kind: str) -> pd.DataFrame:
        symbols = self._of_kind(kind)
        # amounts are sums of fen: the errors of summing must not show in the last digits
        decimals = dict.fromkeys(BAR, 6) | {"volume": 0, "amount": 2}
        values = {}
        for field in BAR:
            arrays = [self._indices[symbol].bars[field] for symbol in symbols]
            values[field] = np.round(np.concatenate(arrays), decimals[field])
        column = np.repeat(np.arange(len(symbols)), len(sessions()))
        return _bars(symbols, column, np.tile(sessions(), len(symbols)), values)

    def _fund_bars(self) -> pd.DataFrame:
        themes = set(self._of_kind("theme"))
        indices = {symbol: index.bars for symbol, index in self._indices.items()}
        funds = Funds(self._world, self._builder, indices, self.seed)
        rows = self._catalogue[self._catalogue["kind"] == "etf"].itertuples(index=False)
        frames = [
            funds.bars(row.symbol, row.name, row.tracks, young=row.tracks in themes) for row in rows
        ]
        return pd.concat(frames, ignore_index=True)

    def _global_bars(self, kind: str) -> pd.DataFrame:
        return self._world.frames(self._of_kind(kind))

    def _valuations(self) -> pd.DataFrame:
        symbols = [symbol for symbol in self._indices if symbol not in set(self._of_kind("theme"))]
        parts = self._catalogue.loc[self._catalogue["group"] == "citic2", "symbol"].tolist()
        frames = [
            valuations.valuation(symbol, self._indices[symbol].bars["close"], self.seed)
            for symbol in symbols + parts
        ]
        return pd.concat(frames, ignore_index=True)

    def _constituents(self) -> pd.DataFrame:
        frames = [
            index.weights.assign(index_symbol=symbol) for symbol, index in self._indices.items()
        ]
        return pd.concat(frames, ignore_index=True)


def _load(table: str, load: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    return cast_to_schema(table, load())


def _bars(
    symbols: list[str], column: np.ndarray, dates, values: dict[str, np.ndarray]
) -> pd.DataFrame:
    names = pd.Categorical.from_codes(column, categories=symbols)
    return pd.DataFrame({"symbol": names.astype("str"), "date": dates, **values})
