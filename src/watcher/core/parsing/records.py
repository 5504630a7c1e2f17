"""Rows that name their own columns (JSON, JSONL, YAML): elements of a file become aligned rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from watcher.core.errors import DropError
from watcher.core.jobs import Json, Problem, SourceRow
from watcher.core.parsing.drop import (
    Limits,
    Parsed,
    cell_too_long,
    too_many_columns,
    too_many_rows,
)
from watcher.core.parsing.encoding import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """What a walk over a file meets: "row", one of a list; "rows", the list `rows` of an object
    begins; "member", another member of that object, with its `key`. `line` counts from 1.
    """

    kind: Literal["row", "rows", "member"]
    line: int
    value: Json = None
    key: str = ""
    problem: Problem | None = None


class Walk(Protocol):
    """Walks over a file's text; with `skim` the elements of kind "row" come without their value."""

    def __call__(
        self, chunks: Iterable[str], limits: Limits, *, skim: bool
    ) -> Iterator[Element]: ...


def read_records(walk: Walk, text: Text, limits: Limits) -> Parsed:
    """A list of rows, or one row, or `{"defaults": {…}, "rows": […]}` in any order."""
    columns: list[str] = []
    members = _outline(walk(text.chunks(), limits, skim=True), limits)
    if members and members.keys().isdisjoint(("rows", "defaults")):
        elements: Iterator[Element] = iter([Element(kind="row", line=1, value=members)])
        members = {}
    else:
        elements = walk(text.chunks(), limits, skim=False)
    return Parsed(
        columns=columns,
        rows=rows_of(elements, columns, limits),
        encoding=text.encoding,
        encoding_detected=text.detected,
        defaults=_defaults(members or {}),
        notes=text.notes,
    )


def rows_of(elements: Iterable[Element], columns: list[str], limits: Limits) -> Iterator[SourceRow]:
    """Rows aligned to `columns`, which grows by every name that was not met before."""
    places: dict[str, int] = {}
    number = 0
    for element in elements:
        if element.kind != "row":
            continue
        number += 1
        if number > limits.max_rows:
            raise too_many_rows(limits, f"Line {element.line:,}")
        record = {"prompt": element.value} if isinstance(element.value, str) else element.value
        problem = element.problem
        values: tuple[Json, ...] = ()
        if isinstance(record, Mapping):
            values = _align(record, element.line, places, columns, limits)
        elif not problem:
            problem = _not_a_row(number, element)
        yield SourceRow(number=number, values=values, problem=problem)


def _outline(elements: Iterable[Element], limits: Limits) -> dict[str, Json] | None:
    """The members of the file's object (`rows` without its rows); None if the file is a list."""
    members: dict[str, Json] = {}
    rows = 0
    for element in elements:
        rows += element.kind == "row"
        if rows > limits.max_rows:
            raise too_many_rows(limits, f"Line {element.line:,}")
        if element.kind == "rows":
            members["rows"] = []
        elif element.kind == "member":
            members[element.key] = element.value
            if len(members) > limits.max_columns:
                raise too_many_columns(limits, f"Line {element.line:,}", len(members))
        elif "rows" not in members:
            return None
    return members


def _defaults(members: Mapping[str, Json]) -> Mapping[str, Json]:
    """What `{"defaults": …, "rows": …}` says besides its rows."""
    unknown = [key for key in members if key not in ("defaults", "rows")]
    if unknown:
        raise DropError(
            f'Beside "rows" stands "{unknown[0][:80]}", which means nothing here.',
            'Only "defaults" may stand there; values for all rows go into it.',
            code="unknown_key",
        )
    if not isinstance(members.get("rows", []), list):
        raise DropError('"rows" is not a list.', 'Write "rows": [ … ].', code="bad_rows")
    defaults = members.get("defaults") or {}
    if not isinstance(defaults, Mapping):
        raise DropError(
            '"defaults" is not an object.',
            'Write "defaults": {"size": "1024x1024"}.',
            code="bad_defaults",
        )
    return defaults


def _align(
    record: Mapping[str, Json],
    line: int,
    places: dict[str, int],
    columns: list[str],
    limits: Limits,
) -> tuple[Json, ...]:
    for name in record:
        if name not in places:
            places[name] = len(columns)
            columns.append(name)
            if len(columns) > limits.max_columns:
                raise too_many_columns(limits, f"Line {line:,}", len(columns))
    values: list[Json] = [None] * len(columns)
    for name, value in record.items():
        if isinstance(value, str) and len(value) > limits.max_cell_chars:
            raise cell_too_long(limits, f'"{name[:80]}" in the row at line {line:,}')
        values[places[name]] = value
    return tuple(values)


def _not_a_row(number: int, element: Element) -> Problem:
    kinds = {list: "a list", bool: "true or false", type(None): "nothing"}
    kind = kinds.get(type(element.value), "a number")
    return Problem(
        code="not_an_object",
        what=f"Row {number:,} (line {element.line:,}) is {kind}, not an object.",
        hint='Write each row as an object with a prompt, for example {"prompt": "a cat"}.',
    )
