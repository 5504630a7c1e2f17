"""What the scanner remembers of one name, from when on it counts as settled, and what a look gathers."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field

from watcher.inbox.values import (
    AGAIN,
    URGENT,
    Drop,
    Identity,
    InboxFolder,
    Signature,
    Waiting,
    signature_of,
)
from watcher.inbox.waiting import final_code

# A file that an event says was renamed in, and that nobody has open for writing, was finished under
# another name: that is what renaming is for. Half a second is left to tools that set times or modes.
SETTLE_MOVED = 0.5
_NO_FLAGS: frozenset[str] = frozenset()
_NEVER: Signature = (0, 0, 0, 0, 0)


@dataclass(slots=True)
class Seen:
    """One name that may be a drop. Times are on the scanner's clock, in seconds.

    `first`: when the name was first seen; `since`: since when it has its `signature`; `settled_at`:
    when it will have had it long enough; `turn`: the number of the look that saw it last.
    """

    first: float
    since: float
    turn: int
    settled_at: float = 0.0
    signature: Signature = _NEVER
    code: str = ""  # why it waits, as long as it has this signature
    moved: bool = False  # an event said that it was renamed in
    leased: bool = True  # until a lease is refused
    not_before: float = 0.0

    @property
    def due(self) -> float:
        """When its turn comes, if it does not change."""
        return max(self.settled_at, self.not_before)

    def update(self, found: os.stat_result, now: float) -> bool:
        """Take over what was found; True when it changed, and begins to settle again."""
        signature = signature_of(found)
        if signature == self.signature:
            return False
        if signature[1] != self.signature[1] and self.not_before > now and not self.code:
            self.first = now  # another file of that name, after one that was handed over
        self.signature, self.since, self.not_before = signature, now, 0.0
        self.code, self.moved, self.leased = final_code(found), False, True
        return True

    def forget(self) -> None:
        """It is not what it was: the next look begins anew."""
        self.signature, self.code = _NEVER, ""

    def settle(self, folder: InboxFolder, *, network: bool) -> None:
        """Work out `settled_at`, after anything changed that it rests on."""
        if network:
            seconds = folder.settle_on_network
        elif not self.leased:
            seconds = folder.settle_without_lease
        else:
            seconds = min(folder.settle, SETTLE_MOVED) if self.moved else folder.settle
        if self.signature[2] == 0:
            seconds = max(seconds, folder.empty_grace)
        self.settled_at = self.since + seconds


@dataclass(slots=True)
class Findings:
    """What one look gathers."""

    now: float
    folders: dict[bytes, Identity] = field(default_factory=dict)
    quiet: dict[bytes, set[str]] = field(default_factory=dict)
    strangers: dict[bytes, float] = field(default_factory=dict)
    markers: set[bytes] = field(default_factory=set)
    closed: set[bytes] = field(default_factory=set)
    unknown: list[bytes] = field(default_factory=list)
    orders: list[bytes] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    next_look: float | None = None
    more: bool = False
    settling: bool = False

    def look_in(self, seconds: float) -> None:
        if seconds < math.inf:  # in hand: whoever has it in hand says when
            self.next_look = seconds if self.next_look is None else min(self.next_look, seconds)


def drop_of(folder: InboxFolder, path: bytes, signature: Signature) -> Drop:
    lanes = flags(path)
    return Drop(
        inbox=folder.name,
        path=path,
        size=signature[2],
        signature=signature,
        again=AGAIN in lanes,
        urgent=URGENT in lanes,
    )


def flags(path: bytes) -> frozenset[str]:
    """Which of `again/` and `urgent/` a path begins with; both in either order, in any case of letters."""
    if b"/" not in path:
        return _NO_FLAGS
    found: set[str] = set()
    for step in path.split(b"/")[:-1]:
        name = step.decode("utf-8", "replace").lower()
        if name not in {AGAIN, URGENT}:
            break
        found.add(name)
    return frozenset(found)
