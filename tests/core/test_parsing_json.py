"""JSON and JSONL: strict, with the place of whatever is refused."""

from __future__ import annotations

import io
import json

import pytest

from watcher.core.errors import DropError, TornDrop
from watcher.core.jobs import SourceRow
from watcher.core.parsing import Limits, Parsed, parse


def opened(text: str, name: str = "drop.json", limits: Limits | None = None) -> Parsed:
    return parse(name, io.BytesIO(text.encode()), limits=limits)


def rows(text: str, name: str = "drop.json", limits: Limits | None = None) -> list[SourceRow]:
    return list(opened(text, name, limits).rows)


def refusal(text: str, limits: Limits | None = None) -> DropError:
    with pytest.raises(DropError) as caught:
        rows(text, limits=limits)
    return caught.value


def test_a_list_of_objects() -> None:
    """Columns are found on the way; earlier rows stay aligned because names are only appended."""
    parsed = opened('[{"prompt": "a", "n": 2}, {"size": "auto", "prompt": "b"}, {"tags": ["x"]}]')
    first = next(parsed.rows)

    assert (parsed.columns, first.values) == (["prompt", "n"], ("a", 2))
    assert [row.values for row in parsed.rows] == [
        ("b", None, "auto"),
        (None, None, None, ["x"]),
    ]
    assert parsed.columns == ["prompt", "n", "size", "tags"]


def test_one_object_is_one_row() -> None:
    """A single row needs no list."""
    parsed = opened('{"prompt": "a", "n": 1.5, "reuse": false, "seed": null}')

    assert [row.values for row in parsed.rows] == [("a", 1.5, False, None)]
    assert parsed.columns == ["prompt", "n", "reuse", "seed"]


@pytest.mark.parametrize(
    "text",
    [
        '{"defaults": {"size": "auto"}, "rows": [{"prompt": "a"}, {"prompt": "b"}]}',
        '{"rows": [{"prompt": "a"}, {"prompt": "b"}], "defaults": {"size": "auto"}}',
    ],
)
def test_defaults_are_known_before_the_first_row(text: str) -> None:
    """Whichever of the two comes first in the file."""
    parsed = opened(text)

    assert parsed.defaults == {"size": "auto"}
    assert [row.values for row in parsed.rows] == [("a",), ("b",)]


def test_texts_are_prompts() -> None:
    """A list of texts needs no objects."""
    parsed = opened('["a cat", {"n": 2}, "a dog"]')

    assert [row.values for row in parsed.rows] == [("a cat",), (None, 2), ("a dog", None)]
    assert parsed.columns == ["prompt", "n"]


def test_an_element_that_is_no_object_fails_alone() -> None:
    """Numbers and lists among rows are their row's problem."""
    found = rows('[{"prompt": "a"},\n 3,\n [1],\n null,\n {"prompt": "b"}]')
    problems = [row.problem.what if row.problem else "" for row in found]

    assert [row.number for row in found] == [1, 2, 3, 4, 5]
    assert problems[1] == "Row 2 (line 2) is a number, not an object."
    assert "a list" in problems[2]
    assert "nothing" in problems[3]
    assert found[4].values == ("b",)


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ('[{"a": 1,\n "a": 2}]', "bad_json", "Line 2, column 2"),
        ('[{"a": {"b": 1, "\\u0062": 2}}]', "bad_json", "Line 1, column 17"),
        ('{"a": 1, "a": 2}', "bad_json", "Line 1, column 10"),
        ('[{"a": NaN}]', "bad_number", "Line 1, column 8"),
        ('[{"a": -Infinity}]', "bad_number", "Line 1, column 8"),
        ('[{"a": 1e999}]', "bad_number", "Line 1, column 8"),
        ('[{"a": 9223372036854775808}]', "bad_number", "Line 1, column 8"),
        ('[{"a": ' + "9" * 5000 + "}]", "bad_number", "Line 1, column 8"),
        ('[\n{"a": "x\\ud800"}]', "garbled", "Line 2, column 7"),
        ('[{"a": "\\u0000"}]', "garbled", "Line 1, column 8"),
        ('[{"\\u0092": 1}]', "garbled", "Line 1, column 3"),
        ("[" * 65 + "]" * 65, "too_deep", "Line 1, column 65"),
        ("[" * 100_000, "too_deep", "Line 1, column 65"),
        ('[{"a":' * 50, "too_deep", "Line 1, column 193"),
        ('[{"a": 1},\n]', "bad_json", "Line 2, column 1"),
        ('[{"a": 1}\n {"a": 2}]', "bad_json", "Line 2, column 2"),
        ('[{"a": "say "hi""}]', "bad_json", "Line 1, column 14"),
        ('[{"a": "x\ny"}]', "bad_json", "Line 1, column 10"),
        ("[{'a': 1}]", "bad_json", "Line 1, column 3"),
        ('{"a" 1}', "bad_json", "Line 1, column 6"),
        ("{a: 1}", "bad_json", "Line 1, column 2"),
        ('[{"a": tru}]', "bad_json", "Line 1, column 8"),
        ("12", "bad_json", "Line 1, column 1"),
        ('{"a": 1}\n{"a": 2}\n', "bad_json", "Line 2, column 1"),
    ],
)
def test_what_is_refused_is_refused_with_its_place(text: str, code: str, place: str) -> None:
    """Line and column count from 1 and point at the fault itself."""
    error = refusal(text)

    assert not isinstance(error, TornDrop)
    assert (error.code, error.what.split(":")[0]) == (code, place)
    assert error.hint


