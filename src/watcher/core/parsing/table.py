"""CSV and TSV: a header row, then one row a record. Cells come out as they were written."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from io import StringIO

from watcher.core.errors import DropError
from watcher.core.jobs import Problem, SourceRow
from watcher.core.parsing.drop import (
    Limits,
    Parsed,
    cell_too_long,
    too_many_columns,
    too_many_rows,
    torn,
)
from watcher.core.parsing.encoding import Lines, Text

_DELIMITERS = (",", ";", "\t", "|")
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_NO_DELIMITER = "\x1f"  # for the csv module, which must have one
_DECLARED = re.compile(r'"?sep=([^"\r\n])"?(?:\r\n|\r|\n|\Z)', re.IGNORECASE)  # as Excel writes it
_SAMPLE_RECORDS = 200


def read_table(text: Text, limits: Limits, *, prefer: str = "") -> Parsed:
    """Open a table. `prefer` is the delimiter that its file name speaks for."""
    sample = next(text.chunks(), "")
    declared = _DECLARED.match(sample)
    delimiter = declared[1] if declared else _find_delimiter(sample, prefer)
    # The csv module's own limit holds for the whole process: only ever raise it.
    csv.field_size_limit(max(csv.field_size_limit(), limits.max_cell_chars))
    table = _Table(text, delimiter, limits, skip=1 if declared else 0)
    columns = table.header()
    return Parsed(
        columns=columns,
        rows=table.rows(columns),
        encoding=text.encoding,
        encoding_detected=text.detected,
        delimiter=delimiter,
        notes=text.notes,
    )


def _find_delimiter(sample: str, prefer: str) -> str:
    """The one that splits the header, and most rows into no more cells than the header has."""
    fits = {delimiter: _fit(sample, delimiter) for delimiter in _DELIMITERS}
    possible = [delimiter for delimiter in _DELIMITERS if fits[delimiter][1] > 1]
    if prefer in possible:
        return prefer
    return max(possible, key=lambda delimiter: fits[delimiter], default="")


def _fit(sample: str, delimiter: str) -> tuple[float, int]:
    widths: list[int] = []
    try:
        for record in csv.reader(StringIO(sample, newline=""), delimiter=delimiter):
            widths.append(_width(record))
            if len(widths) > _SAMPLE_RECORDS:
                break
    except csv.Error:  # a cell over the limit; the reader of the whole table says so in words
        pass
    widths = [width for width in widths if width]
    header, rows = (widths[0], widths[1:-1] or widths[1:]) if widths else (0, [])
    even = sum(1 < width <= header for width in rows)
    return (even / len(rows) if rows else 1.0, header)


def _width(cells: Sequence[str]) -> int:
    """How many cells there are, empty ones at the end not counted."""
    width = len(cells)
    while width and not cells[width - 1].strip():
        width -= 1
    return width


class _Table:
    def __init__(self, text: Text, delimiter: str, limits: Limits, *, skip: int) -> None:
        self._limits = limits
        self._delimiter = delimiter
        self._lines = Lines(text, limits)
        lines = iter(self._lines)
        for _ in range(skip):
            next(lines)
        self._reader = csv.reader(lines, delimiter=delimiter or _NO_DELIMITER, strict=True)

    def header(self) -> list[str]:
        cells: list[str] = []
        while not cells:
            self._lines.spent = 0
            try:
                cells = next(self._reader)
            except StopIteration:
                raise DropError(
                    "The file is empty.", "Put a header row and rows in it.", code="empty"
                ) from None
            except csv.Error as error:
                raise self._refusal(error, self._lines.number) from error
        if not (width := _width(cells)):
            raise DropError(
                f"Line {self._lines.number} should name the columns, but every cell of it is empty.",
                "Begin the file with a header row, for example: prompt,name,size",
                code="no_header",
            )
        if width > self._limits.max_columns:
            raise too_many_columns(self._limits, f"Line {self._lines.number}", width)
        self._check_cells(cells, self._lines.number)
        return cells[:width]

    def rows(self, columns: Sequence[str]) -> Iterator[SourceRow]:
        lines, limits, width = self._lines, self._limits, len(columns)
        number = 0
        problem: Problem | None
        while True:
            lines.spent = 0
            first = lines.number + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                cells, problem = [], self._problem(error, first)
            else:
                if not "".join(cells).strip():
                    continue
                problem = None
            number += 1
            if number > limits.max_rows:
                raise too_many_rows(limits, f"Line {first:,}")
            if lines.spent > limits.max_cell_chars:
                self._check_cells(cells, first)
            if len(cells) > width:
                cells, problem = self._fold(cells, width, first)
            yield SourceRow(number=number, values=tuple(cells), problem=problem)

    def _fold(self, cells: list[str], width: int, line: int) -> tuple[list[str], Problem | None]:
        """Cells beyond the header: dropped where empty, else kept in the last column, and told."""
        found = _width(cells)
        if found <= width:
            return cells[:width], None
        sign = _NAMES.get(self._delimiter, "separator")
        problem = Problem(
            code="too_many_values",
            what=f"Line {line} has {found} values, but the header names {width} columns.",
            hint=f'If a {sign} is part of a text, put the whole text between double quotes ("…").',
        )
        return [*cells[: width - 1], self._delimiter.join(cells[width - 1 : found])], problem

    def _problem(self, error: csv.Error, first: int) -> Problem:
        """A quote inside a quoted cell spoils its record only; anything else spoils the drop."""
        if "expected after" not in str(error):
            raise self._refusal(error, first) from error
        last = self._lines.number
        where = f"Line {first}" if first == last else f"Lines {first} to {last}"
        return Problem(
            code="bad_quotes",
            what=f"{where}: after the double quote that ends a cell stands more text.",
            hint='Inside a quoted cell write each double quote twice (""), or remove the quotes around the cell.',
        )

    def _refusal(self, error: csv.Error, first: int) -> DropError:
        if "unexpected end of data" in str(error):
            return torn(
                f'The file ends inside a cell whose double quote (") was opened in or after line {first}.'
            )
        if "field larger than" in str(error):
            return cell_too_long(self._limits, f"Line {first}")
        return DropError(
            f"Line {first} cannot be read as a table row.",
            "Check the quotes and line ends around it.",
            code="bad_table",
        )

    def _check_cells(self, cells: Sequence[str], line: int) -> None:
        if any(len(cell) > self._limits.max_cell_chars for cell in cells):
            raise cell_too_long(self._limits, f"Line {line}")
