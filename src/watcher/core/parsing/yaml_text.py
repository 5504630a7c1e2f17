"""YAML, read from its events: plain data only, so that no text turns into something else unasked.

Scalars are resolved as in YAML 1.2, and only where nothing is lost: `no` stays "no", `007` stays "007".
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

import yaml

from watcher.core.errors import DropError
from watcher.core.jobs import Json
from watcher.core.parsing.drop import Limits, row_too_long, torn
from watcher.core.parsing.records import Element

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STRING_TAG = "tag:yaml.org,2002:str"
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_FRACTION = re.compile(r"-?[0-9]{1,18}\.[0-9]{1,18}")
_WORDS: dict[str, Json] = {"": None, "~": None}
_WORDS |= dict.fromkeys(("null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True)
_WORDS |= dict.fromkeys(("false", "False", "FALSE"), False)
_UNFIT = re.compile("[\0\x80-\x9f\ufffd\ud800-\udfff]")


def walk(chunks: Iterable[str], limits: Limits, *, skim: bool, line: int = 1) -> Iterator[Element]:
    """The rows of a list, or the members of an object. `line` is the number of the first line.

    `skim`: rows come without their value.
    """
    events = _Events(chunks, limits, line)
    events.take()  # the stream begins
    first = events.take()
    if isinstance(first, yaml.DocumentStartEvent):
        first = events.take()
    match first:
        case yaml.SequenceStartEvent():
            yield from _rows(events, skim=skim, depth=1)
        case yaml.MappingStartEvent():
            yield from _members(events, skim=skim)
        case yaml.StreamEndEvent() | yaml.ScalarEvent(value=""):
            raise DropError("The file is empty.", "Put rows in it.", code="empty")
        case _:
            raise events.refusal("this is neither a list of rows nor an object")
    events.take()  # the document ends
    if not isinstance(events.take(), yaml.StreamEndEvent):
        raise events.refusal("a second document begins", "Put all rows into one document.")


def _rows(events: _Events, *, skim: bool, depth: int) -> Iterator[Element]:
    while not isinstance(event := events.take(), yaml.SequenceEndEvent):
        events.spent = 0
        line = events.line
        value = events.build(event, depth)
        yield Element(kind="row", line=line, value=None if skim else value)


def _members(events: _Events, *, skim: bool) -> Iterator[Element]:
    seen: set[str] = set()
    while not isinstance(event := events.take(), yaml.MappingEndEvent):
        line, key = events.line, events.key(event, seen)
        value = events.take()
        if key == "rows" and isinstance(value, yaml.SequenceStartEvent):
            yield Element(kind="rows", line=line)
            yield from _rows(events, skim=skim, depth=2)
        else:
            yield Element(kind="member", line=line, key=key, value=events.build(value, 1))


class _Events:
    """The events of a document, one after the other; what we do not take is refused here."""

    def __init__(self, chunks: Iterable[str], limits: Limits, first_line: int) -> None:
        self.spent = 0  # characters of the present row
        self.line = first_line
        self._column = 1
        self._limits = limits
        self._first_line = first_line
        self._source = _Source(chunks)
        self._events = iter(yaml.parse(self._source, Loader=_LOADER))

    def take(self) -> yaml.Event:
        try:
            event = next(self._events)
        except yaml.MarkedYAMLError as error:
            raise self._unreadable(error) from error
        except yaml.YAMLError as error:
            raise self.refusal("a control character stands here or soon after") from error
        except StopIteration:
            return yaml.StreamEndEvent()
        if mark := event.start_mark:
            self._move(mark.line, mark.column)
        if isinstance(event, yaml.NodeEvent):
            self._check(event)
        return event

    def build(self, event: yaml.Event, depth: int) -> Json:
        """The value that begins with `event`, inside `depth` others."""
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if depth >= self._limits.max_depth:
            raise self.refusal(
                "too many objects and lists are nested in each other here",
                "Write rows as flat objects.",
                code="too_deep",
            )
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Json] = []
            while not isinstance(item := self.take(), yaml.SequenceEndEvent):
                items.append(self.build(item, depth + 1))
            return items
        members: dict[str, Json] = {}
        seen: set[str] = set()
        while not isinstance(name := self.take(), yaml.MappingEndEvent):
            key = self.key(name, seen)
            members[key] = self.build(self.take(), depth + 1)
        return members

    def key(self, event: yaml.Event, seen: set[str]) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self.refusal("a name is a list or an object")
        key = str(event.value)
        if key in seen:
            raise self.refusal(f'"{key[:80]}" stands twice in one object', "Keep one of them.")
        seen.add(key)
        return key

    def refusal(self, what: str, hint: str = "", *, code: str = "bad_yaml") -> DropError:
        hint = hint or "Correct it there and drop the file again."
        return DropError(f"Line {self.line:,}, column {self._column:,}: {what}.", hint, code=code)

    def _check(self, event: yaml.NodeEvent) -> None:
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise self.refusal("names for values (& and *) are not taken", "Write the value out.")
        tag = getattr(event, "tag", None)
        if tag is not None and tag != _STRING_TAG:
            raise self.refusal("types of your own (!) are not taken", "Write the value without it.")
        text = event.value if isinstance(event, yaml.ScalarEvent) else ""
        if found := _UNFIT.search(text):
            raise self.refusal(
                f"this text holds U+{ord(found[0]):04X}, which is no letter",
                "Write the text out again, saved as UTF-8.",
                code="garbled",
            )
        self.spent += len(text) + 1
        if self.spent > self._limits.max_row_chars:
            raise row_too_long(self._limits, f"At line {self.line:,}")

    def _unreadable(self, error: yaml.MarkedYAMLError) -> DropError:
        if mark := error.problem_mark or error.context_mark:
            self._move(mark.line, mark.column)
            if self._source.ended and mark.index >= self._source.length:
                return torn("The file ends in the middle of a value.")
        return self.refusal(f"this cannot be read as YAML ({error.problem or error.context})")

    def _move(self, line: int, column: int) -> None:
        """Places of the parser count from 0."""
        self.line, self._column = line + self._first_line, column + 1


class _Source:
    """The text as the parser wants to read it. `length`: characters up to the last that is no space."""

    def __init__(self, chunks: Iterable[str]) -> None:
        self.ended = False
        self.length = 0
        self._chunks = iter(chunks)
        self._handed = 0

    def read(self, _size: int = -1) -> str:
        for chunk in self._chunks:
            if chunk:
                if solid := len(chunk.rstrip()):
                    self.length = self._handed + solid
                self._handed += len(chunk)
                return chunk
        self.ended = True
        return ""


def _scalar(event: yaml.ScalarEvent) -> Json:
    text = str(event.value)
    if not event.implicit[0]:  # quoted, or said to be text
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) and str(int(text)) == text:
        return int(text)
    if _FRACTION.fullmatch(text) and repr(number := float(text)) == text and math.isfinite(number):
        return number
    return text
