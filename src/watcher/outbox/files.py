"""Files in a job's folder. Each is written beside its name, synced, renamed and its folder synced, so
that a reader, or a power cut, finds the old file or the new one, whole. No link in the outbox is followed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from watcher.core.errors import DiskError
from watcher.core.jobs import Picture
from watcher.core.naming import metadata_file, picture_file, rendition_file, thumbnail_file
from watcher.outbox.faults import told
from watcher.outbox.marker import Marker
from watcher.outbox.pictures import PictureFacts
from watcher.outbox.renditions import Copy

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a pipe that nobody writes to must not hang.
_PLAIN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe holds up nobody
_BUFFER = 1 << 16
_NO_FILE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ENAMETOOLONG)
_RENDITIONS = "renditions"
_REDONE = "redone"
_SUBFOLDERS = ("approved", "images", "metadata", "redo", "rejected", "thumbnails")


class Outbox:
    """The folder `root` and the folders of jobs in it. Every method raises DiskError with a sentence
    when the disk does not take it; what was there before then is there still.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._marker: Marker | None = None

    def create(self, marker: Marker | None = None) -> None:
        """Make the outbox itself, with its marker, at the first start. Later a missing outbox is a fault: its
        disk is away.
        """
        self._marker = marker
        with told(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
        self.require()

    def expect(self, marker: Marker) -> None:
        """It was here before: what has not this marker is only what it is mounted on."""
        self._marker = marker

    def require(self) -> None:
        """Raises DiskError when the outbox is away."""
        with told(self.root), self._here():
            pass

    def is_here(self) -> bool:
        try:
            self.require()
        except DiskError:
            return False
        return True

    def prepare(self, folder: str) -> None:
        """Make `<root>/<folder>` with its own folders; no harm when they are there."""
        with told(self.root / folder), self._here() as root:
            with _made(folder, root) as job:
                for name in _SUBFOLDERS:
                    with _made(name, job):
                        pass
                _sync_folder(job)
            _sync_folder(root)

    def make_folder(self, folder: str, name: str) -> None:
        """Make a folder within the job's; no harm when it is there."""
        with (
            told(self.root / folder / name),
            self._here() as root,
            _walked(root, _plain(folder)) as job,
            _made(name, job),
        ):
            _sync_folder(job)

    def save_picture(
        self, folder: str, stem: str, index: int, content: bytes, facts: PictureFacts
    ) -> Picture:
        """Put a picture in place, byte for byte, and its thumbnail. `stem` is its own within the job
        (core.naming), index included: the same stem again overwrites this picture only.
        """
        file = picture_file(stem, facts.format)
        if not os.path.isdir(self.root / folder):  # noqa: PTH112 - not even where it cannot be told
            self.prepare(
                folder
            )  # of many jobs at once: it came before anything of its own was published
        self._write(folder, file, [content])
        if facts.thumbnail:
            with suppress(DiskError):  # it is made again for the gallery, and fails no row
                self.save_thumbnail(folder, file, facts.thumbnail)
        return Picture(
            index=index,
            file=file,
            format=facts.format,
            width=facts.width,
            height=facts.height,
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )

    def link_picture(
        self, source: Path, picture: Picture, folder: str, stem: str, index: int
    ) -> tuple[Picture, bytes] | None:
        """A picture of the job's folder `source` once more, as `stem` of another job: a hard link, or a
        copy where the disk makes none. Returns it with its bytes; None where it is gone or no longer
        what it was.
        """
        file = picture_file(stem, picture.format)
        content = self._link(source, picture, folder, file)
        if content is None:
            return None
        return replace(picture, index=index, file=file), content

    def _link(self, source: Path, picture: Picture, folder: str, file: str) -> bytes | None:
        *parents, last = _plain(file)
        *theirs, name = _plain(picture.file)
        with (
            told(self.root / folder / file),
            self._here() as root,
            _walked(root, [*_plain(folder), *parents]) as into,
            suppress(FileNotFoundError, NotADirectoryError),
            _opened(source) as job,
            _walked(job, theirs) as there,
        ):
            return _linked(there, name, into, last, picture.sha256)
        return None

    def save_thumbnail(self, folder: str, file: str, thumbnail: bytes) -> str:
        """Put the thumbnail of the picture `file` in place. Both names are relative to the job's folder."""
        name = thumbnail_file(file)
        self._write(folder, name, [thumbnail])
        return name

    def save_rendition(self, folder: str, channel: str, file: str, copy: Copy) -> str:
        """Put a copy of the picture `file` in place, as one of `channel`; returns its name in the job's folder."""
        name = rendition_file(file, channel, copy.format)
        with (
            told(self.root / folder / name),
            self._here() as root,
            _walked(root, _plain(folder)) as job,
            _made(_RENDITIONS, job) as renditions,
            _made(channel, renditions),
        ):
            _sync_folder(renditions)
            _sync_folder(job)
        self._write(folder, name, [copy.content])
        return name

    def set_aside(self, folder: str, file: str) -> str:
        """Move the picture `images/<name>` to `redone/<name>`: another one takes its place."""
        name = file.rpartition("/")[2]
        with (
            told(self.root / folder / file),
            self._here() as root,
            _walked(root, _plain(folder)) as job,
            _walked(job, _plain(file)[:-1]) as images,
            _made(_REDONE, job) as redone,
        ):
            os.replace(name, name, src_dir_fd=images, dst_dir_fd=redone)
            for place in (redone, images, job):
                _sync_folder(place)
        return f"{_REDONE}/{name}"

    def save_metadata(self, folder: str, file: str, text: str) -> None:
        """Put in place what is known of how the picture `file` came to be."""
        self.write_text(folder, metadata_file(file), [text])

    def write_text(
        self, folder: str, name: str, chunks: Iterable[str], *, more: bool = False
    ) -> None:
        """Put a text in place, in UTF-8, one chunk in memory at a time. `folder` "": the outbox itself.

        `more`: another file follows into the same folder, whose sync serves for this name too.

        An error that `chunks` raises passes through, and leaves the old file as it was. What is not
        Unicode (half a surrogate pair) is written as JSON would.
        """
        coded = (chunk.encode(errors="backslashreplace") for chunk in chunks)
        self._write(folder, name, coded, more=more)

    def write_file(self, folder: str, name: str, source: Path) -> None:
        """Put a copy of the file `source` in place, a little of it in memory at a time."""
        with told(source), source.open("rb") as file:
            self._write(folder, name, iter(lambda: file.read(_BUFFER), b""))

    def names(self, folder: str, name: str) -> list[str]:
        """The files in a folder of the job's; none where it is not there."""
        try:
            with (
                told(self.root / folder / name),
                self._here() as root,
                _walked(root, [*_plain(folder), *_plain(name)]) as where,
                os.scandir(where) as found,
            ):
                return [one.name for one in found if one.is_file(follow_symlinks=False)]
        except DiskError as error:
            if error.code in ("disk_away", "disk_link") and self.is_here():
                return []
            raise

    def read(self, folder: str, name: str) -> bytes:
        """All of a file; DiskError also where it is not there, or is a link."""
        *parents, last = _plain(name)
        with (
            told(self.root / folder / name),
            self._here() as root,
            _walked(root, [*_plain(folder), *parents]) as where,
            os.fdopen(os.open(last, _READ, dir_fd=where), "rb") as file,
        ):
            return file.read()

    def remove(self, folder: str, name: str) -> None:
        """Take away a file of ours that no longer holds; no harm when it is not there."""
        *parents, last = _plain(name)
        with (
            told(self.root / folder / name),
            self._here() as root,
            _walked(root, [*_plain(folder), *parents]) as where,
        ):
            _remove(last, where)

    def open_file(self, folder: str, name: str) -> int | None:
        """A plain file of ours for reading; the caller closes the descriptor. None: there is none.

        Raises ValueError for a path that leads elsewhere, DiskError where the disk does not answer.
        """
        *parents, last = _plain(name)
        where = [*_plain(folder), *parents]
        with told(self.root / folder / name):
            try:
                with self._here() as root, _walked(root, where) as into:
                    found = os.open(last, _PLAIN_FILE, dir_fd=into)
            except OSError as error:
                if error.errno in _NO_FILE:
                    return None
                raise
        if stat.S_ISREG(os.fstat(found).st_mode):
            return found
        os.close(found)
        return None

    @contextmanager
    def _here(self) -> Iterator[int]:
        """The outbox, open. Raises OSError where it is not there, DiskError where only its mount point is."""
        with ExitStack() as opened:
            try:
                root = opened.enter_context(_opened(self.root))
            except FileNotFoundError:
                if self._marker is None:
                    raise
                raise self._marker.away() from None
            if self._marker is not None:
                self._marker.require(root)
            yield root

    def _write(
        self, folder: str, name: str, chunks: Iterable[bytes], *, more: bool = False
    ) -> None:
        *parents, last = _plain(name)
        where = [*_plain(folder), *parents]
        with (
            told(self.root / folder / name),
            self._here() as root,
            _walked(root, where) as into,
        ):
            _written(into, last, chunks)
            if not more:
                _sync_folder(into)


def _plain(path: str) -> list[str]:
    """The names in a relative path; none of them may lead elsewhere."""
    names = path.split("/") if path else []
    if any(name in ("", ".", "..") or "\0" in name for name in names):
        raise ValueError(f"not a path within the outbox: {path!r}")
    return names


@contextmanager
def _opened(path: Path | str, within: int | None = None) -> Iterator[int]:
    """A folder's descriptor. The root may be a link, since operators make those; nothing in it may."""
    flags = _FOLDER if within is not None else _FOLDER & ~os.O_NOFOLLOW
    descriptor = os.open(path, flags, dir_fd=within)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _walked(root: int, names: list[str]) -> Iterator[int]:
    """The descriptor of the folder at the end of `names`."""
    if not names:
        yield root
        return
    with _opened(names[0], root) as folder, _walked(folder, names[1:]) as last:
        yield last


@contextmanager
def _made(name: str, within: int) -> Iterator[int]:
    """A folder's descriptor; a new one takes group and mode of the one that it is in."""
    (plain,) = _plain(name)
    try:
        os.mkdir(plain, dir_fd=within)
        new = True
    except FileExistsError:
        new = False
    with _opened(plain, within) as folder:
        if new:
            _follow(
                folder, os.fstat(within), stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO | stat.S_ISGID
            )
        yield folder


def _follow(descriptor: int, parent: os.stat_result, bits: int) -> None:
    """Take the parent's group and those `bits` of its mode, as far as the system lets us."""
    # A share that keeps its own modes, a group that is not ours: the file is as good without.
    with suppress(OSError):
        os.fchown(descriptor, -1, parent.st_gid)
    with suppress(OSError):
        os.fchmod(descriptor, parent.st_mode & bits)


def _written(folder: int, name: str, chunks: Iterable[bytes]) -> None:
    part = _part(name)
    _remove(part, folder)  # what an earlier end in the middle left, or somebody's link
    descriptor = os.open(part, _NEW_FILE, 0o666, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb", buffering=_BUFFER) as file:
            file.writelines(chunks)
            file.flush()
            _follow(descriptor, os.fstat(folder), 0o666)
            os.fsync(descriptor)
        os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        _remove(part, folder)
        raise


def _linked(source: int, name: str, into: int, last: str, sha256: str) -> bytes | None:
    """Put a file of another folder in place and return what is in it, where that is what it should be."""
    part = _part(last)
    _remove(part, into)
    try:
        os.link(name, part, src_dir_fd=source, dst_dir_fd=into, follow_symlinks=False)
        content = _read(into, part)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or one without links
        content = _read(source, name)
        if hashlib.sha256(content).hexdigest() != sha256:
            return None
        _written(into, last, [content])
        return content
    if hashlib.sha256(content).hexdigest() != sha256:
        _remove(part, into)
        return None
    os.rename(part, last, src_dir_fd=into, dst_dir_fd=into)
    _remove(part, into)  # two names of one file: that rename does nothing
    _sync_folder(into)
    return content


def _read(folder: int, name: str) -> bytes:
    with os.fdopen(os.open(name, _READ, dir_fd=folder), "rb") as file:
        return file.read()


def _part(name: str) -> str:
    return f".{hashlib.sha256(name.encode()).hexdigest()[:16]}.part"


def _sync_folder(folder: int) -> None:
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some shares cannot, and need not
            raise


def _remove(name: str, folder: int) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
