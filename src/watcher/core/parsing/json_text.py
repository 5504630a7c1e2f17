"""JSON, cut into its rows while it is read: strict, with line and column for whatever is refused."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from watcher.core.errors import DropError
from watcher.core.jobs import Json
from watcher.core.parsing.drop import Limits, row_too_long, torn
from watcher.core.parsing.records import Element

_SPACE = re.compile(r"[ \t\r\n]*+")
_MARK = re.compile(r'["{}\[\]]')
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_BARE = re.compile(r'[^\s,\]}:"\[{]++')
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\],:]|[^\s{}\[\],:"]++', re.DOTALL)
_UNFIT = re.compile("[\0\x80-\x9f\ufffd\ud800-\udfff]")
_MAX_INT = 2**63 - 1
_MAX_DIGITS = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spot:
    line: int
    column: int

    def after(self, text: str) -> _Spot:
        feeds = text.count("\n")
        column = len(text) - text.rfind("\n") if feeds else self.column + len(text)
        return _Spot(line=self.line + feeds, column=column)

    def __str__(self) -> str:
        return f"Line {self.line:,}, column {self.column:,}"


class _OffenceError(ValueError):
    """Good JSON, but not for us; `_first_offence` says where and why."""


def walk(chunks: Iterable[str], limits: Limits, *, skim: bool) -> Iterator[Element]:
    """The rows of a list, or the members of an object. `skim`: rows come without their value."""
    cursor = _Cursor(chunks, limits)
    match cursor.peek():
        case "[":
            yield from _rows(cursor, skim=skim, depth=1)
        case "{":
            yield from _members(cursor, skim=skim)
        case "":
            raise DropError("The file is empty.", "Put rows in it.", code="empty")
        case _:
            spot, _value = cursor.spot, cursor.decode(depth=0)
            raise _syntax(spot, "here a list [ … ] or an object { … } should begin")
    if cursor.peek():
        raise DropError(
            f"{cursor.spot}: there is more text after the end.",
            "If each line is an object of its own, give the file the ending .jsonl; else put all rows into one list [ … ].",
            code="bad_json",
        )


def _rows(cursor: _Cursor, *, skim: bool, depth: int) -> Iterator[Element]:
    cursor.take("[")
    if cursor.peek() == "]":
        cursor.take("]")
        return
    while True:
        spot = cursor.spot_of_next()
        value = cursor.skip() if skim else cursor.decode(depth=depth)
        yield Element(kind="row", line=spot.line, value=value)
        if cursor.take(",", "]") == "]":
            return


def _members(cursor: _Cursor, *, skim: bool) -> Iterator[Element]:
    cursor.take("{")
    seen: set[str] = set()
    if cursor.peek() == "}":
        cursor.take("}")
        return
    while True:
        spot, key = cursor.spot_of_next(), cursor.key()
        if key in seen:
            raise _twice(spot, key)
        seen.add(key)
        cursor.take(":")
        if key == "rows" and cursor.peek() == "[":
            yield Element(kind="rows", line=spot.line)
            yield from _rows(cursor, skim=skim, depth=2)
        else:
            yield Element(kind="member", line=spot.line, key=key, value=cursor.decode(depth=1))
        if cursor.take(",", "}") == "}":
            return


class _Cursor:
    """A window on the text that moves over it once, and knows its line and column."""

    def __init__(self, chunks: Iterable[str], limits: Limits) -> None:
        self.spot = _Spot(line=1, column=1)
        self._chunks = iter(chunks)
        self._limits = limits
        self._text = ""
        self._at = 0

    def peek(self) -> str:
        """The next character that is no space, "" at the end; the cursor then stands on it."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._advance(space.end() if space else self._at)
            if self._at < len(self._text) or not self._fill():
                return self._text[self._at : self._at + 1]

    def spot_of_next(self) -> _Spot:
        self.peek()
        return self.spot

    def take(self, *wanted: str) -> str:
        found = self.peek()
        if found not in wanted or not found:
            words = " or ".join(f'"{sign}"' for sign in wanted)
            raise _syntax(self.spot, f"{words} is missing") if found else _torn_at(self.spot)
        self._advance(self._at + 1)
        return found

    def key(self) -> str:
        if self.peek() not in ('"', ""):
            raise _syntax(self.spot, 'a name between double quotes is missing here ("name": …)')
        return str(self.decode(depth=0))

    def skip(self) -> None:
        self._cut()

    def decode(self, *, depth: int) -> Json:
        """The next value, `depth` being how many lists and objects it stands in."""
        spot = self.spot_of_next()
        return decode(self._cut(), self._limits, spot=spot, depth=depth)

    def _cut(self) -> str:
        first = self.peek()
        if first == '"':
            end = self._end_of_string()
        elif first in ("{", "["):
            end = self._end_of_nested()
        else:
            end = self._end_of_bare()
        text = self._text[self._at : end]
        self._advance(end)
        return text

    def _end_of_string(self) -> int:
        while not (found := _STRING.match(self._text, self._at)):
            self._fill_or_refuse()
        return found.end()

    def _end_of_bare(self) -> int:
        while True:
            found = _BARE.match(self._text, self._at)
            end = found.end() if found else self._at
            if end < len(self._text) or not self._fill():
                break
        if end == self._at:
            raise _syntax(self.spot, "a value is missing here") if self.peek() else _torn_at(self.spot)
        if end == len(self._text):
            self._refuse_rest()
        return end

    def _end_of_nested(self) -> int:
        offset = depth = 0
        while True:
            found = _MARK.search(self._text, self._at + offset)
            if found and found[0] == '"':
                found = _STRING.match(self._text, found.start())
            if not found:
                offset = self._offset_to_go_on(self._at + offset)
                self._fill_or_refuse()
                continue
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(found[0], 0)
            offset = found.end() - self._at
            if depth == 0:
                return found.end()

    def _offset_to_go_on(self, start: int) -> int:
        """Where to look again when there is more text: at a string that is not whole, else at its end."""
        found = _MARK.search(self._text, start)
        return (found.start() if found else len(self._text)) - self._at

    def _fill_or_refuse(self) -> None:
        if not self._fill():
            self._refuse_rest()
        if len(self._text) - self._at > self._limits.max_row_chars:
            raise row_too_long(self._limits, str(self.spot))

    def _refuse_rest(self) -> None:
        """The text ends inside a value: cut off, or wrong before its end."""
        rest = self._text[self._at :]
        decode(rest, self._limits, spot=self.spot, depth=1, at_end=True)

    def _fill(self) -> bool:
        for chunk in self._chunks:
            if chunk:
                self._text = self._text[self._at :] + chunk
                self._at = 0
                return True
        return False

    def _advance(self, end: int) -> None:
        self.spot = self.spot.after(self._text[self._at : end])
        self._at = end


