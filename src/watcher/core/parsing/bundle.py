"""A zip drop: one file with rows, and the pictures that they name. Bounded before anything is unfolded.

Sizes are bounded twice: by what the directory declares, and because no more than that is unfolded.
"""

from __future__ import annotations

import errno
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from watcher.core.errors import DropError
from watcher.core.parsing.drop import torn

MAX_ENTRIES = 1_000
MAX_UNFOLDED = 256 * 1024**2  # bytes of all entries together
_MAX_RATIO = 100
_RATIO_FROM = 1024**2
_ENCRYPTED = 0x1
_UTF8 = 0x800
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NOT_MEANT = ("__macosx", ".ds_store", "thumbs.db", "desktop.ini")
_FAULTS = (
    OSError,
    zlib.error,
    struct.error,
    NotImplementedError,
    RuntimeError,
    ValueError,
    EOFError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """An opened zip drop. `table`: the path in it of the file with the rows; `notes`: for the results."""

    table: str
    notes: tuple[str, ...]
    _archive: zipfile.ZipFile
    _entries: Mapping[str, zipfile.ZipInfo] = field(repr=False)

    def rows(self) -> bytes:
        """The file with the rows, unfolded. Raises DropError."""
        return _unfold(self._archive, self._entries[self.table])

    def picture(self, reference: str) -> bytes | None:
        """The file that a row names: beside the table, else from the top; None where there is none.

        Raises DropError for a reference that leads out, and for an entry that is damaged.
        """
        folder = self.table.rpartition("/")[0]
        for start in dict.fromkeys((folder, "")):
            path = "/".join(_steps(f"{start}/{reference}".lstrip("/") if start else reference))
            if found := self._find(path):
                return _unfold(self._archive, found)
        return None

    def _find(self, path: str) -> zipfile.ZipInfo | None:
        if found := self._entries.get(path):
            return found
        folded = path.casefold()
        return next((e for name, e in self._entries.items() if name.casefold() == folded), None)


def open_bundle(
    stream: BinaryIO, *, kind_of: Callable[[str], str | None], max_bytes: int = MAX_UNFOLDED
) -> Bundle:
    """Open a zip drop from its seekable `stream`, which must stay open as long as it is read from.

    `kind_of` tells the kind of a file by its name (`watcher.core.parsing.kind_of`); no entry may
    unfold to more than `max_bytes`. Raises DropError, or TornDrop for one that ends in the middle.
    """
    stream.seek(0)
    head = stream.read(4)
    try:
        archive = zipfile.ZipFile(stream)
        entries = _entries(archive, max_bytes)
    except zipfile.BadZipFile as error:
        _raise_of_disk(error)
        if head.startswith(b"PK") and not zipfile.is_zipfile(stream):
            raise torn("The zip archive ends before its end.") from error
        raise _unreadable() from error
    except _FAULTS as error:
        _raise_of_disk(error)
        raise _unreadable() from error
    kinds = {name: kind_of(name) for name in entries}
    tables = sorted(name for name, kind in kinds.items() if kind not in (None, "zip", "picture"))
    if len(tables) != 1:
        raise _not_one_table(tables)
    others = sum(kind in (None, "zip") for kind in kinds.values())
    verb = "was" if others == 1 else "were"
    left = f"{others:,} of the files in the archive {verb} left alone: neither rows nor pictures."
    return Bundle(
        table=tables[0], notes=(left,) if others else (), _archive=archive, _entries=entries
    )


def _entries(archive: zipfile.ZipFile, max_bytes: int) -> dict[str, zipfile.ZipInfo]:
    """Every file that is meant, by its path; everything that is declared is within its bounds."""
    members = archive.infolist()
    if len(members) > MAX_ENTRIES:
        raise _too_much(f"has {len(members):,} entries, and the limit is {MAX_ENTRIES:,}")
    if sum(member.file_size for member in members) > MAX_UNFOLDED:
        raise _too_much(f"unfolds to more than {MAX_UNFOLDED // 1024**2} MB, which is the limit")
    found = {}
    for member in members:
        path = "/".join(_steps(_name(member)))
        if path and not member.filename.endswith("/") and not _is_clutter(path):
            _check(member, path, max_bytes)
            found[path] = member
    return found


def _check(member: zipfile.ZipInfo, path: str, max_bytes: int) -> None:
    if stat.S_ISLNK(member.external_attr >> 16):
        raise DropError(
            f"“{path}” in the archive is a link.", "Pack the file itself.", code="zip_link"
        )
    if member.flag_bits & _ENCRYPTED:
        raise DropError(
            "The zip archive is protected by a password.", "Pack it without one.", code="locked"
        )
    if member.compress_type not in _METHODS:
        raise _unreadable()
    if member.file_size > max_bytes:
        raise _too_much(f"holds “{path}”, which unfolds to more than {max_bytes / 1e6:,.0f} MB")
    if member.file_size > _RATIO_FROM and member.file_size > _MAX_RATIO * member.compress_size:
        raise _too_much(f"holds “{path}”, which is packed more than {_MAX_RATIO} to 1")


def _name(member: zipfile.ZipInfo) -> str:
    """Older programs write UTF-8 and do not say so."""
    if member.flag_bits & _UTF8:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return member.filename


def _steps(path: str) -> list[str]:
    """The steps of a path in the archive, one spelling for all. Raises DropError where it leads out."""
    plain = unicodedata.normalize("NFC", path).replace("\\", "/")
    steps = [step for step in plain.split("/") if step not in ("", ".")]
    if plain.startswith("/") or ".." in steps or "\0" in plain or plain[1:2] == ":":
        shown = path if path.isprintable() else ascii(path)
        raise DropError(
            f"“{shown[:100]}” was refused: no path may lead out of the archive.",
            "Name the files without “..” or a leading “/”.",
            code="zip_path",
        )
    return steps


def _is_clutter(path: str) -> bool:
    return any(step in _NOT_MEANT or step.startswith("._") for step in path.casefold().split("/"))


def _unfold(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    try:
        with archive.open(member) as file:  # gives no more than the directory declares
            return file.read()
    except (zipfile.BadZipFile, *_FAULTS) as error:
        _raise_of_disk(error)
        raise _unreadable() from error


def _raise_of_disk(error: Exception) -> None:
    """A disk that fails is no fault of the archive, also where the library says so; a wrong offset in it is (EINVAL)."""
    found = error if isinstance(error, OSError) else error.__context__
    if isinstance(found, OSError) and found.errno not in {None, errno.EINVAL}:
        raise found


def _not_one_table(tables: list[str]) -> DropError:
    if not tables:
        what = "There is no file with rows in the archive."
    else:
        more = "" if len(tables) <= 5 else ", …"  # noqa: PLR2004 - names in a sentence
        what = f"There are {len(tables):,} files with rows in the archive: {', '.join(tables[:5])}{more}."
    return DropError(
        what,
        "Pack exactly one table or prompt file, and the pictures that it names.",
        code="zip_rows",
    )


def _too_much(what: str) -> DropError:
    return DropError(f"The zip archive {what}.", "Pack fewer or smaller files.", code="bomb")


def _unreadable() -> DropError:
    return DropError(
        "This is not a zip archive that can be read.",
        "Pack it anew as an ordinary .zip.",
        code="bad_zip",
    )
