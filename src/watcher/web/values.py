"""What the door is told: what is set, and what stands behind it. Nothing here opens or starts anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from watcher.core.jobs import Json
from watcher.core.links import PublicLinks
from watcher.core.log import Log
from watcher.core.parsing import Limits
from watcher.inbox import InboxFolder
from watcher.intake import Expected
from watcher.ledger import HaltedLane, Ledger
from watcher.outbox import Outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class WebRules:
    """What is set. `tokens`: those in force now, the newest first. `hosts`: further names that are ours.

    `links_days` 0: links to pictures are not signed. `callback_hosts`: see api.Callbacks.
    """

    host: str
    port: int
    tokens: Callable[[], tuple[str, ...]]
    hosts: tuple[str, ...] = ()
    reading: Literal["open", "token"] = "open"
    public_url: str = ""
    links_days: float = 0.0
    intake: bool = False
    posts_per_minute: int = 60
    callback_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One warning or error of the log, in words, as far as it has any. `at`: seconds since the epoch."""

    at: float
    event: str
    what: str
    hint: str = ""
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxPlace:
    """One inbox that is served, and where its results go. `limits`: what one drop may hold now."""

    folder: InboxFolder
    outbox: Outbox
    limits: Callable[[], Limits]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What stands behind the door. Callables may be asked at any time, on the loop.

    `about`: what the daemon tells of itself. `events`: how often each (event, level) was logged.
    `ordered`: to be told of a job after an order. `require_room`: raises DiskError where a disk is
    too full. `clock`: seconds since the epoch. `link_key`: what signs links to pictures, and `links`:
    how they look now. `expected`: to tell the intake which drops are coming; `bodies`: a folder for
    what is being received.
    """

    ledger: Ledger
    inboxes: Mapping[str, InboxPlace]
    about: Callable[[], Mapping[str, Json]]
    halted: Callable[[], Sequence[HaltedLane]]
    said: Callable[[], Sequence[Said]]
    events: Callable[[], Mapping[tuple[str, str], int]]
    ordered: Callable[[str], None]
    require_room: Callable[[Path], None]
    new_id: Callable[[], str]
    clock: Callable[[], float]
    version: str
    link_key: bytes
    links: Callable[[], PublicLinks]
    expected: Expected
    bodies: Path
    log: Log
