"""Where the results of one inbox go."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

from watcher.inbox import InboxFolder
from watcher.outbox import Outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """`thread`: may hang in these folders without holding up other inboxes."""

    folder: InboxFolder
    outbox: Outbox
    thread: Executor
