"""Bytes to text: which encoding a drop is in, judged over the whole file in bounded memory.

Text that would come out garbled is refused in words, never handed on.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import StringIO
from itertools import islice
from typing import BinaryIO

from watcher.core.errors import DropError
from watcher.core.parsing.drop import Limits, row_too_long, too_many_lines, torn
from watcher.core.parsing.letters import guess

_CHUNK = 256 * 1024
_SAMPLE_LINES = 200
_SAMPLED_LINES = 2_000_000
_LINES_A_ROW, _SPARE_LINES = 10, 1_000

_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32", "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16", "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16", "utf-16-be"),
)
_OTHER_FILES = {
    b"PK\x03\x04": "an Excel workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "an old Office document",
    b"%PDF-": "a PDF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}
_GARBAGE = re.compile("[\0\x80-\x9f\ufffd]")
# UTF-8 that was once read as cp1252 and saved again: "cafÃ©" for "café".
_TAIL = re.escape(bytes(range(0x80, 0xC0)).decode("cp1252", "ignore"))
_TWICE = re.compile(rf"(?<![A-ZÀ-Þ])(?:[ÃÂ][{_TAIL}]|â€[{_TAIL}])")
_RESAVE = 'as UTF-8 (in Excel: Save As, "CSV UTF-8") and drop it again.'


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """The text of a drop. `start` is the length of its byte order mark."""

    stream: BinaryIO
    encoding: str
    codec: str
    start: int = 0
    detected: bool = False
    notes: tuple[str, ...] = ()

    def chunks(self) -> Iterator[str]:
        """The text from its beginning, in pieces of no particular length."""
        self.stream.seek(self.start)
        decoder = codecs.getincrementaldecoder(self.codec)()
        try:
            first = decoder.decode(self.stream.read(_CHUNK))
            yield first.lstrip("\ufeff")
            while data := self.stream.read(_CHUNK):
                yield decoder.decode(data)
            yield decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise torn("The file changed while it was being read.") from error


class Lines:
    """The lines of a text with their ends (LF, CRLF or CR), counted.

    Set `spent` to 0 where a record begins; a record of more than `max_row_chars` characters is
    refused, so memory stays bounded whatever the text is. So are millions of empty lines.
    """

    def __init__(self, text: Text, limits: Limits) -> None:
        self.number = 0
        self.spent = 0
        self._text = text
        self._limits = limits

    def __iter__(self) -> Iterator[str]:
        pending = ""
        for chunk in self._text.chunks():
            whole = list(StringIO(pending + chunk, newline=""))
            # A CR that ends the chunk may be half of a CRLF.
            pending = whole.pop() if whole and not whole[-1].endswith("\n") else ""
            yield from self._counted(whole)
            self._check_pending(len(pending))
        yield from self._counted(StringIO(pending, newline=""))

    def _counted(self, lines: list[str] | StringIO) -> Iterator[str]:
        most_chars = self._limits.max_row_chars
        most_lines = _LINES_A_ROW * self._limits.max_rows + _SPARE_LINES
        for line in lines:
            self.number += 1
            self.spent += len(line)
            if self.spent > most_chars:
                raise row_too_long(self._limits, f"At line {self.number}")
            if self.number > most_lines:
                raise too_many_lines(most_lines)
            yield line

    def _check_pending(self, chars: int) -> None:
        if self.spent + chars > self._limits.max_row_chars:
            raise row_too_long(self._limits, f"At line {self.number + 1}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scan:
    """What one pass over the bytes found: where they stop being this encoding (None: nowhere)."""

    fault: int | None = None
    at_end: bool = False
    twice: str = ""


def open_text(stream: BinaryIO) -> Text:
    """Find out the encoding. Reads the whole stream; raises DropError or TornDrop in words."""
    stream.seek(0)
    head = stream.read(64 * 1024)
    for mark, encoding, codec in _MARKS:
        if head.startswith(mark):
            return _declared(Text(stream=stream, encoding=encoding, codec=codec, start=len(mark)))
    for magic, kind in _OTHER_FILES.items():
        if head.startswith(magic):
            raise DropError(
                f"This is {kind} under the name of a text file.",
                "Give it the ending that it should have, or save it as text.",
                code="not_text",
            )
    codec = _evident_utf16(head)
    if codec:
        return _declared(Text(stream=stream, encoding="utf-16", codec=codec))
    text = Text(stream=stream, encoding="utf-8", codec="utf-8")
    scan = _scan(text)
    return _noted(text, scan) if scan.fault is None else _guessed(stream, scan)


def _evident_utf16(head: bytes) -> str:
    """UTF-16 without a mark, where it begins with ASCII letters: every second byte is zero."""
    zeros = [byte == 0 for byte in head[:4]]
    if zeros == [False, True, False, True]:
        return "utf-16-le"
    return "utf-16-be" if zeros == [True, False, True, False] else ""


def _declared(text: Text) -> Text:
    scan = _scan(text)
    if scan.fault is None:
        return _noted(text, scan)
    if scan.at_end:
        raise torn("The file ends in the middle of a character.")
    raise _not_in(text.encoding.upper(), text.stream, scan.fault)


def _guessed(stream: BinaryIO, utf8: _Scan) -> Text:
    sample = _sample(stream)
    in_utf8 = sum(_is_utf8(line) for line in sample)
    if in_utf8 and utf8.at_end:
        raise torn("The file ends in the middle of a character.")
    codec = None if in_utf8 * 2 > len(sample) else guess(sample)
    if codec is None:
        raise _not_in("UTF-8", stream, utf8.fault or 0)
    text = Text(stream=stream, encoding=codec, codec=codec, detected=True)
    scan = _scan(text)
    if scan.fault is not None:
        raise _not_in("UTF-8", stream, utf8.fault or 0)
    note = f"The file does not say how its letters are encoded; it was read as {codec}, which fits. If letters look wrong, save it as UTF-8 and drop it again."
    return _noted(replace(text, notes=(note,)), scan)


def _noted(text: Text, scan: _Scan) -> Text:
    if not scan.twice:
        return text
    note = f'The text says "{scan.twice}", which looks as if it had been saved in a wrong encoding before. It was left as it is; correct the file where that is not what was meant.'
    return replace(text, notes=(*text.notes, note))


def _not_in(encoding: str, stream: BinaryIO, offset: int) -> DropError:
    stream.seek(offset)
    byte = stream.read(1)
    found = f": 0x{byte[0]:02X}" if byte else ""
    return DropError(
        f"The text is not {encoding} at byte {offset + 1:,} (line {_line_of(stream, offset):,}{found}), and which other encoding it is in is not beyond doubt.",
        f"Save it again {_RESAVE}",
        code="unknown_encoding",
    )


def _scan(text: Text) -> _Scan:
    """Decode everything once. Raises DropError for characters that no prompt holds."""
    stream = text.stream
    stream.seek(text.start)
    decoder = codecs.getincrementaldecoder(text.codec)()
    begin, twice, data = text.start, "", b"-"
    while data:
        data = stream.read(_CHUNK)
        waiting = len(decoder.getstate()[0])
        try:
            chunk = decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            return _Scan(fault=begin - waiting + error.start, at_end=not data)
        _refuse_garbage(text, chunk, begin - waiting)
        begin += len(data)
        twice = twice or _find_twice(chunk)
    return _Scan(twice=twice)


def _refuse_garbage(text: Text, chunk: str, begin: int) -> None:
    if (chunk.isascii() and "\0" not in chunk) or not (found := _GARBAGE.search(chunk)):
        return
    offset = begin + len(chunk[: found.start()].encode(text.codec))
    where = f"byte {offset + 1:,} (line {_line_of(text.stream, offset):,})"
    if found[0] == "\0":
        what = f"There is a zero byte at {where}: this is not a text file."
    else:
        what = f"The text was damaged when it was saved: at {where} stands U+{ord(found[0]):04X} where a letter was."
    raise DropError(what, f"Save the original {_RESAVE}", code="garbled")


def _find_twice(chunk: str) -> str:
    if chunk.isascii() or not (found := _TWICE.search(chunk)):
        return ""
    before = chunk[max(0, found.start() - 30) : found.start()].split()
    after = chunk[found.end() : found.end() + 30].split()
    glued = not chunk[found.start() - 1 : found.start()].isspace()
    tail = after[0] if after and chunk[found.end()] == after[0][0] else ""
    return (before[-1] if before and glued else "") + found[0] + tail


def _line_of(stream: BinaryIO, offset: int) -> int:
    stream.seek(0)
    feeds = returns = 0
    while offset > 0 and (data := stream.read(min(_CHUNK, offset))):
        feeds += data.count(b"\n")
        returns += data.count(b"\r")
        offset -= len(data)
    return max(feeds, returns) + 1


def _sample(stream: BinaryIO) -> list[bytes]:
    """Up to 400 lines that are not ASCII, spread evenly over the whole file."""
    kept: list[bytes] = []
    stride = 1
    for number, line in enumerate(islice(_lines_beyond_ascii(stream), _SAMPLED_LINES)):
        if number % stride == 0:
            kept.append(line)
        if len(kept) == 2 * _SAMPLE_LINES:
            kept, stride = kept[::2], stride * 2
    return kept


def _lines_beyond_ascii(stream: BinaryIO) -> Iterator[bytes]:
    stream.seek(0)
    while data := stream.read(_CHUNK):
        for line in () if data.isascii() else data.splitlines():
            if found := re.search(rb"[\x80-\xff]", line):
                yield line[max(0, found.start() - 200) : found.start() + 1000]


def _is_utf8(line: bytes) -> bool:
    try:
        codecs.utf_8_decode(line, "strict", False)  # the line may be cut in the middle of a letter
    except UnicodeDecodeError:
        return False
    return True
