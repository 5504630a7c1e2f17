"""Workbooks: what is in them, and what a hostile one could unfold to."""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.core.errors import DropError, TornDrop
from watcher.core.parsing import Limits, Parsed, parse

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def cell(place: str, value: object, kind: str = "n") -> str:
    if isinstance(value, str) and kind == "n":
        return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{value}</t></is></c>'
    return f'<c r="{place}" t="{kind}"><v>{value}</v></c>'


def workbook(*sheets: str, strings: list[str] | None = None, hidden: str = "") -> bytes:
    """A workbook of sheets S1, S2 …, each given by its rows; `hidden` names one."""
    states = {f"S{n}": ' state="hidden"' if f"S{n}" == hidden else "" for n in range(1, 10)}
    numbers = range(1, len(sheets) + 1)
    parts = {
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="rId1"'
        f' Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
        + "".join(
            f'<sheet name="S{n}" sheetId="{n}" r:id="rId{n}"{states[f"S{n}"]}/>' for n in numbers
        )
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}">'
        + "".join(
            f'<Relationship Id="rId{n}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>'
            for n in numbers
        )
        + "</Relationships>",
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><cellXfs count="2">'
        '<xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>',
    }
    for n, sheet in zip(numbers, sheets, strict=True):
        data = f'<worksheet xmlns="{MAIN}"><sheetData>{sheet}</sheetData></worksheet>'
        parts[f"xl/worksheets/sheet{n}.xml"] = data
    if strings:
        items = "".join(f"<si><t>{text}</t></si>" for text in strings)
        parts["xl/sharedStrings.xml"] = f'<sst xmlns="{MAIN}">{items}</sst>'
    return archive(parts)


def archive(parts: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name, text in parts.items():
            target.writestr(name, text)
    return buffer.getvalue()


def row(number: int, *cells: str) -> str:
    return f'<row r="{number}">{"".join(cells)}</row>'


HEADER = row(1, cell("A1", "prompt"), cell("B1", "n"))


def opened(content: bytes, sheet: str | None = None, limits: Limits | None = None) -> Parsed:
    return parse("drop.xlsx", io.BytesIO(content), sheet=sheet, limits=limits)


def test_a_large_workbook_takes_a_turn() -> None:
    """What takes much memory, also by two cells that are far apart, is announced until its last row; the rest never."""
    held: list[int] = []

    @contextlib.contextmanager
    def turn() -> Iterator[None]:
        held.append(1)
        yield
        held.append(-1)

    small = workbook(HEADER + row(2, cell("A2", "a cat")))
    list(parse("a.xlsx", io.BytesIO(small), large=turn).rows)
    assert held == []
    wide = workbook(HEADER + row(2, cell("A2", "a cat")) + row(300_000, cell("B300000", "x")))
    parsed = parse("a.xlsx", io.BytesIO(wide), large=turn)
    assert held == [1]
    assert len(list(parsed.rows)) == 2
    assert held == [1, -1]


def refusal(content: bytes, sheet: str | None = None, limits: Limits | None = None) -> DropError:
    with pytest.raises(DropError) as caught:
        list(opened(content, sheet, limits).rows)
    return caught.value


def test_values_come_as_they_are_meant() -> None:
    """Whole numbers as such, dates as ISO text, truth as truth, text untouched."""
    parsed = opened(
        workbook(
            row(3, *(cell(f"{c}3", name) for c, name in zip("BCDEF", "pnfdt", strict=True)))
            + row(
                5,
                cell("B5", "a cat "),
                cell("C5", 2),
                cell("D5", 1.5),
                '<c r="E5" s="1"><v>45322</v></c>',
                cell("F5", 1, "b"),
            )
            + row(6, cell("B6", 12345678901234))
        )
    )

    assert parsed.columns == ["p", "n", "f", "d", "t"]
    assert [(found.number, found.values) for found in parsed.rows] == [
        (1, ("a cat ", 2, 1.5, "2024-01-31", True)),
        (2, (12345678901234,)),
    ]


def test_empty_rows_are_skipped_and_stray_cells_are_kept() -> None:
    """A comment beside the table has a column without a name; blank rows are no rows."""
    parsed = opened(
        workbook(
            HEADER
            + row(2, cell("A2", " "))
            + row(4, cell("A4", "a"), cell("D4", "see Bob"))
            + row(9)
        )
    )

    assert parsed.columns == ["prompt", "n", "", ""]
    assert [found.values for found in parsed.rows] == [("a", "", "", "see Bob")]


def test_the_first_visible_sheet_or_the_one_that_is_named() -> None:
    """A hidden sheet is read only by name; an unknown name lists those there are."""
    sheets = [HEADER + row(2, cell("A2", name)) for name in ("one", "two")]
    content = workbook(*sheets, hidden="S1")

    assert next(opened(content).rows).values == ("two",)
    assert next(opened(content, "S1").rows).values == ("one",)
    error = refusal(content, "Sheet")
    assert (error.code, '"S1", "S2"' in error.hint) == ("no_such_sheet", True)


def test_shared_texts() -> None:
    """Excel keeps texts in one part and numbers in the cells."""
    shared = HEADER + row(2, cell("A2", 1, "s")) + row(3, cell("A3", 0, "s"))
    found = list(opened(workbook(shared, strings=["a &amp; b", "c"])).rows)

    assert [item.values for item in found] == [("c",), ("a & b",)]


def test_formula_errors_are_told() -> None:
    """A cell that shows #N/A has no value; the results say so."""
    parsed = opened(workbook(HEADER + row(2, cell("A2", "a"), cell("B2", "#N/A", "e"))))

    assert parsed.notes == (
        "Cells that show a formula error (1 in this workbook) were read as empty.",
    )
    assert [found.values for found in parsed.rows] == [("a",)]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (workbook(""), "empty"),
        (workbook(HEADER), "no_rows"),
        (b"no zip at all", "bad_xlsx"),
        (archive({"hello.txt": "hello"}), "bad_xlsx"),
        (workbook("<row"), "bad_xlsx"),
        (workbook(row(1, cell("A1", 7, "s"))), "bad_xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "locked"),
    ],
)
def test_workbooks_that_cannot_be_used(content: bytes, code: str) -> None:
    """Each has its own sentence that says what to do."""
    error = refusal(content)

    assert error.code == code
    assert error.hint


