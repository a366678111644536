"""Registry of provider functions: what they serve, and in which order they are asked.

A universe list may set the order for a symbol in its column ``providers``: names of functions, each
with the provider's name of the symbol after a colon where no rule gives it, as in
``yfinance.bars:^GSPC akshare.global_index_bars:标普500``. Other symbols follow the order of their
kind in ``params/providers.yaml``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
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
from lib.market.providers.client import TOKEN
from lib.market.providers.contract import ProviderFunction
from lib.market.universe import UNIVERSE_FOLDER, read_universe

PARAMETERS_FILE = Path(__file__).resolve().parents[3] / "params" / "providers.yaml"


@dataclass(frozen=True)
class Endpoint:
    """One function of one provider.

    Attributes
    ----------
    function : callable
        From a ``FetchRequest`` and the client to a ``Response``.
    code : callable or None
        From a symbol to the provider's name of it, None when it is not served; without this
        function the names come from the universe lists.
    batched : bool
        One call serves all symbols.
    token : str
        Environment variable that the function needs; empty for none.
    max_age_days : int or None
        Days before today that the function can serve; None for all.
    """

    function: ProviderFunction
    code: Callable[[str], str | None] | None = None
    batched: bool = False
    token: str = ""
    max_age_days: int | None = None

    def available(self, day: pd.Timestamp, today: pd.Timestamp) -> bool:
        """Return whether the function can be asked today about a day."""
        if self.token and not os.environ.get(self.token, "").strip():
            return False
        return self.max_age_days is None or today - day <= pd.Timedelta(days=self.max_age_days)


ENDPOINTS = {
    "akshare.sector_bars": Endpoint(akshare_indices.sector_bars, akshare_indices.sector_code),
    "akshare.sector_members": Endpoint(
        akshare_indices.sector_members, akshare_indices.sector_code, max_age_days=5
    ),
    "akshare.sector_valuation": Endpoint(
        akshare_indices.sector_valuation, akshare_indices.sector_code, batched=True
    ),
    "akshare.csi_bars": Endpoint(akshare_indices.csi_bars, akshare_indices.csi_code),
    "akshare.csi_weights": Endpoint(
        akshare_indices.csi_weights, akshare_indices.csi_code, max_age_days=31
    ),
    "akshare.cni_bars": Endpoint(akshare_indices.cni_bars, akshare_indices.cni_code),
    "akshare.eastmoney_bars": Endpoint(
        akshare_indices.eastmoney_bars, akshare_indices.eastmoney_code
    ),
    "akshare.fund_bars": Endpoint(akshare_funds.fund_bars, akshare_funds.fund_code),
    "akshare.share_bars": Endpoint(akshare_funds.share_bars, akshare_funds.share_code),
    "akshare.global_index_bars": Endpoint(akshare_global.index_bars),
    "akshare.currency_bars": Endpoint(akshare_global.currency_bars),
    "akshare.foreign_futures_bars": Endpoint(akshare_global.foreign_futures_bars),
    "akshare.domestic_futures_bars": Endpoint(akshare_global.domestic_futures_bars),
    "akshare.yield_bars": Endpoint(
        akshare_global.yield_bars, akshare_global.yield_code, batched=True
    ),
    "akshare.treasury_index_bars": Endpoint(akshare_global.treasury_index_bars),
    "akshare.jin10_history": Endpoint(
        akshare_macro.jin10_history, akshare_macro.history_code, batched=True
    ),
    "akshare.wallstreetcn_calendar": Endpoint(
        akshare_macro.wallstreetcn_calendar, akshare_macro.calendar_code, batched=True
    ),
    "yfinance.bars": Endpoint(yahoo.index_bars),
    "yfinance.fund_bars": Endpoint(yahoo.fund_bars, yahoo.fund_code),
    "baostock.share_bars": Endpoint(baostock_shares.share_bars, baostock_shares.share_code),
    "baostock.index_bars": Endpoint(baostock_shares.index_bars, baostock_shares.index_code),
    "tushare.sector_daily": Endpoint(
        tushare_indices.sector_daily, tushare_indices.sector_code, batched=True, token=TOKEN
    ),
    "tushare.citic_daily": Endpoint(
        tushare_indices.citic_daily, tushare_indices.citic_code, batched=True, token=TOKEN
    ),
    "tushare.index_daily": Endpoint(
        tushare_indices.index_daily, tushare_indices.index_code, token=TOKEN
    ),
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CrossCheck(_Strict):
    """A symbol whose daily changes are compared with those of a second provider."""

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


class ProviderSettings(_File):
    """Parameters of ``make data``: those of the file, and those of the universe lists.

    Attributes
    ----------
    orders : dict
        Symbol -> functions to ask for its bars, in order, where a list sets it.
    codes : dict
        Function -> symbol -> the provider's name.
    names : dict
        Symbol -> its names in Chinese and English, from the list that sets its order.
    """

    orders: dict[str, tuple[str, ...]]
    codes: dict[str, dict[str, str]]
    names: dict[str, tuple[str, str]]

    def first_day(self, kind: str) -> pd.Timestamp:
        """Return the first day to fetch of a kind."""
        return pd.Timestamp(self.first_date.get(kind, self.first_date[""]))

    def code(self, endpoint: str, symbol: str) -> str | None:
        """Return a provider's name of a symbol, None when it does not serve it."""
        rule = ENDPOINTS[endpoint].code
        listed = self.codes.get(endpoint, {}).get(symbol)
        return listed or (rule(symbol) if rule else None)

    def codes_of(self, endpoint: str, symbols: Iterable[str]) -> dict[str, str]:
        """Return a provider's names of the symbols that it serves."""
        named = {symbol: self.code(endpoint, symbol) for symbol in symbols}
        return {symbol: code for symbol, code in named.items() if code}

    def endpoints(self, table: str, kind: str, symbol: str) -> tuple[str, ...]:
        """Return the functions to ask for a table of a symbol, in order, with or without token.

        Parameters
        ----------
        table : str
            A key of ``TABLES``.
        kind : str
            Of the instrument.
        symbol : str
            The suite's symbol.
        """
        order = getattr(self, table).get(kind, ())
        if table == "bars":
            order = self.orders.get(symbol, order)
        return tuple(endpoint for endpoint in order if self.code(endpoint, symbol))


