"""A good client: slow to each host, patient with faults, and able to show what it was told.

The libraries behind the providers call ``requests.get`` themselves, most of them without a time-out. So the manners
live where every such call passes: at the transport adapter of requests, for as long as the client is attached.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
from requests.adapters import HTTPAdapter
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from lib.market.errors import DataError

#: environment variable with the token of tushare
TOKEN = "TUSHARE_TOKEN"
#: environment variables that hold secrets; their values are blackened in everything that is written or said
SECRETS = (TOKEN,)
#: answers worth another try; 403 is none: the host has had enough of us
TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)
#: answers after which a host is left alone for the rest of the run
REFUSALS = (401, 403)
#: requests that failed, and their hosts, after which nobody is there: as long as none has answered
SILENT_REQUESTS, SILENT_HOSTS = 5, 3


class ProviderError(DataError):
    """A provider did not answer, or not as it is documented to."""


class _Passing(Exception):
    """A fault that may be gone at the next try."""

    def __init__(self, message: str, wait: float = 0.0):
        super().__init__(message)
        self.wait = wait


@dataclass
class Client:
    """Throttles, retries, counts and records the requests of a run.

    Parameters
    ----------
    raw : Path or None
        Folder of the raw answers: one gzip file of JSON lines per host. None keeps nothing.
    pause : dict
        Least seconds between two requests by host, matched by its ending; the entry "" holds for all others.
    timeout : float
        Seconds a request may take when the library sets no limit.
    attempts : int
        Tries per request.
    backoff : float
        Seconds before the second try; doubles with each further one, plus a random part.
    patience : int
        Failed requests in a row after which a host is left alone for the rest of the run.
    sleep, clock, today, now : callable
        Waits some seconds, tells the seconds, the day and the moment; the computer's own by default.

    Attributes
    ----------
    requests : Counter
        Requests sent, by host; retries count.
    sessions : dict
        Connections that providers keep open for the run, by provider; closed at its end.
    """

    raw: Path | None = None
    pause: dict[str, float] = field(default_factory=lambda: {"": 0.5})
    timeout: float = 20.0
    attempts: int = 4
    backoff: float = 2.0
    patience: int = 3
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    today: Callable[[], pd.Timestamp] = lambda: pd.Timestamp.now().normalize()
    now: Callable[[], pd.Timestamp] = lambda: pd.Timestamp.now("UTC")
    requests: Counter = field(default_factory=Counter)
    sessions: dict = field(default_factory=dict)

    def __post_init__(self):
        self._last: dict[str, float] = {}
        self._failures: Counter = Counter()
        self._closed: dict[str, str] = {}
        self._heard = False

    @contextmanager
    def attached(self) -> Iterator[Client]:
        """Send every call of requests through this client."""
        original, client = HTTPAdapter.send, self

        def send(adapter, request, **options):
            options["timeout"] = options.get("timeout") or client.timeout
            return client.send(request.url, request.body, lambda: original(adapter, request, **options))

        HTTPAdapter.send = send
        try:
            yield self
        finally:
            HTTPAdapter.send = original
            for session in self.sessions.values():
                session.close()
            self.sessions.clear()

    def send(self, url: str, body, call: Callable, judged: bool = True):
        """Make one request with all manners; ``call`` returns a response of requests or of curl_cffi.

        Without ``judged`` any status is an answer, for libraries that read it themselves.

        Raises
        ------
        ProviderError
            The host refuses, has failed too often, or does not answer properly after all tries.
        """
        host = urlsplit(url).hostname or url
        if host in self._closed:
            raise ProviderError(
                f"{host} is left alone for this run: {self._closed[host]}", file=host, remedy="try again in some hours"
            )
        retrying = Retrying(
            stop=stop_after_attempt(self.attempts),
            wait=self._wait,
            retry=retry_if_exception_type(_Passing),
            sleep=self.sleep,
            reraise=True,
        )
        try:
            response = retrying(self._once, host, url, body, call, judged)
        except _Passing as fault:
            self._failures[host] += 1
            if self._failures[host] >= self.patience:
                self._closed[host] = f"{self._failures[host]} requests in a row failed"
            raise ProviderError(
                f"{host} did not answer in {self.attempts} tries: {blacken(str(fault))}",
                file=host,
                remedy="run again later; what was fetched is kept",
            ) from None
        self._failures[host] = 0
        return response

    def expect_a_network(self) -> None:
        """Give up when several hosts have been asked and none has answered at all.

        Raises
        ------
        ProviderError
            There is no network, or nothing gets through it.
        """
        silent = +self._failures
        if not self._heard and silent.total() >= SILENT_REQUESTS and len(silent) >= SILENT_HOSTS:
            raise ProviderError(
                f"no host answers; asked were {', '.join(silent)}", remedy="look at the network, or at its proxy"
            )

    def _wait(self, state) -> float:
        asked = getattr(state.outcome.exception(), "wait", 0.0)
        return max(asked, wait_exponential_jitter(initial=self.backoff, max=120.0, jitter=self.backoff)(state))

    def _once(self, host: str, url: str, body, call: Callable, judged: bool):
        self._throttle(host)
        self.requests[host] += 1
        try:
            response = call()
            content = getattr(response, "content", b"")  # requests reads it here, so a cut within it shows here too
        except OSError as fault:  # time-outs, resets and name errors of sockets, requests and curl_cffi are among them
            raise _Passing(f"{type(fault).__name__}: {fault}") from fault
        self._heard = True
        status = getattr(response, "status_code", 200)
        self.record(host, url, body, status, content)
        if not judged:
            return response
        if status in REFUSALS:
            self._closed[host] = f"it answered {status}"
            raise ProviderError(
                f"{host} refuses: HTTP {status}",
                file=host,
                remedy="wait some hours; ask less often with a longer pause",
            )
        if status in TRY_AGAIN:
            after = response.headers.get("Retry-After", "")
            raise _Passing(f"HTTP {status}", float(after) if str(after).isdigit() else 0.0)
        if status >= 400:
            raise ProviderError(f"{host} answered HTTP {status}", file=host, remedy="the address may have moved")
        return response

    def _throttle(self, host: str) -> None:
        least = next((seconds for ending, seconds in self.pause.items() if ending and host.endswith(ending)), None)
        least = self.pause.get("", 0.0) if least is None else least
        if host in self._last:
            wait = self._last[host] + least - self.clock()
            if wait > 0:
                self.sleep(wait)
        self._last[host] = self.clock()

    def record(self, host: str, url: str, body, status: int, content: bytes) -> None:
        """Keep an answer for audit: a compressed JSON line; what is not UTF-8 stands as base64."""
        if self.raw is None:
            return
        sent = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
        entry = {"url": url, "body": sent, "status": status}
        try:
            entry["text"] = content.decode("utf-8")
        except UnicodeDecodeError:
            entry["base64"] = base64.b64encode(content).decode("ascii")
        self.raw.mkdir(parents=True, exist_ok=True)
        line = blacken(json.dumps(entry, ensure_ascii=False)) + "\n"
        # every line is a gzip member of its own, so a kill can harm the last one only
        with open(self.raw / f"{host}.jsonl.gz", "ab") as file:
            file.write(gzip.compress(line.encode("utf-8"), compresslevel=1))


def blacken(text: str) -> str:
    """Replace the values of secrets by stars."""
    for name in SECRETS:
        value = os.environ.get(name, "").strip()  # as it is sent
        if value:
            text = text.replace(value, "***")
    return text
