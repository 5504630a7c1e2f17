"""Whether news arrives by events or by polling, and proof, every 30 seconds, that events still do.

Events are hints: they wake the patrol, nothing more. A watch can go deaf while all seems well (the
folder replaced, the share remounted), so a probe file is touched and must be heard. Two misses:
the ears are made anew. Two more: polling, with a warning; events are tried again later.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Literal

from watcher.inbox import beneath, mounts
from watcher.inbox.ears import Ears, InotifyEars, MakeEars
from watcher.inbox.values import ARCHIVES, NOTE_SUFFIX, OURS, Identity, InboxFolder

PROBE_EVERY = 30.0
_MISSES = 2
_TRY_AGAIN = 600.0
_OURS = OURS.encode()
_PROBE = b"probe"
_NOT_NEWS = frozenset({_OURS, *(name.encode() for name in ARCHIVES)})
_LIMITS = {
    errno.ENOSPC: ("watched folders", "fs.inotify.max_user_watches=524288"),
    errno.EMFILE: ("inotify instances", "fs.inotify.max_user_instances=1024"),
}


class Watch:
    """Tells of news in one inbox: calls `wake`, and `moved` with the path of a file that was renamed in.

    Both are called from another thread. `warn` gets a sentence when events cannot be had or
    relied upon. `clock` is monotonic, in seconds. Used by one thread.
    """

    def __init__(
        self,
        folder: InboxFolder,
        *,
        wake: Callable[[], None],
        moved: Callable[[bytes], None],
        clock: Callable[[], float],
        warn: Callable[[str], None],
        ears: MakeEars = InotifyEars,
        probe_every: float = PROBE_EVERY,
    ) -> None:
        self.folder = folder
        self.rebuilt = 0
        self._wake = wake
        self._moved = moved
        self._clock = clock
        self._warn = warn
        self._make_ears = ears
        self._probe_every = probe_every
        self._ears: Ears | None = None
        self._folders: Mapping[bytes, Identity] = {}
        self._next = 0.0
        self._warned = False
        self._mended = False
        self._forget_probes()

    @property
    def mode(self) -> Literal["events", "polling"]:
        return "polling" if self._ears is None else "events"

    def start(self) -> None:
        """Listen, where events can be expected from this kind of mount. Raises nothing."""
        self.stop()
        self._mended = False
        if self._may_listen():
            self._listen()

    def stop(self) -> None:
        self._close()
        self._folders = {}

    def cover(self, folders: Mapping[bytes, Identity]) -> bool:
        """Listen to the folders that a look found. True: one is new, look again, for what came before we listened."""
        self._folders = folders
        if self._ears is None:
            return False
        try:
            return self._ears.listen({**folders, **self._own_folder()})
        except OSError as error:
            self._poll(_why(error))
            return False

    def next_check(self) -> float:
        """Seconds until `check` is due."""
        return max(self._next - self._clock(), 0.0)

    def check(self) -> None:
        """Prove that events arrive, and mend what does not hear. Due after `next_check` seconds."""
        if self._ears is not None and not self._ears.alive():
            self._rebuild()
        if self._clock() < self._next:
            return
        if self._ears is not None:
            self._judge_probe()
        elif self._may_listen():
            self._listen()
        self._send_probe()

    def _may_listen(self) -> bool:
        if self.folder.watch == "auto":
            return not mounts.is_network(mounts.kind_of(self.folder.path))
        return self.folder.watch == "events"

    def _listen(self) -> None:
        try:
            self._ears = self._make_ears(self.folder.path, self._heard)
        except OSError as error:
            self._poll(_why(error))
            return
        self._forget_probes()
        self._next = self._clock()
        if self.cover(self._folders):
            self._wake()

    def _judge_probe(self) -> None:
        if self._heard_probe:
            self._missed = 0
            self._mended = self._warned = False
        elif self._sent_probe:
            self._missed += 1
        if self._missed >= _MISSES and self._mended:
            self._poll("no events arrive from it, though files change")
        elif self._missed >= _MISSES:
            self._rebuild()

    def _rebuild(self) -> None:
        self.rebuilt += 1
        self._mended = True
        self._close()
        self._listen()

    def _send_probe(self) -> None:
        self._heard_probe = False
        self._sent_probe = self._ears is not None and self._touch()
        self._next = self._clock() + (self._probe_every if self._ears else _TRY_AGAIN)

    def _touch(self) -> bool:
        # Opening for writing and closing is heard; nothing is written to the disk.
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with beneath.root_of(self.folder.path) as root, beneath.folder_at(root, _OURS) as ours:
                os.close(os.open(_PROBE, flags, 0o600, dir_fd=ours))
        except OSError:
            return False  # away or full: not the ears' fault
        return True

    def _poll(self, why: str) -> None:
        self._close()
        self._next = self._clock() + _TRY_AGAIN
        if not self._warned:
            self._warned = True
            self._warn(
                f"The inbox {self.folder.name} is looked at every {self.folder.poll_interval:g} s from now on: {why}."
            )

    def _forget_probes(self) -> None:
        self._missed = 0
        self._sent_probe = False
        self._heard_probe = False

    def _close(self) -> None:
        if self._ears is not None:
            self._ears.close()
        self._ears = None

    def _own_folder(self) -> dict[bytes, Identity]:
        with suppress(OSError):
            found = (self.folder.path / OURS).lstat()
            return {_OURS: (found.st_dev, found.st_ino)}
        return {}

    def _heard(self, folder: bytes, name: bytes, *, moved: bool) -> None:
        if folder == _OURS:
            if name == _PROBE:
                self._heard_probe = True
            return
        if name.endswith(NOTE_SUFFIX.encode()) or (not folder and name in _NOT_NEWS):
            return  # what we write ourselves is no news
        if moved:
            self._moved(folder + b"/" + name if folder else name)
        self._wake()


def _why(error: OSError) -> str:
    if error.errno in _LIMITS:
        what, setting = _LIMITS[error.errno]
        return f"the kernel's limit of {what} is reached (run: sysctl {setting})"
    return f"no events can be had ({os.strerror(error.errno or 0)})"