def read_providers(
    path: Path = PARAMETERS_FILE, universes: Path = UNIVERSE_FOLDER
) -> ProviderSettings:
    """Read the parameters of ``make data`` and the column ``providers`` of the universe lists.

    Raises
    ------
    ParameterError
        The file lacks a key, has an unknown one, or names an unknown function; a list names an
        unknown function, lacks a name that does not follow from the symbol, or contradicts another
        list.
    """
    try:
        file = _File.model_validate(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        remedy = "correct the parameter"
        raise ParameterError(f"{key}: {first['msg']}", file=path, remedy=remedy) from error
    for table in (file.bars, file.valuation, file.constituents, file.macro):
        for names in table.values():
            _check_names(names, path)
    _check_names([check.provider for check in file.cross_checks], path)
    return ProviderSettings.model_validate(dict(file) | _read_lists(Path(universes)))


def _read_lists(folder: Path) -> dict[str, dict]:
    """Return the orders, codes and names of ``ProviderSettings`` from the universe lists."""
    sources: dict[str, tuple[str, Path]] = {}
    orders = {}
    codes: dict[str, dict[str, str]] = {}
    names = {}
    for path in sorted(folder.glob("*.csv")):
        table = read_universe(path.stem, folder)
        cells = table.get("providers", pd.Series(dtype=str))
        for symbol, cell in cells[cells != ""].items():
            first_cell, first_path = sources.setdefault(symbol, (cell, path))
            if first_cell != cell:
                raise ParameterError(
                    f"{symbol}: its providers are {first_cell!r} in {first_path.name} and {cell!r}"
                    " here",
                    file=path,
                    symbol=symbol,
                    remedy="set them once, or the same in both",
                )
            code_of = {}
            for part in cell.split():
                endpoint, _, code = part.partition(":")
                code_of[endpoint] = code
            _check_names(code_of, path)
            names[symbol] = (table.loc[symbol, "name_zh"], table.loc[symbol, "name_en"])
            orders[symbol] = tuple(code_of)
            for endpoint, code in code_of.items():
                rule = ENDPOINTS[endpoint].code
                if code:
                    codes.setdefault(endpoint, {})[symbol] = code
                elif not (rule and rule(symbol)):
                    raise ParameterError(
                        f"{symbol}: {endpoint} needs a name of its own",
                        file=path,
                        symbol=symbol,
                        remedy=f"write {endpoint}:<the provider's name>",
                    )
    return {"orders": orders, "codes": codes, "names": names}


def _check_names(endpoints: Iterable[str], path: Path) -> None:
    for endpoint in endpoints:
        if endpoint not in ENDPOINTS:
            raise ParameterError(
                f"unknown provider function {endpoint}",
                file=path,
                remedy=f"choose from {', '.join(ENDPOINTS)}",
            )
