"""Zip drops: one table and its pictures; nothing that is too much, leads out or is locked gets in."""

from __future__ import annotations

import errno
import io
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.core.errors import DropError, TornDrop
from watcher.core.parsing import kind_of
from watcher.core.parsing.bundle import Bundle, open_bundle

TABLE = b"prompt,image\nred,a.png\n"


def packed(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return sink.getvalue()


def opened(content: bytes, **more: Any) -> Bundle:  # noqa: ANN401
    return open_bundle(io.BytesIO(content), kind_of=kind_of, **more)


def refused(content: bytes, **more: Any) -> str:  # noqa: ANN401
    with pytest.raises(DropError) as raised:
        opened(content, **more)
    assert raised.value.what
    assert raised.value.hint
    return raised.value.code


def test_one_table_and_its_pictures() -> None:
    """Names count from the table's folder first, then from the top; case and slashes do not matter."""
    bundle = opened(
        packed({"job/list.csv": TABLE, "job/a.png": b"A", "b.png": b"B", "job/sub/C.PNG": b"C"})
    )
    assert (bundle.table, bundle.rows(), bundle.notes) == ("job/list.csv", TABLE, ())
    assert [bundle.picture(name) for name in ("a.png", "./b.png", "sub\\c.png", "job/a.png")] == [
        b"A",
        b"B",
        b"C",
        b"A",
    ]
    assert bundle.picture("d.png") is None


def test_what_programs_leave_is_not_meant() -> None:
    """Neither a second table nor a word about it."""
    clutter = {
        "__MACOSX/._list.csv": b"x",
        ".DS_Store": b"x",
        "Thumbs.db": b"x",
        "._list.csv": b"x",
    }
    bundle = opened(packed({"list.csv": TABLE, **clutter}))
    assert (bundle.table, bundle.notes) == ("list.csv", ())


def test_other_files_are_left_alone_and_told() -> None:
    """A layout file does no harm."""
    bundle = opened(packed({"list.csv": TABLE, "layout.psd": b"x", "more.zip": b"x"}))
    assert bundle.notes == (
        "2 of the files in the archive were left alone: neither rows nor pictures.",
    )


@pytest.mark.parametrize("files", [{"a.png": b"A"}, {}, {"a.csv": TABLE, "readme.txt": b"x"}])
def test_exactly_one_file_with_rows(files: dict[str, bytes]) -> None:
    """None, or two: nobody knows what is meant."""
    assert refused(packed(files)) == "zip_rows"


@pytest.mark.parametrize(
    "name", ["../a.png", "/etc/a.png", "x/../../a.png", "C:/a.png", "..\\a.png"]
)
def test_no_path_leaves_the_archive(name: str) -> None:
    """Neither as a name in it, nor as a reference."""
    assert refused(packed({"list.csv": TABLE, name: b"x"})) == "zip_path"
    with pytest.raises(DropError):
        opened(packed({"list.csv": TABLE})).picture(name)


def test_a_link_is_refused() -> None:
    """It could lead anywhere."""
    sink = io.BytesIO(packed({"list.csv": TABLE}))
    with zipfile.ZipFile(sink, "a") as archive:
        link = zipfile.ZipInfo("a.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    assert refused(sink.getvalue()) == "zip_link"


def test_too_much_is_refused_before_it_is_unfolded() -> None:
    """Entries, their size, all sizes together, how tightly they are packed."""
    many = {f"{number}.png": b"x" for number in range(1_001)}
    assert refused(packed({"list.csv": TABLE, **many})) == "bomb"
    assert refused(packed({"list.csv": TABLE, "a.png": bytes(2 << 20)})) == "bomb"
    stored = packed({"list.csv": TABLE, "a.png": bytes(2 << 20)}, zipfile.ZIP_STORED)
    assert refused(stored, max_bytes=1 << 20) == "bomb"
    lying = packed({"list.csv": TABLE, "a.png": b"x"}).replace(
        (1).to_bytes(4, "little") + (5).to_bytes(2, "little"),
        (300 << 20).to_bytes(4, "little") + (5).to_bytes(2, "little"),
    )
    assert refused(lying) == "bomb"


def test_an_entry_gives_no_more_than_it_declares() -> None:
    """A directory that lies about sizes makes a damaged archive, not a large one."""
    content = bytearray(packed({"a.png": bytes(900_000), "list.csv": TABLE}))
    place = content.index(b"PK\x01\x02")
    content[place + 24 : place + 28] = (10).to_bytes(4, "little")
    with pytest.raises(DropError) as raised:
        opened(bytes(content)).picture("a.png")
    assert raised.value.code == "bad_zip"


def test_a_password_is_told() -> None:
    """By the flag in the directory."""
    content = bytearray(packed({"list.csv": TABLE}))
    place = content.index(b"PK\x01\x02")
    content[place + 8] |= 1
    assert refused(bytes(content)) == "locked"


class BrokenDisk(io.BytesIO):
    """Fails at every read after the first."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 0:
            raise OSError(errno.EIO, "Input/output error")
        return super().read(size)


def test_a_broken_disk_is_no_fault_of_the_archive() -> None:
    """What the disk refuses is told as that, so that the drop is read again; it is not called unreadable."""
    with pytest.raises(OSError, match="Input/output"):
        open_bundle(BrokenDisk(packed({"list.csv": b"prompt\na cat\n"})), kind_of=kind_of)


def test_half_an_archive_is_waited_for() -> None:
    """It may still be being copied; what never was an archive is refused."""
    with pytest.raises(TornDrop):
        opened(packed({"list.csv": TABLE})[:-20])
    assert refused(b"this is text") == "bad_zip"
    assert refused(b"") == "bad_zip"


def test_names_of_older_programs() -> None:
    """UTF-8 without the flag that says so."""
    content = packed({"list.csv": TABLE, "cafe.png": b"A"}).replace(
        b"cafe.png", "caf\u00e9png".encode()
    )
    assert opened(content, max_bytes=10**6).picture("caf\u00e9png") == b"A"


SEED = packed({"job/list.csv": TABLE, "job/a.png": b"picture" * 30})


@settings(max_examples=400, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, len(SEED) - 1), st.integers(0, 255)), max_size=5),
    cut=st.integers(0, 40),
)
def test_damaged_archives_never_raise_anything_else(
    changes: list[tuple[int, int]], cut: int
) -> None:
    """A bundle, or a sentence."""
    content = bytearray(SEED)
    for place, value in changes:
        content[place] = value
    with suppress(DropError):
        bundle = opened(bytes(content[: len(content) - cut]))
        bundle.rows()
        bundle.picture("a.png")
