"""`results.xlsx`: written row by row, so that memory does not grow with the rows, and whole at any moment.

No cell is a formula. Links and thumbnails are kept in memory by the format's writer until the file is
closed, so only the first rows have them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path

from PIL import Image
from xlsxwriter import Workbook
from xlsxwriter.exceptions import XlsxWriterException
from xlsxwriter.format import Format
from xlsxwriter.url import Url
from xlsxwriter.worksheet import Worksheet

from watcher.core.errors import DiskError
from watcher.core.jobs import Picture, RowState
from watcher.core.naming import thumbnail_file
from watcher.core.report import MOST_ROWS, Cell, SheetRow
from watcher.outbox.faults import told
from watcher.outbox.pictures import BROKEN

_SIDE = 96  # pixels of the square that a row's thumbnails share
_SHARPER = 4 / 3  # as many pixels are stored, for screens that have them
_GRID = (1, 4, 9)  # thumbnails in that square: alone, two by two, three by three
_QUALITY = 78
_WIDTHS = {"result_picture": 14, "result_status": 12, "result_hint": 40, "result_error": 40,
           "result_text": 60, "result_files": 36, "result_adjustments": 40}  # fmt: skip
_WIDTH = 22  # characters
_COLOURS = {  # ground and ink, read by people who see no red or green by its words
    RowState.DONE: ("#DDEFE3", "#1D5B3A"),
    RowState.PARTIAL: ("#FBEBCB", "#6B4A00"),
    RowState.FAILED: ("#F9D9D6", "#8A1C14"),
    RowState.CANCELLED: ("#E4E4E4", "#444444"),
    RowState.WAITING: ("#E3E8F7", "#2B3A75"),
    RowState.RUNNING: ("#E3E8F7", "#2B3A75"),
    RowState.QUEUED: ("#F2F2F2", "#555555"),
}
_PLAIN = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a workbook tells. `most_shown`: rows with thumbnails and links."""

    columns: Sequence[str]
    rows: Iterable[SheetRow]
    summary: Iterable[tuple[str, Cell]]
    most_shown: int


def write_workbook(file: Path, contents: Contents, *, read: Callable[[str], bytes]) -> None:
    """Write `file` anew. `read` gives a file of the job's folder by name, or raises DiskError. Small
    copies of the thumbnails are kept beside `file`: the next time is quicker. Raises DiskError.
    """
    with told(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(Workbook(str(file), {**_PLAIN, "tmpdir": str(file.parent)})) as book:
                _write_rows(book, contents, _Small(read, file.parent))
                _write_summary(book, contents.summary)
        except XlsxWriterException as error:
            raise DiskError(f"{file} cannot be written: {error}", "It is tried again.") from error


def _write_rows(book: Workbook, contents: Contents, small: _Small) -> None:
    sheet, columns = book.add_worksheet("Results"), contents.columns
    top = book.add_format({"valign": "top", "text_wrap": True})
    states = {state: _status(book, *colours) for state, colours in _COLOURS.items()}
    link = book.add_format({"valign": "top", "text_wrap": True, "hyperlink": True})
    status, files = columns.index("result_status"), columns.index("result_files")
    sheet.set_default_row(_SIDE * 3 / 4 + 6)
    sheet.freeze_panes(1, 1)
    for at, name in enumerate(columns):
        sheet.set_column(at, at, _WIDTHS.get(name, _WIDTH), top)
    sheet.set_row(0, 20)
    sheet.write_row(0, 0, columns, book.add_format({"bold": True, "bottom": 1}))
    number = 0
    for number, row in enumerate(islice(contents.rows, MOST_ROWS), start=1):
        for at, value in enumerate(row.cells, start=1):
            if value != "":
                style = states[row.state] if at == status else top
                _write(sheet, number, at, value, style)
        if number <= contents.most_shown:
            _show(sheet, number, row.pictures, small)
            if row.pictures:
                url = _link(row.pictures[0])
                url.text = str(row.cells[files - 1])
                sheet.write_url(number, files, url, link)
    sheet.autofilter(0, 0, max(number, 1), len(columns) - 1)


def _write(sheet: Worksheet, row: int, at: int, value: Cell, style: Format) -> None:
    if isinstance(value, str):
        sheet.write_string(row, at, value, style)
    else:
        sheet.write_number(row, at, value, style)


def _status(book: Workbook, ground: str, ink: str) -> Format:
    return book.add_format(
        {"bg_color": ground, "font_color": ink, "bold": True, "valign": "top", "border": 1,
         "border_color": "#FFFFFF"}
    )  # fmt: skip


def _link(picture: Picture) -> Url:
    """With the slashes that office programs of all systems follow: the writer's own are for Windows."""
    url = Url(f"external:{picture.file}")
    url._set_object_link()  # noqa: SLF001 - as it does itself for links of pictures
    return url


def _show(sheet: Worksheet, row: int, pictures: Sequence[Picture], small: _Small) -> None:
    """The thumbnails of a row within one cell, each a link to its picture."""
    most = next((grid for grid in _GRID if len(pictures) <= grid), _GRID[-1])
    each = _SIDE // round(most**0.5)
    for place, picture in enumerate(pictures[:most]):
        if (found := small.of(picture)) is None:
            continue
        copy, (width, height) = found
        scale = (each - 2) / max(width, height)
        across, down = place % round(most**0.5), place // round(most**0.5)
        sheet.insert_image(
            row, 0, str(copy),
            {"x_scale": scale, "y_scale": scale, "x_offset": 3 + across * each,
             "y_offset": 3 + down * each, "object_position": 1, "url": f"external:{picture.file}",
             "tip": picture.file, "description": picture.file},
        )  # fmt: skip


def _write_summary(book: Workbook, lines: Iterable[tuple[str, Cell]]) -> None:
    sheet = book.add_worksheet("Summary")
    bold = book.add_format({"bold": True, "valign": "top"})
    plain = book.add_format({"valign": "top", "text_wrap": True, "align": "left"})
    sheet.set_column(0, 0, 18)
    sheet.set_column(1, 1, 80)
    for at, (name, value) in enumerate(lines):
        sheet.write_string(at, 0, name, bold)
        _write(sheet, at, 1, value, plain)


class _Small:
    """Thumbnails in a format that workbooks take (they take no WebP), each made once."""

    def __init__(self, read: Callable[[str], bytes], into: Path) -> None:
        self._read = read
        self._into = into

    def of(self, picture: Picture) -> tuple[Path, tuple[int, int]] | None:
        """The copy and its size in pixels; none of a drawing, or where the thumbnail is not there."""
        copy = self._into / f"{picture.sha256}.jpg"
        try:
            if not copy.exists():
                part = copy.with_suffix(".part")
                part.write_bytes(_on_white(self._read(thumbnail_file(picture.file))))
                part.replace(copy)
            with Image.open(copy) as image:
                return copy, image.size
        except (DiskError, *BROKEN):
            return None


def _on_white(thumbnail: bytes) -> bytes:
    with Image.open(BytesIO(thumbnail), formats=["WEBP"]) as image:
        image.thumbnail((_SIDE * _SHARPER, _SIDE * _SHARPER))
        colours = image.convert("RGBA")
    plain = Image.new("RGB", colours.size, "white")
    plain.paste(colours, mask=colours.getchannel("A"))
    sink = BytesIO()
    plain.save(sink, "JPEG", quality=_QUALITY)
    return sink.getvalue()
