"""The gallery in a real browser, opened from disk as by a double click."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from tests import chromium
from tests.chromium import Browser
from tests.core.report_values import BEGUN, HARM, done, failed, job, picture

from watcher.core.jobs import JobState, Problem, RowState
from watcher.core.report import gallery_html, overview_html
from watcher.core.results import JobResult, RowResult
from watcher.outbox import Outbox, look_at_picture

SHOWN = Path("build/gallery")  # pictures of the page, for people to look at
_WHERE = "document.activeElement.getAttribute('href')"
_NUMBERS = "[...document.querySelectorAll('.card:not([hidden])')].map((card) => card.id).join()"

pytestmark = pytest.mark.skipif(
    chromium.PROGRAM is None, reason="needs a browser: apt-get install chromium"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium.started(tmp_path_factory.mktemp("browser")) as running:
        yield running


class _Job:
    """A job's folder on disk, with real pictures."""

    def __init__(self, root: Path) -> None:
        self.outbox = Outbox(root)
        self.folder = job().folder
        self.outbox.create()
        self.outbox.prepare(self.folder)
        self.page = root / self.folder / "index.html"

    def row(self, number: int, pictures: int = 1, **changes: object) -> RowResult:
        """A row that is done, its pictures in place."""
        saved = []
        for index in range(1, pictures + 1):
            shade = (number * 53 % 200 + 40, number * 97 % 200 + 40, index * 71 % 200 + 40)
            sink = BytesIO()
            Image.new("RGB", (640, 480 + 40 * (number % 5)), shade).save(sink, "PNG")
            facts = look_at_picture(sink.getvalue())
            stem = f"été-{number}-{index}"
            saved.append(self.outbox.save_picture(self.folder, stem, index, sink.getvalue(), facts))
        name = {1: "mug", 2: "chair"}.get(number, f"thing {number}")
        values = (name, f"A {name}")
        return done(
            number, values, **{"pictures": tuple(saved), "prompt": f"A {name}, matte", **changes}
        )

    def publish(self, rows: Sequence[RowResult], of: JobResult | None = None) -> None:
        over = of or job(rows, state=JobState.PARTIAL, ended_at=BEGUN + 90)
        self.outbox.write_text(
            self.folder, "index.html", gallery_html(over, lambda: rows, now=BEGUN + 60)
        )


@pytest.fixture
def made(tmp_path: Path) -> _Job:
    return _Job(tmp_path / "outbox #1 é")


def _some(made: _Job) -> list[RowResult]:
    half = Problem(
        code="fewer", what="The API made 2 of 3 pictures.", hint="Drop failed.csv again."
    )
    return [
        made.row(1),
        made.row(2, adjustments=()),
        made.row(3, model="gpt-image-2.5-sunburst", adjustments=()),
        failed(4),
        made.row(5, pictures=2, state=RowState.PARTIAL, problem=half),
        made.row(6, pictures=6),
        made.row(7, pictures=0, text="A round stoneware mug with a matte glaze."),
        *(made.row(number, adjustments=()) for number in range(8, 20)),
    ]


def test_it_opens_from_disk_with_all_its_pictures(browser: Browser, made: _Job) -> None:
    """From a double click: thumbnails show, nothing is refused, missing, or fetched from elsewhere."""
    made.publish(_some(made))
    browser.look()
    browser.open(made.page)
    browser.until(
        "[...document.images].filter((image) => image.loading === 'lazy').slice(0, 6).every((image) => image.naturalWidth)"
    )
    assert browser.complaints() == []
    asked = [event["request"]["url"] for event in browser.said("Network.requestWillBeSent")]
    assert asked
    assert all(url.startswith(("file:///", "data:image/svg", "about:")) for url in asked)


