"""What a workbook unfolds to, measured before anything opens it: a few kilobytes can stand for terabytes.

Sizes are counted while inflating, not believed; cells are counted by where they say they stand.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from watcher.core.errors import DropError
from watcher.core.parsing.drop import Limits, torn

_MAX_MEMBERS = 1_000
_MAX_RATIO = 200
_RATIO_FROM = 1024**2
_CHUNK = 256 * 1024
_LOCAL_HEADER = 30
_ENCRYPTED = 0x1
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_STRINGS = "xl/sharedstrings.xml"
_OTHER_KINDS = ("content.xml", "xl/workbook.bin")

_ATTRIBUTES = rb"""(?=[\s/>])((?:[^<>"']|"[^"<]*"|'[^'<]*')*+)"""
_CELL = re.compile(rb"<(?:\w+:)?c" + _ATTRIBUTES)
_ROW = re.compile(rb"<(?:\w+:)?row" + _ATTRIBUTES)
_PLACE = re.compile(rb"""\br\s*=\s*["']([^"']*)["']""")
_ODD_PLACE = re.compile(rb"""\br\s*=\s*["'](?![A-Za-z]{0,3}[0-9]{0,7}["'])""")
_NO_LETTERS = bytes(range(0x41, 0x5B)) + bytes(range(0x61, 0x7B))
_NO_DIGITS = b"0123456789"
_SHARES = re.compile(rb"""\bt\s*=\s*["']s["']""")
_SHARED = re.compile(
    rb"""\bt\s*=\s*["']s["'][^<>]*>(?:<(?:\w+:)?f\b[^<>]*(?:/>|>[^<>]*</(?:\w+:)?f>))?<(?:\w+:)?v>(\d{1,9})<"""
)
_LONGEST_CELL = 64 * 1024


def check_workbook(stream: BinaryIO, limits: Limits) -> None:
    """Refuse what is no workbook, is locked or cut off, or unfolds to more than the limits."""
    stream.seek(0)
    head = stream.read(8)
    if head == _OLD_OFFICE:
        raise DropError(
            "The workbook is protected by a password, or is an old .xls file under another name.",
            "Save it without a password as an Excel workbook (.xlsx).",
            code="locked",
        )
    try:
        with zipfile.ZipFile(stream) as archive:
            _check_members(archive, limits)
            _check_cells(stream, archive, limits)
    except zipfile.BadZipFile as error:
        if head.startswith(b"PK"):
            raise torn("The workbook ends before its end.") from error
        raise unreadable() from error
    except (OSError, zlib.error, NotImplementedError, RuntimeError, ValueError) as error:
        raise unreadable() from error


def unreadable() -> DropError:
    return DropError(
        "This is not an Excel workbook that can be read.",
        "Open it in Excel and save it as an Excel workbook (.xlsx), or as CSV UTF-8.",
        code="bad_xlsx",
    )


def _bomb(what: str) -> DropError:
    return DropError(
        f"The workbook {what}.",
        "Copy its rows into a new workbook, or save it as CSV UTF-8.",
        code="bomb",
    )


def _check_members(archive: zipfile.ZipFile, limits: Limits) -> None:
    members = archive.infolist()
    names = {member.filename.lower() for member in members}
    if "xl/workbook.xml" not in names or names.intersection(_OTHER_KINDS):
        raise unreadable()
    if len(members) > _MAX_MEMBERS:
        raise _bomb(f"has {len(members):,} parts, and the limit is {_MAX_MEMBERS:,}")
    if any(member.flag_bits & _ENCRYPTED for member in members):
        raise DropError(
            "The workbook is protected by a password.", "Save it without one.", code="locked"
        )
    if sum(member.file_size for member in members) > limits.max_sheet_bytes:
        raise _too_large(limits)


def _too_large(limits: Limits) -> DropError:
    return _bomb(f"unfolds to more than {limits.max_sheet_bytes // 1024**2:,} MB, which is the limit")


def _check_cells(stream: BinaryIO, archive: zipfile.ZipFile, limits: Limits) -> None:
    """Inflate every part once: its true size, the span of its cells, the text they repeat."""
    lengths: list[int] = [0]
    for member in archive.infolist():
        if member.filename.lower() == _STRINGS:
            lengths = _string_lengths(stream, member, limits)
    inflated = spread = 0
    for member in archive.infolist():
        sheet = _Sheet(lengths)
        for chunk in _inflate(stream, member):
            inflated += len(chunk)
            if inflated > limits.max_sheet_bytes:
                raise _too_large(limits)
            sheet.feed(chunk)
            if sheet.rows * sheet.columns > limits.max_sheet_cells:
                raise _bomb(f"spans more than {limits.max_sheet_cells:,} cells, which is the limit")
            if spread + sheet.repeated > limits.max_sheet_bytes:
                raise _too_large(limits)
        spread += sheet.repeated


def _inflate(stream: BinaryIO, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """The bytes of a part in pieces, however many there are and whatever the directory says."""
    stream.seek(member.header_offset)
    header = stream.read(_LOCAL_HEADER)
    if len(header) < _LOCAL_HEADER or member.compress_type not in (0, zipfile.ZIP_DEFLATED):
        raise unreadable()
    skip = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    stream.seek(member.header_offset + _LOCAL_HEADER + skip)
    left, size = member.compress_size, 0
    inflater = zlib.decompressobj(-15)
    while data := stream.read(min(_CHUNK, left)):
        left -= len(data)
        if member.compress_type == zipfile.ZIP_STORED:
            yield data
            continue
        while data:
            chunk = inflater.decompress(data, _CHUNK)
            data = inflater.unconsumed_tail
            size += len(chunk)
            if size > _RATIO_FROM and size > _MAX_RATIO * member.compress_size:
                raise _bomb(f"is packed more than {_MAX_RATIO} to 1")
            yield chunk


def _string_lengths(stream: BinaryIO, member: zipfile.ZipInfo, limits: Limits) -> list[int]:
    """The length in bytes of each text that cells can share, markup included."""
    lengths, rest, size = [], b"", 0
    for chunk in _inflate(stream, member):
        size += len(chunk)
        if size > limits.max_sheet_bytes:
            raise _too_large(limits)
        *whole, rest = (rest + chunk).split(b"<si")
        lengths += map(len, whole)
    return [*lengths, len(rest)][1:] or [0]


class _Sheet:
    """Counts over the XML of one part: how far its cells reach, how many bytes of text they share."""

    def __init__(self, lengths: list[int]) -> None:
        self.rows = self.columns = self.repeated = 0
        self._lengths = lengths
        self._longest = max(lengths)
        self._rest = b""
        self._in_data = False

    def feed(self, chunk: bytes) -> None:
        text = self._rest + chunk
        if not self._in_data:
            self._in_data = b"sheetData" in text
            self._rest = text if self._in_data else text[-16:]
            return
        # Cut where a cell or row begins, so that none is counted in halves.
        cut = max(text.rfind(b"<c"), text.rfind(b"<row"))
        if len(text) - cut > _LONGEST_CELL:
            cut = text.rfind(b"<")
        self._rest = text[cut:] if cut >= 0 else b""
        self._count(text[:cut] if cut >= 0 else text)

    def close(self) -> None:
        if self._in_data:
            self._count(self._rest)

    def _count(self, text: bytes) -> None:
        cells, rows = _CELL.findall(text), _ROW.findall(text)
        marks = b" ".join(cells + rows)
        if _ODD_PLACE.search(marks):
            raise unreadable()
        places = b" ".join(_PLACE.findall(marks))
        columns = {name for name in places.translate(None, _NO_DIGITS).split() if name}
        numbers = map(int, places.translate(None, _NO_LETTERS).split())
        self.columns = max(self.columns, max(map(_column_number, columns), default=0))
        self.rows = max(self.rows, max(numbers, default=0))
        self._count_unplaced(text, len(cells) + len(rows) - len(_PLACE.findall(marks)))
        self._count_shared(text, len(_SHARES.findall(b" ".join(cells))))