def decode(
    text: str, limits: Limits, *, spot: _Spot, depth: int, at_end: bool = False
) -> Json:
    """One value, strictly. Raises DropError, or TornDrop if it is cut off `at_end` of the file."""
    if text.count("{") + text.count("[") + depth > limits.max_depth:
        _refuse_offence(text, limits, spot, depth)
    try:
        value: Json = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        if at_end and _is_cut(text, error):
            raise _torn_at(spot.after(text)) from error
        raise _syntax(spot.after(text[: error.pos]), _in_words(error)) from error
    except _OffenceError:
        _refuse_offence(text, limits, spot, depth)
        raise
    if "\\u" in text:
        _refuse_offence(text, limits, spot, depth)
    return value


def spot_at(line: int) -> _Spot:
    return _Spot(line=line, column=1)


def _is_cut(text: str, error: json.JSONDecodeError) -> bool:
    rest = text[error.pos :].strip()
    words = ("true", "false", "null", "NaN", "Infinity", "-Infinity", "-")
    return (
        error.msg.startswith("Unterminated string")
        or (error.msg.startswith("Invalid \\") and len(rest) < len("\\uXXXX"))
        or any(word.startswith(rest) for word in words)
    )


def _torn_at(spot: _Spot) -> DropError:
    return torn(f"The file ends at line {spot.line:,}, column {spot.column:,}, before its end.")


def _syntax(spot: _Spot, what: str) -> DropError:
    return DropError(f"{spot}: {what}.", "Correct it there and drop the file again.", code="bad_json")


def _twice(spot: _Spot, key: str) -> DropError:
    return DropError(
        f'{spot}: "{key[:80]}" stands twice in one object.', "Keep one of them.", code="bad_json"
    )


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


def _refuse_offence(text: str, limits: Limits, spot: _Spot, depth: int) -> None:
    """Raise for the first thing that the decoder takes but we do not; nothing if there is none."""
    names: list[set[str] | None] = []
    name_is_next = False
    for found in _TOKEN.finditer(text):
        here, token = spot.after(text[: found.start()]), found[0]
        if token in ("{", "["):
            names.append(set() if token == "{" else None)
            if len(names) + depth > limits.max_depth:
                raise DropError(
                    f"{here}: objects and lists are nested more than {limits.max_depth} deep, which is the limit.",
                    "Write rows as flat objects.",
                    code="too_deep",
                )
        elif token in ("}", "]"):
            names[-1:] = []
        elif token[0] == '"':
            string = _check_string(token, here)
            if name_is_next and names and (seen := names[-1]) is not None:
                if string in seen:
                    raise _twice(here, string)
                seen.add(string)
        elif token not in (",", ":"):
            _check_bare(token, here)
        name_is_next = token == "{" or (token == "," and bool(names) and names[-1] is not None)


def _check_string(token: str, spot: _Spot) -> str:
    try:
        string = json.loads(token)
    except json.JSONDecodeError:
        return token  # the decoder says so in words
    if "\\u" in token and (found := _UNFIT.search(string)):
        raise DropError(
            f"{spot}: this text holds U+{ord(found[0]):04X}, which is no letter.",
            "Write the text out again, saved as UTF-8.",
            code="garbled",
        )
    return str(string)


def _check_bare(token: str, spot: _Spot) -> None:
    try:
        _DECODER.decode(token)
    except json.JSONDecodeError:
        return  # as above
    except _OffenceError:
        raise DropError(
            f"{spot}: {token[:40]} is not a number that can be used.",
            "Write it as text between double quotes, or correct it.",
            code="bad_number",
        ) from None


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