def test_search_and_filters_find_rows(browser: Browser, made: _Job) -> None:
    """Rows are found by words, status, model and adjustment; the address keeps it for the next time."""
    made.publish(_some(made))
    browser.open(made.page)
    assert browser.ask(_NUMBERS).startswith("r4,r5,r1,r2,")
    browser.press("/")
    browser.type("MATTE thing 11")
    assert browser.ask(_NUMBERS) == "r11"
    assert browser.ask("document.querySelector('.found').textContent") == "1 of 19 rows"
    browser.press("Escape")
    assert browser.ask(_NUMBERS).count("r") == 19
    browser.ask("document.querySelector('[data-state=failed]').click()")
    assert browser.ask(_NUMBERS) == "r4"
    browser.ask("document.querySelector('[data-state=\"\"]').click()")
    browser.ask(
        "(() => { const tools = document.querySelector('.tools'); tools.m.value = 'gpt-image-2.5-sunburst'; tools.m.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )
    assert browser.ask(_NUMBERS) == "r3"
    browser.open(made.page, "#a=1&q=mug")
    assert browser.ask(_NUMBERS) == "r1,r7"
    browser.open(made.page, "#q=nowhere")
    assert browser.ask("document.querySelector('.nothing').checkVisibility()")
    browser.ask("document.querySelector('.reset').click()")
    assert browser.ask(_NUMBERS).count("r") == 19


def test_it_can_be_used_by_keyboard_alone(browser: Browser, made: _Job) -> None:
    """Arrows move, Enter opens, arrows turn the pages, Esc closes where one is; text rows too."""
    made.publish(_some(made))
    browser.look()
    browser.open(made.page)
    browser.ask("document.querySelector('#r1 .shot').focus()")
    browser.press("ArrowRight")
    assert browser.ask(_WHERE).endswith("-2-1.png")
    browser.press("ArrowDown")
    assert browser.ask(_WHERE).endswith("-8-1.png")
    browser.press("ArrowUp")
    assert browser.ask(_WHERE).endswith("-2-1.png")
    browser.ask("document.querySelector('#r3 .shot').focus()")
    browser.press("Enter")
    viewer = "document.querySelector('.viewer')"
    assert browser.ask(f"{viewer}.open")
    browser.until(f"{viewer}.querySelector('img').naturalWidth === 640")
    assert browser.ask("document.querySelector('#viewer-title').textContent") == "thing 3"
    assert "gpt-image-2.5-sunburst" in browser.ask(f"{viewer}.textContent")
    for _ in range(7):  # six pictures of row 6, then the text of row 7
        browser.press("ArrowRight")
    assert "A round stoneware mug" in browser.ask("document.querySelector('.words').textContent")
    assert browser.ask("location.hash") == "#open=7.0"
    browser.press("Escape")
    assert not browser.ask(f"{viewer}.open")
    browser.until(f"{_WHERE} === '#r7'")  # the page hears of the closing a moment later
    assert browser.complaints() == []


def test_it_renews_itself_and_keeps_what_one_does(browser: Browser, made: _Job) -> None:
    """While the job runs the page follows it, with the search as it was; held still, it stays."""
    rows = _some(made)
    made.publish(rows, job(rows))
    browser.open(made.page, "#q=thing")
    browser.ask("window.same = true")
    made.publish([*rows, made.row(40)], job(rows))
    browser.until("window.same === undefined && document.readyState === 'complete'")
    assert browser.ask(_NUMBERS).endswith(",r40")
    assert browser.ask("document.querySelector('.tools').q.value") == "thing"
    browser.ask("document.querySelector('.live').click()")
    assert browser.ask("location.hash") == "#q=thing&still=1"


def test_it_says_all_it_says_without_script(browser: Browser, made: _Job) -> None:
    """With script switched off, pictures are links, details unfold, and no dead control is shown."""
    made.publish(_some(made))
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(made.page)
        assert not browser.ask("document.querySelector('.tools').checkVisibility()")
        assert browser.ask("document.querySelector('#r1 summary').checkVisibility()")
        assert browser.ask("document.querySelector('#r1 .shot').href").endswith("-1-1.png")
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_nothing_that_a_row_says_runs(browser: Browser, made: _Job) -> None:
    """Two hundred rows that mean harm: no dialog, no script, no request, nothing for the policy to refuse."""
    words = [word.replace("alert(1)", "window.harmed=1") for word in HARM]
    rows = [
        done(
            number,
            values=(words[number % len(words)], words[(number + 1) % len(words)]),
            prompt=words[(number + 2) % len(words)],
            model=words[(number + 3) % len(words)],
            text=words[(number + 4) % len(words)],
            pictures=(picture("images/none.png"),) if number % 2 else (),
        )
        for number in range(1, 201)
    ]
    made.outbox.save_picture(made.folder, "none", 1, b"", look_at_picture(_pixel()))
    made.outbox.write_text("", "index.html", overview_html([job(rows, name=HARM[0])], now=BEGUN))
    made.publish(rows)
    browser.open(made.page)
    browser.ask("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    for number in ("1", "2", "3", "4"):
        browser.ask(f"document.querySelector('#r{number} .shot').click()")
        browser.press("Escape")
    refused = [each for each in browser.complaints() if "none.png" not in str(each)]
    assert (browser.ask("window.harmed"), refused) == (None, [])
    browser.open(made.outbox.root / "index.html")
    assert (browser.ask("window.harmed"), browser.complaints()) == (None, [])


def _pixel() -> bytes:
    sink = BytesIO()
    Image.new("RGB", (1, 1)).save(sink, "PNG")
    return sink.getvalue()


def test_five_thousand_pictures_open_at_once(browser: Browser, made: _Job) -> None:
    """A large job's page is painted within two seconds, and filtered as fast (it once took thirty)."""
    one = made.row(1)
    rows = [
        done(number, (f"thing {number}", "A thing"), pictures=one.pictures)
        for number in range(1, 5001)
    ]
    made.publish(rows)
    browser.look()
    browser.open(made.page)
    assert browser.ask("performance.getEntriesByType('paint').at(-1).startTime") < 2000
    begun = time.monotonic()
    browser.ask(
        "(() => { const tools = document.querySelector('.tools'); tools.q.value = '77'; tools.q.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )
    browser.picture(SHOWN / "large-filtered.png")
    assert time.monotonic() - begun < 5
    assert browser.ask(_NUMBERS).count("r") == sum("77" in str(number) for number in range(1, 5001))


@pytest.mark.parametrize(
    ("name", "look"),
    [
        ("light", {}),
        ("dark", {"dark": True}),
        ("phone", {"width": 390, "height": 844}),
        ("print", {"media": "print"}),
    ],
)
def test_it_fits_every_screen(
    browser: Browser, made: _Job, name: str, look: dict[str, object]
) -> None:
    """Nothing sticks out at the side, in light and dark, on a phone, on paper; controls are not printed."""
    rows = _some(made)
    made.publish(
        rows,
        job(rows, counts={**job(rows).counts, RowState.QUEUED: 3}, notes=("cp1252 was detected.",)),
    )
    browser.look(**look)  # type: ignore[arg-type]
    browser.open(made.page, "#still=1")
    browser.until(
        "[...document.images].filter((image) => image.loading === 'lazy').slice(0, 2).every((image) => image.naturalWidth)"
    )
    browser.picture(SHOWN / f"{name}.png")
    assert browser.ask(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    assert browser.ask("document.querySelector('.tools').checkVisibility()") == (name != "print")
    browser.ask("document.querySelector('#r2 .shot').click()")
    browser.until("document.querySelector('.stage img').naturalWidth")
    if name != "print":
        browser.picture(SHOWN / f"{name}-viewer.png")
        assert browser.ask(
            "(() => { const box = document.querySelector('.stage img').getBoundingClientRect(); return box.right <= innerWidth && box.bottom <= innerHeight; })()"
        )
