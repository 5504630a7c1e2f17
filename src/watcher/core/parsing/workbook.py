"""XLSX: the first visible sheet, or the one that is named. The first row that is not empty is the header."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from io import BytesIO
from typing import BinaryIO, TypeAlias

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from watcher.core.errors import DropError
from watcher.core.jobs import Json, SourceRow
from watcher.core.parsing.archive import check_workbook, unreadable
from watcher.core.parsing.drop import (
    Limits,
    Parsed,
    Turn,
    cell_too_long,
    too_many_columns,
    too_many_rows,
)

_Cell: TypeAlias = "int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta"
_MAX_EXACT = 2**53  # beyond this not every whole number is a float


def read_workbook(stream: BinaryIO, limits: Limits, sheet: str | None, large: Turn) -> Parsed:
    """Open a workbook, after it has been checked to unfold to no more than the limits.

    All its cells are in memory until the last row was taken (80 bytes a cell at the most, measured);
    for a large one `large` is entered that long.
    """
    stream.seek(0)
    # All of it in memory: from here on no error is one of the disk.
    content = BytesIO(stream.read())
    checked = check_workbook(content, limits)
    content.seek(0)
    rows = _sheet_rows(content, sheet, large if checked.is_large else nullcontext)
    line, header = next(((line, row) for line, row in rows if _width(row)), (0, []))
    if not line:
        raise DropError("The sheet is empty.", "Put a header row and rows in it.", code="empty")
    if len(header) > limits.max_columns:
        raise too_many_columns(limits, f"Row {line:,} of the sheet", len(header))
    # Not stripped: a sheet is as wide as its widest row, and a comment beside the table is no fault.
    columns = [str(_plain(cell)) for cell in header]
    return Parsed(
        columns=columns, rows=_source_rows(rows, limits), encoding="", notes=checked.notes
    )


def _sheet_rows(
    content: BytesIO, name: str | None, turn: Turn
) -> Iterator[tuple[int, list[_Cell]]]:
    """Rows with their number in the sheet. The workbook is read at the first `next`, and held to the last."""
    with turn():
        yield from _numbered(_opened(content, name))


def _opened(content: BytesIO, name: str | None) -> CalamineSheet:
    try:
        book = CalamineWorkbook.from_object(content)
        return book.get_sheet_by_name(_choose(book, name))
    except (CalamineError, OSError, ValueError) as error:
        raise unreadable() from error
    except BaseException as error:
        # The library's own panics are no Exception, and their class cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise unreadable() from error


def _numbered(sheet: CalamineSheet) -> Iterator[tuple[int, list[_Cell]]]:
    return enumerate(sheet.iter_rows(), start=1)


def _choose(book: CalamineWorkbook, name: str | None) -> str:
    if name is not None:
        if name in book.sheet_names:
            return name
        names = ", ".join(f'"{known}"' for known in book.sheet_names)
        raise DropError(
            f'There is no sheet "{name}" in this workbook.',
            f"It has: {names}.",
            code="no_such_sheet",
        )
    for sheet in book.sheets_metadata:
        if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible:
            return str(sheet.name)
    raise DropError("There is no visible sheet in this workbook.", "Add one.", code="no_such_sheet")


def _source_rows(rows: Iterator[tuple[int, list[_Cell]]], limits: Limits) -> Iterator[SourceRow]:
    number = 0
    for line, cells in rows:
        if not (width := _width(cells)):
            continue
        number += 1
        if number > limits.max_rows:
            raise too_many_rows(limits, f"Row {line:,} of the sheet")
        values = tuple(map(_plain, cells[:width]))
        if any(isinstance(cell, str) and len(cell) > limits.max_cell_chars for cell in values):
            raise cell_too_long(limits, f"Row {line:,} of the sheet")
        yield SourceRow(number=number, values=values)


def _width(cells: Sequence[_Cell]) -> int:
    width = len(cells)
    while width and (cells[width - 1] == "" or str(cells[width - 1]).isspace()):
        width -= 1
    return width


def _plain(cell: _Cell) -> Json:
    match cell:
        case str() | bool() | int():
            return cell
        case float():
            return int(cell) if cell.is_integer() and abs(cell) < _MAX_EXACT else cell
        case dt.timedelta():
            return str(cell)
        case _:
            return cell.isoformat()
