"""Looking: what lies in an inbox and which of it is whole. Level-triggered; no threads, no clock of its own.

A drop is whole when it is a plain file that is not ignored, has not changed for the settle time,
and nobody has it open for writing. No one of these is enough by itself: a settle time does not see
an upload that stands still, a read lease does not see a writer on another machine.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Iterator
from heapq import nsmallest

from watcher.core.errors import DiskError, InboxError
from watcher.inbox import beneath, done_marker, mounts
from watcher.inbox.ignore import ignorer
from watcher.inbox.lease import Writers, writers_of
from watcher.inbox.marker import require
from watcher.inbox.orders import order_of
from watcher.inbox.seen import Findings, Seen, drop_of, flags
from watcher.inbox.values import (
    AGAIN,
    ARCHIVES,
    OURS,
    URGENT,
    Drop,
    InboxFolder,
    Sighting,
    Signature,
    Waiting,
)
from watcher.inbox.waiting import FINAL, waiting
from watcher.inbox.words import in_words

AT_ONCE = 500  # ready drops named by one look, at least
_BUSY_AGAIN = (
    1.0  # seconds until a file that was open for writing is tried again; its close is an event
)
_CHANGING = 60.0  # seconds after which a file that never settles is said to be waiting
_UNKNOWN = (
    10.0  # seconds that a name of no known kind must lie there: programs make short-lived ones
)
_SWAPPED = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENODEV, errno.ENXIO)


class Scanner:
    """Looks at one inbox. `clock` is monotonic, in seconds. One thread looks; any thread may hint."""

    def __init__(self, folder: InboxFolder, *, clock: Callable[[], float]) -> None:
        self.folder = folder
        self._clock = clock
        self._ignored = ignorer(folder.ignore)
        self._hints: deque[bytes] = deque()
        self._drops: dict[bytes, Seen] = {}
        self._strangers: dict[bytes, float] = {}  # when each was first seen
        self._quiet: dict[bytes, set[str]] = {}
        self._put_off: dict[bytes, tuple[Signature, float]] = {}
        self._turn = 0
        self._device = -1
        self._network = False

    def hint_moved(self, path: bytes) -> None:
        """An event said that `path` (relative to the inbox) was renamed in. For any thread."""
        self._hints.append(path)

    def put_off(self, drop: Drop, seconds: float) -> None:
        """Do not name this drop ready again for so long: it was handed over, or cannot be taken now.

        It holds for this file as it is, also when it is claimed and put back; not for a new file of
        the same name. math.inf: until it is put off anew.
        """
        self._put_off[drop.path] = (drop.signature, self._clock() + seconds)
        if seen := self._drops.get(drop.path):
            self._hold(drop.path, seen)

    def look(self, *, least: int = 0) -> Sighting:
        """One look, that names no drop of fewer bytes than `least`, but for urgent ones.

        Raises nothing for an inbox that is away: then the sighting is not `online` and says why.
        """
        try:
            with in_words(self.folder.path), beneath.root_of(self.folder.path) as root:
                require(self.folder, root)
                return self._look(root, least)
        except (InboxError, DiskError) as error:
            return Sighting(online=False, trouble=error.what, hint=error.hint)

    def _look(self, root: int, least: int) -> Sighting:
        found = Findings(now=self._clock())
        self._turn += 1
        self._learn_mount(root)
        # Taken before anything is listed: each of these names can be seen by this very look.
        moved = {self._hints.popleft() for _ in range(len(self._hints))}
        for listing in beneath.walk(root, self._enters):
            self._list(listing, found)
        self._quiet, self._strangers = found.quiet, found.strangers
        self._put_off = {p: held for p, held in self._put_off.items() if held[1] > found.now}
        self._drop_gone(found.closed)
        for path in moved & self._drops.keys():
            self._drops[path].moved = True
            self._settle(self._drops[path])
        ready = tuple(self._choose(root, found, least))
        return Sighting(
            ready=ready,
            waiting=tuple(found.waiting),
            unknown=tuple(found.unknown),
            orders=tuple(found.orders),
            next_look=found.next_look,
            more=found.more,
            settling=found.settling or bool(ready),
            folders=found.folders,
        )

    def _learn_mount(self, root: int) -> None:
        device = os.fstat(root).st_dev
        if device != self._device:
            self._device = device
            self._network = mounts.is_network(mounts.kind_of(self.folder.path))

    def _enters(self, path: bytes, name: str) -> bool:
        if self._ignored(name) or (not path and name in {OURS, *ARCHIVES}):
            return False
        return self.folder.recursive or name.lower() in {AGAIN, URGENT}

    def _list(self, listing: beneath.Listing, found: Findings) -> None:
        """Note what is in one folder. A name that can never be a drop costs one look-up a look."""
        if listing.entries is None:
            if not listing.path:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            found.closed.add(listing.path)
            drop = drop_of(self.folder, listing.path, (0, 0, 0, 0, 0))
            found.waiting.append(waiting(self.folder, drop, "closed", found.now))
            return
        status = os.fstat(listing.fd)
        found.folders[listing.path] = (status.st_dev, status.st_ino)
        before = self._quiet.get(listing.path, set())
        quiet = found.quiet[listing.path] = set()
        prefix = listing.path + b"/" if listing.path else b""
        for entry in listing.entries:
            known = entry.name in before and not entry.is_dir(follow_symlinks=False)
            if known or self._note(entry, prefix + os.fsencode(entry.name), found):
                quiet.add(entry.name)

    def _note(self, entry: os.DirEntry[str], path: bytes, found: Findings) -> bool:
        """Note one name; True when it need not be looked at again."""
        if seen := self._drops.get(path):
            self._see(path, seen, entry, found.now)
        elif done_marker.is_one(self.folder, entry.name):
            found.markers.add(path)
        elif self._ignored(entry.name) or (b"/" not in path and entry.name in {OURS, *ARCHIVES}):
            return True
        elif order_of(entry.name):
            found.orders.append(path)
        elif done_marker.extension(entry.name) in self.folder.extensions:
            seen = self._drops[path] = Seen(first=found.now, since=found.now, turn=self._turn)
            self._see(path, seen, entry, found.now)
        elif not entry.is_dir(follow_symlinks=False):
            return self._note_stranger(path, found)
        elif path.count(b"/") > beneath.DEEPEST:
            drop = drop_of(self.folder, path, (0, 0, 0, 0, 0))
            found.waiting.append(waiting(self.folder, drop, "deep", found.now))
        return False

    def _see(self, path: bytes, seen: Seen, entry: os.DirEntry[str], now: float) -> None:
        seen.turn = self._turn
        # What has settled or is put off is looked at when its turn comes, not by every look; but a
        # new file of the same name, which listing tells for nothing, begins anew.
        if seen.code or now < seen.settled_at or entry.inode() != seen.signature[1]:
            try:
                self._update(path, seen, entry.stat(follow_symlinks=False), now)
            except FileNotFoundError:
                seen.turn = 0

    def _note_stranger(self, path: bytes, found: Findings) -> bool:
        first = self._strangers.get(path, found.now)
        left = first + _UNKNOWN - found.now
        if left > 0:
            found.strangers[path] = first
            found.look_in(left)
            return False
        found.unknown.append(path)
        return True

    def _drop_gone(self, closed: set[bytes]) -> None:
        gone = [path for path, seen in self._drops.items() if seen.turn != self._turn]
        for path in gone:
            # What cannot be listed is unknown, not gone.
            if not any(path.startswith(folder + b"/") for folder in closed):
                del self._drops[path]

    def _choose(self, root: int, found: Findings, least: int) -> Iterator[Drop]:
        settled = [
            path
            for path, seen in self._drops.items()
            if self._is_settled(path, seen, found)
            # What waits is looked at all the same: it is told of for as long as it does.
            and (seen.signature[2] >= least or seen.code or URGENT in flags(path))
        ]
        # Where looking takes long, more is named by each look.
        most = max(AT_ONCE, len(self._drops) // 20)
        found.more = len(settled) > most
        for path in nsmallest(most, settled, key=self._rank):
            seen = self._drops[path]
            if self._is_whole(root, path, seen, found.now):
                yield drop_of(self.folder, path, seen.signature)
            else:
                self._wait(path, seen, found)

    def _is_settled(self, path: bytes, seen: Seen, found: Findings) -> bool:
        if seen.turn != self._turn:
            return False
        if seen.code not in FINAL and seen.due <= found.now:
            if self._has_marker(path, found.markers):
                return True
            found.waiting.append(self._waiting(path, seen, "marker"))
        else:
            self._wait(path, seen, found)
        return False

    def _wait(self, path: bytes, seen: Seen, found: Findings) -> None:
        """Say why a drop waits and when to look again; what only settles is not worth a word for a minute."""
        code = seen.code
        if code not in FINAL:
            found.look_in(max(seen.due - found.now, 0.0))
            put_off = seen.not_before > found.now
            found.settling = found.settling or code == "writing" or not (code or put_off)
            if not (code or put_off):
                code = "empty" if seen.signature[2] == 0 else self._changing(seen, found.now)
        if code:
            found.waiting.append(self._waiting(path, seen, code))

    def _is_whole(self, root: int, path: bytes, seen: Seen, now: float) -> bool:
        """The last look before a drop is named ready, at the file itself, open: nothing can be swapped under it."""
        where, _, name = path.rpartition(b"/")
        try:
            with beneath.folder_at(root, where) as folder:
                fd = beneath.open_plain(folder, name)
        except PermissionError:
            seen.code, seen.not_before = "unreadable", now + self.folder.rescan_interval
            return False
        except OSError as error:
            if error.errno not in _SWAPPED:
                raise
            seen.forget()
            return False
        try:
            self._update(path, seen, os.fstat(fd), now)
            writers = writers_of(fd)
        finally:
            os.close(fd)
        return self._is_free(seen, writers, now)

    def _is_free(self, seen: Seen, writers: Writers, now: float) -> bool:
        if writers is Writers.SOME:
            seen.code, seen.not_before = "writing", now + _BUSY_AGAIN
            return False
        if seen.leased is not (writers is Writers.NONE):
            seen.leased = not seen.leased
            self._settle(seen)
        if seen.code not in FINAL:
            seen.code = ""
        return not seen.code and seen.due <= now

    def _update(self, path: bytes, seen: Seen, found: os.stat_result, now: float) -> None:
        if seen.update(found, now):
            self._settle(seen)
            self._hold(path, seen)

    def _hold(self, path: bytes, seen: Seen) -> None:
        """Put off what was put off. Renaming changes the ctime alone; what was written to is another matter."""
        signature, until = self._put_off.get(path, (None, 0.0))
        if signature and signature[:4] == seen.signature[:4]:
            seen.not_before = until

    def _settle(self, seen: Seen) -> None:
        seen.settle(self.folder, network=self._network)

    def _rank(self, path: bytes) -> tuple[bool, int, bytes]:
        return URGENT not in flags(path), self._drops[path].signature[4], path

    def _waiting(self, path: bytes, seen: Seen, code: str) -> Waiting:
        drop = drop_of(self.folder, path, seen.signature)
        return waiting(self.folder, drop, code, seen.first)

    @staticmethod
    def _changing(seen: Seen, now: float) -> str:
        return "changing" if now - seen.first >= _CHANGING else ""

    def _has_marker(self, path: bytes, markers: set[bytes]) -> bool:
        where, _, name = path.rpartition(b"/")
        marker = done_marker.awaited(self.folder, name)
        return not marker or beneath.join(where, marker) in markers
