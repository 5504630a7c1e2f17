"""What holds for every drop, whatever is in it."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.core.errors import DropError
from watcher.core.parsing import KINDS, Limits, parse

ENDINGS = sorted(KINDS)
SNIPPETS = [
    *(
        sign.encode()
        for sign in "\",;\t|\n\r{}[]:\\'#&*!-?><%@`\0\x1a\x1f\ufeff\u2028\ufffd\x85é😀"
    ),
    *(b"\r\n", b"sep=;\n", b"prompt", b"rows", b"defaults", b"---\n", b"\n---\n", b"- ", b"null"),
    *(b'{"prompt": "a"}', b'[{"n": 1},', b"\\ud800", b"\\u0000", b"NaN", b"1e999", b"9" * 25),
    *(
        b"caf\xe9 ",
        b"\x92",
        b"\x81",
        b"\xff\xfe",
        b"\xfe\xff",
        b"\xc3",
        b"\xed\xa0\x80",
        b"PK\x03\x04",
    ),
    *(b"[" * 70, b'{"a":' * 70, b"&a [*a]", b"!!python/none x", b"|\n x\n", b"<<: "),
]
CONTENTS = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from(SNIPPETS), max_size=40).map(b"".join),
    st.text(max_size=100).map(lambda text: text.encode("utf-16", "surrogatepass")),
)
SMALL = Limits(max_rows=2, max_columns=2, max_cell_chars=8, max_row_chars=30, max_depth=3)


@settings(max_examples=1_500, deadline=timedelta(seconds=1))
@given(st.sampled_from(ENDINGS), CONTENTS, st.sampled_from([Limits(), SMALL]))
def test_any_bytes_give_rows_or_a_refusal_in_words(
    ending: str, content: bytes, limits: Limits
) -> None:
    """No other error, no hang; rows are numbered without gaps and fit the columns."""
    refusal = None
    columns, rows = [], []
    try:
        parsed = parse(f"drop{ending}", io.BytesIO(content), limits=limits)
        rows = list(parsed.rows)
        columns = parsed.columns
    except DropError as error:
        refusal = error

    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert all(len(row.values) <= len(columns) for row in rows)
    assert bool(rows) is (refusal is None)
    assert refusal is None or (refusal.what and refusal.hint and refusal.code.islower())


LETTERS = st.characters(
    codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffd\ufeff"
)
TEXTS = st.text(st.one_of(LETTERS, st.sampled_from('",;\t|\r\n ')), max_size=12)


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    width = draw(st.integers(1, 4))
    # A first and last cell that is not empty: empty ones at the end are not data.
    inner = st.lists(TEXTS, min_size=width - 1, max_size=width - 1)
    body = draw(st.lists(inner, min_size=1, max_size=5))
    return [[f"c{n}" for n in range(width)], *([*cells, "x"] for cells in body)]


@settings(max_examples=400, deadline=None)
@given(
    tables(),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.booleans(),
)
def test_what_a_csv_writer_writes_is_read_back(
    table: list[list[str]],
    delimiter: str,
    codec: str,
    quote_all: bool,  # noqa: FBT001
) -> None:
    """Delimiters, quotes, line breaks and encodings change nothing in a cell."""
    buffer = io.StringIO(newline="")
    # The dialect with CRLF: with LF alone the writer leaves a CR in a cell without quotes.
    quoting: Literal[0, 1] = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    writer = csv.writer(buffer, delimiter=delimiter, quoting=quoting)
    writer.writerows(table)
    parsed = parse("drop.csv", io.BytesIO(buffer.getvalue().encode(codec)))

    assert [list(row.values) for row in parsed.rows] == table[1:]
    assert parsed.columns == table[0]


WESTERN = st.lists(
    st.sampled_from(
        [
            "Un café crème",
            "l’été à la plage",
            "cœur brûlé",
            "déjà vu, très beau",
            "une forêt où dort un éléphant",
            "Noël « rouge »",
            "5 €",
            "ein schöner Bär",
            "Mädchen auf der Straße",
            "un niño pequeño",
            "¿Qué color?",
        ]
    ),
    min_size=3,
    unique=True,
)


@settings(max_examples=60, deadline=None)
@given(WESTERN, st.sampled_from([",", ";", "\t"]))
def test_western_tables_in_cp1252_are_read_back(texts: list[str], delimiter: str) -> None:
    """As Excel saves them; with a few rows the encoding is never in doubt."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter)
    writer.writerows([["prompt", "size"], *([text, "1024x1024"] for text in texts)])
    parsed = parse("drop.csv", io.BytesIO(buffer.getvalue().encode("cp1252")))

    assert [row.values[0] for row in parsed.rows] == texts


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(LETTERS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(LETTERS), inner, max_size=3)
    ),
    max_leaves=8,
)
RECORDS = st.lists(st.dictionaries(st.text(LETTERS), JSON, max_size=4), min_size=1, max_size=5)


@settings(max_examples=300, deadline=None)
@given(RECORDS, st.booleans(), st.sampled_from([None, 1]))
def test_json_is_read_back(
    records: list[dict[str, object]],
    escaped: bool,  # noqa: FBT001
    indent: int | None,
) -> None:
    """Every value of every row, aligned to columns that only grow."""
    text = json.dumps(records, ensure_ascii=escaped, indent=indent)
    parsed = parse("drop.json", io.BytesIO(text.encode()))
    rows = list(parsed.rows)
    wanted = [tuple(record.get(name) for name in parsed.columns) for record in records]

    assert [
        row.values + (None,) * (len(parsed.columns) - len(row.values)) for row in rows
    ] == wanted
    assert list(dict.fromkeys(name for record in records for name in record)) == parsed.columns


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(LETTERS, min_size=1), min_size=1, max_size=6))
def test_a_prompt_a_line_is_read_back(prompts: list[str]) -> None:
    """Every line that is neither blank nor a comment is one prompt, untouched."""
    wanted = [(text,) for text in prompts if text.strip() and not text.startswith("#")]
    content = "\n".join(["start", *prompts]).encode()

    assert [row.values for row in parse("a.txt", io.BytesIO(content)).rows] == [("start",), *wanted]