def test_a_cut_workbook_is_torn() -> None:
    """The list of its parts stands at its end: without it the copy is not done."""
    whole = workbook(HEADER + row(2, cell("A2", "a")))
    for end in (30, 400, len(whole) - 30, len(whole) - 1):
        with pytest.raises(TornDrop):
            opened(whole[:end])


def test_an_encrypted_part_is_named() -> None:
    """A password is a reason of its own."""
    content = bytearray(workbook(HEADER))
    content[content.rfind(b"PK\x01\x02") + 8] |= 1

    assert refusal(bytes(content)).code == "locked"


@pytest.mark.parametrize(
    "rows",
    [
        HEADER + row(1_048_576, cell("XFD1048576", "x")),
        HEADER + "<row r='1048576'><c t='n' r='XFD1048576'><v>1</v></c></row>",
        HEADER + row(2, '<c note=">" r="XFD1048576"><v>1</v></c>'),
        HEADER + row(2, "<c><v>1</v></c>" * 5_000) + row(9_999, cell("A9999", 1)),
    ],
)
def test_a_few_cells_far_apart_are_refused(rows: str) -> None:
    """Readers make room for the whole rectangle: gigabytes from a file of one kilobyte."""
    error = refusal(workbook(rows))

    assert error.code == "bomb"
    assert "10,000,000 cells" in error.what


@pytest.mark.parametrize("place", ["ZZZZZZZZ1", "A99999999999", "A-1", "1A", "&#66;1"])
def test_places_that_are_none_are_refused(place: str) -> None:
    """They make readers reach for memory that nobody has."""
    rows = HEADER + f'<row r="2"><c r="{place}"><v>1</v></c></row>'

    assert refusal(workbook(rows)).code == "bad_xlsx"


