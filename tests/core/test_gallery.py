"""The gallery and the list of jobs, as text."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from decimal import Decimal
from hashlib import sha256
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.report_values import BEGUN, HARM, done, failed, job, picture

from watcher.core.jobs import Adjustment, JobState, Picture, Problem, RowState
from watcher.core.report import gallery_html, overview_html
from watcher.core.results import JobResult, RowResult

_ADDRESSES = ("href", "src", "action", "formaction", "srcset", "data", "poster", "xlink:href")
_OURS = {"style", "script"}
_TEXT = st.one_of(st.sampled_from(HARM), st.text(max_size=30))


class _Page(HTMLParser):
    """What a browser would make of a page: elements with their attributes, and text by element."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[tuple[str, str]] = []
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag == self._inside else self._inside

    def handle_data(self, data: str) -> None:
        self.text.append((self._inside, data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def classed(self, name: str) -> list[dict[str, str | None]]:
        return [each for _, each in self.elements if name in (each.get("class") or "").split()]

    def says(self, words: str) -> bool:
        return words in "".join(text for inside, text in self.text if inside not in _OURS)


def _gallery(rows: Sequence[RowResult], of: JobResult | None = None, most: int = 5000) -> _Page:
    return _Page("".join(gallery_html(of or job(rows), lambda: rows, now=BEGUN + 60, most=most)))


def _ids(page: _Page) -> list[str | None]:
    return [card["id"] for card in page.classed("card")]


def test_rows_that_need_a_person_come_first() -> None:
    """Failed and partial rows stand before all others, with what to do; the others in row order."""
    rows = [
        done(1),
        failed(2),
        done(3),
        done(
            4,
            state=RowState.PARTIAL,
            problem=Problem(code="x", what="2 of 3.", hint="Drop it again."),
        ),
    ]
    page = _gallery(rows)
    assert _ids(page) == ["r2", "r4", "r1", "r3"]
    for words in (
        "2 rows need you",
        "The API refused this prompt.",
        "Describe it in other words.",
        "Drop it again.",
    ):
        assert page.says(words)


def test_the_way_to_mend_is_there_when_the_page_says_so() -> None:
    """failed.csv is linked once the job is over, since it is written then; until then it is announced."""
    rows = [failed(1)]
    running, over = (
        _gallery(rows),
        _gallery(rows, job(rows, state=JobState.FAILED, ended_at=BEGUN + 9)),
    )
    assert running.says("When the job is done, failed.csv will hold them")
    assert over.says("Correct them in failed.csv")
    linked = [[each.get("href") for each in page.all("a")] for page in (running, over)]
    assert ["failed.csv" in links for links in linked] == [False, True]


def test_a_workbook_is_named_where_there_is_one() -> None:
    """results.xlsx is linked beside results.csv, and only then."""
    rows = [done(1)]
    for workbook in (True, False):
        text = "".join(gallery_html(job(rows), lambda: rows, now=BEGUN, workbook=workbook))
        assert ("results.xlsx" in [each.get("href") for each in _Page(text).all("a")]) is workbook


def test_a_card_shows_picture_prompt_and_all_parameters() -> None:
    """Of every row one can see the picture, the prompt, what was sent, what was adjusted and its cost."""
    page = _gallery([done(1)])
    (image,) = (each for each in page.all("img") if each.get("loading"))
    assert image["src"] == "./thumbnails/mug1-1.webp"
    assert image["alt"] == "A mug, matte"
    assert image["loading"] == "lazy"
    (shot,) = page.classed("shot")
    assert shot["href"] == "./images/mug1-1.png"
    for words in (
        "Prompt",
        "A mug, matte",
        "size\t1024x1024",
        "512x512 → 1024x1024",
        "Cost\t$0.02",
        "sku\tmug",
    ):
        assert page.says(words)


def test_a_row_with_a_text_shows_it() -> None:
    """What an analyze row was answered stands where others have their picture."""
    page = _gallery([done(1, pictures=(), text="A round mug.")])
    assert [shot["href"] for shot in page.classed("shot")] == ["#r1"]
    assert page.says("A round mug.")


def test_a_drawing_is_its_own_thumbnail() -> None:
    """An SVG picture is shown as an image, in which nothing runs, and no link opens it as a page."""
    drawn = picture("images/a-1.svg", format="svg", width=0, height=0, bytes=9_000)
    page = _gallery([done(1, pictures=(drawn,))])
    (image,) = (each for each in page.all("img") if each.get("loading"))
    assert image["src"] == "./images/a-1.svg"
    assert "width" not in image
    assert not [each for each in page.all("a") if "svg" in str(each.get("href"))]


def test_a_large_drawing_has_no_thumbnail() -> None:
    """Megabytes of SVG in a grid of thousands would keep it from scrolling: it is named, and opens."""
    drawn = picture("images/a-1.svg", format="svg", bytes=9_000_000)
    page = _gallery([done(1, pictures=(drawn,))])
    assert [each for each in page.all("img") if each.get("loading")] == []
    assert [each["data-drawing"] for each in page.classed("shot")] == ["./images/a-1.svg"]


def test_a_picture_without_a_thumbnail_is_named() -> None:
    """Where there is no thumbnail, words lead to the picture."""
    rows = [done(1)]
    page = _Page("".join(gallery_html(job(rows), lambda: rows, now=BEGUN, thumbnail=lambda _: "")))
    assert [each for each in page.all("img") if each.get("loading")] == []
    assert [shot["href"] for shot in page.classed("shot")] == ["./images/mug1-1.png"]


def test_names_are_percent_encoded() -> None:
    """A file with letters of any script, `#`, `?` or `%` in its name is found."""
    page = _gallery([done(1, pictures=(picture("images/é #1?%.png"),))])
    assert page.classed("shot")[0]["href"] == "./images/%C3%A9%20%231%3F%25.png"


def test_the_page_follows_the_job_while_it_runs() -> None:
    """A running job's page renews itself, with and without script; a finished one stays still."""
    running, over = (
        _gallery([done(1)]),
        _gallery([done(1)], job([done(1)], state=JobState.DONE, ended_at=BEGUN + 9)),
    )
    refreshes = [
        [each["content"] for each in page.all("meta") if each.get("http-equiv") == "refresh"]
        for page in (running, over)
    ]
    assert refreshes == [["5"], []]
    assert [page.all("body")[0]["data-refresh"] for page in (running, over)] == ["5", "0"]
    assert [len(page.classed("live")) for page in (running, over)] == [1, 0]


def test_the_head_tells_how_the_job_stands() -> None:
    """State, counts, cost, what is unknown of it, why it is paused and what was noted, at the top."""
    rows = [done(1), failed(2), done(3, state=RowState.QUEUED, pictures=())]
    page = _gallery(rows, job(rows, paused="No money left.", cost_usd=Decimal("0.021"), unpriced=2, estimate_usd=Decimal("0.06"), notes=("cp1252 was detected.",)))  # fmt: skip
    for words in ("Paused, 2 of 3 rows", "Paused: No money left.", "cp1252 was detected.", "$0.02",
                  "of about $0.06, and 2 calls of unknown cost", "1 min 0 s"):  # fmt: skip
        assert page.says(words)
    assert [(each["class"], each["x"], each["width"]) for each in page.all("rect")] == [
        ("done", "0", "1"), ("failed", "1", "1"), ("queued", "2", "1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("attempts", "state", "cost"),
    [
        (0, JobState.FAILED, "nothing"),
        (1, JobState.FAILED, "unknown"),
        (0, JobState.RUNNING, "nothing yet"),
    ],
)
def test_a_job_that_never_called_has_cost_nothing(
    attempts: int, state: JobState, cost: str
) -> None:
    """Where every row failed before a call, the cost is nothing: not unknown, and nothing is to come."""
    of = job([failed(1)], attempts=attempts, state=state, cost_usd=None)
    page = _gallery([failed(1)], of)
    words = [text.strip() for _, text in page.text if text.strip()]
    assert cost == words[words.index("Cost") + 1]
    assert _Page("".join(overview_html([of], now=BEGUN))).says(cost)


def test_a_row_that_waits_says_why_and_until_when() -> None:
    """A deferred row shows its reason and the moment of the next try."""
    busy = Problem(code="x", what="The API is busy.")
    page = _gallery([done(1, state=RowState.WAITING, pictures=(), problem=busy, due_at=BEGUN + 60)])
    assert page.says("The API is busy.")
    assert "2026-09-21T14:14:20Z" in [each["datetime"] for each in page.all("time")]


def test_a_page_is_bounded() -> None:
    """Of more rows than a browser can show, failed ones come first and the page says what it left out."""
    rows = [done(1), done(2), failed(3), done(4)]
    page = _gallery(rows, most=2)
    assert _ids(page) == ["r3", "r1"]
    assert page.says("2 of 4 rows are shown here. All of them are in results.csv.")


def test_no_row_is_lost_between_the_two_passes() -> None:
    """A row that fails while the page is written is shown all the same, once."""
    passes = iter([[done(1), done(2)], [done(1), failed(2)]])
    page = _Page("".join(gallery_html(job([done(1), done(2)]), lambda: next(passes), now=BEGUN)))
    assert _ids(page) == ["r1", "r2"]


def test_the_page_is_made_piece_by_piece() -> None:
    """The first piece is there before the last row was asked for: memory does not grow with the rows."""
    asked: list[int] = []

    def rows() -> Sequence[RowResult]:
        class Asked(list[RowResult]):
            def __iter__(self):  # type: ignore[no-untyped-def] # noqa: ANN204
                for number in range(1, 2001):
                    asked.append(number)
                    yield done(number)

        return Asked()

    pieces = gallery_html(job(), rows, now=BEGUN)
    longest = max(len(next(pieces)) for _ in range(20))
    assert max(asked[2000:], default=0) < 2000
    assert longest < 100_000


def _harmful(number: int, words: Sequence[str]) -> RowResult:
    a, b, c, d, e, f = words
    return done(
        number,
        values=(a, {"x": b}),
        state=(RowState.DONE, RowState.FAILED, RowState.WAITING)[number % 3],
        prompt=c,
        model=d,
        text=e,
        parameters={f: a},
        problem=Problem(code=a, what=b, hint=c, column=d),
        adjustments=(Adjustment(column=e, found=f, used=a, why=b),),
        pictures=(picture(f"images/{c[:50]}.png", format=d),) if number % 2 else (),
        request_id=f,
        source=a,
    )


@settings(max_examples=40)
@given(st.lists(st.tuples(*[_TEXT] * 6), min_size=1, max_size=4), st.tuples(*[_TEXT] * 6))
def test_nothing_from_a_row_becomes_markup(
    rows: list[tuple[str, ...]], words: tuple[str, ...]
) -> None:
    """Whatever rows and names say: no element, no script, no handler, no foreign address comes of it."""
    told = [_harmful(number, each) for number, each in enumerate(rows, start=1)]
    of = job(
        told,
        name=words[0],
        inbox=words[1],
        columns=words[2:4],
        notes=(words[4],),
        paused=words[5],
        problem=Problem(code="x", what=words[0]),
    )
    _harmless("".join(gallery_html(of, lambda: told, now=BEGUN)))
    _harmless("".join(overview_html([of], now=BEGUN, title=words[0])))


_ELEMENTS = {
    "html", "head", "meta", "title", "link", "style", "body", "a", "header", "p", "h1", "h2",
    "h3", "h4", "span", "svg", "rect", "dl", "div", "dt", "dd", "nav", "form", "label", "input",
    "button", "b", "select", "option", "output", "main", "section", "ol", "li", "img", "bdi",
    "pre", "small", "footer", "kbd", "time", "dialog", "aside", "script",
    "table", "thead", "tbody", "tr", "th", "td", "noscript",
}  # fmt: skip


def _harmless(text: str) -> None:
    page = _Page(text)
    assert {name for name, _ in page.elements} <= _ELEMENTS
    assert len(page.all("script")) == 1
    assert len(page.all("style")) == 1
    for _, attributes in page.elements:
        assert not [
            name for name in attributes if name.startswith("on") or name in {"style", "srcdoc"}
        ]
        for name in _ADDRESSES:
            _is_ours(attributes.get(name))
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", text)


def _is_ours(address: str | None) -> None:
    """Beside the page, below it, within it, or the list of all jobs."""
    if address is None or address.startswith(("#", "data:image/svg+xml,")):
        return
    parts = urlsplit(address)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
    beside = re.fullmatch(r"[\w.-]+\.(csv|xlsx|json)", address) or address == "../index.html"
    assert beside or address.startswith("./")


def test_the_policy_allows_our_style_and_script_alone() -> None:
    """The Content-Security-Policy names the hashes of the one style and the one script, nothing wider."""
    rows = [done(1)]
    text = "".join(gallery_html(job(rows), lambda: rows, now=BEGUN))
    (policy,) = (
        each["content"]
        for each in _Page(text).all("meta")
        if each.get("http-equiv") == "Content-Security-Policy"
    )
    for kind in ("style", "script"):
        within = re.search(f"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        assert within
        digest = b64encode(sha256(within[1].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in str(policy)
    assert "default-src 'none'" in str(policy)
    assert "unsafe" not in str(policy)


def test_the_outbox_lists_its_jobs() -> None:
    """The page of the outbox leads to each job's gallery and says how each stands."""
    over = job(
        [done(1)],
        state=JobState.DONE,
        ended_at=BEGUN + 9,
        cost_usd=Decimal("0.021"),
        folder="Mugs été--2r2",
    )
    page = _Page("".join(overview_html([over, job([failed(2)])], now=BEGUN)))
    links = [str(each["href"]) for each in page.all("a")]
    assert list(map(unquote, links)) == [
        "./Mugs été--2r2/index.html",
        "./mugs--2r2kb9sgzdg69/index.html",
    ]
    for words in ("Done, 1 of 1 row", "Running, 1 of 1 row", "$0.02", "unknown"):
        assert page.says(words)


def test_the_outbox_shows_the_first_pictures_of_a_job() -> None:
    """Each job has some thumbnails for people to know it by; a job without pictures none."""
    jobs = [job([done(1)]), job([failed(1)], folder="other")]
    covers = {jobs[0].folder: [picture("images/a 1.png")], "other": []}
    page = _Page("".join(overview_html(jobs, now=BEGUN, covers=lambda one: covers[one.folder])))
    assert [each["src"] for each in page.all("img")] == [
        f"./{jobs[0].folder}/thumbnails/a%201.webp"
    ]


def test_the_list_of_jobs_says_when_it_is_cut() -> None:
    """Of more jobs than one page shows, the newest are there and the page says so."""
    cut, whole = (
        _Page("".join(overview_html([job([done(1)])], now=BEGUN, cut=cut))) for cut in (True, False)
    )
    assert [page.says("The newest 1 jobs are shown.") for page in (cut, whole)] == [True, False]


def test_any_thumbnail_can_be_named() -> None:
    """Whoever publishes says where thumbnails are; the page makes an address of it."""

    def elsewhere(shown: Picture) -> str:
        return f"small/{shown.index} é.webp"

    rows = [done(1)]
    page = _Page("".join(gallery_html(job(rows), lambda: rows, now=BEGUN, thumbnail=elsewhere)))
    assert "./small/1%20%C3%A9.webp" in [each.get("src") for each in page.all("img")]
