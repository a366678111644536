"""Checks of instruments, valuations, constituents and macro releases."""

from __future__ import annotations

import difflib

import numpy as np
import pandas as pd

from lib.market.checks.ledger import Ledger
from lib.market.schema import KINDS

#: percent points by which the weights of an index may miss 100
WEIGHT_SLACK = 2.0


def check_instruments(ledger: Ledger) -> None:
    """Refuse instruments of an unknown kind; warn of names that are missing."""
    kinds = ledger.rows["kind"].astype(object).to_numpy()
    unknown = ~np.isin(kinds.astype(str), KINDS)
    details = []
    for kind in kinds[unknown]:
        near = difflib.get_close_matches(str(kind), KINDS, n=1)
        details.append(f"{kind} is not a kind" + (f"; did you mean {near[0]}?" if near else ""))
    ledger.refuse(unknown, "unknown kind", details, f"use one of {', '.join(KINDS)}")
    ledger.warn(ledger.rows["name"].isna(), "name missing", "the instrument has no name", "fill in its official name")
    rows = ledger.rows
    ledger.warn(
        rows["first_date"] > rows["last_date"],
        "dates reversed",
        "first_date lies after last_date",
        "correct the dates; the suite reads them from the bars",
    )


def check_valuation(ledger: Ledger, instruments: pd.DataFrame) -> None:
    """Refuse unknown symbols; set aside rows that say nothing; a negative PE is a loss, not an error."""
    refuse_unknown(ledger, instruments)
    rows = ledger.rows
    ledger.quarantine(rows["pe_ttm"].isna() & rows["pb"].isna(), "no value", "neither PE nor PB", "leave such rows out")
    rows = ledger.rows
    for field in ("pe_ttm", "pb"):
        zero = (rows[field] == 0).to_numpy()
        ledger.repair(zero, f"zero {field}", f"{field} = 0 stands for unknown; stored as empty", "leave the cell empty")
        rows.loc[zero, field] = np.nan
    huge = (rows["pe_ttm"].abs() > 5000) | (rows["pb"].abs() > 500)
    ledger.warn(huge, "valuation out of range", "|PE| above 5000 or |PB| above 500", "check the unit of the ratio")


def check_constituents(ledger: Ledger) -> None:
    """Set aside members without a weight in (0, 100]; warn of lists that do not sum to about 100 percent."""
    rows = ledger.rows
    ledger.quarantine(
        ~((rows["weight"] > 0) & (rows["weight"] <= 100)),
        "weight out of range",
        "the weight is empty, not positive or above 100 percent",
        "give the weight in percent",
    )
    totals = ledger.rows.groupby(["index_symbol", "as_of"])["weight"].sum().reset_index()
    off = totals[(totals["weight"] - 100).abs() > WEIGHT_SLACK]
    ledger.event(
        "warn",
        "weights do not sum to 100",
        off["index_symbol"],
        off["as_of"],
        [f"they sum to {total:.2f}" for total in off["weight"]],
        "complete the list, or give the weights in percent",
    )


def check_macro(ledger: Ledger) -> None:
    """Set aside releases that precede their period or hold no value."""
    rows = ledger.rows
    ledger.quarantine(
        rows["release_date"] < rows["period"],
        "released before its period",
        "the release date lies before the period it is about",
        "correct the dates",
    )
    values = ledger.rows[["actual", "consensus", "previous"]]
    ledger.quarantine(values.isna().all(axis=1), "no value", "the release holds no number", "leave such rows out")


def refuse_unknown(ledger: Ledger, instruments: pd.DataFrame) -> None:
    """Refuse rows whose symbol is not among the instruments."""
    codes, symbols = pd.factorize(ledger.rows[ledger.owner])
    known = np.asarray(pd.Index(symbols).isin(instruments.index))
    details = {}
    for symbol in symbols[~known]:
        near = difflib.get_close_matches(str(symbol), list(instruments.index), n=1)
        details[symbol] = "the symbol is not in instruments" + (f"; did you mean {near[0]}?" if near else "")
    mask = ~known[codes]
    ledger.refuse(
        mask,
        "unknown symbol",
        [details[symbol] for symbol in ledger.rows[ledger.owner].to_numpy()[mask]],
        "add the symbol with its name and kind to instruments",
    )