def test_the_largest_numbers_and_depth_are_taken() -> None:
    """The limits themselves are still allowed; a pair of surrogates is a letter."""
    deep = "[" * 62 + "]" * 62
    text = f'[{{"a": 9223372036854775807, "b": "\\ud83d\\ude00", "c": {deep}}}]'

    assert rows(text)[0].values[:2] == (9223372036854775807, "😀")


WHOLE = (
    '{"defaults": {"n": 1}, "rows": [{"prompt": "caf\\u00e9 \\"x\\"", "b": [true, -1.5]}, null]}'
)


@pytest.mark.parametrize("end", range(1, len(WHOLE)))
def test_every_cut_is_torn(end: int) -> None:
    """Wherever a good file is cut off, it is a torn drop and not a faulty one."""
    with pytest.raises(TornDrop):
        rows(WHOLE[:end])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        (" \n\t ", "empty"),
        ("[]", "no_rows"),
        ("{}", "no_rows"),
        ('{"rows": []}', "no_rows"),
        ('{"defaults": {"n": 1}}', "no_rows"),
        ('{"rows": {"prompt": "a"}}', "bad_rows"),
        ('{"rows": [{"prompt": "a"}], "defaults": 3}', "bad_defaults"),
        ('{"rows": [{"prompt": "a"}], "size": "auto"}', "unknown_key"),
    ],
)
def test_files_without_usable_rows_are_refused(text: str, code: str) -> None:
    """Each has its own sentence."""
    assert refusal(text).code == code


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(max_rows=1), "too_many_rows"),
        (Limits(max_columns=1), "too_many_columns"),
        (Limits(max_cell_chars=3), "cell_too_long"),
        (Limits(max_row_chars=20), "row_too_long"),
    ],
)
def test_limits(limits: Limits, code: str) -> None:
    """What is too much is refused, naming line and limit."""
    error = refusal('[{"a": 1},\n{"b": "long long text"}]', limits)

    assert error.code == code
    assert "2" in error.what


def test_rows_are_counted_before_defaults_are_looked_for() -> None:
    """Defaults may stand behind the rows; too many rows are noticed on the way there."""
    with pytest.raises(DropError) as caught:
        opened('{"rows": [1, 2, 3], "defaults": {}}', limits=Limits(max_rows=2))
    assert caught.value.code == "too_many_rows"


def test_a_row_larger_than_a_reading_block_is_whole() -> None:
    """Rows are cut out of a moving window, whatever their size and wherever it ends."""
    records = [{"prompt": "é{[" * size, "n": [size, {"x": '"\\'}]} for size in (1, 43_690, 43_000)]
    found = rows(json.dumps(records, indent=1))

    assert [row.values for row in found] == [tuple(record.values()) for record in records]


def test_a_bad_line_fails_alone() -> None:
    """In JSONL every line stands for itself, and keeps its line number in its problem."""
    text = '{"prompt": "a"}\n\n{bad}\n"b"\n{"n": 1, "n": 2}\r\n[1]\n{"prompt": "c"}'
    found = rows(text, "drop.jsonl")
    problems = [row.problem.what if row.problem else "" for row in found]

    assert [row.number for row in found] == [1, 2, 3, 4, 5, 6]
    assert problems[1].startswith("Line 3, column 2")
    assert problems[3].startswith("Line 5, column 10")
    assert "a list" in problems[4]
    assert [row.values for row in found if not row.problem] == [("a",), ("b",), ("c",)]


def test_a_bad_last_line_without_its_end_is_torn() -> None:
    """It may still be being written; with its line end it is just bad."""
    with pytest.raises(TornDrop):
        rows('{"prompt": "a"}\n{"prompt": "b', "drop.ndjson")

    assert rows('{"prompt": "a"}\n{"prompt": "b\n', "drop.ndjson")[1].problem is not None


def test_lines_obey_the_limits() -> None:
    """A line without end is refused before it is held in memory; depth fails its row."""
    with pytest.raises(DropError) as caught:
        rows('{"a": "' + "x" * 5_000_000, "drop.jsonl")
    assert caught.value.code == "row_too_long"

    deep = rows("[" * 70 + "]" * 70 + '\n{"a": 1}\n', "drop.jsonl")[0].problem
    assert deep is not None
    assert deep.code == "too_deep"
