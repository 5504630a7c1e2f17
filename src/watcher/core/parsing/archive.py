"""What a workbook unfolds to, measured before anything opens it: a few kilobytes can stand for terabytes.

Sizes are counted while inflating, not believed; cells are counted by where they say they stand.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

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

_PREFIX = rb"""(?:[^\s<>/:"']++:)?"""
_ATTRIBUTES = rb"""(?=[\s/>])((?:[^<>"']|"[^"<]*"|'[^'<]*')*+)"""
_CELL = re.compile(rb"<" + _PREFIX + rb"c" + _ATTRIBUTES)
_ROW = re.compile(rb"<" + _PREFIX + rb"row" + _ATTRIBUTES)
_PLACE = re.compile(rb"""\br\s*=\s*["']([^"']*)["']""")
_ODD_PLACE = re.compile(rb"""\br\s*=\s*["'](?![A-Za-z]{0,3}[0-9]{0,7}["'])""")
_ROW_BEGINS = re.compile(rb"<" + _PREFIX + rb"row(?=[\s/>])")
_LETTERS = bytes(range(0x41, 0x5B)) + bytes(range(0x61, 0x7B))
_NOT_LETTERS = b"0123456789"
_ERRORS = re.compile(rb"""\bt\s*=\s*["']e["']""")
_SHARES = re.compile(rb"""\bt\s*=\s*["']s["']""")
_SHARED = re.compile(
    rb"""\bt\s*=\s*["']s["'][^<>]*>(?:<(?:\w+:)?f\b[^<>]*(?:/>|>[^<>]*</(?:\w+:)?f>))?<(?:\w+:)?v>(\d{1,9})<"""
)
_LARGE_CELLS, _LARGE_BYTES = 250_000, 16 * 1024**2
_LONGEST_CELL = 64 * 1024
_LONGEST_TEXT = 4 * 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """`notes`: for the results. `is_large`: opening it takes more memory than a few of them may take at once."""

    notes: tuple[str, ...] = ()
    is_large: bool = False


def check_workbook(stream: BytesIO, limits: Limits) -> Checked:
    """Refuse what is no workbook, is locked or cut off, or unfolds to more than the limits.

    First by what the directory declares, then by inflating every part, some kilobytes at a time.
    """
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
            errors, is_large = _check_cells(stream, archive, limits)
    except zipfile.BadZipFile as error:
        if head.startswith(b"PK") and not zipfile.is_zipfile(stream):
            raise torn("The workbook ends before its end.") from error
        raise unreadable() from error
    except (OSError, zlib.error, NotImplementedError, RuntimeError, ValueError) as error:
        raise unreadable() from error
    note = f"Cells that show a formula error ({errors:,} in this workbook) were read as empty."
    return Checked(notes=(note,) if errors else (), is_large=is_large)


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
    names = [_name(member) for member in members]
    if "xl/workbook.xml" not in names or names.count(_STRINGS) > 1:
        raise unreadable()
    if not set(names).isdisjoint(_OTHER_KINDS):
        raise unreadable()
    if len(members) > _MAX_MEMBERS:
        raise _bomb(f"has {len(members):,} parts, and the limit is {_MAX_MEMBERS:,}")
    if any(member.flag_bits & _ENCRYPTED for member in members):
        raise DropError(
            "The workbook is protected by a password.", "Save it without one.", code="locked"
        )
    if sum(member.file_size for member in members) > limits.max_sheet_bytes:
        raise _too_large(limits)
    for member in members:
        _check_ratio(member, member.file_size)


def _name(member: zipfile.ZipInfo) -> str:
    """As the library looks for it."""
    return member.filename.replace("\\", "/").lower()


def _check_ratio(member: zipfile.ZipInfo, size: int) -> None:
    if size > _RATIO_FROM and size > _MAX_RATIO * member.compress_size:
        raise _bomb(f"is packed more than {_MAX_RATIO} to 1")


def _too_large(limits: Limits) -> DropError:
    return _bomb(
        f"unfolds to more than {limits.max_sheet_bytes // 1024**2:,} MB, which is the limit"
    )


def _check_cells(stream: BytesIO, archive: zipfile.ZipFile, limits: Limits) -> tuple[int, bool]:
    """Inflate every part once: its true size, the span of its cells, the text they repeat.

    Returns how many cells show a formula error, and whether it is large.
    """
    lengths = [0]
    for member in archive.infolist():
        if _name(member) == _STRINGS:
            lengths = _string_lengths(stream, member, limits)
    inflated = shared = errors = cells = 0
    for member in archive.infolist():
        sheet = _Sheet(lengths)
        for chunk in _inflate(stream, member):
            inflated += len(chunk)
            sheet.feed(chunk)
            if max(inflated, shared + sheet.shared) > limits.max_sheet_bytes:
                raise _too_large(limits)
            _check_span(sheet, limits)
        sheet.close()
        _check_span(sheet, limits)
        shared += sheet.shared
        errors += sheet.errors
        cells += sheet.span
    if shared > limits.max_sheet_bytes:
        raise _too_large(limits)
    return errors, cells > _LARGE_CELLS or max(inflated, shared) > _LARGE_BYTES


def _check_span(sheet: _Sheet, limits: Limits) -> None:
    if sheet.span > limits.max_sheet_cells:
        raise _bomb(f"spans more than {limits.max_sheet_cells:,} cells, which is the limit")


def _inflate(stream: BytesIO, member: zipfile.ZipInfo) -> Iterator[bytes]:
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
            _check_ratio(member, size)
            if size > member.file_size:  # a directory that lies: who reads on reads all of it
                raise unreadable()
            yield chunk
    yield inflater.flush()


def _string_lengths(stream: BytesIO, member: zipfile.ZipInfo, limits: Limits) -> list[int]:
    """The length in bytes of each text that cells can share, markup included."""
    lengths: list[int] = []
    rest, size = b"", 0
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
        self.shared = self.errors = 0
        self._lengths = lengths
        self._longest = max(lengths)
        self._rest = b""
        self._in_data = False
        self._last_column = self._last_row = 0
        # Cells and rows may also stand without a place, each beside or below the one before.
        self._rows_without = self._widest_without = self._width = 0

    @property
    def span(self) -> int:
        """The cells of the rectangle from A1 to the furthest cell, at most."""
        columns = self._last_column + self._widest_without
        return columns * (self._last_row + self._rows_without)

    def feed(self, chunk: bytes) -> None:
        text = self._rest + chunk
        if not self._in_data:
            self._in_data = b"sheetData" in text
            self._rest = text if self._in_data else text[-16:]
            return
        # Cut where a cell or row begins, so that none is counted in halves.
        cut = max(text.rfind(b"<c"), text.rfind(b"<row"), 0)
        if len(text) - cut > _LONGEST_CELL:
            cut = max(text.rfind(b"<"), 0)
        self._rest = text[cut:]
        if len(self._rest) > _LONGEST_TEXT:
            raise unreadable()
        self._count(text[:cut])

    def close(self) -> None:
        if self._in_data:
            self._count(self._rest)

    def _count(self, text: bytes) -> None:
        cells, rows = _CELL.findall(text), _ROW.findall(text)
        cell_marks, row_marks = b" ".join(cells), b" ".join(rows)
        if _ODD_PLACE.search(cell_marks) or _ODD_PLACE.search(row_marks):
            raise unreadable()
        cell_places, row_places = _PLACE.findall(cell_marks), _PLACE.findall(row_marks)
        places = b" ".join(cell_places + row_places)
        columns = map(_column_number, set(places.translate(None, _NOT_LETTERS).split()))
        numbers = map(int, places.translate(None, _LETTERS).split())
        self._last_column = max(self._last_column, *columns, 0)
        self._last_row = max(self._last_row, max(numbers, default=0))
        self._rows_without += max(0, len(rows) - len(row_places))
        if len(cell_places) < len(cells):
            self._count_widths(text)
        self.errors += len(_ERRORS.findall(cell_marks))
        self._count_shared(text, len(_SHARES.findall(cell_marks)))

    def _count_widths(self, text: bytes) -> None:
        for number, part in enumerate(_ROW_BEGINS.split(text)):
            self._width = len(_CELL.findall(part)) + (self._width if number == 0 else 0)
            self._widest_without = max(self._widest_without, self._width)

    def _count_shared(self, text: bytes, cells: int) -> None:
        """A cell that is not understood counts as the longest text there is."""
        known = [int(index) for index in _SHARED.findall(text)]
        self.shared += sum(self._lengths[index] for index in known if index < len(self._lengths))
        self.shared += max(0, cells - len(known)) * self._longest


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 0x40
    return number
