"""JSONL: one object a line. A bad line fails alone; a bad line without its end is a torn drop."""

from __future__ import annotations

from collections.abc import Iterator

from watcher.core.errors import DropError
from watcher.core.jobs import Problem
from watcher.core.parsing.drop import Limits, Parsed, torn
from watcher.core.parsing.encoding import Lines, Text
from watcher.core.parsing.json_value import Spot, decode
from watcher.core.parsing.records import Element, rows_of


def read_lines(text: Text, limits: Limits) -> Parsed:
    columns: list[str] = []
    return Parsed(
        columns=columns,
        rows=rows_of(_elements(text, limits), columns, limits),
        encoding=text.encoding,
        encoding_detected=text.detected,
        notes=text.notes,
    )


def _elements(text: Text, limits: Limits) -> Iterator[Element]:
    lines = Lines(text, limits)
    for line in lines:
        lines.spent = 0
        if not line.isspace():
            yield _element(line, lines.number, limits)


def _element(line: str, number: int, limits: Limits) -> Element:
    record = line.strip(" \t\r\n")
    try:
        value = decode(record, limits, spot=Spot(line=number), depth=0)
    except DropError as error:
        if error.code == "bad_json" and not line.endswith(("\n", "\r")):
            raise torn(f"The last line ({number:,}) is not a whole object.") from error
        problem = Problem(code=error.code, what=error.what, hint=error.hint)
        return Element(kind="row", line=number, problem=problem)
    return Element(kind="row", line=number, value=value)
