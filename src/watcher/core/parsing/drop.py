"""What every reader of this room needs: the limits, the result, and the refusals they share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TypeAlias

from watcher.core.errors import DropError, TornDrop
from watcher.core.jobs import Json, SourceRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one drop may hold. Beyond any of these it is refused as a whole, never cut.

    `max_cell_chars` and `max_row_chars` count characters as they stand in the file, `max_bytes` the
    file, `max_depth` objects and lists inside each other; `max_sheet_bytes` and `max_sheet_cells`
    what a workbook unfolds to.
    """

    max_rows: int = 1_000_000
    max_columns: int = 512
    max_cell_chars: int = 131_072
    max_row_chars: int = 4 * 1024**2
    max_bytes: int = 100 * 1024**2
    max_depth: int = 64
    max_sheet_bytes: int = 256 * 1024**2
    max_sheet_cells: int = 10_000_000


# Entered while something is held that not many may hold at once; entering may raise.
Turn: TypeAlias = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A drop, opened. Iterate `rows` once; that may still raise DropError or TornDrop.

    `columns` are the header names exactly as written. Where every record names its own (JSON, JSONL,
    YAML) the list grows while `rows` is iterated: names are only appended, so the `values` of
    earlier rows stay aligned. `encoding_detected`: it is a guess, and named in the results.
    `delimiter` is "" where there is none. `notes` are sentences for the results.
    """

    columns: list[str]
    rows: Iterator[SourceRow]
    encoding: str = "utf-8"
    encoding_detected: bool = False
    delimiter: str = ""
    defaults: Mapping[str, Json] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def header_key(name: str) -> str:
    """A header name as it is compared: without case, spaces, `_` and `-`."""
    return re.sub(r"[\s_-]+", "", name).casefold()


def torn(what: str) -> TornDrop:
    return TornDrop(
        what,
        "It may still be being written, or was cut off: copy the whole file into the inbox again.",
        code="torn",
    )


def too_many_rows(limits: Limits, where: str) -> DropError:
    return DropError(
        f"{where} begins row {limits.max_rows + 1:,}, and the limit is {limits.max_rows:,}.",
        "Split the file into smaller ones.",
        code="too_many_rows",
    )


def too_many_lines(limit: int) -> DropError:
    return DropError(
        f"The file has more than {limit:,} lines, which is the limit; most of them must be empty.",
        "Remove the empty lines, or split the file into smaller ones.",
        code="too_many_lines",
    )


def too_many_columns(limits: Limits, where: str, count: int) -> DropError:
    return DropError(
        f"{where} makes {count:,} columns, and the limit is {limits.max_columns:,}.",
        "Remove the columns that are not needed.",
        code="too_many_columns",
    )


def cell_too_long(limits: Limits, where: str) -> DropError:
    return DropError(
        f"{where} holds a value of more than {limits.max_cell_chars:,} characters, which is the limit.",
        'Shorten it; in a table also look for a double quote (") that is opened and never closed.',
        code="cell_too_long",
    )


def row_too_long(limits: Limits, where: str) -> DropError:
    return DropError(
        f"{where} stands a record of more than {limits.max_row_chars:,} characters, which is the limit.",
        'Shorten it; also look for a bracket or a double quote (") that is opened and never closed.',
        code="row_too_long",
    )
