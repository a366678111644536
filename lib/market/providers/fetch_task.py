"""Fetch task of an update: one table of one kind, from the first provider with sound data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
import pandas as pd

from lib.market.calendar import Sessions
from lib.market.errors import SuiteError
from lib.market.providers.client import Client, ProviderError, redact
from lib.market.providers.contract import FetchRequest, Response, call_provider
from lib.market.providers.registry import ENDPOINTS, CrossCheck, ProviderSettings
from lib.market.providers.response_checks import Faults, find_faults
from lib.market.providers.staging import Staging
from lib.market.providers.summary import UpdateReport
from lib.market.schema import KEYS, KNOWN_ON, cast_to_schema
from lib.market.symbols import FUND_CODE

#: kinds with a row on every session; a last row of the others may be some days old
PUNCTUAL_KINDS = ("sector", "theme", "broad_index", "etf")
#: kinds that trade after the Shanghai close, the last of them until the end of the day in UTC
FOREIGN_KINDS = ("global_index", "commodity", "fx")
#: days over which two providers are compared
CROSS_CHECK_DAYS = pd.Timedelta(days=45)

#: a request and the response to it
FetchedPair = tuple[FetchRequest, Response]


@dataclass
class UpdateContext:
    """What all tasks of an update share.

    Attributes
    ----------
    settings : ProviderSettings
    client : Client
    staging : Staging
    sessions : Sessions
    day : Timestamp
        The last session to fetch.
    on_progress : callable
        Called with a description of each call before it is made.
    report : UpdateReport
        Gets rejected responses, skipped cross-checks and days that are not over.
    accept_revisions : bool
        Let responses change stored rows.
    """

    settings: ProviderSettings
    client: Client
    staging: Staging
    sessions: Sessions
    day: pd.Timestamp
    on_progress: Callable[[str], None]
    report: UpdateReport
    accept_revisions: bool = False


@dataclass
class FetchTask:
    """What is to be fetched, and the result.

    Attributes
    ----------
    context : UpdateContext
    table, kind : str
    endpoints : tuple of str
        Provider functions in the order in which they are asked.
    symbols : list of str
        The symbols that are due.
    stored : DataFrame
        The last rows of the store, ``overlap`` of each symbol.
    since : dict
        Symbol -> the day from which another table of the same responses is not stored yet.
    accepted : dict
        Provider function -> the responses accepted from it.
    failures : dict
        Symbol -> errors of its providers.
    disputed : set of str
        Symbols that two providers disagree about; neither is accepted.
    """

    context: UpdateContext
    table: str
    kind: str
    endpoints: tuple[str, ...]
    symbols: list[str]
    stored: pd.DataFrame
    since: dict[str, pd.Timestamp] = field(default_factory=dict)
    accepted: dict[str, list[Response]] = field(default_factory=dict)
    failures: dict[str, list[str]] = field(default_factory=dict)
    disputed: set[str] = field(default_factory=set)

    @cached_property
    def stored_rows(self) -> dict[str, np.ndarray]:
        """Return the positions of each symbol's rows in ``stored``."""
        return self.stored.groupby(KEYS[self.table][0]).indices


def run_task(task: FetchTask) -> None:
    """Ask the providers in order, each for the symbols that the ones before did not complete."""
    due = list(task.symbols)
    for endpoint in task.endpoints:
        codes = task.context.settings.codes_of(endpoint, due)
        if not codes:
            continue
        pairs = _fetch(endpoint, codes, task)
        sound = _accept(endpoint, pairs, task)
        if sound:
            task.accepted[endpoint] = [response for _, response in sound]
        # a symbol that is missing, or ends before the day, is asked of the next provider
        done = {
            request.symbol for request, response in sound if _is_complete(request, response, task)
        }
        due = [symbol for symbol in due if symbol not in done and symbol not in task.disputed]


