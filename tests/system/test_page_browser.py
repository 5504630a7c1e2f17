"""The status page in a real browser while a job runs: live, in order, without errors, open to everybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from tests.browser import needs_browser, started
from tests.system.door import TOKEN, Door, door
from tests.system.house import ROOT, sandbox, wait_for

_SHOTS = ROOT / "build" / "screenshots"
_WAIT = 60_000  # milliseconds: two cores may be busy with other things
pytestmark = needs_browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as one:
        yield one


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Door]:
    """A job that runs for minutes, one that failed in part, and one that could not be read."""
    with sandbox(latency="0.3-0.9") as api, door(tmp_path, api.base_url) as made:
        made.house.drop("mixed.csv", "prompt\n[fault:400] A cat\nA dog\n")
        made.house.drop("broken.json", "{]")
        made.house.wait_over("mixed.csv")
        made.house.drop(
            "harbour.csv", "prompt,name\n" + "".join(f"A harbour {n},h{n}\n" for n in range(900))
        )
        wait_for(lambda: made.house.job("harbour.csv"))
        yield made


def _opened(
    browser: Browser,
    url: str,
    *,
    scheme: Literal["light", "dark"] = "light",
    width: int = 1280,
    script: bool = True,
) -> tuple[Page, list[str]]:
    """A page, and what it complains of in its console."""
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, java_script_enabled=script
    )
    page = context.new_page()
    page.set_default_timeout(_WAIT)
    said: list[str] = []
    page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(url)
    return page, said


def _log_in(page: Page) -> None:
    page.get_by_text("Log in to give orders").click()
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Log out").wait_for()


def test_the_page_lives_while_a_job_runs(browser: Browser, busy: Door) -> None:
    """Progress and pictures come by themselves; nothing is complained of."""
    page, said = _opened(browser, busy.url)
    job = page.locator("article.job", has_text="harbour.csv")
    expect(job.locator(".strip img").first).to_be_visible(timeout=_WAIT)
    before = job.locator(".state").inner_text()
    expect(job.locator(".state")).not_to_have_text(before, timeout=_WAIT)
    assert page.locator("#link").inner_text() == "Live."
    shown = (
        "[...document.querySelectorAll('.strip img')].some(i => i.complete && i.naturalWidth > 0)"
    )
    wait_for(lambda: page.evaluate(shown), what="a picture is shown")
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    assert said == []
    page.context.close()


def test_orders_are_given_by_hand_and_keyboard(browser: Browser, busy: Door) -> None:
    """Log in, pause, resume and cancel, with the keyboard as well; the focus stays where it is."""
    page, said = _opened(browser, busy.url)
    _log_in(page)
    job = page.locator("article.job", has_text="harbour.csv")
    job.get_by_role("button", name="Pause").click()
    expect(page.locator(".told")).to_contain_text("Paused")
    expect(job.locator(".state")).to_contain_text("Paused", timeout=_WAIT)
    resume = job.get_by_role("button", name="Resume")
    resume.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".told")).to_contain_text("goes on")
    pause = job.get_by_role("button", name="Pause")
    pause.focus()
    state = job.locator(".state").inner_text()
    expect(job.locator(".state")).not_to_have_text(state, timeout=_WAIT)
    expect(pause).to_be_focused()
    job.get_by_role("link", name="Cancel").click()
    expect(page.locator("h1")).to_contain_text("Cancel harbour.csv?")
    page.screenshot(path=_SHOTS / "page-cancel.png")
    page.get_by_role("button", name="Cancel the job").click()
    expect(page.locator("#ended")).to_contain_text("harbour.csv", timeout=_WAIT)
    page.locator("#ended").get_by_role("button", name="Run failed rows again mixed.csv").click()
    expect(page.locator(".told")).to_contain_text("run again")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_text("Log in to give orders")).to_be_visible()
    assert said == []
    page.context.close()


def test_it_works_without_script(browser: Browser, busy: Door) -> None:
    """All that is said and all that can be ordered is there without any script."""
    page, _ = _opened(browser, busy.url, script=False)
    _log_in(page)
    page.locator("article.job").get_by_role("button", name="Pause").click()
    expect(page.locator(".told")).to_contain_text("Paused")
    expect(page.locator("article.job")).to_contain_text("Paused", timeout=_WAIT)
    page.locator("article.job").get_by_role("link", name="Cancel").click()
    page.get_by_role("button", name="Cancel the job").click()
    expect(page.locator(".told")).to_contain_text("Cancelled")
    page.context.close()


def test_the_gallery_opens_from_the_page(browser: Browser, busy: Door) -> None:
    """A job's name leads to all its pictures; its pictures show, and no rule of the page is broken."""
    page, said = _opened(browser, busy.url)
    page.get_by_role("link", name="mixed.csv").click()
    expect(page.locator("h1")).to_contain_text("mixed.csv")
    image = page.locator(".grid img").first
    image.scroll_into_view_if_needed()
    expect(image).to_be_visible()
    page.wait_for_function("document.querySelector('.grid img').naturalWidth > 0")
    assert said == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_everybody_can_use_it(
    browser: Browser, busy: Door, scheme: Literal["light", "dark"], width: int
) -> None:
    """axe finds nothing on the page, logged in or not, wide or narrow, light or dark; nothing is cut off."""
    page, _ = _opened(browser, busy.url, scheme=scheme, width=width)
    page.locator("article.job .strip img").first.wait_for()
    for step in ("reading", "orders"):
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.screenshot(path=_SHOTS / f"page-{step}-{scheme}-{width}.png", full_page=True)
        if step == "reading":
            page.get_by_text("Log in to give orders").click()
            assert Axe().run(page).violations_count == 0
            page.screenshot(path=_SHOTS / f"page-login-{scheme}-{width}.png")
            page.get_by_label("Token").fill(TOKEN)
            page.get_by_role("button", name="Log in").click()
            page.get_by_role("button", name="Log out").wait_for()
            page.locator("article.job .strip img").first.wait_for()
    page.context.close()


def test_a_wrong_token_is_told(browser: Browser, busy: Door) -> None:
    """The form says what is wrong and where the right one is found."""
    page, _ = _opened(browser, f"{busy.url}/login")
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("web.token_file")
    page.context.close()


def test_a_page_that_lost_its_server_says_so(browser: Browser, busy: Door) -> None:
    """When the daemon stops, the page says that what it shows may be old."""
    page, _ = _opened(browser, busy.url)
    expect(page.locator("#link")).to_have_text("Live.", timeout=_WAIT)
    busy.house.kill()
    expect(page.locator("#link")).to_contain_text("may be old", timeout=_WAIT)
    page.context.close()
