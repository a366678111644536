"""Codes of funds, shares and indices listed in Shanghai and Shenzhen."""

from __future__ import annotations

import re

#: exchange-traded funds
FUND_CODE = re.compile(r"^(?:1[56]|5\d)\d{4}\.(?:SH|SZ)$")
#: A shares
SHARE_CODE = re.compile(r"^[036]\d{5}\.(SH|SZ)$")
#: indices of the two exchanges; a fund is excluded, because an index comes without its dividends
LISTED_INDEX_CODE = re.compile(rf"^(?!{FUND_CODE.pattern})(\d{{6}})\.(SH|SZ)$")


def strip_exchange(symbol: str) -> str:
    """Return the code before the dot."""
    return symbol.split(".")[0]
