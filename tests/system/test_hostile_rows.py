"""Two hundred rows that mean harm, through the real process and before the eyes of a person who opens the results."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from pathlib import Path

from playwright.sync_api import Page
from tests.browser import needs_browser, started, visit
from tests.core.report_values import HARM
from tests.system.house import INBOX, House, Job, house, sandbox

_MORE = (
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",  # right to left
    "a\u0001b\u0007c\u001b[2Jd\u2028f\u2029g",
    "\U0001f600\U0001f469\u200d\U0001f680" * 20,
    "../../../etc/passwd",
    "CON",
    "+1+cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "\t=1+1",
    "<meta http-equiv=refresh content='0;url=http://evil'>",
    "<base href='http://evil/'><style>*{display:none}</style>",
    "<iframe srcdoc='<script>parent.harmed=1</script>'></iframe>",
    "--><script>window.harmed=1</script><!--",
)
# A drop that holds U+0000 is refused as a whole: no text has that.
_WORDS = tuple(
    word.replace("alert(1)", "window.harmed=1").replace("\0", "\x01") for word in (*HARM, *_MORE)
)
_NAME = "=1+1 <img src=x onerror=harmed=1> \u202e.json"
_RUNS = re.compile(r"\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?[\d.,]+(e[+-]?\d+)?%?", re.IGNORECASE)


def _rows() -> list[dict[str, str]]:
    """Each word in each place; every fifth row is refused by the server."""
    count = len(_WORDS)
    return [
        {
            "name": _WORDS[number % count],
            "prompt": "[fault:400] " * (number % 5 == 0)
            + _WORDS[(number // count + number) % count],
            "<b onclick=harmed=1>note": _WORDS[(number * 7) % count],
            "=cmd|'/C calc'!A0": _WORDS[(number * 3 + 1) % count],
            "checklist": _WORDS[(number * 5 + 2) % count][:250],
        }
        for number in range(200)
    ]


@needs_browser
def test_hostile_rows_are_harmless_in_every_output(tmp_path: Path) -> None:
    """No script runs, no formula starts, nothing escapes its cell, its line, its folder or its direction."""
    judging = {"inboxes": {INBOX: {"checks": {"vision": "warn"}}}}
    with (
        sandbox(faults=["unmet"]) as api,
        house(tmp_path / "house", api.base_url, judging) as home,
    ):
        home.drop(_NAME, json.dumps(_rows()))
        job = home.wait_over(_NAME.replace("\u202e", "\\u202e"), timeout=120)  # as it is shown
        assert home.stop() == 0
    assert len(job.records) == 200
    assert {row["result_status"] for row in job.records} == {"done", "failed"}
    assert sum("not met" in row["result_adjustments"] for row in job.rows) > 100
    _tables_hold_no_formula(job)
    _records_are_what_was_dropped(job)
    _names_are_plain(home)
    _notes_are_plain(home)
    _pages_are_harmless(job)


def _tables_hold_no_formula(job: Job) -> None:
    for name in ("results.csv", "failed.csv"):
        with (job.folder / name).open(encoding="utf-8-sig", newline="") as file:
            header, *lines = csv.reader(file)
        assert {len(line) for line in lines} == {len(header)}
        cells = [cell for line in (header, *lines) for cell in line]
        assert [cell for cell in cells if _RUNS.match(cell) and not _NUMBER.fullmatch(cell)] == []


def _records_are_what_was_dropped(job: Job) -> None:
    for given, kept in zip(_rows(), job.records, strict=True):
        assert {name: kept[name] for name in given} == given
    assert json.loads((job.folder / "job.json").read_text("utf-8"))["rows"] == 200


def _names_are_plain(home: House) -> None:
    """Of folders and pictures: letters, numbers and a few signs, and all within the outbox."""
    files = [path for path in home.outbox.rglob("*") if "/images" in str(path)]
    assert len(files) > 100
    for path in files:
        assert not [char for char in path.name if unicodedata.category(char)[0] in "CZ"]
        assert not set(path.name) & set('<>:"|?*\\=@')
        assert path.resolve().is_relative_to(home.outbox.resolve())


def _notes_are_plain(home: House) -> None:
    (note,) = home.inbox.glob("*.STATUS.txt")
    lines = note.read_text("utf-8").splitlines()
    assert lines[0].startswith("done with errors: ")
    assert [line for line in lines if not line.isprintable() or _RUNS.match(line)] == []


def _pages_are_harmless(job: Job) -> None:
    with started() as browser, visit(browser) as seen:
        page = seen.open(job.folder / "index.html")
        assert page.locator(".card").count() == 200
        _is_ours(page)
        for number in range(1, 2 * len(_WORDS)):
            page.evaluate(f"document.querySelector('#r{number} .shot').click()")
            assert page.locator("dialog[open]").count() == 1
            page.keyboard.press("Escape")
        _is_ours(page)
        assert (seen.complaints, seen.grave_findings()) == ([], [])
        assert all(url.startswith(("file:///", "data:image/svg")) for url in seen.asked)
        page = seen.open(job.folder.parent / "index.html")
        assert page.locator("tbody tr").count() == 1
        _is_ours(page)
        assert (seen.complaints, seen.grave_findings()) == ([], [])


def _is_ours(page: Page) -> None:
    """Nothing ran, and no element, handler or address is of a row's making."""
    assert page.evaluate("window.harmed") is None
    for name, most in {
        "script": 1,
        "style": 1,
        "base": 0,
        "iframe": 0,
        "object": 0,
        "form": 1,
    }.items():
        assert page.locator(name).count() <= most
    handlers = "(all) => all.filter((one) => one.getAttributeNames().some((name) => name.startsWith('on'))).length"
    assert page.locator("*").evaluate_all(handlers) == 0
    links = page.locator("a[href]").evaluate_all("(all) => all.map((one) => one.href)")
    assert [link for link in links if not link.startswith("file:///")] == []
    wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert page.evaluate(wide)
