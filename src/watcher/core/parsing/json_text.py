"""JSON, cut into its rows while it is read, so that memory does not grow with their number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from watcher.core.errors import DropError
from watcher.core.jobs import Json
from watcher.core.parsing.drop import Limits, row_too_long
from watcher.core.parsing.json_value import Spot, decode, name_twice, syntax, torn_at
from watcher.core.parsing.records import Element

_SPACE = re.compile(r"[ \t\r\n]*+")
_MARK = re.compile(r'["{}\[\]]')
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_FLAT = re.compile(r'\{(?:[^"{}\[\]]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+\}', re.DOTALL)
_BARE = re.compile(r'[^\s,\]}:"\[{]++')


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
            raise syntax(spot, "here a list [ … ] or an object { … } should begin")
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
        line, cursor.taken = cursor.spot_of_next().line, 0
        value = cursor.skip() if skim else cursor.decode(depth=depth)
        yield Element(kind="row", line=line, value=value)
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
            raise name_twice(spot, key)
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
        self._chunks = iter(chunks)
        self._limits = limits
        self._text = ""
        self._at = 0
        # The line of the window's character `_counted`, and where that line begins in the window.
        self._line, self._counted, self._line_begin = 1, 0, 0
        self.taken = 0  # characters of the values of the present row

    @property
    def spot(self) -> Spot:
        if feeds := self._text.count("\n", self._counted, self._at):
            self._line += feeds
            self._line_begin = self._text.rfind("\n", self._counted, self._at) + 1
        self._counted = self._at
        return Spot(line=self._line, column=self._at - self._line_begin + 1)

    def peek(self) -> str:
        """The next character that is no space, "" at the end; the cursor then stands on it."""
        while (found := self._text[self._at : self._at + 1]) <= " ":
            if space := _SPACE.match(self._text, self._at):
                self._at = space.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._fill():
                return ""
        return found

    def spot_of_next(self) -> Spot:
        self.peek()
        return self.spot

    def take(self, *wanted: str) -> str:
        found = self.peek()
        if found not in wanted or not found:
            words = " or ".join(f'"{sign}"' for sign in wanted)
            raise syntax(self.spot, f"{words} is missing") if found else torn_at(self.spot)
        self._at += 1
        return found

    def key(self) -> str:
        if self.peek() not in ('"', ""):
            raise syntax(self.spot, 'a name between double quotes is missing here ("name": …)')
        return str(self.decode(depth=0))

    def skip(self) -> Json:
        self._cut()
        return None

    def decode(self, *, depth: int) -> Json:
        """The next value, `depth` being how many lists and objects it stands in."""
        spot, bare = self.spot_of_next(), self.peek() not in ('"', "{", "[")
        text = self._cut()
        self.taken += len(text)
        if self.taken > self._limits.max_row_chars:
            raise row_too_long(self._limits, f"At line {spot.line:,}")
        at_end = bare and self._at == len(self._text)
        return decode(text, self._limits, spot=spot, depth=depth, at_end=at_end)

    def _cut(self) -> str:
        first = self.peek()
        if first == '"':
            end = self._end_of_string()
        elif first in ("{", "["):
            end = self._end_of_nested()
        else:
            end = self._end_of_bare()
        text = self._text[self._at : end]
        self._at = end
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
        if end > self._at:
            return end
        raise syntax(self.spot, "a value is missing here") if self.peek() else torn_at(self.spot)

    def _end_of_nested(self) -> int:
        if flat := _FLAT.match(self._text, self._at):  # most rows are
            return flat.end()
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
            raise row_too_long(self._limits, f"At line {self.spot.line:,}")

    def _refuse_rest(self) -> None:
        """The text ends inside a value: it is wrong before its end, or cut off."""
        rest = self._text[self._at :]
        decode(rest, self._limits, spot=self.spot, depth=1, at_end=True)
        raise torn_at(self.spot)

    def _fill(self) -> bool:
        for chunk in self._chunks:
            if chunk:
                self._line_begin = 1 - self.spot.column
                self._text = self._text[self._at :] + chunk
                self._at = self._counted = 0
                return True
        return False
