"""Where the results of one inbox go."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, field
from threading import Lock

from watcher.inbox import InboxFolder
from watcher.outbox import Outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """`thread`: may hang in these folders without holding up other inboxes. `spare`: another one, for notes
    while the first does. `noting`: held from the look at a job to its last note, or to one by the other thread,
    so that the last word stays.
    """

    folder: InboxFolder
    outbox: Outbox
    thread: Executor
    spare: Executor
    noting: Lock = field(default_factory=Lock)
