"""The pictures that rows name: found inside the drop, beside it, or in the inbox's asset folders.

No link is followed, no reference leaves its folder; what is read is whole, or it is not there yet.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from watcher.core.errors import DiskError, DropError, WatcherError
from watcher.core.planning.values import shown
from watcher.inbox import beneath, syncs
from watcher.inbox.lease import Writers, writers_of
from watcher.inbox.marker import require
from watcher.inbox.patience import Patience
from watcher.inbox.snapshot import on_disk
from watcher.inbox.values import AGAIN, ARCHIVES, OURS, URGENT, InboxFolder, signature_of
from watcher.inbox.waiting import final_code
from watcher.inbox.words import in_words, who, worded

_NOT_OURS_TO_GIVE = frozenset(name.encode() for name in (OURS, *ARCHIVES))
_WAYS = frozenset(name.encode() for name in (AGAIN, URGENT))
_ELSEWHERE = re.compile(r"[A-Za-z]:|file:|//|~/", re.IGNORECASE)
_CHUNK = 1 << 20
_PATIENCE = 30.0  # seconds for one picture to be found
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


T = TypeVar("T")


class PictureAbsent(WatcherError):  # noqa: N818 - a state, not a fault
    """The picture is not there yet, or not whole yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPicture:
    """`path`: where it lies in the inbox, when it travels with its drop; b"" for all others."""

    content: bytes
    path: bytes = b""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturePlaces:
    """Where the pictures of one drop may lie. `drop`: its path in the inbox.

    `inside` gives what the drop itself holds under a name, or None. `patience`: the inbox's, with its assets.
    """

    folder: InboxFolder
    drop: bytes
    assets: tuple[Path, ...]
    inside: Callable[[str], bytes | None]
    patience: Patience = field(default_factory=Patience)

    def find(self, reference: str) -> FoundPicture:
        """The picture of that name, read whole.

        Raises PictureAbsent; DropError for a reference that leads out, a link, a file that is
        larger than the inbox takes or may not be read; InboxError or DiskError for a whole inbox.
        """
        if (content := self.inside(reference)) is not None:
            return FoundPicture(content=content)
        return self._in_time(partial(self._find, reference))

    def has(self, reference: str) -> bool:
        """Whether looking for it again is worth while: it is there, or will never do."""
        return self._in_time(partial(self._has, reference))

    def _in_time(self, look: Callable[[], T]) -> T:
        """An inbox that hangs is told by its patrol, which cannot see a folder of assets that does."""
        if not self.assets:
            return look()
        try:
            return self.patience.within(self._seconds, look)
        except TimeoutError:
            folders = ", ".join(map(str, self.assets))
            raise DiskError(
                f"Looking for pictures took too long; does {folders} answer?",
                "Look at its disk or share; drops are taken when it answers again.",
                code="disk_away",
            ) from None

    @property
    def _seconds(self) -> float:
        """As long as the largest picture takes at a megabyte a second, and some."""
        return _PATIENCE + self.folder.max_file_bytes / 1e6

    def _find(self, reference: str) -> FoundPicture:
        with self._opened(reference) as (fd, path):
            return FoundPicture(content=self._read(fd, reference), path=path)

    def _has(self, reference: str) -> bool:
        try:
            with self._opened(reference) as (fd, _):
                return os.fstat(fd).st_size > 0 and writers_of(fd) is not Writers.SOME
        except PictureAbsent:
            return False
        except DropError:
            return True

    @contextmanager
    def _opened(self, reference: str) -> Iterator[tuple[int, bytes]]:
        for root, path, is_inbox in self._places(reference):
            if (fd := self._open(root, path, is_inbox=is_inbox)) is not None:
                try:
                    _expect_plain(fd, reference)
                    yield fd, path if is_inbox else b""
                finally:
                    os.close(fd)
                return
        raise PictureAbsent(f"{shown(reference)} is not there.")

    def _places(self, reference: str) -> Iterator[tuple[Path, bytes, bool]]:
        for where in self._beside():
            for name in _spellings(reference):
                path = beneath.join(where, name)
                if beneath.parts(path)[0] in _NOT_OURS_TO_GIVE:
                    raise _refused(reference)
                yield self.folder.path, path, True
        for folder in self.assets:
            for name in _spellings(reference):
                yield folder, name, False

    def _beside(self) -> Iterator[bytes]:
        """The drop's own folder; `again` and `urgent` are ways to drop, and its pictures may lie above."""
        where = self.drop.rpartition(b"/")[0]
        yield where
        above, _, last = where.rpartition(b"/")
        if last.lower() in _WAYS:
            yield above

    def _open(self, root: Path, path: bytes, *, is_inbox: bool) -> int | None:
        """None where there is no such file; an inbox that is away is not an empty one."""
        try:
            if is_inbox:
                with in_words(root), beneath.root_of(root) as top:
                    require(self.folder, top)
            return beneath.open_beneath(root, path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError:
            raise DropError(
                f"{shown(os.fsdecode(path))} may not be read by this service ({who()}).",
                "Let it read the picture, and drop the row again.",
            ) from None
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return None
            raise worded(root, error) from None

    def _read(self, fd: int, reference: str) -> bytes:
        before, limit = os.fstat(fd), self.folder.max_file_bytes
        if before.st_size > limit:
            raise DropError(
                f"{shown(reference)} has {before.st_size / 1e6:,.1f} MB; this inbox takes files of up to {limit / 1e6:,.1f} MB.",
                "Make it smaller, or raise max_file_mb of this inbox.",
            )
        if not before.st_size or writers_of(fd) is Writers.SOME:
            raise PictureAbsent(f"{shown(reference)} is still being written.")
        content = bytearray()
        with in_words(self.folder.path):
            while len(content) <= limit and (chunk := os.read(fd, _CHUNK)):
                content += chunk
        if signature_of(os.fstat(fd))[:4] != signature_of(before)[:4]:
            raise PictureAbsent(f"{shown(reference)} is still being written.")
        return bytes(content)


def sha256_in(folder: InboxFolder, path: bytes) -> str | None:
    """The SHA-256 (hex) of a file in the inbox now; None where there is none that may be read."""
    with (
        suppress(OSError, DropError),
        os.fdopen(beneath.open_beneath(folder.path, path), "rb") as file,
    ):
        return hashlib.file_digest(file, "sha256").hexdigest()
    return None


def keep_picture(content: bytes, into: Path) -> None:
    """Write a picture whole and synced, or leave one of that name, which has the same bytes. Raises DiskError."""
    if into.exists():
        return
    part = into.with_name(f"{into.name}.part")
    with on_disk(part):
        with os.fdopen(os.open(part, _NEW, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.rename(into)
        with beneath.root_of(into.parent) as folder:
            syncs.sync(folder)


def _spellings(reference: str) -> Iterator[bytes]:
    """The reference as a path below some folder, in the two ways in which systems write accents.

    Raises DropError where it leads elsewhere by itself.
    """
    plain = reference.replace("\\", "/")
    if _ELSEWHERE.match(plain):
        raise _refused(reference)
    try:
        spelt = [unicodedata.normalize(form, plain).encode() for form in ("NFC", "NFD")]
        for name in dict.fromkeys(spelt):
            if not beneath.parts(name) or name.endswith(b"/"):
                raise _refused(reference)
            yield name
    except ValueError:
        raise _refused(reference) from None


def _expect_plain(fd: int, reference: str) -> None:
    """A second name of a file of root's or ours may be a secret that its dropper cannot read but we can."""
    if final_code(os.fstat(fd)):
        raise _refused(reference)


def _refused(reference: str) -> DropError:
    return DropError(
        f"{shown(reference)} was refused: it is not a plain file inside the folder.",
        "Put the file itself beside the drop, and name it without “..” or a leading “/”.",
    )
