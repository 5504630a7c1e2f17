"""One JSON value, decoded strictly: what the usual decoders let pass is refused with line and column."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass

from watcher.core.errors import DropError
from watcher.core.jobs import Json
from watcher.core.parsing.drop import Limits, torn

_MARK = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\],:"]|[^\s{}\[\],:"]++', re.DOTALL)
_UNFIT = re.compile("[\0\x80-\x9f\ufffd\ud800-\udfff]")
_UNFIT_ESCAPE = re.compile(r"\\u(?:00[089]|d[89a-f]|fffd)", re.IGNORECASE)
_CUT_NUMBER = re.compile(r"\.|[eE][+-]?")
_MAX_INT = 2**63 - 1
_MAX_DIGITS = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A place in a file; both figures count from 1."""

    line: int
    column: int = 1

    def after(self, text: str) -> Spot:
        feeds = text.count("\n")
        column = len(text) - text.rfind("\n") if feeds else self.column + len(text)
        return Spot(line=self.line + feeds, column=column)

    def __str__(self) -> str:
        return f"Line {self.line:,}, column {self.column:,}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offence:
    """What our rules say against good JSON, and at which character."""

    at: int
    what: str
    hint: str
    code: str


class _OffenceError(ValueError):
    """The decoder met one; `_first_offence` says where and why."""


def decode(text: str, limits: Limits, *, spot: Spot, depth: int, at_end: bool = False) -> Json:
    """One value, strictly. Raises DropError, or TornDrop if it is cut off `at_end` of the file."""
    if text.count("{") + text.count("[") + depth > limits.max_depth:
        _refuse_offence(text, spot, limits.max_depth - depth)
    try:
        value: Json = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        if at_end and _is_cut(text, error):
            raise torn_at(spot.after(text)) from error
        raise syntax(spot.after(text[: error.pos]), _in_words(error)) from error
    except _OffenceError:
        _refuse_offence(text, spot, limits.max_depth - depth)
        raise
    if _UNFIT_ESCAPE.search(text):
        _refuse_offence(text, spot, limits.max_depth - depth)
    return value


def _refuse_offence(text: str, spot: Spot, max_depth: int) -> None:
    if found := _first_offence(text, max_depth):
        where = spot.after(text[: found.at])
        raise DropError(f"{where}: {found.what}.", found.hint, code=found.code)


def _is_cut(text: str, error: json.JSONDecodeError) -> bool:
    rest = text[error.pos :].strip()
    words = ("true", "false", "null", "NaN", "Infinity", "-Infinity", "-")
    return (
        error.msg.startswith("Unterminated string")
        or (error.msg.startswith("Invalid \\") and len(rest) < len("\\uXXXX"))
        or any(word.startswith(rest) for word in words)
        or _CUT_NUMBER.fullmatch(rest) is not None
    )


def torn_at(spot: Spot) -> DropError:
    return torn(f"The file ends at line {spot.line:,}, column {spot.column:,}, before its end.")


def syntax(spot: Spot, what: str) -> DropError:
    return DropError(
        f"{spot}: {what}.", "Correct it there and drop the file again.", code="bad_json"
    )


def name_twice(spot: Spot, key: str) -> DropError:
    found = _twice(0, key)
    return DropError(f"{spot}: {found.what}.", found.hint, code=found.code)


_WORDS = {
    "Expecting value": "a value is missing here",
    "Expecting ',' delimiter": 'a comma or a closing bracket is missing (double quotes inside a text are written \\")',
    "Expecting ':' delimiter": "a colon is missing",
    "Expecting property name enclosed in double quotes": "a name between double quotes is missing",
    "Extra data": "there is more text than one value",
    "Invalid control character at": "a line break or control character stands inside a text (write \\n)",
    "Invalid \\escape": "a backslash stands before a letter that it cannot stand before (write \\\\)",
    "Unterminated string starting at": "a text begins here that has no closing double quote",
}


def _in_words(error: json.JSONDecodeError) -> str:
    return _WORDS.get(error.msg.removesuffix(": "), "this is not JSON")


def _first_offence(text: str, max_depth: int) -> _Offence | None:
    """The first thing that the decoder takes but we do not, else None."""
    names: list[set[str] | None] = []  # for each open object its names so far, None for a list
    name_is_next = False
    for found in _MARK.finditer(text):
        at, mark = found.start(), found[0]
        offence = None
        if mark in ("{", "["):
            names.append(set() if mark == "{" else None)
            offence = _too_deep(at) if len(names) > max_depth else None
        elif mark in ("}", "]"):
            names[-1:] = []
        elif mark[0] == '"':
            string = _string(mark)
            offence = _unfit(at, string)
            if name_is_next and names and (seen := names[-1]) is not None:
                offence = offence or (_twice(at, string) if string in seen else None)
                seen.add(string)
        elif mark not in (",", ":"):
            offence = _bad_number(at, mark)
        if offence:
            return offence
        name_is_next = mark == "{" or (mark == "," and bool(names) and names[-1] is not None)
    return None


def _too_deep(at: int) -> _Offence:
    return _Offence(
        at=at,
        what="too many objects and lists are nested in each other here",
        hint="Write rows as flat objects.",
        code="too_deep",
    )


def _twice(at: int, name: str) -> _Offence:
    what = f'"{name[:80]}" stands twice in one object'
    return _Offence(at=at, what=what, hint="Keep one of them.", code="bad_json")


def _string(mark: str) -> str:
    try:
        return str(json.loads(mark))
    except json.JSONDecodeError:  # the decoder says so in words
        return ""


def _unfit(at: int, string: str) -> _Offence | None:
    """Escapes that make halves of characters, or what a damaged file is full of."""
    if not (found := _UNFIT.search(string)):
        return None
    return _Offence(
        at=at,
        what=f"this text holds U+{ord(found[0]):04X}, which is no letter",
        hint="Write the text out again, saved as UTF-8.",
        code="garbled",
    )


def _bad_number(at: int, mark: str) -> _Offence | None:
    try:
        _DECODER.decode(mark)
    except json.JSONDecodeError:  # as above
        return None
    except _OffenceError:
        return _Offence(
            at=at,
            what=f"{mark[:40]} is not a number that can be used",
            hint="Write it as text between double quotes, or correct it.",
            code="bad_number",
        )
    return None


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _OffenceError
    return members


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS + 1 or abs(number := int(digits)) > _MAX_INT:
        raise _OffenceError
    return number


def _fraction(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise _OffenceError
    return number


def _constant(name: str) -> float:
    raise _OffenceError(name)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_fraction,
    parse_constant=_constant,
)
