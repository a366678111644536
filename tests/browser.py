"""A headless Chromium, if the machine has one, driven through its remote debugging port."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
OPTIONS = (
    *(
        "--headless",
        "--disable-gpu",
        "--no-first-run",
        "--no-default-browser-check",
        "--hide-scrollbars",
    ),
    *(
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-extensions",
    ),
    *(
        "--disable-dev-shm-usage",
        "--remote-debugging-port=0",
        "--remote-allow-origins=*",
        "about:blank",
    ),
)


class Browser:
    """One tab; ``requests`` and ``complaints`` collect what the page fetched and what the console
    said.
    """

    def __init__(self, home: Path):
        path = next(filter(None, map(shutil.which, NAMES)), None)
        if path is None:
            pytest.skip(
                "no Chromium on this machine: apt-get install chromium makes these checks run"
            )
        root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        self.process = subprocess.Popen(
            [path, f"--user-data-dir={home}", *root, *OPTIONS],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.socket, self.count = None, 0
        self.requests, self.complaints, self.events = [], [], []
        try:
            self._connect(home / "DevToolsActivePort")
        except BaseException:
            self.close()
            raise

    def _connect(self, file: Path) -> None:
        deadline = time.monotonic() + 60
        while not (file.exists() and len(file.read_text().splitlines()) == 2):
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.skip(
                    f"Chromium does not start on this machine (exit code {self.process.poll()})"
                )
            time.sleep(0.05)
        port, address = file.read_text().splitlines()
        self.socket = websocket.create_connection(f"ws://127.0.0.1:{port}{address}", timeout=60)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params):
        """Call a method of the protocol and return its result."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if not method.startswith("Target."):
            message["sessionId"] = self.session
        self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.count:
                assert "error" not in answer, answer
                return answer["result"]
            self._note(answer)

    def _note(self, event: dict) -> None:
        method, params = event.get("method"), event.get("params", {})
        self.events.append(method)
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(params["exceptionDetails"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(str(params["args"]))

    def open(self, page: Path, width: int, height: int = 900) -> None:
        """Open a page in a window of so many pixels and wait until it and its fonts are there."""
        self.requests, self.complaints, self.events = [], [], []
        self.call("Emulation.setEmulatedMedia", media="")
        self.size(width, height)
        self.call("Page.navigate", url=page.resolve().as_uri())
        deadline = time.monotonic() + 60
        while "Page.loadEventFired" not in self.events and time.monotonic() < deadline:
            self.ask("1")
            time.sleep(0.02)
        self.ask("document.fonts.ready.then(() => 1)")

    def size(self, width: int, height: int = 900) -> None:
        """Resize the window."""
        mobile = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )

    def ask(self, expression: str):
        """Return the value of an expression in the page."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def nodes(self, selector: str) -> list[int]:
        """Return the page's elements as the protocol's methods name them, in the order of the
        page.
        """
        for domain in ("DOM", "CSS"):
            self.call(f"{domain}.enable")
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        return self.call("DOM.querySelectorAll", nodeId=root, selector=selector)["nodeIds"]

    def printed(self) -> bytes:
        """Return the page's print view as PDF."""
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True)["data"])

    def close(self) -> None:
        """Stop the browser that was started here."""
        if self.socket:
            self.socket.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
