"""Checks of instruments, valuations, constituents and macro releases."""

from __future__ import annotations

import difflib

import numpy as np
import pandas as pd

from lib.market.checks.findings import FindingsLog
from lib.market.schema import KINDS

#: percentage points by which the weights of an index may miss 100
WEIGHT_TOLERANCE = 2.0


def check_instruments(log: FindingsLog) -> None:
    """Refuse instruments of an unknown kind; warn of missing names and reversed dates."""
    kinds = log.rows["kind"].astype(object).to_numpy()
    unknown = ~np.isin(kinds.astype(str), KINDS)
    details = [f"{kind} is not a kind{_suggestion(kind, KINDS)}" for kind in kinds[unknown]]
    log.refuse(unknown, "unknown kind", details, f"use one of {', '.join(KINDS)}")
    unnamed = log.rows["name"].isna()
    log.warn(unnamed, "name missing", "the instrument has no name", "fill in its official name")
    log.warn(
        log.rows["first_date"] > log.rows["last_date"],
        "dates reversed",
        "first_date is after last_date",
        "correct the dates; the suite reads them from the bars",
    )


def check_valuation(log: FindingsLog, instruments: pd.DataFrame) -> None:
    """Refuse unknown symbols; quarantine empty rows; a negative PE is a loss, not an error."""
    refuse_unknown(log, instruments)
    empty = log.rows["pe_ttm"].isna() & log.rows["pb"].isna()
    log.quarantine(empty, "no value", "the row has neither PE nor PB", "leave such rows out")
    rows = log.rows
    for field in ("pe_ttm", "pb"):
        zero = (rows[field] == 0).to_numpy()
        detail = f"{field} = 0 means unknown; stored as empty"
        log.repair(zero, f"zero {field}", detail, "leave the cell empty")
        rows.loc[zero, field] = np.nan
    huge = (rows["pe_ttm"].abs() > 5000) | (rows["pb"].abs() > 500)
    detail = "|PE| above 5000 or |PB| above 500"
    log.warn(huge, "valuation out of range", detail, "check the unit of the ratio")


def check_constituents(log: FindingsLog) -> None:
    """Quarantine weights outside (0, 100]; warn of lists that do not sum to about 100 percent."""
    weights = log.rows["weight"]
    log.quarantine(
        ~((weights > 0) & (weights <= 100)),
        "weight out of range",
        "the weight is empty, not positive or above 100 percent",
        "give the weight in percent",
    )
    totals = log.rows.groupby(["index_symbol", "as_of"])["weight"].sum().reset_index()
    off = totals[(totals["weight"] - 100).abs() > WEIGHT_TOLERANCE]
    log.add_finding(
        "warn",
        "weights do not sum to 100",
        off["index_symbol"],
        off["as_of"],
        [f"the weights sum to {total:.2f}" for total in off["weight"]],
        "complete the list, or give the weights in percent",
    )


def check_macro(log: FindingsLog) -> None:
    """Quarantine releases that precede their period or have no value."""
    rows = log.rows
    log.quarantine(
        rows["release_date"] < rows["period"],
        "released before its period",
        "the release date precedes the period of the value",
        "correct the dates",
    )
    empty = log.rows[["actual", "consensus", "previous"]].isna().all(axis=1)
    log.quarantine(empty, "no value", "the release has no value", "leave such rows out")


def refuse_unknown(log: FindingsLog, instruments: pd.DataFrame) -> None:
    """Refuse rows whose symbol is not among the instruments."""
    codes, symbols = pd.factorize(log.rows[log.symbol_column])
    is_listed = np.asarray(pd.Index(symbols).isin(instruments.index))
    details = {
        symbol: f"the symbol is not in instruments{_suggestion(symbol, instruments.index)}"
        for symbol in symbols[~is_listed]
    }
    unknown = ~is_listed[codes]
    log.refuse(
        unknown,
        "unknown symbol",
        [details[symbol] for symbol in log.rows[log.symbol_column].to_numpy()[unknown]],
        "add the symbol with its name and kind to instruments",
    )


def _suggestion(value, candidates) -> str:
    near = difflib.get_close_matches(str(value), list(candidates), n=1)
    return f"; did you mean {near[0]}?" if near else ""
