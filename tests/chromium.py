"""A real browser for tests: Debian's Chromium, spoken to over a pipe, so that nothing listens.

Protocol: https://chromedevtools.github.io/devtools-protocol/ (JSON, each message ended by NUL).
"""

from __future__ import annotations

import itertools
import json
import os
import select
import shutil
import subprocess
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome")
PROGRAM = next(filter(None, map(shutil.which, _NAMES)), None)
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--remote-debugging-pipe",
)
_WAIT = 30.0  # seconds
_CODES = {
    "Enter": 13,
    "Escape": 27,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
}
_COMPLAINTS = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")


class Browser:
    """One page of one browser. `started` gives one and ends it."""

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

    def call(self, method: str, **params: object) -> dict[str, Any]:
        message = {"id": next(self._ids), "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._sink, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != message["id"]:
            self.events.append(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            assert select.select([self._source], [], [], _WAIT)[0], "the browser says nothing"
            piece = os.read(self._source, 1 << 20)
            assert piece, "the browser went away"
            self._left += piece
        raw, _, self._left = self._left.partition(b"\0")
        message: dict[str, Any] = json.loads(raw)
        return message

    def open(self, page: Path, fragment: str = "") -> None:
        """Go to a page on disk and wait until it and all that it shows is there."""
        self.events.clear()
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=page.as_uri() + fragment)
        self.until("document.readyState === 'complete' && location.protocol === 'file:'")

    def ask(self, expression: str) -> Any:  # noqa: ANN401 - whatever the script says
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until the expression is true."""
        limit = time.monotonic() + _WAIT
        while not self.ask(expression):
            assert time.monotonic() < limit, f"never came true: {expression}"

    def press(self, key: str) -> None:
        about = {"key": key, "code": key, "windowsVirtualKeyCode": _CODES.get(key, ord(key[0]))}
        text = {"Enter": "\r", "/": "/"}.get(key, "")
        down = {"type": "keyDown", "text": text} if text else {"type": "rawKeyDown"}
        for change in (down, {"type": "keyUp"}):
            self.call("Input.dispatchKeyEvent", **about, **change)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def look(
        self, *, width: int = 1360, height: int = 900, dark: bool = False, media: str = ""
    ) -> None:
        """The window's size, the person's choice of light or dark, and screen or print."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def picture(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def said(self, *methods: str) -> list[dict[str, Any]]:
        """What the browser told of by itself since the page was opened."""
        return [event["params"] for event in self.events if event.get("method") in methods]

    def complaints(self) -> list[dict[str, Any]]:
        """What stands in the console: refused by the policy, thrown, not found."""
        self.ask("1")
        return self.said(*_COMPLAINTS)


@contextmanager
def started(folder: Path) -> Iterator[Browser]:
    """A browser whose profile and log are in `folder`."""
    assert PROGRAM, "install chromium (apt-get install chromium)"
    to_browser, sink = os.pipe()
    source, from_browser = os.pipe()
    # Chromium reads from descriptor 3 and writes to 4.
    shell = ["sh", "-c", f'exec "$@" 3</dev/fd/{to_browser} 4>/dev/fd/{from_browser}', "sh"]
    command = [*shell, PROGRAM, *_ARGUMENTS, f"--user-data-dir={folder / 'profile'}"]
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            command, pass_fds=(to_browser, from_browser), stdout=log, stderr=log
        )
    os.close(to_browser)
    os.close(from_browser)
    try:
        yield Browser(sink, source)
    finally:
        os.close(sink)
        process.terminate()
        process.wait(_WAIT)
        os.close(source)
