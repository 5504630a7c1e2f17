"""A real browser for tests: Debian's Chromium, driven by Playwright. Pages are opened from disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Dialog,
    Error,
    Page,
    Request,
    sync_playwright,
)
from tests.system.house import wait_for

PROGRAM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
needs_browser = pytest.mark.skipif(
    PROGRAM is None, reason="needs a browser: apt-get install chromium"
)
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_WAIT = 30_000  # milliseconds
_GRAVE = ("serious", "critical")


@dataclass(kw_only=True)
class Visit:
    """One page, and what the browser told of by itself since it was made."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", self._missed)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("dialog", self._startled)

    def open(self, file: Path, fragment: str = "") -> Page:
        """As by a double click: from disk. A new document, also where only the fragment differs."""
        self.page.goto("about:blank")
        self.complaints.clear()
        self.asked.clear()
        self.page.goto(file.as_uri() + fragment)
        return self.page

    def until(self, expression: str) -> None:
        """Wait until it is true in the page, also across a reload. (The page's policy keeps Playwright's own
        waiting from working: it would have to evaluate text there.)
        """

        def holds() -> bool:
            with suppress(Error):  # the page is being replaced
                return bool(self.page.evaluate(expression))
            return False

        wait_for(holds, _WAIT / 1000, expression)

    def grave_findings(self) -> list[str]:
        """What axe-core finds that keeps somebody from using the page."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{one['id']}: {[node['html'][:200] for node in one['nodes'][:3]]}"
            for one in found
            if one["impact"] in _GRAVE
        ]

    def _heard(self, message: ConsoleMessage) -> None:
        self.complaints.append(f"{message.type}: {message.text}")

    def _missed(self, request: Request) -> None:
        self.complaints.append(f"{request.failure}: {request.url}")

    def _startled(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@contextmanager
def started() -> Iterator[Browser]:
    """The browser as a process, ended with the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visit(
    browser: Browser,
    *,
    width: int = 1360,
    height: int = 900,
    dark: bool = False,
    script: bool = True,
    scale: float = 1,
) -> Iterator[Visit]:
    """A window of its own: its size in pixels, the person's choice of light or dark."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        device_scale_factor=scale,
        java_script_enabled=script,
        locale="en-GB",
        timezone_id="Europe/Paris",
    )
    context.set_default_timeout(_WAIT)
    try:
        yield Visit(page=context.new_page())
    finally:
        context.close()
