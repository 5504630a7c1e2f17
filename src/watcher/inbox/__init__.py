"""The folders people drop into: an edge, and the only place that knows watchdog."""

from watcher.inbox.archive import archive
from watcher.inbox.claims import Claimed, claim, claimed_ids, find_claimed, unclaim
from watcher.inbox.disk import free_bytes, reserve_bytes
from watcher.inbox.marker import InboxLock, closed_folders, prepare
from watcher.inbox.notes import remove_note, sweep_notes, write_note
from watcher.inbox.patrol import Patrol
from watcher.inbox.scan import Scanner
from watcher.inbox.snapshot import Snapshot, snapshot
from watcher.inbox.values import (
    Drop,
    DropBusy,
    DropGone,
    DropStuck,
    InboxFolder,
    InboxState,
    Waiting,
)
from watcher.inbox.watch import Watch

__all__ = [
    "Claimed",
    "Drop",
    "DropBusy",
    "DropGone",
    "DropStuck",
    "InboxFolder",
    "InboxLock",
    "InboxState",
    "Patrol",
    "Scanner",
    "Snapshot",
    "Waiting",
    "Watch",
    "archive",
    "claim",
    "claimed_ids",
    "closed_folders",
    "find_claimed",
    "free_bytes",
    "prepare",
    "remove_note",
    "reserve_bytes",
    "snapshot",
    "sweep_notes",
    "unclaim",
    "write_note",
]
