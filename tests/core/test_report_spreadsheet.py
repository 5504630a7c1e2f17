"""results.csv and failed.csv."""

from __future__ import annotations

import csv
from io import StringIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.core.report_values import BEGUN, HARM, done, failed, job, picture

from watcher.core.jobs import Problem, RowState
from watcher.core.links import PublicLinks
from watcher.core.report import RESULT_COLUMNS, defused, failed_csv, results_csv, undefused

_TEXT = st.one_of(st.text(max_size=40), st.sampled_from(HARM))


def _read(text: str, delimiter: str = ",") -> list[list[str]]:
    assert text.startswith("\ufeff")
    return list(csv.reader(StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=delimiter))


def test_results_follow_the_drops_own_columns() -> None:
    """The drop's columns come back in order and untouched, then ours, with the names of the contract."""
    rows = [done(1), failed(2)]
    header, first, second = _read("".join(results_csv(job(rows), rows)))
    assert header == ["sku", "description", *RESULT_COLUMNS]
    assert first == [
        "mug", "A mug", "done", "images/mug1-1.png", "", "", "", "", "",
        "size: 512x512 → 1024x1024 (too small)", "1", "0.0210", "8.2", "gpt-image-2.5-flare", "req_1", "api", "",
    ]  # fmt: skip
    assert second == [
        "chair", "A chair", "failed", "", "", "", "moderation_blocked", "The API refused this prompt.",
        "Describe it in other words.", "", "1", "", "8.2", "gpt-image-2.5-flare", "req_1", "api", "",
    ]  # fmt: skip


def test_lines_are_as_excel_wants_them() -> None:
    """A byte order mark once, CRLF after every line, one line a row as it comes."""
    lines = list(results_csv(job(), [done(1), done(2)]))
    assert [line.count("\ufeff") for line in lines] == [1, 0, 0]
    assert all(line.endswith("\r\n") for line in lines)


def test_several_pictures_share_a_cell() -> None:
    """Files and public addresses are joined by semicolons; addresses are percent-encoded."""
    row = done(1, pictures=(picture("images/é-1.png"), picture("images/é-2.png", index=2)))
    read = _read(
        "".join(results_csv(job(), [row], links=PublicLinks(base="https://pics.example/o/")))
    )
    cells = dict(zip(*read, strict=True))
    assert cells["result_files"] == "images/é-1.png;images/é-2.png"
    base = "https://pics.example/o/mugs--2r2kb9sgzdg69/images/%C3%A9"
    assert cells["result_urls"] == f"{base}-1.png;{base}-2.png"


def test_a_row_that_waits_says_until_when() -> None:
    """The hint of a waiting row names the moment of its next try."""
    busy = Problem(code="rate_limit_exceeded", what="The API is busy.")
    row = done(1, state=RowState.WAITING, problem=busy, due_at=BEGUN + 60)
    cells = dict(zip(*_read("".join(results_csv(job(), [row]))), strict=True))
    assert cells["result_error"] == "The API is busy."
    assert cells["result_hint"] == "It is tried again at 2026-09-21T14:14:20Z."


def test_values_of_json_drops_become_cells() -> None:
    """Lists and objects stand in cells as JSON, nothing as an empty cell; a short row is filled up."""
    row = done(1, values=(["a", "é"], {"b": 1}, None, True, -5, 0.5))
    columns = ("list", "object", "null", "flag", "number", "fraction", "missing")
    read = _read("".join(results_csv(job(columns=columns), [row])))
    assert read[1][:7] == ['["a", "é"]', '{"b": 1}', "", "true", "-5", "0.5", ""]


def test_a_results_file_dropped_again_does_not_double() -> None:
    """The result columns of an earlier run are replaced by those of this one."""
    columns = ("sku", "result_status", "Result_Error", "description")
    row = done(1, values=("mug", "failed", "old words", "A mug"))
    read = _read("".join(results_csv(job(columns=columns), [row])))
    assert read[0] == ["sku", "description", *RESULT_COLUMNS]
    assert read[1][:3] == ["mug", "A mug", "done"]


def test_failed_holds_only_what_a_person_must_mend() -> None:
    """failed.csv has the failed and the partial rows, with the same columns as results.csv."""
    rows = [done(1), failed(2), done(3, state=RowState.PARTIAL), done(4, state=RowState.CANCELLED)]
    read = _read("".join(failed_csv(job(), rows)))
    assert [line[0:3:2] for line in read[1:]] == [["chair", "failed"], ["mug", "partial"]]


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "＋1+1",
     "－1+1", "＠x", " =1+1", "\ufeff=1", "\u200b=1", "\tx", "'=1"],
)  # fmt: skip
def test_formulas_are_defused(text: str) -> None:
    """What a spreadsheet would run gets a quote in front, which can be taken away again."""
    assert defused(text) == f"'{text}"
    assert undefused(defused(text)) == text


@pytest.mark.parametrize(
    "text", ["-5", "+3.2", "-5,3", "-.5", "-1e-7", "-5%", "12", "a=b", "it's", "", "'quoted'"]
)
def test_numbers_and_plain_text_stay(text: str) -> None:
    """A number stays a number, and text that nothing runs stays as it was written."""
    assert defused(text) == text
    assert undefused(text) == text


@given(_TEXT)
@example("''=1")
@example("'")
def test_the_authors_text_can_always_be_had_back(text: str) -> None:
    """Defusing loses nothing, so that a results file that is dropped again asks for the same."""
    assert undefused(defused(text)) == text


@given(
    st.lists(st.tuples(_TEXT, _TEXT), max_size=8), st.tuples(_TEXT, _TEXT), st.sampled_from(",;\t|")
)
def test_every_cell_comes_back(
    rows: list[tuple[str, str]], columns: tuple[str, str], delimiter: str
) -> None:
    """Whatever rows say, a CSV reader finds the same rows and cells, and no cell runs as a formula."""
    told = [
        done(number, values=values, text=values[0]) for number, values in enumerate(rows, start=1)
    ]
    named = (f"a{columns[0]}", f"b{columns[1]}")
    text = "".join(results_csv(job(columns=named), told, delimiter=delimiter))
    read = _read(text, delimiter)
    assert [tuple(map(undefused, line[:2])) for line in read] == [named, *rows]
    for line in read:
        assert len(line) == 2 + len(RESULT_COLUMNS)
        assert all(defused(cell) == cell or cell.startswith("'") for cell in line)
