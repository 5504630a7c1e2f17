"""Drops that are traps: each gets a note, none stops the daemon or holds up another drop."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.system.house import NO_RIGHTS, House, house, sandbox, wait_for

NOBODY = 65534
SETTLE = 0.2
MOST_MEMORY = 300_000_000


def fifo(file: Path) -> None:
    os.mkfifo(file)


def socket_file(file: Path) -> None:
    link = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(file.parent)  # a socket's path is short
    try:
        link.bind(file.name)
    finally:
        os.chdir(here)
        link.close()


def link(file: Path) -> None:
    file.symlink_to("/etc/passwd")


def folder(file: Path) -> None:
    (file / "in it").mkdir(parents=True)


def closed(file: Path) -> None:
    file.write_text("prompt\na cat\n")
    file.chmod(0)
    os.chown(file, NOBODY, NOBODY)


def huge(file: Path) -> None:
    with file.open("wb") as sink:
        sink.write(b"prompt\n")
        sink.truncate(2**30)


def nested(file: Path) -> None:
    file.write_text("[" * 200_000 + "]" * 200_000)


def aliases(file: Path) -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))]  # fmt: skip
    file.write_text("\n".join(lines))


def zip_bomb(file: Path) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("rows.csv", b"prompt\n" + b"a" * 400_000_000)


def workbook_bomb(file: Path) -> None:
    row = b"<row><c t='inlineStr'><is><t>a</t></is></c></row>"
    sheet = b"<worksheet><sheetData>" + row * 8_000_000 + b"</sheetData></worksheet>"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook><sheets><sheet name='a' sheetId='1'/></sheets></workbook>")  # fmt: skip
        archive.writestr("xl/worksheets/sheet1.xml", sheet)


def picture_bomb(file: Path) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))  # fmt: skip

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(60_000 * 3 * 100), 9)
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))  # fmt: skip


# What is dropped, and a word of the note that it must get.
TRAPS: dict[str, tuple[Callable[[Path], None], str]] = {
    "fifo.csv": (fifo, "not a plain file"),
    "socket.csv": (socket_file, "not a plain file"),
    "link.csv": (link, "is a link"),
    "folder.csv": (folder, "is a folder"),
    "huge.csv": (huge, "MB"),
    "nested.json": (nested, ""),
    "aliases.yaml": (aliases, ""),
    "bomb.zip": (zip_bomb, ""),
    "bomb.xlsx": (workbook_bomb, ""),
    "bomb.png": (picture_bomb, ""),
}


def note_of(home: House, name: str) -> str:
    return wait_for(lambda: home.note(name), 60, f"a note beside {name}")


def drop_others(home: House, seconds: float) -> None:
    """A plain drop every quarter of a second; each becomes a job as soon as it always does."""
    dropped: dict[str, float] = {}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        name = f"plain-{len(dropped)}.prompt"
        home.drop(name, f"a plain picture, number {len(dropped)}")
        dropped[name] = time.time()
        time.sleep(0.25)

    def accepted() -> dict[str, str]:
        return {line["file"]: line["time"] for line in home.events("job.accepted")}

    wait_for(lambda: dropped.keys() <= accepted().keys(), 10, "the plain drops are jobs")
    assert home.process is not None
    assert home.process.poll() is None


def test_traps(tmp_path: Path) -> None:
    """Every trap gets a note in words, within seconds; the others go on; nothing ends, nothing swells."""
    settings = {
        "inboxes": {
            "main": {"images": {"operation": "edit", "prompt": "brighter"}, "settle": SETTLE}
        }
    }
    with sandbox() as api, house(tmp_path, api.base_url, settings) as home:
        beside = tmp_path / "beside"
        beside.mkdir()
        for name, (make, _) in TRAPS.items():
            make(beside / name)
        for name in TRAPS:
            (beside / name).rename(home.inbox / name)
        (home.inbox / "unknown.psd").write_text("x")
        drop_others(home, 6.0)
        for name, (_, word) in TRAPS.items():
            note = note_of(home, name)
            assert word in note, name
            assert "Traceback" not in note
        folder_note = wait_for(lambda: home.note("_image-watcher"), 30, "the folder's note")
        assert "unknown.psd" in folder_note
        for name in ("huge.csv", "nested.json", "aliases.yaml", "bomb.zip", "bomb.xlsx"):
            wait_for(lambda name=name: list(home.inbox.glob(f"failed/*/*/{name}")), 30, f"{name} is archived")  # type: ignore[misc]  # fmt: skip
        for name in ("fifo.csv", "socket.csv", "link.csv", "folder.csv", "unknown.psd"):
            assert os.path.lexists(home.inbox / name), name
        assert home.peak_rss_bytes() < MOST_MEMORY
        assert "root:" not in home.log_text()
        assert home.stop() == 0


def test_nothing_in_it(tmp_path: Path) -> None:
    """A file of 0 bytes is waited for and said so, and is taken as soon as something is in it."""
    with sandbox() as api, house(tmp_path, api.base_url) as home:
        empty = home.inbox / "empty.csv"
        empty.write_text("")
        note = wait_for(lambda: home.note("empty.csv"), 100, "its note")
        assert "empty" in note
        empty.write_text("prompt\na cat\n")
        assert home.wait_over("empty.csv").statuses == ["done"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of others")
@pytest.mark.skipif(not shutil.which("setpriv"), reason="there is no setpriv (util-linux)")
def test_may_not_be_read(tmp_path: Path) -> None:
    """A file that this service may not read gets the command that helps beside it; then it is taken."""
    with sandbox() as api, house(tmp_path, api.base_url, start=False) as home:
        home.wrapper = NO_RIGHTS
        home.inbox.mkdir()
        closed(home.inbox / "closed.csv")
        home.start()
        drop_others(home, 1.0)
        wait_for(lambda: "chmod" in home.note("closed.csv"), 100, "its note")
        (home.inbox / "closed.csv").chmod(0o644)
        assert home.wait_over("closed.csv", 100).statuses == ["done"]
