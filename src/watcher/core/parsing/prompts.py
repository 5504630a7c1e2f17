"""Files that are nothing but prompts: one a file (.prompt, .md), or one a line (.txt)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import StringIO

from watcher.core.errors import DropError, TornDrop
from watcher.core.jobs import Json, SourceRow
from watcher.core.parsing import yaml_text
from watcher.core.parsing.drop import (
    Limits,
    Parsed,
    cell_too_long,
    header_key,
    row_too_long,
    too_many_rows,
    torn,
)
from watcher.core.parsing.encoding import Lines, Text
from watcher.core.parsing.records import Element, rows_of

_FENCE = "---"


def read_prompt(text: Text, limits: Limits) -> Parsed:
    """One prompt, after an optional front matter between `---` lines with the row's other fields."""
    front, body = _split(_whole(text, limits))
    if not body.strip() and not front:
        raise DropError("The file is empty.", "Write a prompt into it.", code="empty")
    if len(body) > limits.max_cell_chars:
        raise cell_too_long(limits, "The file")
    fields = _fields(front, limits)
    if body.strip() and any(header_key(name) == "prompt" for name in fields):
        raise DropError(
            "There are two prompts: one in the front matter and one below it.",
            "Keep one of them.",
            code="two_prompts",
        )
    record = fields if not body.strip() else {"prompt": body, **fields}
    columns: list[str] = []
    rows = list(rows_of([Element(kind="row", line=1, value=record)], columns, limits))
    return _parsed(text, columns, iter(rows))


def read_text(text: Text, limits: Limits) -> Parsed:
    """One prompt a line; blank lines and lines that begin with `#` are skipped."""
    return _parsed(text, ["prompt"], _line_rows(text, limits))


def _parsed(text: Text, columns: list[str], rows: Iterator[SourceRow]) -> Parsed:
    return Parsed(
        columns=columns,
        rows=rows,
        encoding=text.encoding,
        encoding_detected=text.detected,
        notes=text.notes,
    )


def _line_rows(text: Text, limits: Limits) -> Iterator[SourceRow]:
    lines = Lines(text, limits)
    number = 0
    for line in lines:
        lines.spent = 0
        prompt = line.rstrip("\r\n")
        if not prompt.strip() or prompt.startswith("#"):
            continue
        number += 1
        if number > limits.max_rows:
            raise too_many_rows(limits, f"Line {lines.number:,}")
        if len(prompt) > limits.max_cell_chars:
            raise cell_too_long(limits, f"Line {lines.number:,}")
        yield SourceRow(number=number, values=(prompt,))


def _whole(text: Text, limits: Limits) -> str:
    parts: list[str] = []
    for chunk in text.chunks():
        parts.append(chunk)
        if sum(map(len, parts)) > limits.max_row_chars:
            raise row_too_long(limits, "In the file")
    return "".join(parts)


def _split(text: str) -> tuple[str, str]:
    """Front matter and prompt. A first line of `---` that has no second is a torn drop."""
    lines = list(StringIO(text, newline=""))
    if not lines or lines[0].rstrip() != _FENCE:
        return "", text
    for number, line in enumerate(lines[1:], start=1):
        if line.rstrip() == _FENCE:
            return "".join(lines[1:number]), "".join(lines[number + 1 :])
    raise torn("The front matter that begins in line 1 has no closing line of three dashes (---).")


def _fields(front: str, limits: Limits) -> Mapping[str, Json]:
    if not front.strip():
        return {}
    try:
        elements = list(yaml_text.walk([front], limits, skim=False, line=2))
    except TornDrop as error:  # no: the line that closes it is there
        raise _bad_front_matter() from error
    if any(element.kind != "member" for element in elements):
        raise _bad_front_matter()
    return {element.key: element.value for element in elements}


def _bad_front_matter() -> DropError:
    return DropError(
        "The front matter is not a list of fields.",
        "Write one field a line between the --- lines, for example: size: 1024x1024",
        code="bad_front_matter",
    )
