"""Prompt files, text files, and which kinds there are."""

from __future__ import annotations

import io

import pytest

from watcher.core.errors import DropError, TornDrop
from watcher.core.parsing import KINDS, Limits, header_key, kind_of, parse


def record(text: str, name: str = "drop.md") -> dict[str, object]:
    parsed = parse(name, io.BytesIO(text.encode()))
    (row,) = parsed.rows
    return dict(zip(parsed.columns, row.values, strict=True))


def refusal(text: str, name: str = "drop.prompt", limits: Limits | None = None) -> DropError:
    with pytest.raises(DropError) as caught:
        list(parse(name, io.BytesIO(text.encode()), limits=limits).rows)
    return caught.value


def test_a_file_is_one_prompt() -> None:
    """Line breaks, hashes and spaces belong to it."""
    assert record("# A cat\n\nin a hat \n") == {"prompt": "# A cat\n\nin a hat \n"}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_front_matter_holds_the_other_fields(end: str) -> None:
    """The prompt is what stands below the second line of dashes."""
    text = end.join(["---", "size: 1024x1024", "n: 2", "--- ", "A cat", "--- ", "in a hat"])

    assert record(text) == {
        "prompt": end.join(["A cat", "--- ", "in a hat"]),
        "size": "1024x1024",
        "n": 2,
    }


def test_the_prompt_may_stand_in_the_front_matter() -> None:
    """If there is nothing below it; an empty front matter is none."""
    assert record("---\nprompt: a cat\nn: 1\n---\n\n") == {"prompt": "a cat", "n": 1}
    assert record("---\n---\na cat") == {"prompt": "a cat"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        (" \n\n", "empty"),
        ("---\n---\n \n", "empty"),
        ("---\nPrompt: a\n---\nb", "two_prompts"),
        ("---\n- a\n---\nb", "bad_front_matter"),
        ("---\na: [1\n---\nb", "bad_front_matter"),
        ("---\nrows: [a]\n---\nb", "bad_front_matter"),
        ("---\na: 1\na: 2\n---\nb", "bad_yaml"),
        ("---\njust words\n---\nb", "bad_yaml"),
    ],
)
def test_prompt_files_that_cannot_be_used(text: str, code: str) -> None:
    """Each has its own sentence, and lines are counted in the file."""
    error = refusal(text)

    assert error.code == code
    assert code != "bad_yaml" or "Line " in error.what


def test_lines_of_front_matter_are_counted_in_the_file() -> None:
    """The person looks at the file, not at a part of it."""
    assert refusal("---\na: 1\na: 2\n---\nb").what.startswith("Line 3, column 1")


def test_front_matter_without_its_end_is_torn() -> None:
    """The closing line may still be being written."""
    with pytest.raises(TornDrop):
        record("---\nsize: 1024x1024\n")


def test_a_text_file_has_a_prompt_a_line() -> None:
    """Blank lines and comments are skipped, spaces and other hashes are kept."""
    text = "\ufeff# my prompts\r\n a cat \r\n\r\n\t\r\na dog # asleep\r #1 dog\n#no\nlast"
    parsed = parse("x.TXT", io.BytesIO(text.encode()))

    assert (parsed.columns, parsed.delimiter) == (["prompt"], "")
    assert [(row.number, row.values) for row in parsed.rows] == [
        (1, (" a cat ",)),
        (2, ("a dog # asleep",)),
        (3, (" #1 dog",)),
        (4, ("last",)),
    ]


def test_limits_of_prompt_and_text_files() -> None:
    """What is too much is refused."""
    assert refusal("x" * 11, limits=Limits(max_cell_chars=10)).code == "cell_too_long"
    assert refusal("x" * 11, limits=Limits(max_row_chars=10)).code == "row_too_long"
    assert refusal("x" * 11, "a.txt", Limits(max_cell_chars=10)).code == "cell_too_long"
    assert refusal("a\nb\n", "a.txt", Limits(max_rows=1)).code == "too_many_rows"
    assert refusal("# a\n\n", "a.txt").code == "no_rows"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.csv", "csv"),
        ("A.B.CSV", "csv"),
        ("a.tsv", "tsv"),
        ("a.XLSX", "xlsx"),
        ("a.json", "json"),
        ("a.jsonl", "jsonl"),
        ("a.ndjson", "jsonl"),
        ("a.yml", "yaml"),
        ("a.yaml", "yaml"),
        ("a.prompt", "prompt"),
        ("a.md", "prompt"),
        ("sub.csv/a.txt", "text"),
        ("a.zip", "zip"),
        ("a.JPeG", "picture"),
        ("a.exe", None),
        ("csv", None),
        (".csv", None),
        ("dir/.csv", None),
        ("a.csv~", None),
        ("", None),
    ],
)
def test_kinds_by_name(name: str, kind: str | None) -> None:
    """The last ending decides, in any case."""
    assert kind_of(name) == kind


@pytest.mark.parametrize("name", ["a.zip", "a.png", "a.exe", "noending"])
def test_other_kinds_are_refused_in_words(name: str) -> None:
    """The hint names what can be read."""
    error = refusal("x", name)

    assert error.code == "unknown_kind"
    assert ".csv" in error.hint


def test_every_kind_is_read_or_refused_in_words() -> None:
    """No kind is known by name only."""
    for ending in KINDS:
        assert refusal(" ", f"a{ending}").hint


@pytest.mark.parametrize(
    "name", ["Output Format", "output_format", "OUTPUT-FORMAT", " outputformat\u00a0"]
)
def test_header_names_are_compared_loosely(name: str) -> None:
    """Without case, spaces, `_` and `-`."""
    assert header_key(name) == "outputformat"
