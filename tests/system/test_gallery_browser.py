"""The gallery in a real browser, opened from disk as by a double click: what a person sees and does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser import Visit, needs_browser, started, visit
from tests.core.report_values import done, failed, job
from tests.gallery_room import Room, vector
from tests.gallery_samples import spring

from watcher.core.jobs import Problem, RowState
from watcher.core.results import RowResult

pytestmark = needs_browser

_HALF = Problem(code="fewer", what="The API made 2 of 3 pictures.", hint="Drop failed.csv again.")
_LOOKS: dict[str, dict[str, object]] = {
    "light": {},
    "dark": {"dark": True},
    "phone": {"width": 390, "height": 844},
    "large letters": {"width": 680, "height": 450, "scale": 2},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as running:
        yield running


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path / "outbox #1 é")


def some(room: Room) -> list[RowResult]:
    """Rows 1 to 19: 4 failed, 5 gave too few pictures, 6 gave six, 7 is a text, 18 and 19 are open."""

    def thing(number: int, **changes: object) -> RowResult:
        name = {1: "mug", 2: "chair"}.get(number, f"thing {number}")
        return room.row(number, name, f"A {name}, matte", **{"adjustments": (), **changes})  # type: ignore[arg-type]

    return [
        thing(1, adjustments=done().adjustments),
        thing(2),
        thing(3, model="gpt-image-2.5-sunburst"),
        failed(4),
        thing(5, pictures=2, state=RowState.PARTIAL, problem=_HALF),
        thing(6, pictures=6),
        thing(7, pictures=0, text="A round stoneware mug with a matte glaze."),
        *(thing(number) for number in range(8, 18)),
        thing(18, pictures=0, state=RowState.RUNNING),
        thing(19, pictures=0, state=RowState.QUEUED),
    ]


def rows_of(page: Page) -> str:
    """The rows that are shown, in their order: `4,5,1,2`."""
    shown = page.locator(".card:not([hidden])")
    ids = shown.evaluate_all("(cards) => cards.map((card) => card.id.slice(1)).join()")
    return str(ids)


def focused(page: Page) -> str:
    """The address that the focus is on, decoded."""
    held = page.evaluate("decodeURI(document.activeElement.getAttribute('href') ?? '')")
    return str(held)


def test_it_opens_from_disk_with_all_its_pictures(browser: Browser, room: Room) -> None:
    """From a double click: thumbnails show, nothing is refused, missing, or fetched from elsewhere."""
    room.publish(some(room))
    with visit(browser) as seen:
        page = seen.open(room.page)
        for image in page.locator(".grid img").all()[:4]:
            expect(image).to_have_js_property("complete", True)
            assert image.evaluate("(image) => image.naturalWidth") > 0
        assert seen.complaints == []
        assert seen.asked
        assert all(url.startswith(("file:///", "data:image/svg")) for url in seen.asked)


def test_search_and_filters_find_rows(browser: Browser, room: Room) -> None:
    """Rows are found by words, status, model and adjustment, and their number is said aloud."""
    room.publish(some(room))
    with visit(browser) as seen:
        page = seen.open(room.page)
        assert rows_of(page).startswith("4,5,1,2,")
        expect(page.get_by_role("status").first).to_have_text("19 rows")
        page.keyboard.press("/")
        page.keyboard.type("MATTE thing 11")
        assert rows_of(page) == "11"
        expect(page.get_by_role("status").first).to_have_text("1 of 19 rows")
        page.keyboard.press("Escape")
        assert rows_of(page).count(",") == 18
        page.get_by_role("button", name="Failed 1").click()
        assert rows_of(page) == "4"
        page.get_by_role("button", name="All 19").click()
        page.get_by_label("Model").select_option("gpt-image-2.5-sunburst")
        assert rows_of(page) == "3"
        page.get_by_label("Model").select_option("All models")
        page.get_by_label("Adjusted").check()
        assert rows_of(page) == "1"
        assert seen.complaints == []


def test_a_search_is_kept_in_the_address(browser: Browser, room: Room) -> None:
    """A copied link, or a reload, shows the same; where nothing is found one click shows all again."""
    room.publish(some(room))
    with visit(browser) as seen:
        page = seen.open(room.page, "#a=1&q=mug")
        assert rows_of(page) == "1"
        page.get_by_role("searchbox").fill("nowhere")
        page.reload()
        expect(page.get_by_text("No row matches.")).to_be_visible()
        page.get_by_role("button", name="Show all rows").click()
        assert rows_of(page).count(",") == 18


def test_it_can_be_used_by_keyboard_alone(browser: Browser, room: Room) -> None:
    """Arrows move, Enter opens, arrows turn the pages, Esc closes and leads back to where one is."""
    room.publish(some(room))
    with visit(browser) as seen:
        page = seen.open(room.page)
        page.locator("#r1 .shot").focus()
        page.keyboard.press("ArrowRight")
        assert focused(page).endswith("chair-1.jpg")
        page.keyboard.press("ArrowDown")
        assert focused(page).endswith("thing-8-1.jpg")
        page.keyboard.press("ArrowUp")
        assert focused(page).endswith("chair-1.jpg")
        assert page.locator(":focus").evaluate("(shot) => getComputedStyle(shot).outlineStyle") == "solid"  # fmt: skip
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        viewer = page.get_by_role("dialog", name="thing 3")
        expect(viewer).to_contain_text("gpt-image-2.5-sunburst")
        assert viewer.evaluate("(dialog) => dialog.matches(':modal')")
        for _ in range(7):  # six pictures of row 6, then the text of row 7
            page.keyboard.press("ArrowRight")
        expect(page.locator(".stage")).to_contain_text("A round stoneware mug")
        assert page.url.endswith("#open=7.0")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        seen.until("document.activeElement.hash === '#r7'")
        assert seen.complaints == []


def test_tab_stays_within_the_viewer(browser: Browser, room: Room) -> None:
    """While the viewer is open, Tab reaches its buttons and link and nothing behind it."""
    room.publish(some(room))
    with visit(browser) as seen:
        page = seen.open(room.page)
        page.locator("#r2 .shot").click()
        reached = set()
        for _ in range(8):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.closest('.viewer, body').className"))
        assert reached <= {
            "viewer",
            "",
        }  # "": the browser's own bar, between the last and the first
        assert page.evaluate("Boolean(document.querySelector('.viewer :focus')) || document.activeElement === document.body")  # fmt: skip
        page.get_by_role("button", name="Next").click()
        expect(page.get_by_role("dialog", name="thing 3")).to_be_visible()


@pytest.mark.parametrize(("row", "says"), [
    (4, ["The API refused this prompt.", "Describe it in other words.", "A mug, matte"]),
    (5, ["thing 5", "A thing 5, matte", "size", "1024x1024", "req_1"]),
    (7, ["A round stoneware mug", "A thing 7, matte"]),
    (18, ["Running", "A thing 18, matte"]),
    (19, ["Queued", "A thing 19, matte"]),
])  # fmt: skip
def test_every_row_opens(browser: Browser, room: Room, row: int, says: list[str]) -> None:
    """A click shows prompt and parameters of any row, whatever became of it."""
    room.publish(some(room))
    with visit(browser) as seen:
        page = seen.open(room.page)
        page.locator(f"#r{row} .shot").first.click()
        for words in says:
            expect(page.get_by_role("dialog")).to_contain_text(words)
        page.keyboard.press("Escape")
        expect(page.locator(f"#r{row} .shot").first).to_be_focused()


def _renewed(seen: Visit) -> None:
    seen.until("window.same === undefined && document.readyState === 'complete'")


def test_it_renews_itself_and_keeps_search_filter_and_focus(browser: Browser, room: Room) -> None:
    """While the job runs the page follows it; what one has typed, chosen and focused stays."""
    rows = some(room)
    room.publish(rows, job(rows))
    with visit(browser) as seen:
        page = seen.open(room.page)
        page.get_by_role("button", name=re.compile("^Done")).click()
        page.get_by_role("searchbox").fill("thing")
        page.evaluate("window.same = true")
        room.publish([*rows, room.row(40, "thing 40", "A thing")], job(rows))
        _renewed(seen)
        assert rows_of(page).endswith(",17,40")
        expect(page.get_by_role("searchbox")).to_have_value("thing")
        expect(page.get_by_role("searchbox")).to_be_focused()
        expect(page.get_by_role("button", name=re.compile("^Done"))).to_have_attribute("aria-pressed", "true")  # fmt: skip
        page.get_by_role("button", name="Live").click()
        assert page.url.endswith("#s=done&q=thing&still=1")


def test_it_renews_itself_under_an_open_picture(browser: Browser, room: Room) -> None:
    """The picture that one looks at stays open, and Esc leads back to it."""
    rows = some(room)
    room.publish(rows, job(rows))
    with visit(browser) as seen:
        page = seen.open(room.page, "#open=6.2")
        page.evaluate("window.same = true")
        room.publish([*rows, room.row(40, "thing 40", "A thing")], job(rows))
        _renewed(seen)
        expect(page.get_by_role("dialog", name="thing 6")).to_contain_text("picture 3 of 6")
        expect(page.locator("#r40")).to_have_count(1)
        page.keyboard.press("Escape")
        seen.until("document.activeElement.closest('.card')?.id === 'r6'")


def test_it_renews_itself_where_one_is(browser: Browser, room: Room) -> None:
    """What one looks at in a long page stays where it is, though new failed rows come above it."""
    one = room.row(1, "mug", "A mug, matte")
    rows = [done(number, (f"thing {number}", "A thing"), pictures=one.pictures) for number in range(1, 1201)]  # fmt: skip
    room.publish(rows, job(rows))
    with visit(browser) as seen:
        page = seen.open(room.page)
        place = "document.querySelector('#r700').getBoundingClientRect().top"
        page.evaluate("document.querySelector('#r700').scrollIntoView({block: 'center'})")
        seen.until("(() => { const now = scrollY, same = window.last === now; window.last = now; return same; })()")  # fmt: skip
        before = page.evaluate(place)
        page.evaluate("window.same = true")
        room.publish([*map(failed, range(1, 61)), *rows[60:]], job(rows))
        _renewed(seen)
        seen.until(f"Math.abs({place} - {before}) < 8")


def test_it_says_all_it_says_without_script(browser: Browser, room: Room) -> None:
    """With script switched off, pictures are links, details unfold, and no dead control is shown."""
    rows = some(room)
    room.publish(rows, job(rows))
    with visit(browser, script=False) as seen:
        page = seen.open(room.page)
        expect(page.locator(".tools")).to_be_hidden()
        page.locator("#r1").get_by_text("Prompt and details").click()
        expect(page.locator("#r1 .facts pre").first).to_be_visible()
        expect(page.locator("#r1 .facts")).to_contain_text("gpt-image-2.5-flare")
        expect(page.locator("#r2 .facts pre").first).to_be_hidden()
        assert str(page.locator("#r1 .shot").get_attribute("href")).endswith("mug-1.jpg")
        assert page.locator("noscript meta").count() == 1


def test_a_drawing_is_never_opened_as_a_page(browser: Browser, room: Room) -> None:
    """Script in an SVG does not run: not in the grid, not in the viewer, not in a tab of its own."""
    harm = b"<script>parent.harmed = 1; document.title = 'harmed'</script></svg>"
    drawn = vector("A fern").replace(b"</svg>", harm)
    kept = room.keep("fern-1", drawn)
    large = room.keep("moss-1", drawn.replace(b"</svg>", b"<!--" + b"x" * 400_000 + b"--></svg>"))
    rows = [done(1, ("fern", "A fern"), pictures=(kept,)), done(2, ("moss", ""), pictures=(large,))]
    room.publish(rows)
    with visit(browser) as seen:
        page = seen.open(room.page)
        assert page.locator("#r1 img").evaluate("(image) => image.decode().then(() => true)")
        assert page.locator("#r2 img").count() == 0  # too large for a grid of thousands
        with page.context.expect_page() as opened:
            page.locator("#r1 .shot").click(modifiers=["Control"])
        opened.value.wait_for_load_state()
        assert opened.value.url.split("#")[0] == page.url.split("#")[0]
        opened.value.close()
        for number in ("1", "2"):
            page.locator(f"#r{number} .shot").click()
            seen.until("document.querySelector('.stage img').naturalWidth === 640")
            expect(page.get_by_text("Open the picture itself")).to_be_hidden()
            page.keyboard.press("Escape")
        addresses = page.locator("a").evaluate_all("(links) => links.map((link) => link.href)")
        assert not [one for one in addresses if ".svg" in one]
        assert page.evaluate("window.harmed") is None
        assert seen.complaints == []


def test_a_picture_without_a_thumbnail_still_opens(browser: Browser, room: Room) -> None:
    """It is named in the grid, and seen in the viewer."""
    rows = [room.row(1, "mug", "A mug, matte")]
    room.publish(rows, thumbnail=lambda _: "")
    with visit(browser) as seen:
        page = seen.open(room.page)
        page.get_by_role("link", name="A mug, matte").click()
        seen.until("document.querySelector('.stage img').naturalWidth === 640")
        assert seen.complaints == []


def test_it_is_printed_with_every_picture(browser: Browser, room: Room) -> None:
    """On paper there are all pictures, also those far below, and no controls; ink on white, whatever the screen."""
    rows = [room.row(number, f"thing-{number}", f"Thing {number}") for number in range(1, 41)]
    rows[6:8] = [failed(7), failed(8)]
    room.publish(rows)
    with visit(browser, dark=True) as seen:
        page = seen.open(room.page)
        page.emulate_media(media="print")
        assert seen.grave_findings() == []
        expect(page.locator(".tools")).to_be_hidden()
        expect(page.locator("#r40 h3")).to_be_visible()
        paper = page.pdf(format="A4", print_background=True)
        assert len(re.findall(rb"/Subtype\s*/Image", paper)) >= 38


def test_of_thousands_only_what_is_near_is_fetched(browser: Browser, room: Room) -> None:
    """A page of 5,000 pictures asks for those on the screen and the next, and for those further down later; it has
    few elements a row, and none that brings more of its own.
    """
    one = room.row(1, "mug", "A mug, matte").pictures[0]
    rows = room.many(5000, one)
    room.publish(rows)
    with visit(browser) as seen:
        page = seen.open(room.page)
        seen.until("document.querySelector('#r1 img').complete")
        assert 0 < len(seen.asked) < 500
        assert page.locator("#r4990 img").evaluate("(image) => image.complete") is False
        assert page.evaluate("document.querySelectorAll('main *').length / 5000") < 17
        assert page.locator("main details").count() == 0
        page.get_by_role("searchbox").fill("77")
        expected = ",".join(str(number) for number in range(1, 5001) if "77" in str(number))
        assert rows_of(page) == expected
        page.locator("#r4977").scroll_into_view_if_needed()
        seen.until("document.querySelector('#r4977 img').naturalWidth > 0")


@pytest.mark.parametrize("look", _LOOKS)
def test_nothing_keeps_anybody_from_using_it(browser: Browser, tmp_path: Path, look: str) -> None:
    """axe-core has no serious finding, and nothing sticks out at the side: page, viewer, search, all jobs."""
    room = spring(tmp_path / "outbox")
    with visit(browser, **_LOOKS[look]) as seen:  # type: ignore[arg-type]
        page = seen.open(room.page, "#still=1")
        inside = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        findings = seen.grave_findings()
        assert page.evaluate(inside)
        for row in ("5", "10", "17", "19", "20"):
            page.locator(f"#r{row} .shot").first.click()
            findings += seen.grave_findings()
            assert page.evaluate("(() => { const box = document.querySelector('.stage').getBoundingClientRect(); return box.right <= innerWidth && box.bottom <= innerHeight; })()")  # fmt: skip
            page.keyboard.press("Escape")
        page.get_by_role("searchbox").fill("no such row")
        findings += seen.grave_findings()
        page = seen.open(room.overview)
        findings += seen.grave_findings()
        assert page.evaluate(inside)
        assert (findings, seen.complaints) == ([], [])


def test_the_landmarks_are_there(browser: Browser, tmp_path: Path) -> None:
    """A screen reader finds header, search, main part and footer, one heading of the page, named regions."""
    room = spring(tmp_path / "outbox")
    with visit(browser) as seen:
        page = seen.open(room.page, "#still=1")
        for role in ("banner", "search", "main", "contentinfo", "navigation"):
            expect(page.get_by_role(role)).to_have_count(1)
        expect(page.get_by_role("heading", level=1)).to_have_text("spring-catalogue.csv")
        expect(page.get_by_role("region", name="3 rows need you")).to_be_visible()
        assert page.locator("main img:not([alt])").count() == 0


def test_all_jobs_lead_to_their_galleries(browser: Browser, tmp_path: Path) -> None:
    """The page of the outbox shows each job with its first pictures; a click opens it, and one leads back."""
    room = spring(tmp_path / "outbox")
    with visit(browser) as seen:
        page = seen.open(room.overview)
        seen.until("[...document.querySelectorAll('.covers img')].every((image) => image.naturalWidth)")  # fmt: skip
        page.get_by_role("searchbox").fill("spring")
        expect(page.get_by_role("row").filter(has=page.get_by_role("link"))).to_have_count(1)
        page.get_by_role("link", name="spring-catalogue.csv").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("spring-catalogue.csv")
        page.get_by_role("link", name="All jobs").click()
        expect(page.get_by_role("row")).to_have_count(7)
        assert seen.complaints == []


def test_the_list_of_jobs_renews_itself(browser: Browser, tmp_path: Path) -> None:
    """New jobs appear by themselves; what one searches for stays, and nothing happens while one types."""
    room = spring(tmp_path / "outbox")
    with visit(browser) as seen:
        seen.page.clock.install()
        page = seen.open(room.overview)
        page.get_by_role("searchbox").fill("new")
        page.evaluate("window.same = true")
        room.publish_overview([job(id=f"{number}", name=f"new-{number}.csv") for number in (1, 2)])
        page.clock.fast_forward(120_000)
        assert page.evaluate("window.same")
        page.get_by_role("searchbox").blur()
        page.clock.fast_forward(120_000)
        _renewed(seen)
        expect(page.get_by_role("searchbox")).to_have_value("new")
        expect(page.get_by_text("2 jobs")).to_be_visible()


def test_an_outbox_without_jobs_says_so(browser: Browser, room: Room) -> None:
    """The first look finds words, not an empty table."""
    room.publish_overview([])
    with visit(browser) as seen:
        expect(seen.open(room.overview).locator("main")).to_contain_text("No job yet")
        assert (seen.grave_findings(), seen.complaints) == ([], [])
