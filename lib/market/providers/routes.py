"""Which provider serves what: the functions by name, and the ordered lists of ``params/providers.yaml``."""

from __future__ import annotations

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
    tushare_sectors,
    yahoo,
)
from lib.market.providers.answers import Answer, Want
from lib.market.providers.client import Client

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
        parameters.
    together : bool
        One call answers for all symbols.
    """

    function: Callable[[Want, Client], Answer]
    code: Callable[[str], str | None] | None = None
    together: bool = False


ROUTES = {
    "akshare.sector_bars": Route(akshare_indices.sector_bars, akshare_indices.sector_code),
    "akshare.sector_valuation": Route(akshare_indices.sector_valuation, akshare_indices.sector_code, together=True),
    "akshare.csi_bars": Route(akshare_indices.csi_bars, akshare_indices.csi_code),
    "akshare.csi_weights": Route(akshare_indices.csi_weights, akshare_indices.csi_code),
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
    "tushare.sector_daily": Route(
        tushare_sectors.sector_daily, lambda symbol: symbol if symbol.endswith(".SI") else None, together=True
    ),
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CrossCheck(_Strict):
    """A symbol whose stored changes are compared with those of a second provider."""

    symbol: str
    provider: str
    tolerance: Annotated[float, Field(gt=0, lt=1)]


class Providers(_Strict):
    """The parameters of ``make data``; see the comments in ``params/providers.yaml``."""

    first_date: dict[str, str]
    overlap: Annotated[int, Field(ge=2, le=60)]
    timeout: Annotated[float, Field(gt=0)]
    attempts: Annotated[int, Field(ge=1, le=10)]
    backoff: Annotated[float, Field(ge=0)]
    pause: dict[str, Annotated[float, Field(ge=0)]]
    bad_share: Annotated[float, Field(ge=0, le=1)]
    stale_sessions: Annotated[int, Field(ge=0)]
    shares: bool
    folder: str
    bars: dict[str, list[str]]
    valuation: dict[str, list[str]]
    constituents: dict[str, list[str]]
    macro: dict[str, list[str]]
    codes: dict[str, dict[str, str]]
    cross_checks: list[CrossCheck]

    def begin(self, kind: str) -> pd.Timestamp:
        """Return the first day to ask for of a kind."""
        return pd.Timestamp(self.first_date.get(kind, self.first_date[""]))

    def code(self, route: str, symbol: str) -> str | None:
        """Return a provider's name of a symbol, None when it does not serve it."""
        rule = ROUTES[route].code
        return rule(symbol) if rule else self.codes.get(route, {}).get(symbol)


def read_providers(path: Path = PARAMS) -> Providers:
    """Read the parameters of ``make data``.

    Raises
    ------
    ParameterError
        The file lacks a key, has one too many, or names a function that does not exist.
    """
    try:
        settings = Providers.model_validate(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        raise ParameterError(
            f"{'.'.join(map(str, first['loc']))}: {first['msg']}", file=path, remedy="correct the parameter"
        ) from error
    tables = (settings.bars, settings.valuation, settings.constituents, settings.macro)
    named = [name for table in tables for names in table.values() for name in names]
    named += [*settings.codes, *(check.provider for check in settings.cross_checks)]
    unknown = sorted(set(named) - set(ROUTES))
    if unknown:
        raise ParameterError(
            f"there is no provider function {unknown[0]}", file=path, remedy=f"choose from {', '.join(ROUTES)}"
        )
    return settings
