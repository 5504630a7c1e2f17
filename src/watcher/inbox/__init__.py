"""The folders people drop into: an edge, and the only place that knows watchdog."""

from watcher.inbox.archive import archive, bring_along, find_archived
from watcher.inbox.claims import Claimed, claim, claimed_ids, fetch_marker, find_claimed, unclaim
from watcher.inbox.disk import free_bytes, prove_room, require_room, reserve_bytes
from watcher.inbox.marker import InboxLock, closed_folders, is_ready, prepare
from watcher.inbox.mounts import is_network, kind_of, settle_time
from watcher.inbox.notes import remove_note, sweep_notes, write_note, write_reason
from watcher.inbox.orders import Order, order_of, remove_order
from watcher.inbox.patience import Patience, begun, within
from watcher.inbox.patrol import Patrol
from watcher.inbox.pictures import (
    FoundPicture,
    PictureAbsent,
    PicturePlaces,
    keep_picture,
    sha256_in,
)
from watcher.inbox.placing import place, place_beside
from watcher.inbox.prune import Archived, archived, remove_archived
from watcher.inbox.put import lies, put
from watcher.inbox.scan import Scanner
from watcher.inbox.seen import flags
from watcher.inbox.snapshot import Snapshot, discard, snapshot
from watcher.inbox.values import (
    AGAIN,
    URGENT,
    Drop,
    DropBusy,
    DropGone,
    DropStuck,
    InboxFolder,
    InboxState,
    Waiting,
    printable,
)
from watcher.inbox.watch import Watch
from watcher.inbox.words import allow, disk_in_words, who

__all__ = [
    "AGAIN",
    "URGENT",
    "Archived",
    "Claimed",
    "Drop",
    "DropBusy",
    "DropGone",
    "DropStuck",
    "FoundPicture",
    "InboxFolder",
    "InboxLock",
    "InboxState",
    "Order",
    "Patience",
    "Patrol",
    "PictureAbsent",
    "PicturePlaces",
    "Scanner",
    "Snapshot",
    "Waiting",
    "Watch",
    "allow",
    "archive",
    "archived",
    "begun",
    "bring_along",
    "claim",
    "claimed_ids",
    "closed_folders",
    "discard",
    "disk_in_words",
    "fetch_marker",
    "find_archived",
    "find_claimed",
    "flags",
    "free_bytes",
    "is_network",
    "is_ready",
    "keep_picture",
    "kind_of",
    "lies",
    "order_of",
    "place",
    "place_beside",
    "prepare",
    "printable",
    "prove_room",
    "put",
    "remove_archived",
    "remove_note",
    "remove_order",
    "require_room",
    "reserve_bytes",
    "settle_time",
    "sha256_in",
    "snapshot",
    "sweep_notes",
    "unclaim",
    "who",
    "within",
    "write_note",
    "write_reason",
]
