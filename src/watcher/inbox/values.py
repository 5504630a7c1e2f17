"""The nouns of the folders people drop into: what is watched, what was seen there, and why it waits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from watcher.core.errors import WatcherError

# dev, ino, size in bytes, mtime and ctime in nanoseconds. A rename changes the last one only.
Signature: TypeAlias = tuple[int, int, int, int, int]
# dev, ino: which folder a path leads to now.
Identity: TypeAlias = tuple[int, int]

OURS = ".image-watcher"
CLAIMED = "claimed"
AGAIN = "again"
URGENT = "urgent"
ARCHIVES = ("done", "failed")
NOTE_SUFFIX = ".STATUS.txt"
REASON_SUFFIX = ".error.txt"  # beside a drop in its archive: why it was refused


class DropGone(WatcherError):  # noqa: N818 - the state of a drop, in the glossary's word
    """The drop vanished, or is another file than the one that was seen. Nothing was taken."""


class DropBusy(WatcherError):  # noqa: N818 - as DropGone
    """A claimed drop is still being written: put it back (`unclaim`) and wait."""


class DropStuck(WatcherError):  # noqa: N818 - as DropGone
    """One drop cannot be moved (permissions, another file system); the inbox itself is well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxFolder:
    """One folder that people drop into, as it is set. All times are seconds.

    `extensions`: the kinds that are drops, lower case with the dot (".csv"). `ignore`: name
    patterns (fnmatch, without case) besides the built-in list. `require_done_marker`: "{name}.done"
    makes a drop wait for the file of that name beside it.
    """

    name: str
    path: Path
    extensions: frozenset[str]
    max_file_bytes: int
    settle: float = 2.0
    settle_without_lease: float = 5.0
    settle_on_network: float = 10.0
    poll_interval: float = 5.0
    rescan_interval: float = 60.0
    recursive: bool = True
    watch: Literal["auto", "events", "poll"] = "auto"
    ignore: tuple[str, ...] = ()
    require_done_marker: str | None = None
    empty_grace: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """A file seen in an inbox, not yet ours. `path` is relative to the inbox, in the bytes it has on disk."""

    inbox: str
    path: bytes
    size: int
    signature: Signature
    again: bool
    urgent: bool

    @property
    def name(self) -> str:
        """The file's name, fit for people, logs and terminals; not fit for opening it."""
        return printable(self.path.rpartition(b"/")[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Why a drop is not taken yet. `reason` and `hint` are sentences; `since` is on the monotonic clock.

    `code`: writing, changing, empty, marker, unreadable, stuck; or, `final` because waiting alone
    will not help: link, special, hardlink, folder, closed (a folder that may not be read), deep.
    `unfinished`: it has waited for an hour, which nobody meant; told once.
    """

    drop: Drop
    code: str
    reason: str
    hint: str
    since: float
    final: bool = False
    unfinished: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What one look found.

    `ready`: whole drops, urgent ones first, then by arrival; at most `scan.AT_ONCE`, or a twentieth, of them;
    `more`: there are others. `unknown`: paths of files of no known kind, each named by one look only.
    `orders`: paths of files by which people order something, until they are taken away.
    `next_look`: seconds until something may settle; None when only an event or a rescan can bring news.
    `settling`: something will be ready, or not, without anybody doing anything.
    `folders`: every folder that was listed and which one it is. `online` False: `trouble` says why
    and `hint` what to do, and the rest says nothing about what lies in the inbox.
    """

    ready: tuple[Drop, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    unknown: tuple[bytes, ...] = ()
    orders: tuple[bytes, ...] = ()
    next_look: float | None = None
    more: bool = False
    settling: bool = False
    folders: Mapping[bytes, Identity] = field(default_factory=dict)
    online: bool = True
    trouble: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxState:
    """How an inbox is served now. `mode` says how news arrives; "" while it is not online.

    online · paused (a disk is full or broken; drops stay where they are) · offline (away, or not as
    it must be) · standby (another daemon serves it). All but the first are tried again by themselves.
    """

    state: Literal["online", "paused", "offline", "standby"]
    mode: Literal["events", "polling", ""] = ""
    what: str = ""
    hint: str = ""


def printable(name: bytes) -> str:
    """A name from disk with whatever is not text or would move a cursor written as an escape."""
    text = name.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def signature_of(stat: os.stat_result) -> Signature:
    return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
