"""Which provider serves what: the functions by name, and who is asked for a symbol, in which order.

A universe list may say so for a symbol in its column ``providers``: functions in the order in which they are asked,
each with the provider's own name of the symbol after a colon where no rule gives it, as in
``yfinance.bars:^GSPC akshare.global_index_bars:标普500``. Symbols that no list says it for follow their kind's order
in ``params/providers.yaml``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lib.market.errors import ParameterError
from lib.market.providers import (
    akshare_funds,
    akshare_global,
    akshare_indices,
    akshare_macro,
    baostock_shares,
    tushare_indices,
    yahoo,
)
from lib.market.providers.answers import Answer, Want
from lib.market.providers.client import TOKEN, Client
from lib.market.universe import UNIVERSE_FOLDER, read_universe

PARAMS = Path(__file__).resolve().parents[3] / "params" / "providers.yaml"


@dataclass(frozen=True)
class Route:
    """One function of one provider.

    Attributes
    ----------
    function : callable
        Takes a ``Want`` and the client, returns an ``Answer``.
    code : callable or None
        The provider's name of a symbol, None when it does not serve it; without this the names come from the
        universe lists.
    together : bool
        One call answers for all symbols.
    token : str
        Environment variable without which it is not asked; empty for none.
    reach : int or None
        Days back from today that it knows about; it is not asked about earlier ones. None: all.
    """

    function: Callable[[Want, Client], Answer]
    code: Callable[[str], str | None] | None = None
    together: bool = False
    token: str = ""
    reach: int | None = None

    def open(self, day: pd.Timestamp, today: pd.Timestamp) -> bool:
        """Return whether it can be asked today about a day."""
        known = not self.token or bool(os.environ.get(self.token, "").strip())
        return known and (self.reach is None or today - day <= pd.Timedelta(days=self.reach))


ROUTES = {
    "akshare.sector_bars": Route(akshare_indices.sector_bars, akshare_indices.sector_code),
    "akshare.sector_members": Route(akshare_indices.sector_members, akshare_indices.sector_code, reach=5),
    "akshare.sector_valuation": Route(akshare_indices.sector_valuation, akshare_indices.sector_code, together=True),
    "akshare.csi_bars": Route(akshare_indices.csi_bars, akshare_indices.csi_code),
    "akshare.csi_weights": Route(akshare_indices.csi_weights, akshare_indices.csi_code, reach=31),
    "akshare.cni_bars": Route(akshare_indices.cni_bars, akshare_indices.cni_code),
    "akshare.eastmoney_bars": Route(akshare_indices.eastmoney_bars, akshare_indices.eastmoney_code),
    "akshare.fund_bars": Route(akshare_funds.fund_bars, akshare_funds.fund_code),
    "akshare.share_bars": Route(akshare_funds.share_bars, akshare_funds.share_code),
    "akshare.global_index_bars": Route(akshare_global.index_bars),
    "akshare.currency_bars": Route(akshare_global.currency_bars),
    "akshare.foreign_futures_bars": Route(akshare_global.foreign_futures_bars),
    "akshare.domestic_futures_bars": Route(akshare_global.domestic_futures_bars),
    "akshare.yield_bars": Route(akshare_global.yield_bars, akshare_global.yield_code, together=True),
    "akshare.treasury_index_bars": Route(akshare_global.treasury_index_bars),
    "akshare.jin10_history": Route(akshare_macro.jin10_history, akshare_macro.history_code, together=True),
    "akshare.wallstreetcn_calendar": Route(
        akshare_macro.wallstreetcn_calendar, akshare_macro.calendar_code, together=True
    ),
    "yfinance.bars": Route(yahoo.index_bars),
    "yfinance.fund_bars": Route(yahoo.fund_bars, yahoo.fund_code),
    "baostock.share_bars": Route(baostock_shares.share_bars, baostock_shares.share_code),
    "baostock.index_bars": Route(baostock_shares.index_bars, baostock_shares.index_code),
    "tushare.sector_daily": Route(tushare_indices.sector_daily, tushare_indices.sector_code, True, TOKEN),
    "tushare.citic_daily": Route(tushare_indices.citic_daily, tushare_indices.citic_code, True, TOKEN),
    "tushare.index_daily": Route(tushare_indices.index_daily, tushare_indices.index_code, token=TOKEN),
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CrossCheck(_Strict):
    """A symbol whose stored changes are compared with those of a second provider."""

    symbol: str
    provider: str
    tolerance: Annotated[float, Field(gt=0, lt=1)]


class _File(_Strict):
    """``params/providers.yaml``; see the comments there."""

    first_date: dict[str, str]
    overlap: Annotated[int, Field(ge=2, le=60)]
    timeout: Annotated[float, Field(gt=0)]
    attempts: Annotated[int, Field(ge=1, le=10)]
    backoff: Annotated[float, Field(ge=0)]
    pause: dict[str, Annotated[float, Field(ge=0)]]
    bad_share: Annotated[float, Field(ge=0, le=1)]
    stale_sessions: Annotated[int, Field(ge=0)]
    shares: list[str]
    folder: str
    bars: dict[str, list[str]]
    valuation: dict[str, list[str]]
    constituents: dict[str, list[str]]
    macro: dict[str, list[str]]
    cross_checks: list[CrossCheck]


class Providers(_File):
    """The parameters of ``make data``: those of the file, and what the universe lists say.

    Attributes
    ----------
    orders : dict
        Symbol -> functions to be asked for its bars, in order, of the symbols whose list says so.
    codes : dict
        Function -> symbol -> the provider's name.
    names : dict
        Symbol -> its names in Chinese and English, in the list that says so.
    """

    orders: dict[str, tuple[str, ...]]
    codes: dict[str, dict[str, str]]
    names: dict[str, tuple[str, str]]

    def begin(self, kind: str) -> pd.Timestamp:
        """Return the first day to ask for of a kind."""
        return pd.Timestamp(self.first_date.get(kind, self.first_date[""]))

    def code(self, route: str, symbol: str) -> str | None:
        """Return a provider's name of a symbol, None when it does not serve it."""
        rule = ROUTES[route].code
        return self.codes.get(route, {}).get(symbol) or (rule(symbol) if rule else None)

    def asked(self, table: str, kind: str, symbol: str) -> tuple[str, ...]:
        """Return the functions to be asked for a table of a symbol, in order, whether or not their token is set."""
        order = getattr(self, table).get(kind, ())
        order = self.orders.get(symbol, order) if table == "bars" else order
        return tuple(route for route in order if self.code(route, symbol))


