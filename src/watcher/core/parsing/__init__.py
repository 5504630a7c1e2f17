"""The bytes of a drop become rows. Streaming, in bounded memory; what cannot be read is refused in words.

Reads nothing but the stream handed in, and never closes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import chain
from types import MappingProxyType
from typing import BinaryIO, TypeAlias

from watcher.core.errors import DropError
from watcher.core.headers import is_result_column
from watcher.core.jobs import SourceRow
from watcher.core.parsing import json_text, yaml_text
from watcher.core.parsing.drop import Limits, Parsed, Turn, header_key
from watcher.core.parsing.encoding import Text, open_text
from watcher.core.parsing.json_lines import read_lines
from watcher.core.parsing.prompts import read_prompt, read_text
from watcher.core.parsing.records import read_records
from watcher.core.parsing.table import read_table
from watcher.core.report import undefused

__all__ = ["KINDS", "Limits", "Parsed", "header_key", "kind_of", "parse"]

KINDS: Mapping[str, str] = MappingProxyType(
    {
        ".csv": "csv",
        ".tsv": "tsv",
        ".xlsx": "xlsx",
        ".json": "json",
        ".jsonl": "jsonl",
        ".ndjson": "jsonl",
        ".yaml": "yaml",
        ".yml": "yaml",
        ".prompt": "prompt",
        ".md": "prompt",
        ".txt": "text",
        ".zip": "zip",
        ".png": "picture",
        ".jpg": "picture",
        ".jpeg": "picture",
        ".webp": "picture",
    }
)


def kind_of(name: str) -> str | None:
    """The kind of a drop by the ending of its name, None where there is no such kind."""
    stem, dot, ending = name.rpartition("/")[2].rpartition(".")
    return KINDS.get(dot + ending.lower()) if stem else None


def parse(
    name: str,
    stream: BinaryIO,
    *,
    limits: Limits | None = None,
    sheet: str | None = None,
    large: Turn = nullcontext,
) -> Parsed:
    """Open a drop by its name's ending and its seekable `stream`, which must stay open for the rows.

    `sheet` names the sheet of a workbook; the first visible one is read without it. `large` is
    entered as long as a large workbook is in memory: until its last row. Raises DropError,
    or TornDrop for a drop that ends in the middle, here or while the rows are iterated. A row that
    cannot be read while others can has a `problem`.
    """
    limits = limits or Limits()
    _check_size(stream, limits)
    kind = kind_of(name)
    if kind == "xlsx":
        # Here, because its library takes 2 MB that a service of other files need not hold.
        from watcher.core.parsing.workbook import read_workbook  # noqa: PLC0415

        parsed = read_workbook(stream, limits, sheet, large)
    elif kind in _READERS:
        parsed = _READERS[kind](open_text(stream), limits)
    else:
        raise _not_rows(name, kind)
    if kind in _TABLES and any(map(is_result_column, parsed.columns)):
        parsed = _as_written(parsed)
    first = next(parsed.rows, None)
    if first is None:
        raise DropError(
            "There are no rows in this file.",
            "Add at least one row and drop it again.",
            code="no_rows",
        )
    return replace(parsed, rows=chain((first,), parsed.rows))


def _as_written(parsed: Parsed) -> Parsed:
    """A results file of ours, dropped again: without the `'` that keeps spreadsheets from running cells.

    An empty cell may be a name that its row, once of a JSON file, did not use: nothing is said there.
    """

    def undone(row: SourceRow) -> SourceRow:
        values = (undefused(cell) or None if isinstance(cell, str) else cell for cell in row.values)
        return replace(row, values=tuple(values))

    return replace(
        parsed, columns=list(map(undefused, parsed.columns)), rows=map(undone, parsed.rows)
    )


def _check_size(stream: BinaryIO, limits: Limits) -> None:
    size = stream.seek(0, 2)
    if size == 0:
        raise DropError("The file is empty.", "Put rows in it and drop it again.", code="empty")
    if size > limits.max_bytes:
        raise DropError(
            f"The file has {size / 1024**2:,.1f} MB, and the limit is {limits.max_bytes / 1024**2:,.1f} MB.",
            "Split it into smaller files.",
            code="too_large",
        )


def _not_rows(name: str, kind: str | None) -> DropError:
    ending = name.rpartition(".")[2][:20]
    if kind == "zip":
        what = "A zip archive is a drop of its own and is not read as a table."
    elif kind == "picture":
        what = "A picture is not a list of rows."
    else:
        what = f'Files with the ending ".{ending}" are not read.'
    endings = ", ".join(ending for ending, of in KINDS.items() if of not in ("zip", "picture"))
    return DropError(what, f"Rows are read from {endings}.", code="unknown_kind")


_TABLES = ("csv", "tsv", "xlsx")
_Reader: TypeAlias = Callable[[Text, Limits], Parsed]
_READERS: Mapping[str | None, _Reader] = {
    "csv": read_table,
    "tsv": partial(read_table, prefer="\t"),
    "json": partial(read_records, json_text.walk),
    "jsonl": read_lines,
    "yaml": partial(read_records, yaml_text.walk),
    "prompt": read_prompt,
    "text": read_text,
}
