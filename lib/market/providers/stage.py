"""One stage of an update: one table of one kind, from the first provider that gives it soundly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from lib.market.calendar import Sessions
from lib.market.errors import SuiteError
from lib.market.providers.akshare_funds import FUND
from lib.market.providers.answers import Answer, Want, ask, typed
from lib.market.providers.audit import Faults, faults
from lib.market.providers.client import Client, ProviderError, blacken
from lib.market.providers.landing import Landing
from lib.market.providers.routes import ROUTES, Providers
from lib.market.schema import KEYS

#: kinds with a row on every session; of the others a last row some days back is no fault
PUNCTUAL = ("sector", "theme", "broad_index", "etf")
#: kinds that trade when Shanghai has closed, the last of them until the end of the day in UTC
ABROAD = ("global_index", "commodity", "fx")
#: days over which two providers are compared
COMPARED = pd.Timedelta(days=45)


@dataclass
class Stage:
    """What is to be filled, and what came of it.

    Attributes
    ----------
    table, kind : str
    routes : tuple of str
        Providers' functions in the order in which they are asked.
    symbols : list of str
        What is due.
    stored : DataFrame
        The last rows of the store, ``overlap`` of each symbol.
    since : dict
        Symbol -> the day from which another table that comes along is not stored yet.
    taken : dict
        Provider function -> the answers taken from it.
    refused : list of dict
        Notes of the answers that were set aside.
    failures : dict
        Symbol -> what its providers said instead of an answer.
    unasked : list of str
        Comparisons that could not be made.
    trading : set of str
        Symbols whose last day was not over and was left out.
    disputed : set of str
        Symbols that two providers disagree about: nobody knows which is right, so neither is taken.
    """

    table: str
    kind: str
    routes: tuple[str, ...]
    symbols: list[str]
    stored: pd.DataFrame
    since: dict[str, pd.Timestamp] = field(default_factory=dict)
    taken: dict[str, list[Answer]] = field(default_factory=dict)
    refused: list[dict] = field(default_factory=list)
    failures: dict[str, list[str]] = field(default_factory=dict)
    unasked: list[str] = field(default_factory=list)
    trading: set[str] = field(default_factory=set)
    disputed: set[str] = field(default_factory=set)

    @cached_property
    def places(self) -> dict[str, np.ndarray]:
        """Return where the stored rows of each symbol stand."""
        return self.stored.groupby(KEYS[self.table][0]).indices


@dataclass
class Desk:
    """What every stage works with."""

    settings: Providers
    client: Client
    landing: Landing
    sessions: Sessions
    day: pd.Timestamp
    step: Callable[[str], None]
    accept_revisions: bool = False


def fill(stage: Stage, desk: Desk) -> None:
    """Ask the providers in turn, each for what the ones before it left open."""
    due = list(stage.symbols)
    for route in stage.routes:
        served = {symbol: code for symbol in due if (code := desk.settings.code(route, symbol))}
        if not served:
            continue
        sound = _judge(route, _fetch(route, served, stage, desk), stage, desk)
        if sound:
            stage.taken[route] = [answer for _, answer in sound]
        # a symbol that the answer does not hold, or not up to the day, is asked of the next provider
        got = {want.symbol for want, answer in sound if _complete(want, answer, stage, desk)}
        due = [symbol for symbol in due if symbol not in got and symbol not in stage.disputed]


def _complete(want: Want, answer: Answer, stage: Stage, desk: Desk) -> bool:
    """Return whether the answer for a symbol reaches the day, where each session has a row."""
    if stage.table != "bars" or want.kind not in PUNCTUAL:
        return True
    # levels of two providers meet at stored rows; where there are none, the second one waits for the next update
    apart = bool(FUND.match(want.symbol)) and want.symbol not in stage.places
    return apart or answer["bars"]["date"].max() >= desk.day


def _calls(route: str, served: dict[str, str], stage: Stage) -> list[tuple[str, ...]]:
    if not ROUTES[route].together:
        return [(symbol,) for symbol in served]
    known = set(stage.stored[KEYS[stage.table][0]])
    halves = [tuple(symbol for symbol in served if (symbol in known) == stored) for stored in (True, False)]
    return [symbols for symbols in halves if symbols]


def want_of(symbols: tuple[str, ...], served: dict[str, str], stage: Stage, desk: Desk) -> Want:
    """Return what to ask for: from the first of the stored rows to be fetched again, or from the beginning."""
    parts = [stage.stored.iloc[rows] for symbol in symbols if (rows := stage.places.get(symbol)) is not None]
    base = pd.concat(parts, ignore_index=True) if parts else stage.stored.iloc[:0]
    known_on = "as_of" if stage.table == "constituents" else "date"
    start = base[known_on].min() if len(base) else desk.settings.begin(stage.kind)
    start = min([start, *(stage.since[symbol] for symbol in symbols if symbol in stage.since)])
    return Want(stage.kind, symbols, {symbol: served[symbol] for symbol in symbols}, start, desk.day, base)


def _fetch(route: str, served: dict[str, str], stage: Stage, desk: Desk) -> list[tuple[Want, Answer]]:
    """Return the answers of one provider; what was fetched before the last stop is not asked for again."""
    name, answers = f"{stage.table}-{stage.kind}-{route}", []
    # an update that accepts revisions looks further back than the one whose answers were kept
    kept = {} if desk.accept_revisions else desk.landing.kept(name)
    for symbols in _calls(route, served, stage):
        want = want_of(symbols, served, stage, desk)
        desk.step(f"{stage.kind} {symbols[0]}" if len(symbols) == 1 else f"{stage.kind}, {len(symbols)} together")
        answer = kept.get(symbols)
        if answer is None:
            desk.client.expect_a_network()
            try:
                answer = ask(route, ROUTES[route].function, want, desk.client)
                if desk.accept_revisions and _contradicts(answer, want, stage, desk):
                    # what has changed may have changed from the beginning: an index that was rebased
                    want = replace(want, start=desk.settings.begin(stage.kind))
                    answer = ask(route, ROUTES[route].function, want, desk.client)
            except SuiteError as error:
                for symbol in symbols:
                    stage.failures.setdefault(symbol, []).append(f"{route}: {blacken(error.message)}")
                continue
            over = _over(answer, stage, desk.client)
            if sum(map(len, over.values())) == sum(map(len, answer.values())):
                desk.landing.keep(name, symbols, answer)  # else it is asked again when the day is over
            answer = over
        answers.append((want, answer))
    return answers


def _contradicts(answer: Answer, want: Want, stage: Stage, desk: Desk) -> bool:
    """Return whether an answer differs from the stored rows."""
    rows = typed(stage.table, answer[stage.table])
    return bool(len(want.base)) and bool(faults(stage.table, stage.kind, rows, want.base, desk.sessions))


def _over(answer: Answer, stage: Stage, client: Client) -> Answer:
    """Leave out days that are not over where such markets trade: their last price is no close yet."""
    if stage.kind not in ABROAD:
        return answer
    today = client.now().tz_convert("UTC").tz_localize(None).normalize()
    for rows in answer.values():
        stage.trading |= set(rows.loc[rows["date"] >= today, "symbol"])
    return {table: rows[~(rows["date"] >= today)] for table, rows in answer.items()}


def _faults(route: str, table: str, answers: list[tuple[Want, Answer]], stage: Stage, desk: Desk) -> Faults:
    """Judge a table of a provider's answers: all at once, reports one by one; the stage's own with the stored rows."""
    found: Faults = {}
    own = table == stage.table and not desk.accept_revisions
    together = ROUTES[route].together
    for some in [[one] for one in answers] if together else [answers]:
        frames = [answer[table] for _, answer in some if len(answer.get(table, ()))]
        if not frames:
            continue
        rows = typed(table, pd.concat(frames, ignore_index=True))
        base = pd.concat([want.base for want, _ in some], ignore_index=True) if own else rows.iloc[:0]
        for symbol, said in faults(table, stage.kind, rows, base, desk.sessions, report=together).items():
            found[symbol] = found.get(symbol, []) + said
    return found


def _pieces(want: Want, answer: Answer, stage: Stage) -> list[tuple[Want, Answer]]:
    """Return an answer for many symbols as one for each that it holds, so that one may be bad alone."""
    owner = KEYS[stage.table][0]
    held = set(answer[stage.table][owner]) if stage.table in answer else set()
    if len(want.symbols) == 1 or not held:
        return [(want, answer)]
    pieces = []
    for symbol in (symbol for symbol in want.symbols if symbol in held):
        own = replace(
            want, symbols=(symbol,), codes={symbol: want.codes[symbol]}, base=want.base[want.base[owner] == symbol]
        )
        rows = {table: part[part[KEYS[table][0]] == symbol] for table, part in answer.items()}
        pieces.append((own, {table: part for table, part in rows.items() if len(part)}))
    return pieces


def _reasons(want: Want, found: Faults) -> list[str]:
    return [f"{symbol}: {'; '.join(found[symbol])}" for symbol in ("", *want.symbols) if symbol in found]


def refuse(desk: Desk, route: str, table: str, want: Want, answer: Answer, reasons: list[str]) -> dict:
    """Set an answer for a table, or one table of an answer, aside; return the note that lies beside it."""
    note = {
        "provider": route,
        "table": table,
        "kind": want.kind,
        "symbols": list(want.symbols),
        "rows": sum(len(rows) for rows in answer.values()),
        "from": f"{want.start:%Y-%m-%d}",
        "to": f"{want.end:%Y-%m-%d}",
        "reasons": reasons,
    }
    desk.landing.refuse(f"{table}-{want.kind}-{want.symbols[0]}", answer, note)
    return note


def _judge(route: str, answers: list[tuple[Want, Answer]], stage: Stage, desk: Desk) -> list[tuple[Want, Answer]]:
    """Return the sound answers of a provider, or none when too many were bad or a second provider disagrees."""
    found, sound = _faults(route, stage.table, answers, stage, desk), []
    answers = [piece for want, answer in answers for piece in _pieces(want, answer, stage)]
    for want, answer in answers:
        wrong = _reasons(want, found)
        if not len(answer.get(stage.table, ())):
            wrong.append("no rows")
        if wrong:
            stage.refused.append(refuse(desk, route, stage.table, want, answer, wrong))
        else:
            sound.append((want, answer))
    bad = len(answers) - len(sound)
    if bad > 1 and bad / len(answers) > desk.settings.bad_share:
        reasons = [f"{bad} of {len(answers)} answers of {route} were refused"]
        stage.refused += [refuse(desk, route, stage.table, want, answer, reasons) for want, answer in sound]
        return []
    sound = _agreed(route, sound, stage, desk)
    for table in sorted({table for _, answer in sound for table in answer} - {stage.table}):
        found = _faults(route, table, sound, stage, desk)
        for want, answer in sound:
            if wrong := _reasons(want, found):  # what came along and is bad takes nothing else with it
                stage.refused.append(refuse(desk, route, table, want, {table: answer.pop(table)}, wrong))
    return sound


def _agreed(route: str, sound: list[tuple[Want, Answer]], stage: Stage, desk: Desk) -> list[tuple[Want, Answer]]:
    """Return the answers that no second provider contradicts; none where it contradicts several."""
    if desk.accept_revisions:
        return sound
    against = [_cross_check(route, want, answer, stage, desk) for want, answer in sound]
    several = sum(map(bool, against)) > 1
    every = [reason for reasons in against for reason in reasons]
    kept = []
    for (want, answer), reasons in zip(sound, against, strict=True):
        if reasons or several:
            stage.refused.append(refuse(desk, route, stage.table, want, answer, every if several else reasons))
            stage.disputed |= set(want.symbols)
        else:
            kept.append((want, answer))
    return kept


def _cross_check(route: str, want: Want, answer: Answer, stage: Stage, desk: Desk) -> list[str]:
    """Compare the daily changes of a symbol with those of a second provider."""
    if stage.table != "bars":
        return []
    found = []
    for check in desk.settings.cross_checks:
        if check.symbol not in want.symbols or check.provider == route:
            continue
        code = desk.settings.code(check.provider, check.symbol)
        start = max(want.start, want.end - COMPARED)
        second = Want(want.kind, (check.symbol,), {check.symbol: code}, start, want.end, want.base.iloc[:0])
        try:
            other = ask(check.provider, ROUTES[check.provider].function, second, desk.client)["bars"]
        except ProviderError as error:
            stage.unasked.append(f"{check.symbol} against {check.provider}: {blacken(error.message)}")
            continue
        wrong = faults("bars", want.kind, typed("bars", other), second.base, desk.sessions)
        if wrong or not len(other):
            said = "; ".join(line for lines in wrong.values() for line in lines) or "no rows"
            stage.unasked.append(f"{check.symbol} against {check.provider}: its answer is no measure: {said}")
            continue
        mine = answer["bars"].loc[answer["bars"]["symbol"] == check.symbol].set_index("date")["close"]
        pair = pd.concat([mine, other.set_index("date")["close"]], axis=1, join="inner", keys=["mine", "other"])
        gap = np.log(pair).diff().diff(axis=1)["other"].abs()
        if len(pair) < 2:
            stage.unasked.append(f"{check.symbol} against {check.provider}: no two days in common")
        elif gap.max() > check.tolerance:
            found.append(
                f"{check.symbol} moved {gap.max():.2%} apart from {check.provider} on {gap.idxmax():%Y-%m-%d},"
                f" more than {check.tolerance:.2%}"
            )
    return found