@pytest.mark.parametrize("between", ["", "<f>1</f>", "<f >1</f ><!-- -->"])
def test_one_long_text_in_many_cells_is_refused(between: str) -> None:
    """Each cell that shares it gets a copy."""
    cells = "".join(row(n, f'<c r="A{n}" t="s">{between}<v>0</v></c>') for n in range(2, 12_000))

    assert refusal(workbook(HEADER + cells, strings=["x" * 32_000])).code == "bomb"


def test_tight_packing_is_refused() -> None:
    """Beyond 200 to 1 nobody keeps rows."""
    assert refusal(workbook(HEADER + " " * 3_000_000)).code == "bomb"


def test_declared_sizes_are_not_believed() -> None:
    """Sizes are counted while inflating: a small figure in the directory does not help."""
    content = bytearray(workbook(HEADER + " " * 30_000_000))
    directory = content.rfind(b"PK\x01\x02", 0, content.rfind(b"PK\x01\x02"))
    for entry in (directory, content.rfind(b"PK\x01\x02")):
        struct.pack_into("<I", content, entry + 24, 1_000)

    assert refusal(bytes(content)).code in ("bomb", "bad_xlsx")


def test_too_many_parts_are_refused() -> None:
    """A workbook has dozens of parts, not thousands."""
    buffer = io.BytesIO(workbook(HEADER))
    with zipfile.ZipFile(buffer, "a") as target:
        for number in range(1_000):
            target.writestr(f"xl/media/{number}", "")

    assert refusal(buffer.getvalue()).code == "bomb"


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(max_rows=1), "too_many_rows"),
        (Limits(max_columns=1), "too_many_columns"),
        (Limits(max_cell_chars=5), "cell_too_long"),
        (Limits(max_sheet_bytes=500), "bomb"),
        (Limits(max_sheet_cells=5), "bomb"),
    ],
)
def test_limits(limits: Limits, code: str) -> None:
    """What is too much is refused."""
    rows = HEADER + row(2, cell("A2", "a cat")) + row(3, cell("A3", "a long dog"))

    assert refusal(workbook(rows), limits=limits).code == code


def test_cells_without_places() -> None:
    """Some programs leave the places out; the order says them."""
    rows = "".join(f"<row><c><v>{n}</v></c><c><v>7</v></c></row>" for n in range(3_000))
    found = list(opened(workbook(rows)).rows)

    assert (len(found), found[-1].values) == (2_999, (2_999, 7))


SHEET = (
    HEADER + row(2, cell("A2", 0, "s"), cell("B2", 2)) + row(3, cell("A3", "x"), cell("C3", 1, "b"))
)
TOKENS = (
    *(
        "<",
        ">",
        "&",
        '"',
        "&#0;",
        "<c>",
        "</c>",
        "<row>",
        "</row>",
        "<v/>",
        "<v>-1</v>",
        "<v>1e400</v>",
    ),
    *('r="XFD1"', 'r="A9999999"', 't="s"', 't="d"', 's="9999999999"', "<!--", "<![CDATA[", "]]>"),
    *("<v>99999999999999999999</v>", '<f t="shared" si="0" ref="A1:XFD1048576">A1</f>', "\ud7ff"),
)
CHANGES = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 12), st.sampled_from(TOKENS) | st.just("")),
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(CHANGES, st.binary(max_size=3), st.floats(0, 1))
def test_any_workbook_gives_rows_or_a_refusal(
    changes: list[tuple[float, int, str]], damage: bytes, place: float
) -> None:
    """Whatever its parts say, and whichever bytes are damaged: no other error, no crash."""
    sheet = SHEET
    for where, cut, token in changes:
        start = int(where * len(sheet))
        sheet = sheet[:start] + token + sheet[start + cut :]
    content = workbook(sheet, strings=["a", "b"])
    start = int(place * len(content))
    content = content[:start] + damage + content[start + len(damage) :]
    rows = []
    with contextlib.suppress(DropError):
        rows = list(opened(content).rows)

    assert [found.number for found in rows] == list(range(1, len(rows) + 1))