def _is_complete(request: FetchRequest, response: Response, task: FetchTask) -> bool:
    """Return whether the response reaches the day, for kinds with a row on each session."""
    if task.table != "bars" or request.kind not in PUNCTUAL_KINDS:
        return True
    # the levels of two providers are matched on stored rows; without any, the second provider has
    # to wait for the next update
    if FUND_CODE.match(request.symbol) and request.symbol not in task.stored_rows:
        return True
    return response["bars"]["date"].max() >= task.context.day


def _calls(endpoint: str, codes: dict[str, str], task: FetchTask) -> list[tuple[str, ...]]:
    """Return the symbols of each call; a batched one is called for stored and new ones apart."""
    if not ENDPOINTS[endpoint].batched:
        return [(symbol,) for symbol in codes]
    stored = tuple(symbol for symbol in codes if symbol in task.stored_rows)
    new = tuple(symbol for symbol in codes if symbol not in task.stored_rows)
    return [symbols for symbols in (stored, new) if symbols]


def _request(symbols: tuple[str, ...], codes: dict[str, str], task: FetchTask) -> FetchRequest:
    """Return the request from the first stored row to be fetched again, or from the beginning."""
    rows = [task.stored_rows[symbol] for symbol in symbols if symbol in task.stored_rows]
    stored = task.stored.iloc[np.concatenate(rows) if rows else slice(0)].reset_index(drop=True)
    start = task.context.settings.first_day(task.kind)
    if len(stored):
        start = stored[KNOWN_ON[task.table]].min()
    start = min([start, *(task.since[symbol] for symbol in symbols if symbol in task.since)])
    symbol_codes = {symbol: codes[symbol] for symbol in symbols}
    return FetchRequest(task.kind, symbols, symbol_codes, start, task.context.day, stored)


def _fetch(endpoint: str, codes: dict[str, str], task: FetchTask) -> list[FetchedPair]:
    """Return the responses of one provider; those fetched before a stop are not fetched again."""
    name = f"{task.table}-{task.kind}-{endpoint}"
    pairs = []
    for symbols in _calls(endpoint, codes, task):
        request = _request(symbols, codes, task)
        what = symbols[0] if len(symbols) == 1 else f"{len(symbols)} symbols"
        task.context.on_progress(f"{task.kind} {what}")
        response = None
        # an update that accepts revisions looks further back than the one that was stopped
        if not task.context.accept_revisions:
            response = task.context.staging.response(name, symbols)
        if response is None:
            task.context.client.check_network()
            try:
                request, response = _call(endpoint, request, task)
            except SuiteError as error:
                message = f"{endpoint}: {redact(error.message)}"
                for symbol in symbols:
                    task.failures.setdefault(symbol, []).append(message)
                continue
            closed = _drop_open_days(response, task, task.context.client)
            complete = all(len(closed[table]) == len(rows) for table, rows in response.items())
            if complete:  # otherwise it is fetched again when the day is over
                task.context.staging.append_response(name, symbols, response)
            response = closed
        pairs.append((request, response))
    return pairs


def _call(endpoint: str, request: FetchRequest, task: FetchTask) -> FetchedPair:
    """Return the response of a provider, and the request for it.

    With accepted revisions, a response that differs from the stored rows is fetched again from the
    beginning: history may have changed from there, as in an index that was rebased.
    """
    function = ENDPOINTS[endpoint].function
    response = call_provider(endpoint, function, request, task.context.client)
    if task.context.accept_revisions and len(request.stored):
        rows = cast_to_schema(task.table, response[task.table])
        if find_faults(task.table, task.kind, rows, request.stored, task.context.sessions):
            request = replace(request, start=task.context.settings.first_day(task.kind))
            response = call_provider(endpoint, function, request, task.context.client)
    return request, response


def _drop_open_days(response: Response, task: FetchTask, client: Client) -> Response:
    """Return a response without days that are not over on foreign markets: they have no close."""
    if task.kind not in FOREIGN_KINDS:
        return response
    today = client.now().tz_convert("UTC").tz_localize(None).normalize()
    for rows in response.values():
        task.context.report.still_open |= set(rows.loc[rows["date"] >= today, "symbol"])
    return {table: rows[~(rows["date"] >= today)] for table, rows in response.items()}


