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
from watcher.outbox.descriptors import (
    BUFFER,
    READ,
    linked,
    made,
    opened,
    plain,
    remove,
    sync_folder,
    walked,
    written,
)
from watcher.outbox.faults import told
from watcher.outbox.marker import Marker
from watcher.outbox.pictures import PictureFacts
from watcher.outbox.renditions import Copy

# O_NONBLOCK: opening a pipe that nobody writes to must not hang.
_PLAIN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
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
            with made(folder, root) as job:
                for name in _SUBFOLDERS:
                    with made(name, job):
                        pass
                sync_folder(job)
            sync_folder(root)

    def make_folder(self, folder: str, name: str) -> None:
        """Make a folder within the job's; no harm when it is there."""
        with (
            told(self.root / folder / name),
            self._here() as root,
            walked(root, plain(folder)) as job,
            made(name, job),
        ):
            sync_folder(job)

    def save_picture(
        self, folder: str, stem: str, index: int, content: bytes, facts: PictureFacts
    ) -> Picture:
        """Put a picture in place, byte for byte, and its thumbnail. `stem` is its own within the job
        (core.naming), index included: the same stem again overwrites this picture only.
        """
        file = picture_file(stem, facts.format)
        self._provide(folder, file)
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
        self._provide(folder, file)
        content = self._link(source, picture, folder, file)
        if content is None:
            return None
        return replace(picture, index=index, file=file), content

    def _provide(self, folder: str, file: str) -> None:
        """Of many jobs at once a picture comes before anything of its own is published, or while it is: where
        the job's folder is there, the one for `file` may be on its way yet.
        """
        if not os.path.isdir((self.root / folder / file).parent):  # noqa: PTH112 - nor where it cannot be told
            self.prepare(folder)

    def _link(self, source: Path, picture: Picture, folder: str, file: str) -> bytes | None:
        *parents, last = plain(file)
        *theirs, name = plain(picture.file)
        with (
            told(self.root / folder / file),
            self._here() as root,
            walked(root, [*plain(folder), *parents]) as into,
            suppress(FileNotFoundError, NotADirectoryError),
            opened(source) as job,
            walked(job, theirs) as there,
        ):
            return linked(there, name, into, last, picture.sha256)
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
            walked(root, plain(folder)) as job,
            made(_RENDITIONS, job) as renditions,
            made(channel, renditions),
        ):
            sync_folder(renditions)
            sync_folder(job)
        self._write(folder, name, [copy.content])
        return name

    def set_aside(self, folder: str, file: str) -> str:
        """Move the picture `images/<name>` to `redone/<name>`: another one takes its place."""
        name = file.rpartition("/")[2]
        with (
            told(self.root / folder / file),
            self._here() as root,
            walked(root, plain(folder)) as job,
            walked(job, plain(file)[:-1]) as images,
            made(_REDONE, job) as redone,
        ):
            os.replace(name, name, src_dir_fd=images, dst_dir_fd=redone)
            for place in (redone, images, job):
                sync_folder(place)
        return f"{_REDONE}/{name}"

    def save_metadata(self, folder: str, file: str, text: str) -> None:
        """Put in place what is known of how the picture `file` came to be."""
        name = metadata_file(file)
        self._provide(folder, name)
        self.write_text(folder, name, [text])

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
            self._write(folder, name, iter(lambda: file.read(BUFFER), b""))

    def names(self, folder: str, name: str) -> list[str]:
        """The files in a folder of the job's; none where it is not there."""
        try:
            with (
                told(self.root / folder / name),
                self._here() as root,
                walked(root, [*plain(folder), *plain(name)]) as where,
                os.scandir(where) as found,
            ):
                return [one.name for one in found if one.is_file(follow_symlinks=False)]
        except DiskError as error:
            if error.code in ("disk_away", "disk_link") and self.is_here():
                return []
            raise

    def read(self, folder: str, name: str) -> bytes:
        """All of a file; DiskError also where it is not there, or is a link."""
        *parents, last = plain(name)
        with (
            told(self.root / folder / name),
            self._here() as root,
            walked(root, [*plain(folder), *parents]) as where,
            os.fdopen(os.open(last, READ, dir_fd=where), "rb") as file,
        ):
            return file.read()

    def remove(self, folder: str, name: str) -> None:
        """Take away a file of ours that no longer holds; no harm when it is not there."""
        *parents, last = plain(name)
        with (
            told(self.root / folder / name),
            self._here() as root,
            walked(root, [*plain(folder), *parents]) as where,
        ):
            remove(last, where)

    def open_file(self, folder: str, name: str) -> int | None:
        """A plain file of ours for reading; the caller closes the descriptor. None: there is none.

        Raises ValueError for a path that leads elsewhere, DiskError where the disk does not answer.
        """
        *parents, last = plain(name)
        where = [*plain(folder), *parents]
        with told(self.root / folder / name):
            try:
                with self._here() as root, walked(root, where) as into:
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
        with ExitStack() as held:
            try:
                root = held.enter_context(opened(self.root))
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
        *parents, last = plain(name)
        where = [*plain(folder), *parents]
        with (
            told(self.root / folder / name),
            self._here() as root,
            walked(root, where) as into,
        ):
            written(into, last, chunks)
            if not more:
                sync_folder(into)
