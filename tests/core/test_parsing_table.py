"""CSV and TSV as Excel, LibreOffice and people write them."""

from __future__ import annotations

import io

import pytest

from watcher.core.errors import DropError, TornDrop
from watcher.core.jobs import SourceRow
from watcher.core.parsing import Limits, Parsed, parse


def opened(text: str, name: str = "drop.csv", limits: Limits | None = None) -> Parsed:
    return parse(name, io.BytesIO(text.encode()), limits=limits)


def rows(text: str, name: str = "drop.csv", limits: Limits | None = None) -> list[SourceRow]:
    return list(opened(text, name, limits).rows)


def values(text: str, name: str = "drop.csv") -> list[tuple[object, ...]]:
    found = rows(text, name)
    assert [row.problem for row in found] == [None] * len(found)
    return [row.values for row in found]


def refusal(text: str, limits: Limits | None = None) -> DropError:
    with pytest.raises(DropError) as caught:
        rows(text, limits=limits)
    return caught.value


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(delimiter: str, end: str) -> None:
    """Comma, semicolon, tab and bar; LF, CRLF and CR: each is found out."""
    lines = [["prompt", "size"], ["a cat", "1024x1024"], ["a dog", "auto"]]
    text = end.join(delimiter.join(line) for line in lines)
    parsed = opened(text)

    assert parsed.delimiter == delimiter
    assert parsed.columns == ["prompt", "size"]
    assert [row.values for row in parsed.rows] == [("a cat", "1024x1024"), ("a dog", "auto")]


def test_the_delimiter_is_the_one_that_fits_the_rows() -> None:
    """Other separators inside texts, even in the header, do not mislead."""
    text = "name;prompt, long;size\na;a cat, a dog, a hat;1\nb;a pig;2\nc;x, y;3\n"

    assert opened(text).delimiter == ";"
    assert values(text)[0] == ("a", "a cat, a dog, a hat", "1")


def test_a_tsv_is_split_at_tabs_if_it_has_any() -> None:
    """The name decides between delimiters that are both possible, and only then."""
    assert opened("a,b\tc\n1,2\t3\n", "x.tsv").columns == ["a,b", "c"]
    assert opened("a,b\n1,2\n", "x.tsv").columns == ["a", "b"]


@pytest.mark.parametrize("first", ["sep=;\r\n", '"sep=;"\r\n', "SEP=;\n"])
def test_the_delimiter_may_be_declared(first: str) -> None:
    """Excel's first line `sep=;` wins and is no row."""
    parsed = opened(first + "prompt,x;size\na, b;1\n")

    assert (parsed.delimiter, parsed.columns) == (";", ["prompt,x", "size"])
    assert next(parsed.rows).values == ("a, b", "1")


def test_one_column_needs_no_quotes() -> None:
    """A header without a separator means one column: commas belong to the prompt."""
    parsed = opened("prompt\na cat, asleep; on a mat\n")

    assert parsed.delimiter == ""
    assert next(parsed.rows).values == ("a cat, asleep; on a mat",)


def test_cells_come_out_untouched() -> None:
    """Spaces, quotes, line breaks and empty cells are kept as written."""
    text = 'prompt,size,name\n" a ""cat""\r\nasleep ",, x \n'

    assert values(text) == [(' a "cat"\r\nasleep ', "", " x ")]


def test_header_names_are_kept_as_written() -> None:
    """Twice the same, inner empty and spaced names are planning's matter; the mark is not."""
    parsed = parse("a.csv", io.BytesIO("\ufeff\ufeffPrompt , size,,size\na,b,c,d\n".encode()))

    assert parsed.columns == ["Prompt ", " size", "", "size"]


def test_empty_columns_and_lines_at_the_end_are_dropped() -> None:
    """What Excel leaves behind is not data."""
    parsed = opened("prompt;size;;;\n\na cat;1;;;\n;;;;\n  ; \n\nb\n;;;;\n\n\n")

    assert parsed.columns == ["prompt", "size"]
    assert [(row.number, row.values) for row in parsed.rows] == [(1, ("a cat", "1")), (2, ("b",))]