def read_providers(path: Path = PARAMS, universes: Path = UNIVERSE_FOLDER) -> Providers:
    """Read the parameters of ``make data`` and the column ``providers`` of the universe lists.

    Raises
    ------
    ParameterError
        The file lacks a key, has one too many, or names a function that does not exist; a list names one, gives no
        name where none follows from the symbol, or says something else than another list.
    """
    try:
        file = _File.model_validate(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        raise ParameterError(
            f"{'.'.join(map(str, first['loc']))}: {first['msg']}", file=path, remedy="correct the parameter"
        ) from error
    tables = (file.bars, file.valuation, file.constituents, file.macro)
    named = [name for table in tables for names in table.values() for name in names]
    for name in (*named, *(check.provider for check in file.cross_checks)):
        _known(name, path)
    return Providers(**dict(file), **_listed(Path(universes)))


def _listed(folder: Path) -> dict[str, dict]:
    """Return what the universe lists say: the orders, codes and names of ``Providers``."""
    said: dict[str, tuple[str, Path]] = {}
    orders, codes, names = {}, {}, {}
    for path in sorted(folder.glob("*.csv")):
        table = read_universe(path.stem, folder)
        for symbol, cell in table.get("providers", pd.Series(dtype=str)).items():
            if not cell:
                continue
            before, where = said.setdefault(symbol, (cell, path))
            if before != cell:
                raise ParameterError(
                    f"{symbol}: its providers are {before!r} in {where.name} and {cell!r} here",
                    file=path,
                    symbol=symbol,
                    remedy="say it once, or the same in both",
                )
            parts = [part.partition(":") for part in cell.split()]
            names[symbol] = (table.loc[symbol, "name_zh"], table.loc[symbol, "name_en"])
            orders[symbol] = tuple(_known(name, path) for name, _, _ in parts)
            for name, _, code in parts:
                if code:
                    codes.setdefault(name, {})[symbol] = code
                elif not (ROUTES[name].code and ROUTES[name].code(symbol)):
                    raise ParameterError(
                        f"{symbol}: {name} needs a name of its own",
                        file=path,
                        symbol=symbol,
                        remedy=f"write {name}:<the provider's name>",
                    )
    return {"orders": orders, "codes": codes, "names": names}


def _known(name: str, path: Path) -> str:
    if name not in ROUTES:
        raise ParameterError(
            f"there is no provider function {name}", file=path, remedy=f"choose from {', '.join(ROUTES)}"
        )
    return name
