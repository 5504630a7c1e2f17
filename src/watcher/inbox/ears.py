"""Listening to the kernel through watchdog's inotify reader: which folder has news, and nothing more.

One watch for each folder that the scanner found, instead of an Observer that goes through the tree
itself: an Observer would also watch every job in the archives, and does not say so when the
kernel's limit leaves sub-folders unwatched. Here a watch that cannot be had raises.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Protocol

from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchDescriptor,
)

from watcher.inbox.values import Identity

# Not IN_MODIFY: a slow writer would wake us a thousand times, and its close wakes us once. Not
# IN_OPEN and reading: our own looks would wake us.
_NEWS = Mask(
    InotifyConstants.IN_CREATE
    | InotifyConstants.IN_MOVED_TO
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_ATTRIB
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_ONLYDIR
    | InotifyConstants.IN_DONT_FOLLOW
)
_VANISHED = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class Heard(Protocol):
    """Called from another thread: `name` in `folder` has news; b"" where it is the folder, or unknown."""

    def __call__(self, folder: bytes, name: bytes, *, moved: bool) -> None: ...


class Ears(Protocol):
    """What tells of news in folders. It may be deaf without knowing it."""

    def listen(self, folders: Mapping[bytes, Identity]) -> bool:
        """Hear these folders (paths below the root) and no others; True when one is new. Raises OSError."""

    def alive(self) -> bool: ...

    def close(self) -> None: ...


MakeEars = Callable[[Path, Heard], Ears]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watched:
    identity: Identity
    descriptor: WatchDescriptor
    callback: CallbackId


class InotifyEars:
    """One inotify instance for one inbox. Raises OSError when the kernel gives none (EMFILE)."""

    def __init__(self, root: Path, heard: Heard) -> None:
        self._root = os.fsencode(root)
        self._heard = heard
        self._watched: dict[bytes, _Watched] = {}
        self._paths: dict[WatchDescriptor, bytes] = {}
        self._numbers = count(1)
        self._closed = False
        self._inotify = InotifyFD()
        self._inotify.start()

    def listen(self, folders: Mapping[bytes, Identity]) -> bool:
        fresh = [
            path
            for path, identity in folders.items()
            if path not in self._watched or self._watched[path].identity != identity
        ]
        stale = [path for path in self._watched if path in fresh or path not in folders]
        removed = [self._watched.pop(path) for path in stale]
        for path in fresh:
            self._watch(path, folders[path])
        # Last: a folder that was renamed keeps its descriptor, and must keep a callback all along.
        self._inotify.remove_callbacks([(old.descriptor, old.callback) for old in removed])
        self._paths = {found.descriptor: path for path, found in self._watched.items()}
        return bool(fresh)

    def alive(self) -> bool:
        return self._inotify.is_alive()

    def close(self) -> None:
        self._closed = True
        self._inotify.stop()
        self._inotify.join()

    # What watchdog calls, from its own thread.

    def on_event(self, event: InotifyEvent) -> None:
        folder = self._paths.get(event.wd, b"")
        moved = event.is_moved_to and not event.is_directory
        self._heard(folder, event.name, moved=moved)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """A folder was removed, or what it lies on was unmounted."""
        if not self._closed:
            self._heard(self._paths.get(wd, b""), b"", moved=False)

    def on_queue_overflow(self) -> None:
        """The kernel threw events away; the look that this brings about finds what they were about."""
        self._heard(b"", b"", moved=False)

    def _watch(self, path: bytes, identity: Identity) -> None:
        number = CallbackId(next(self._numbers))
        where = os.path.join(self._root, path)  # noqa: PTH118 - bytes
        try:
            descriptor = self._inotify.add_callback(where, _NEWS, self, number)
        except OSError as error:
            if error.errno not in _VANISHED:
                raise
            return
        if descriptor < 0:  # watchdog passes over EACCES in silence
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fsdecode(where))
        self._paths[descriptor] = path
        self._watched[path] = _Watched(identity=identity, descriptor=descriptor, callback=number)
