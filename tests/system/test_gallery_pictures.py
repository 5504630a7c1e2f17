"""Pictures of the gallery, for people to look at: build/screenshots. `make pictures` puts them into docs/."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from tests.browser import needs_browser, started, visit
from tests.core.report_values import BEGUN
from tests.gallery_room import Room
from tests.gallery_samples import spring

pytestmark = needs_browser

_FOLDER = Path(__file__).parents[2] / "build" / "screenshots"
_PHONE = {"width": 390, "height": 844, "scale": 2}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as running:
        yield running


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    return spring(tmp_path_factory.mktemp("pictures") / "outbox")


def _top(_page: Page) -> None:
    """As it opens."""


def _pictures(page: Page) -> None:
    page.locator("#pictures").evaluate("(heading) => heading.scrollIntoView()")


def _viewer(page: Page) -> None:
    page.locator("#r5 .shot").click()


@pytest.mark.parametrize(
    ("name", "at", "look"),
    [
        ("failures", _top, {}),
        ("light", _pictures, {}),
        ("dark", _pictures, {"dark": True}),
        ("viewer", _viewer, {}),
        ("viewer-dark", _viewer, {"dark": True}),
        ("phone", _pictures, _PHONE),
        ("phone-failures", _top, _PHONE),
        ("phone-viewer", _viewer, {**_PHONE, "dark": True}),
    ],
)
def test_the_gallery_is_pictured(browser: Browser, room: Room, name: str, at, look) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    """Everything that is in view is there: no picture is missing or still on its way."""
    with visit(browser, **look) as seen:
        seen.page.clock.set_fixed_time(BEGUN + 60)  # so that it does not renew itself
        at(seen.open(room.page))
        _taken(seen.page, name)
        assert seen.complaints == []


@pytest.mark.parametrize(("name", "look"), [("all-jobs", {}), ("phone-all-jobs", _PHONE)])
def test_the_list_of_jobs_is_pictured(browser: Browser, room: Room, name: str, look) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    """Every job shows its first pictures."""
    with visit(browser, **look) as seen:
        seen.open(room.overview)
        _taken(seen.page, name)
        assert seen.complaints == []


def _taken(page: Page, name: str) -> None:
    in_view = """() => Promise.all([...document.images].filter((image) => {
      const box = image.getBoundingClientRect();
      return image.src && box.width && box.bottom > 0 && box.top < innerHeight;
    }).map((image) => image.decode()))"""
    page.evaluate(in_view)
    _FOLDER.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=_FOLDER / f"{name}.png", animations="disabled")
    assert (_FOLDER / f"{name}.png").stat().st_size > 10_000
