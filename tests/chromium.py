"""A real browser for tests: Debian's Chromium, spoken to over a pipe, so that nothing listens.

Protocol: https://chromedevtools.github.io/devtools-protocol/ (JSON, each message ended by NUL).
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--remote-debugging-pipe",
)
_WAIT = 20.0  # seconds


class Browser:
    """One page of one browser. Use `Browser.started`."""

    def __init__(self, sink: int, source: int) -> None:
        self._sink, self._source, self._left = sink, source, b""
        self._ids = itertools.count(1)
        self._session = ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    @classmethod
    @contextmanager
    def started(cls, profile: Path) -> Iterator[Self]:
        assert PROGRAM
        to_browser, sink = os.pipe()
        source, from_browser = os.pipe()
        command = [PROGRAM, *_ARGUMENTS, f"--user-data-dir={profile}"]
        # Chromium reads from descriptor 3 and writes to 4.
        shell = ["sh", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "sh", *command]
        with (profile.parent / "chromium.log").open("wb") as log:
            process = subprocess.Popen(shell, pass_fds=(to_browser, from_browser), stderr=log)
        os.close(to_browser)
        os.close(from_browser)
        try:
            browser = cls(sink, source)
            yield browser
            browser.call("Browser.close", whole=True)
        finally:
            os.close(sink)
            process.terminate()
            process.wait(_WAIT)
            os.close(source)

    def call(self, method: str, *, whole: bool = False, **params: object) -> dict[str, Any]:
        message = {"id": next(self._ids), "method": method, "params": params}
        if self._session and not whole:
            message["sessionId"] = self._session
        os.write(self._sink, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == message["id"]:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            piece = os.read(self._source, 1 << 20)
            assert piece, "the browser went away"
            self._left += piece
        raw, _, self._left = self._left.partition(b"\0")
        message: dict[str, Any] = json.loads(raw)
        return message

    def open(self, page: Path, fragment: str = "") -> None:
        self.call("Page.navigate", url=page.as_uri() + fragment)
        self.until("document.readyState === 'complete'")

    def ask(self, expression: str) -> Any:  # noqa: ANN401 - whatever the script says
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression: str) -> None:
        limit = time.monotonic() + _WAIT
        while not self.ask(expression):
            assert time.monotonic() < limit, f"never came true: {expression}"

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=_CODES.get(key, 0), **text)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def window(self, width: int, height: int, *, dark: bool = False) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, file: Path) -> None:
        file.write_bytes(b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def complaints(self) -> list[str]:
        """What the console says: refused by the policy, thrown, not found."""
        said = [event["params"] for event in self.events if event.get("method") in _COMPLAINTS]
        return [json.dumps(one) for one in said]


_CODES = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Tab": 9}
_COMPLAINTS = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
