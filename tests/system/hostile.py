"""Drops that are traps, each made by a function that gets the path to make it at."""

from __future__ import annotations

import os
import socket
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

PACKED = zipfile.ZIP_DEFLATED
CHUNK = 2**20


def fifo(file: Path) -> None:
    os.mkfifo(file)


def socket_file(file: Path) -> None:
    here = Path.cwd()
    os.chdir(file.parent)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as link:
        link.bind(file.name)
    os.chdir(here)


def link(file: Path) -> None:
    file.symlink_to("/etc/passwd")


def dangling(file: Path) -> None:
    file.symlink_to(file.with_name("nothing"))


def second_name(file: Path) -> None:
    """Of a file of ours that whoever drops could not read."""
    secret = file.with_name("secret")
    secret.write_text("prompt\nthe secret\n")
    file.hardlink_to(secret)


def folder(file: Path) -> None:
    (file / "in it").mkdir(parents=True)


def closed(file: Path) -> None:
    file.write_text("prompt\na cat\n")
    file.chmod(0)


def nothing(file: Path) -> None:
    file.touch()


def huge(file: Path) -> None:
    with file.open("wb") as sink:
        sink.write(b"prompt\n")
        sink.truncate(2**30)


def nested(file: Path) -> None:
    file.write_text("[" * 200_000 + "]" * 200_000)


def nested_yaml(file: Path) -> None:
    file.write_text("".join(f"{' ' * depth}a:\n" for depth in range(1000)))


def long_number(file: Path) -> None:
    file.write_text('[{"prompt": "a cat", "n": ' + "9" * 200_000 + "}]")


def aliases(file: Path) -> None:
    lines = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    file.write_text("\n".join(["a0: &a0 [x, x]", *lines]))


def wide(file: Path) -> None:
    file.write_text(",".join(f"c{n}" for n in range(100_000)) + "\n" + "," * 99_999 + "\n")


def huge_cell(file: Path) -> None:
    file.write_text("prompt\n" + "a" * 30_000_000 + "\n")


def open_quote(file: Path) -> None:
    file.write_text('prompt\n"' + "a,b\n" * 5_000_000)


def other_bytes(file: Path) -> None:
    file.write_bytes(b"prompt\n" + bytes(range(256)) * 4000)


def zip_bomb(file: Path) -> None:
    with zipfile.ZipFile(file, "w", PACKED) as archive, archive.open("rows.csv", "w") as rows:
        rows.write(b"prompt\n")
        for _ in range(300):
            rows.write(b"a" * CHUNK)


def zip_that_leads_out(file: Path) -> None:
    with zipfile.ZipFile(file, "w", PACKED) as archive:
        archive.writestr("rows.csv", "prompt,image\na cat,../../x.png\n")
        archive.writestr("../../x.png", "x")


def zip_of_many(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{number}.png", "")


def workbook(file: Path, sheet: bytes, times: int, after: bytes = b"") -> None:
    with zipfile.ZipFile(file, "w", PACKED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook><sheets><sheet name='a' sheetId='1'/></sheets></workbook>")  # fmt: skip
        with archive.open("xl/worksheets/sheet1.xml", "w") as part:
            part.write(b"<worksheet><sheetData>")
            for _ in range(times):
                part.write(sheet)
            part.write(after + b"</sheetData></worksheet>")


def workbook_bomb(file: Path) -> None:
    row = b"<row><c t='inlineStr'><is><t>a</t></is></c></row>"
    workbook(file, row * 20_000, 400)


def workbook_that_lies(file: Path) -> None:
    """Its directory declares a few bytes where 400 MB are."""
    workbook_bomb(file)
    content = bytearray(file.read_bytes())
    at = content.rindex(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", 1000)
    file.write_bytes(content)


def workbook_of_two_cells(file: Path) -> None:
    """So far apart that all between them would not fit into any memory."""
    workbook(file, b"<row r='1'><c r='A1'><v>1</v></c></row>", 1, b"<row r='1048576'><c r='XFD1048576'><v>1</v></c></row>")  # fmt: skip


def picture_bomb(file: Path) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        summed = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + summed

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(60_000 * 3 * 100), 9)
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))  # fmt: skip


def device(file: Path) -> None:
    os.mknod(file, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero: it never ends


Trap = Callable[[Path], None]

# Left where they are, each with a note in which the word stands.
LEFT: dict[str, tuple[Trap, str]] = {
    "fifo.csv": (fifo, "not a plain file"),
    "socket.csv": (socket_file, "not a plain file"),
    "device.csv": (device, "not a plain file"),
    "link.csv": (link, "is a link"),
    "dangling.csv": (dangling, "is a link"),
    "second.csv": (second_name, "second name"),
    "folder.csv": (folder, "is a folder"),
    "closed.csv": (closed, "may not be read"),
}
# Taken, refused with a note and a reason in which the word stands, and moved to `failed`.
REFUSED: dict[str, tuple[Trap, str]] = {
    "empty.csv": (nothing, "empty"),
    "huge.csv": (huge, "1,073.7 MB"),
    "nested.json": (nested, "nested in each other"),
    "nested.yaml": (nested_yaml, "nested in each other"),
    "aliases.yaml": (aliases, "are not taken"),
    "number.json": (long_number, "is not a number"),
    "wide.csv": (wide, "columns"),
    "cell.csv": (huge_cell, "characters"),
    "quote.csv": (open_quote, "characters"),
    "bytes.csv": (other_bytes, "encoding"),
    "bomb.zip": (zip_bomb, "unfolds to more than"),
    "out.zip": (zip_that_leads_out, "lead out"),
    "many.zip": (zip_of_many, "entries"),
    "bomb.xlsx": (workbook_bomb, "unfolds to more than"),
    "lies.xlsx": (workbook_that_lies, "not an Excel workbook"),
    "cells.xlsx": (workbook_of_two_cells, "cells"),
}
# Taken; its one row fails, in words.
ROWS: dict[str, Trap] = {"bomb.png": picture_bomb}
# Names that are nothing but odd: their rows are done.
NAMES = (
    b"CON.csv",
    b"nul.prompt",
    b"COM1.csv",
    b"\xff\xfe.csv",
    b"two\nlines.csv",
    b"-rf.csv",
    b"$(reboot).csv",
    b"\x1b[31m.csv",
    b"a" * 251 + b".csv",
)