def _find_faults(endpoint: str, table: str, pairs: list[FetchedPair], task: FetchTask) -> Faults:
    """Return the faults of a provider's responses in one table.

    All responses are checked together, reports one by one; the task's own table also against the
    stored rows.
    """
    faults: Faults = {}
    is_report = ENDPOINTS[endpoint].batched
    compare = table == task.table and not task.context.accept_revisions
    groups = [[pair] for pair in pairs] if is_report else [pairs]
    for group in groups:
        frames = [response[table] for _, response in group if len(response.get(table, ()))]
        if not frames:
            continue
        rows = cast_to_schema(table, pd.concat(frames, ignore_index=True))
        stored = rows.iloc[:0]
        if compare:
            stored = pd.concat([request.stored for request, _ in group], ignore_index=True)
        found = find_faults(table, task.kind, rows, stored, task.context.sessions, is_report)
        for symbol, messages in found.items():
            faults[symbol] = faults.get(symbol, []) + messages
    return faults


def _split(request: FetchRequest, response: Response, task: FetchTask) -> list[FetchedPair]:
    """Split a response into one per symbol that it has, so that one can be rejected alone."""
    symbol_column = KEYS[task.table][0]
    present = set()
    if task.table in response:
        present = set(response[task.table][symbol_column])
    if len(request.symbols) == 1 or not present:
        return [(request, response)]
    pairs = []
    for symbol in request.symbols:
        if symbol not in present:
            continue
        stored = request.stored[request.stored[symbol_column] == symbol]
        codes = {symbol: request.codes[symbol]}
        rows = {table: part[part[KEYS[table][0]] == symbol] for table, part in response.items()}
        rows = {table: part for table, part in rows.items() if len(part)}
        pairs.append((replace(request, symbols=(symbol,), codes=codes, stored=stored), rows))
    return pairs


def _reasons(request: FetchRequest, faults: Faults) -> list[str]:
    symbols = [symbol for symbol in ("", *request.symbols) if symbol in faults]
    return [f"{symbol}: {'; '.join(faults[symbol])}" for symbol in symbols]


def set_aside(
    context: UpdateContext, endpoint: str, table: str, pair: FetchedPair, reasons: list[str]
) -> None:
    """Move a response for a table, or one of its tables, to the quarantine and the report.

    Parameters
    ----------
    context : UpdateContext
        Gives staging and report.
    endpoint, table : str
        Name of the endpoint, and of the table.
    pair : tuple of FetchRequest and dict of str to DataFrame
        The request and the response to it, one row per record.
    reasons : list of str
        What is wrong.
    """
    request, response = pair
    note = {
        "provider": endpoint,
        "table": table,
        "kind": request.kind,
        "symbols": list(request.symbols),
        "rows": sum(len(rows) for rows in response.values()),
        "from": f"{request.start:%Y-%m-%d}",
        "to": f"{request.end:%Y-%m-%d}",
        "reasons": reasons,
    }
    context.staging.set_aside(f"{table}-{request.kind}-{request.symbols[0]}", response, note)
    context.report.rejected.append(note)


def _accept(endpoint: str, pairs: list[FetchedPair], task: FetchTask) -> list[FetchedPair]:
    """Return the sound responses of a provider, one per symbol; none when too many were bad."""
    reject = partial(set_aside, task.context, endpoint)
    faults = _find_faults(endpoint, task.table, pairs, task)
    sound = []
    parts = [part for pair in pairs for part in _split(*pair, task)]
    for request, response in parts:
        reasons = _reasons(request, faults)
        if not len(response.get(task.table, ())):
            reasons.append("no rows")
        if reasons:
            reject(task.table, (request, response), reasons)
        else:
            sound.append((request, response))
    bad = len(parts) - len(sound)
    if bad > 1 and bad / len(parts) > task.context.settings.bad_share:
        for pair in sound:
            reasons = [f"{bad} of {len(parts)} responses of {endpoint} were rejected"]
            reject(task.table, pair, reasons)
        return []
    agreed = _agreed(endpoint, sound, task)
    other_tables = {table for _, response in agreed for table in response} - {task.table}
    for table in sorted(other_tables):
        faults = _find_faults(endpoint, table, agreed, task)
        for request, response in agreed:
            reasons = _reasons(request, faults)
            if reasons:  # only this table is rejected
                reject(table, (request, {table: response.pop(table)}), reasons)
    return agreed


