"""Client of the public hosts: it throttles, retries, redacts and records their requests.

The libraries behind the providers call ``requests.get`` themselves, most of them without a
time-out. So the client wraps the one place that every such call passes: the transport adapter of
requests, for as long as the client is attached.
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
from unittest.mock import patch
from urllib.parse import urlsplit

import pandas as pd
from requests.adapters import HTTPAdapter
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from lib.market.errors import DataError

#: environment variable with the token of tushare
TOKEN = "TUSHARE_TOKEN"
#: environment variables that hold secrets; their values are redacted in all files and messages
SECRETS = (TOKEN,)
#: statuses that are retried
RETRIED_STATUSES = (408, 425, 429, 500, 502, 503, 504)
#: statuses by which the host has blocked us; it is not asked again in the run
BLOCKED_STATUSES = (401, 403)
#: failed requests, and number of hosts, that show a missing network if none has responded
OFFLINE_REQUESTS = 5
OFFLINE_HOSTS = 3


class ProviderError(DataError):
    """A provider did not respond, or not as documented; by default the next one is asked."""

    def __init__(self, message: str, *, remedy: str = "the next provider is asked", **where):
        super().__init__(message, remedy=remedy, **where)


class TransientError(Exception):
    """An error that a retry may resolve, after at least ``wait`` seconds."""

    def __init__(self, message: str, wait: float = 0.0):
        super().__init__(message)
        self.wait = wait


@dataclass
class Client:
    """Throttles, retries, counts and records the requests of a run.

    Parameters
    ----------
    raw : Path or None
        Folder of the raw responses: one gzip file of JSON lines per host. None keeps nothing.
    pause : dict
        Minimum seconds between two requests by host, matched by its ending; "" is any other host.
    timeout : float
        Seconds for a request when the library sets no limit.
    attempts : int
        Attempts per request.
    backoff : float
        Seconds before the second attempt; doubled for each further one, plus a random part.
    max_failures : int
        Failed requests in a row after which a host is not asked again in the run.
    sleep, clock, today, now : callable
        Wait some seconds; return the seconds, the day, the moment. By default the computer's own.

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
    max_failures: int = 3
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    today: Callable[[], pd.Timestamp] = lambda: pd.Timestamp.now().normalize()
    now: Callable[[], pd.Timestamp] = lambda: pd.Timestamp.now("UTC")
    requests: Counter = field(default_factory=Counter)
    sessions: dict = field(default_factory=dict)

    def __post_init__(self):
        self._last_request: dict[str, float] = {}
        self._failures: Counter = Counter()
        self._blocked: dict[str, str] = {}
        self._any_response = False

    @contextmanager
    def attached(self) -> Iterator[Client]:
        """Send every call of requests through this client."""
        client = self
        original = HTTPAdapter.send

        def send(adapter, request, **options):
            options["timeout"] = options.get("timeout") or client.timeout
            return client.send(
                request.url, request.body, lambda: original(adapter, request, **options)
            )

        try:
            with patch.object(HTTPAdapter, "send", send):
                yield self
        finally:
            for session in self.sessions.values():
                session.close()
            self.sessions.clear()

    def send(self, url: str, body, call: Callable, check_status: bool = True):
        """Make one request, with pauses and retries.

        Parameters
        ----------
        url : str
            Its host decides the pause before the request.
        body : bytes, str or None
            What the request sends, for the record.
        call : callable
            Makes the request; returns a response of requests or of curl_cffi.
        check_status : bool
            Raise for statuses that are errors; False for libraries that handle them.

        Returns
        -------
        object
            What ``call`` returned.

        Raises
        ------
        ProviderError
            The host has blocked us, has failed too often, or does not respond properly after all
            attempts.
        """
        host = urlsplit(url).hostname or url
        if host in self._blocked:
            raise ProviderError(
                f"{host} is not asked again in this run: {self._blocked[host]}",
                file=host,
                remedy="try again in some hours",
            )
        retrying = Retrying(
            stop=stop_after_attempt(self.attempts),
            wait=self._wait,
            retry=retry_if_exception_type(TransientError),
            sleep=self.sleep,
            reraise=True,
        )
        try:
            response = retrying(self._once, host, url, body, call, check_status)
        except TransientError as error:
            self._failures[host] += 1
            if self._failures[host] >= self.max_failures:
                self._blocked[host] = f"{self._failures[host]} requests in a row failed"
            raise ProviderError(
                f"{host} did not respond in {self.attempts} attempts: {redact(str(error))}",
                file=host,
                remedy="run again later; what was fetched is kept",
            ) from None
        self._failures[host] = 0
        return response

    def check_network(self) -> None:
        """Give up when several hosts have been asked and none has responded at all.

        Raises
        ------
        ProviderError
            The network is down, or a proxy blocks all requests.
        """
        failures = +self._failures
        offline = failures.total() >= OFFLINE_REQUESTS and len(failures) >= OFFLINE_HOSTS
        if offline and not self._any_response:
            raise ProviderError(
                f"no host responds; asked were {', '.join(failures)}",
                remedy="check the network, or its proxy",
            )

    def _wait(self, state) -> float:
        retry_after = getattr(state.outcome.exception(), "wait", 0.0)
        jitter = wait_exponential_jitter(initial=self.backoff, max=120.0, jitter=self.backoff)
        return max(retry_after, jitter(state))

    def _once(self, host: str, url: str, body, call: Callable, check_status: bool):
        """Make one attempt and return its response, or raise for its status."""
        self._throttle(host)
        self.requests[host] += 1
        try:
            response = call()
            # requests reads the content here, so that a cut connection is noticed here too
            content = getattr(response, "content", b"")
        # time-outs, resets and name errors of sockets, requests and curl_cffi are all OSErrors
        except OSError as error:
            raise TransientError(f"{type(error).__name__}: {error}") from error
        self._any_response = True
        status = getattr(response, "status_code", 200)
        self.record(host, url, body, status, content)
        if not check_status:
            return response
        if status in BLOCKED_STATUSES:
            self._blocked[host] = f"it responded {status}"
            raise ProviderError(
                f"{host} has blocked us: HTTP {status}",
                file=host,
                remedy="wait some hours; send fewer requests, with a longer pause",
            )
        if status in RETRIED_STATUSES:
            retry_after = str(response.headers.get("Retry-After", ""))
            wait = float(retry_after) if retry_after.isdigit() else 0.0
            raise TransientError(f"HTTP {status}", wait)
        if status >= 400:
            remedy = "the address may have moved"
            raise ProviderError(f"{host} responded HTTP {status}", file=host, remedy=remedy)
        return response

    def _throttle(self, host: str) -> None:
        endings = [ending for ending in self.pause if ending and host.endswith(ending)]
        pause = self.pause.get(endings[0] if endings else "", 0.0)
        if host in self._last_request:
            wait = self._last_request[host] + pause - self.clock()
            if wait > 0:
                self.sleep(wait)
        self._last_request[host] = self.clock()

    def record(self, host: str, url: str, body, status: int, content: bytes) -> None:
        """Append a response to the raw files as a compressed JSON line, redacted.

        Parameters
        ----------
        host, url : str
            Host and address of the request.
        body : bytes, str or None
            What the request sent.
        status : int
            HTTP status of the response.
        content : bytes
            Written as text where it is UTF-8, else as base64.
        """
        if self.raw is None:
            return
        sent = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
        entry = {"url": url, "body": sent, "status": status}
        try:
            entry["text"] = content.decode("utf-8")
        except UnicodeDecodeError:
            entry["base64"] = base64.b64encode(content).decode("ascii")
        self.raw.mkdir(parents=True, exist_ok=True)
        line = redact(json.dumps(entry, ensure_ascii=False)) + "\n"
        # every line is a gzip member of its own, so that a kill can damage only the last one
        with open(self.raw / f"{host}.jsonl.gz", "ab") as file:
            file.write(gzip.compress(line.encode("utf-8"), compresslevel=1))


def redact(text: str) -> str:
    """Replace the values of secrets by asterisks."""
    for name in SECRETS:
        value = os.environ.get(name, "").strip()  # as it is sent
        if value:
            text = text.replace(value, "***")
    return text
