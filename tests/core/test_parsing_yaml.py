"""YAML as data only: as JSON, without the surprises."""

from __future__ import annotations

import io

import pytest

from watcher.core.errors import DropError, TornDrop
from watcher.core.parsing import Limits, Parsed, parse


def opened(text: str, limits: Limits | None = None) -> Parsed:
    return parse("drop.yaml", io.BytesIO(text.encode()), limits=limits)


def records(text: str) -> list[dict[str, object]]:
    parsed = opened(text)
    found = list(parsed.rows)
    return [dict(zip(parsed.columns, row.values, strict=False)) for row in found]


def refusal(text: str, limits: Limits | None = None) -> DropError:
    with pytest.raises(DropError) as caught:
        list(opened(text, limits).rows)
    return caught.value


def test_the_three_shapes() -> None:
    """A list, one object, or defaults and rows; texts are prompts."""
    assert records("- prompt: a\n- a dog\n") == [{"prompt": "a"}, {"prompt": "a dog"}]
    assert records("prompt: a\nn: 2\n") == [{"prompt": "a", "n": 2}]

    parsed = opened("rows:\n- prompt: a\ndefaults: {n: 2}\n")
    assert parsed.defaults == {"n": 2}
    assert [row.values for row in parsed.rows] == [("a",)]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("NO", "NO"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("0", 0),
        ("007", "007"),
        ("0o17", "0o17"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("+5", "+5"),
        ("12:30:45", "12:30:45"),
        ("2024-01-31", "2024-01-31"),
        ("1.5", 1.5),
        ("1.50", "1.50"),
        ("1e5", "1e5"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("9" * 30, "9" * 30),
        ('"12"', "12"),
        ("'true'", "true"),
        ("!!str 12", "12"),
        ("[a, {b: 1}]", ["a", {"b": 1}]),
        ("|\n    two\n    lines", "two\nlines\n"),
    ],
)
def test_scalars_lose_nothing(written: str, value: object) -> None:
    """Only what YAML 1.2 says, and only where the text can be got back: `no` is Norway."""
    assert records(f"- prompt: x\n  v: {written}\n") == [{"prompt": "x", "v": value}]


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("- &a x\n", "bad_yaml", "Line 1, column 3"),
        ("- x\n- *a\n", "bad_yaml", "Line 2, column 3"),
        ("- !!python/object:os.system x\n", "bad_yaml", "Line 1, column 3"),
        ("- !mine x\n", "bad_yaml", "Line 1, column 3"),
        ("- !!int 3\n", "bad_yaml", "Line 1, column 3"),
        ("a: 1\nb: 2\na: 3\n", "bad_yaml", "Line 3, column 1"),
        ("- {a: 1, a: 2}\n", "bad_yaml", "Line 1, column 10"),
        ("a: 1\n---\nb: 2\n", "bad_yaml", "Line 2, column 1"),
        ("- {[a]: 1}\n", "bad_yaml", "Line 1, column 4"),
        ("a: b: c\n", "bad_yaml", "Line 1, column 5"),
        ("- a\n\t- b\n", "bad_yaml", "Line 2, column 1"),
        ("- a\n- c: [}\n", "bad_yaml", "Line 2, column 7"),
        ("just a text\n", "bad_yaml", "Line 1, column 1"),
        ("- " * 65 + "x\n", "too_deep", "Line 1, column 129"),
        ("[" * 100_000, "too_deep", "Line 1, column 65"),
        ('- "\\0"\n', "garbled", "Line 1, column 3"),
    ],
)
def test_what_is_refused_is_refused_with_its_place(text: str, code: str, place: str) -> None:
    """No aliases, tags, duplicates or second documents; line and column count from 1."""
    error = refusal(text)

    assert not isinstance(error, TornDrop)
    assert (error.code, error.what.split(":")[0]) == (code, place)
    assert error.hint


@pytest.mark.parametrize(
    "text", ['- prompt: "a cat', "[a, b", "- {a: 1", "- {a: [1,\n\n", "- prompt: 'x\n  y\n"]
)
def test_an_open_bracket_or_quote_at_the_end_is_torn(text: str) -> None:
    """The end is missing: the file may still be being written."""
    with pytest.raises(TornDrop):
        list(opened(text).rows)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        ("# only a comment\n", "empty"),
        ("---\n", "empty"),
        ("[]", "no_rows"),
        ("rows: []", "no_rows"),
        ("rows:\n", "bad_rows"),
        ("rows: [a]\nn: 2\n", "unknown_key"),
    ],
)
def test_files_without_rows_are_refused(text: str, code: str) -> None:
    """Each has its own sentence."""
    assert refusal(text).code == code


def test_an_element_that_is_no_object_fails_alone() -> None:
    """As in JSON."""
    found = list(opened("- prompt: a\n- 3\n- prompt: b\n").rows)

    assert [row.problem is None for row in found] == [True, False, True]
    assert found[1].problem is not None
    assert "line 2" in found[1].problem.what


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(max_rows=1), "too_many_rows"),
        (Limits(max_columns=1), "too_many_columns"),
        (Limits(max_cell_chars=3), "cell_too_long"),
        (Limits(max_row_chars=10), "row_too_long"),
    ],
)
def test_limits(limits: Limits, code: str) -> None:
    """What is too much is refused, naming line and limit."""
    assert refusal("- a: 1\n- b: long long text\n", limits).code == code