def test_values_beyond_the_header_fail_their_row_only() -> None:
    """An unquoted separator is told, nothing is cut off, and the other rows go on."""
    found = rows("prompt,size\na cat, in a hat,1024x1024\na dog,auto\n")
    problem = found[0].problem

    assert problem is not None
    assert problem.code == "too_many_values"
    assert problem.what == "Line 2 has 3 values, but the header names 2 columns."
    assert "comma" in problem.hint
    assert found[0].values == ("a cat", " in a hat,1024x1024")
    assert found[1] == SourceRow(number=2, values=("a dog", "auto"))


def test_text_after_a_closing_quote_fails_its_row_only() -> None:
    """A quote inside a quoted cell could hide the rest of the text: the row is not guessed."""
    found = rows('prompt,size\n"the "red" cat",1\na "red" dog,2\n')

    assert found[0].problem is not None
    assert found[0].problem.code == "bad_quotes"
    assert found[0].problem.what.startswith("Line 2:")
    assert found[1] == SourceRow(number=2, values=('a "red" dog', "2"))


@pytest.mark.parametrize("text", ['prompt,size\n"a cat', 'prompt\nb\n"a ""cat""\n\n', '"prompt'])
def test_a_quote_that_is_never_closed_is_torn(text: str) -> None:
    """The end is missing: the file may still be being written."""
    with pytest.raises(TornDrop):
        rows(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        ("\n \n\r\n"[:1], "empty"),
        ("\ufeff", "empty"),
        ("sep=;\n", "empty"),
        (";;;\na;b;c\n", "no_header"),
        ('""\na\n', "no_header"),
        ("prompt,size\n", "no_rows"),
        ("prompt,size\n,,\n\n  ,\n", "no_rows"),
    ],
)
def test_files_without_rows_are_refused(text: str, code: str) -> None:
    """Empty, only a header, no header: each has its own sentence, at once."""
    with pytest.raises(DropError) as caught:
        opened(text)

    assert caught.value.code == code
    assert caught.value.hint


@pytest.mark.parametrize(
    ("limits", "code", "words"),
    [
        (Limits(max_rows=2), "too_many_rows", ("Line 4", "2")),
        (Limits(max_columns=1), "too_many_columns", ("Line 1", "1")),
        (Limits(max_cell_chars=9), "cell_too_long", ("Line 4", "9")),
        (Limits(max_row_chars=20), "row_too_long", ("line 5", "20")),
    ],
)
def test_limits_name_the_line_and_the_limit(
    limits: Limits, code: str, words: tuple[str, str]
) -> None:
    """What is too much is refused, never cut."""
    text = 'prompt,n\na,1\nb,2\n"long long long\ntext",3\n'
    error = refusal(text, limits)

    assert error.code == code
    assert all(word in error.what for word in words)


def test_an_open_quote_does_not_swallow_memory() -> None:
    """A quote that swallows the rest of a large file is noticed at the cell limit."""
    error = refusal("prompt,n\n" + 'x,"' + "line\n" * 100_000)

    assert error.code == "cell_too_long"
    assert "Line 2" in error.what


def test_a_record_of_endless_cells_is_refused() -> None:
    """Neither one long line nor a record over many lines may grow without bound."""
    assert refusal("a,b\n" + "," * 5_000_000).code == "row_too_long"
    assert refusal("a,b\n" + '"\n",' * 1_500_000).code == "row_too_long"


def test_endless_empty_lines_are_refused() -> None:
    """Blank lines are skipped, but not by the million for a handful of rows."""
    assert refusal("a,b\n" + "\n" * 2_000 + "1,2\n", Limits(max_rows=10)).code == "too_many_lines"
    assert rows("a,b\n" + "\n" * 1_000 + "1,2\n", limits=Limits(max_rows=10))[0].number == 1


def test_line_ends_on_the_border_of_a_reading_block() -> None:
    """A CRLF that falls between two reads is one line end."""
    line = "x" * 61 + ",1\r\n"
    for shift in range(4):
        text = "a" * (shift + 1) + ",n\r\n" + line * 20_000
        assert len(values(text)) == 20_000


def test_the_stream_is_not_closed() -> None:
    """It belongs to whoever opened it."""
    stream = io.BytesIO(b"prompt\na cat\n")
    list(parse("a.csv", stream).rows)

    assert not stream.closed
