"""results.xlsx, opened again by other libraries than the one that wrote it."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet
from PIL import Image
from python_calamine import CalamineWorkbook
from tests.core.report_values import BEGUN, HARM, done, failed, job, picture

from watcher.core.jobs import JobState, Picture, RowState
from watcher.core.parsing import parse
from watcher.core.results import JobResult, RowResult
from watcher.outbox import Outbox, Workbooks, look_at_picture

FOLDER = "mugs--2r2kb9sgzdg69"


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    made = Outbox(tmp_path / "outbox")
    made.create()
    made.prepare(FOLDER)
    return made


def written(outbox: Outbox, *rows: RowResult, one: JobResult | None = None) -> Path:
    books = Workbooks(outbox.root.parent / "sheets", monotonic=lambda: 0.0)
    one = one or job(rows, state=JobState.DONE)
    books.write(outbox, one, rows, now=BEGUN + 60)
    return outbox.root / FOLDER / "results.xlsx"


def saved(outbox: Outbox, stem: str, index: int = 1, colour: str = "teal") -> Picture:
    sink = io.BytesIO()
    Image.new("RGBA", (640, 320), colour).save(sink, "PNG")
    content = sink.getvalue()
    return outbox.save_picture(FOLDER, stem, index, content, look_at_picture(content))


def results(file: Path) -> Any:  # noqa: ANN401 - its pictures have no public name
    return load_workbook(file)["Results"]


def cells(file: Path) -> list[list[object]]:
    """By python-calamine: every row of the results, without the picture's column."""
    sheet = CalamineWorkbook.from_path(file).get_sheet_by_name("Results")
    return [list(row[1:]) for row in sheet.to_python()]


def test_rows_come_back_with_thumbnails_links_and_colours(outbox: Outbox) -> None:
    """Each row shows its pictures in its first cell and links to the file; its state has a colour."""
    one, two = saved(outbox, "mug-1"), saved(outbox, "mug-2", index=2, colour="red")
    file = written(outbox, done(1, pictures=(one, two)), failed(2))
    sheet = results(file)
    header = [cell.value for cell in sheet[1]]
    files, status = header.index("result_files") + 1, header.index("result_status") + 1
    assert sheet.cell(2, files).value == "images/mug-1.png;images/mug-2.png"
    assert sheet.cell(2, files).hyperlink.target == "images/mug-1.png"
    assert [image.anchor._from.row for image in sheet._images] == [1, 1]
    assert [image.format for image in sheet._images] == ["jpeg", "jpeg"]
    colours = {sheet.cell(row, status).fill.fgColor.rgb for row in (2, 3)}
    assert len(colours) == 2
    assert (sheet.freeze_panes, sheet.auto_filter.ref.partition(":")[0]) == ("B2", "A1")


def test_numbers_are_numbers_and_text_is_text(outbox: Outbox) -> None:
    """A figure can be summed, what the author wrote as text stays text, nothing stays empty."""
    row = done(1, values=("007", 12.5))
    header, first = cells(written(outbox, row))
    got = dict(zip(header, first, strict=True))
    assert (got["sku"], got["description"]) == ("007", 12.5)
    assert (got["result_cost_usd"], got["result_attempts"]) == (0.021, 1.0)
    assert got["result_error"] == ""


def test_200_hostile_rows_are_text_in_every_cell(outbox: Outbox) -> None:
    """Formulas, scripts, controls, right-to-left, emoji, half characters: text, and no formula anywhere."""
    texts = [
        *HARM,
        "\ud800half",
        "\uffff",
        "a\rb\r\nc",
        "_x0041_",
        "@SUM(1)",
        "\t=1+1",
        "-2+3",
        "x" * 40_000,
    ]
    many = islice(cycle(texts), 200)
    hostile = [done(at, values=(text, text), prompt=text) for at, text in enumerate(many, start=1)]
    file = written(outbox, *hostile)
    read = load_workbook(file)
    assert all(cell.data_type != "f" for sheet in read for row in sheet.iter_rows() for cell in row)
    rows = cells(file)
    assert len(rows) == 201
    assert rows[1][0] == "<script>alert(1)</script>"
    ran = {str(row[0])[:1] for row in rows[1:]} & set("=+-@\t\r")
    assert ran == set()


def test_the_summary_says_how_it_went(outbox: Outbox) -> None:
    """A second sheet: state, counts, cost, and what to do about rows that failed."""
    file = written(outbox, done(1), failed(2))
    sheet = load_workbook(file)["Summary"]
    assert isinstance(sheet, Worksheet)
    lines = {row[0]: row[1] for row in sheet.iter_rows(values_only=True)}
    assert (lines["Rows"], lines["Rows done"], lines["Rows failed"]) == (2, 1, 1)
    assert "failed.csv" in str(lines["What to do"])


def test_a_workbook_dropped_again_is_its_own_rows(outbox: Outbox) -> None:
    """The first sheet is read; our columns are not, and the author's text comes back as it was."""
    file = written(outbox, done(1, values=("=1+1", "a mug")), failed(2, values=("b", "-x")))
    with file.open("rb") as stream:
        parsed = parse(file.name, stream)
        assert [row.values[1:3] for row in parsed.rows] == [("=1+1", "a mug"), ("b", "-x")]


def test_a_thumbnail_that_is_gone_fails_nothing(outbox: Outbox) -> None:
    """The row is there without it; a link in the outbox is not followed for it."""
    one = saved(outbox, "mug-1")
    thumbnail = outbox.root / FOLDER / "thumbnails/mug-1.webp"
    elsewhere = thumbnail.rename(outbox.root.parent / "elsewhere.webp")
    thumbnail.symlink_to(elsewhere)
    sheet = results(written(outbox, done(1, pictures=(one,))))
    assert (len(sheet._images), sheet.max_row) == (0, 2)


def test_memory_does_not_grow_with_the_rows(outbox: Outbox) -> None:
    """A row beyond those with links and thumbnails leaves less than 100 bytes behind, of the 3 kB that it is."""
    peaks = []
    for rows in (600, 6_000):
        tracemalloc.start()
        one = job(state=JobState.DONE, counts={RowState.DONE: rows})
        books = Workbooks(outbox.root.parent / "sheets", monotonic=lambda: 0.0, most_shown=50)
        books.write(outbox, one, _many(rows), now=BEGUN)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 100 * (6_000 - 600)


def _many(number: int) -> Iterator[RowResult]:
    plain = done(1, pictures=(picture(),))
    return (plain for _ in range(number))


def test_while_a_job_runs_it_is_written_seldom(outbox: Outbox) -> None:
    """At once, then not before its time, and in any case at the end; what lies there is whole at each."""
    now = [0.0]
    books = Workbooks(outbox.root.parent / "sheets", monotonic=lambda: now[0])
    file = outbox.root / FOLDER / "results.xlsx"

    def states(at: float, *rows: RowResult, state: JobState = JobState.RUNNING) -> list[object]:
        now[0] = at
        books.write(outbox, job(rows, state=state), rows, now=BEGUN)
        return [row[2] for row in cells(file)[1:]]

    waiting, over = done(1, state=RowState.QUEUED), done(1)
    assert states(0, waiting) == ["queued"]
    assert states(5, over) == ["queued"]
    assert states(16, over) == ["done"]
    assert states(17, failed(1), state=JobState.FAILED) == ["failed"]
    assert list((outbox.root.parent / "sheets").iterdir()) == []