def _agreed(endpoint: str, sound: list[FetchedPair], task: FetchTask) -> list[FetchedPair]:
    """Return the responses without a dispute; none where several are disputed."""
    disputes = [_cross_check(endpoint, *pair, task) for pair in sound]
    all_disputes = [reason for reasons in disputes for reason in reasons]
    several = sum(map(bool, disputes)) > 1
    agreed = []
    for pair, reasons in zip(sound, disputes, strict=True):
        if reasons or several:
            reasons = all_disputes if several else reasons
            set_aside(task.context, endpoint, task.table, pair, reasons)
            task.disputed |= set(pair[0].symbols)
        else:
            agreed.append(pair)
    return agreed


def _cross_check(
    endpoint: str, request: FetchRequest, response: Response, task: FetchTask
) -> list[str]:
    """Return where the daily changes of a response differ from those of a second provider."""
    if task.table != "bars" or task.context.accept_revisions:
        return []
    disputes = []
    for check in task.context.settings.cross_checks:
        if check.symbol not in request.symbols or check.provider == endpoint:
            continue
        bars = response["bars"]
        close = bars.loc[bars["symbol"] == check.symbol].set_index("date")["close"]
        try:
            change = _largest_gap(check, close, request, task.context)
        except ProviderError as error:
            message = f"{check.symbol} against {check.provider}: {redact(error.message)}"
            task.context.report.skipped_cross_checks.append(message)
            continue
        gap = change.max()
        if gap > check.tolerance:
            disputes.append(
                f"{check.symbol} moved {gap:.2%} apart from {check.provider}"
                f" on {change.idxmax():%Y-%m-%d}, more than {check.tolerance:.2%}"
            )
    return disputes


def _largest_gap(
    check: CrossCheck, close: pd.Series, request: FetchRequest, context: UpdateContext
) -> pd.Series:
    """Return the absolute differences of log changes from a second provider, by common day.

    Raises a ProviderError when the second provider gives nothing to compare with.
    """
    name = check.provider
    code = context.settings.code(name, check.symbol)
    if code is None:
        remedy = "name it in a universe list, or take the cross-check out of params/providers.yaml"
        raise ProviderError("the provider does not serve it", symbol=check.symbol, remedy=remedy)
    start = max(request.start, request.end - CROSS_CHECK_DAYS)
    stored = request.stored.iloc[:0]
    second = FetchRequest(
        request.kind, (check.symbol,), {check.symbol: code}, start, request.end, stored
    )
    response = call_provider(name, ENDPOINTS[name].function, second, context.client)["bars"]
    bars = cast_to_schema("bars", response)
    faults = find_faults("bars", request.kind, bars, stored, context.sessions)
    messages = [message for symbol_faults in faults.values() for message in symbol_faults]
    if not len(bars):
        messages = ["no rows"]
    remedy = "see make data CHECK=1"
    if messages:
        reason = f"its response is faulty: {'; '.join(messages)}"
        raise ProviderError(reason, symbol=check.symbol, remedy=remedy)
    other = response.set_index("date")["close"]
    closes = pd.concat([close, other], axis=1, join="inner", keys=["own", "other"])
    if len(closes) < 2:
        raise ProviderError("no two days in common", symbol=check.symbol, remedy=remedy)
    return np.log(closes).diff().diff(axis=1)["other"].abs()
