"""One inbox as the daemon serves it: its folder, its threads, its intake."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from watcher.core.errors import DiskError, InboxError
from watcher.core.log import Log
from watcher.core.report import no_room_note, order_in_vain_note, unknown_note
from watcher.inbox import (
    Drop,
    InboxFolder,
    InboxLock,
    InboxState,
    Order,
    Patrol,
    Scanner,
    Waiting,
    Watch,
    lies,
    order_of,
    prepare,
    printable,
    remove_order,
    write_note,
)
from watcher.intake import Intake
from watcher.ledger import Ledger
from watcher.outbox import Outbox
from watcher.publish import Shelf
from watcher.work import Place

_PICTURE_THREADS = 3
_HANDS = 8  # drops taken side by side: they wait for the disk, and share its commits
_AGAIN = 30.0  # seconds until an inbox is served again after a fault of our own
_UNKNOWN_NOTE = b"_image-watcher"
_NAMED = 200  # files of no known kind in the log and the note; of more there is the number


@dataclass(kw_only=True)
class Serving:
    """`start` and `stop` are the daemon's; the patrol runs in a thread of its own."""

    folder: InboxFolder
    outbox: Outbox
    intake: Intake
    monotonic: Callable[[], float]
    ledger: Ledger
    new_id: Callable[[], str]
    clock: Callable[[], float]
    on_order: Callable[[str], None]
    on_state: Callable[[str, InboxState], None]
    on_unfinished: Callable[[str, Waiting], None]
    log: Log

    def __post_init__(self) -> None:
        self._pictures = ThreadPoolExecutor(_PICTURE_THREADS, f"pictures-{self.folder.name}")
        self._results = ThreadPoolExecutor(1, f"results-{self.folder.name}")
        self._spare = ThreadPoolExecutor(1, f"notes-{self.folder.name}")
        self.shelf = Shelf(
            folder=self.folder, outbox=self.outbox, thread=self._results, spare=self._spare
        )
        self._stop, self._wake = threading.Event(), threading.Event()
        self._unknown_before: list[bytes] = []
        self._patrol = self._make_patrol()
        self._thread = threading.Thread(
            target=self._run, name=f"inbox-{self.folder.name}", daemon=True
        )

    @property
    def place(self) -> Place:
        return Place(outbox=self.outbox, disk=self._pictures)

    @property
    def hangs(self) -> bool:
        """Nothing can be told of the inbox: its share does not answer."""
        return self._patrol.hangs

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Claim nothing more; what is being taken in is finished."""
        self._stop.set()
        self._wake.set()

    def join(self, seconds: float) -> None:
        if self._thread.is_alive():
            self._thread.join(seconds)

    def close(self) -> None:
        """The results are out: give the threads back."""
        for threads in (self._pictures, self._results, self._spare):
            threads.shutdown(wait=False, cancel_futures=True)

    def look_until_settled(self, pause: Callable[[], None]) -> None:
        """Take everything that is whole now, or becomes so by itself: `run --once`."""
        try:
            while self._patrol.look_once() and not self._stop.is_set():
                pause()
        finally:
            self._patrol.leave()

    def adopt(self) -> None:
        """Make the inbox ready and take up what a crash left behind, without looking for drops."""
        self._prepare()
        self.intake.recover()

    def _run(self) -> None:
        """A fault of our own stops no inbox for good."""
        while not self._stop.is_set():
            try:
                self._patrol.run()
            except Exception:
                self.log.exception("inbox.broken", inbox=self.folder.name)
                self._stop.wait(_AGAIN)

    def _make_patrol(self) -> Patrol:
        scanner = Scanner(self.folder, clock=self.monotonic)
        watch = Watch(
            self.folder,
            wake=self._wake.set,
            moved=scanner.hint_moved,
            clock=self.monotonic,
            warn=lambda what: self.log.warning("inbox.deaf", inbox=self.folder.name, what=what),
        )
        return Patrol(
            self.folder,
            scanner=scanner,
            watch=watch,
            lock=InboxLock(self.folder),
            prepare=self._prepare,
            recover=self.intake.recover,
            on_ready=self._take,
            on_waiting=self._waiting,
            on_unknown=self._unknown,
            on_order=self._order,
            on_state=lambda state: self.on_state(self.folder.name, state),
            hands=_HANDS,
            clock=self.monotonic,
            stop=self._stop,
            wake=self._wake,
        )

    def _prepare(self) -> None:
        """An inbox that is new is made; one that was here before and has lost its marker is away."""
        known = self.ledger.folders.known("inbox", self.folder.path) is not None
        if not known:
            self.folder.path.mkdir(parents=True, exist_ok=True)
        inbox_id = prepare(self.folder, known=known, new_id=self.new_id())
        if not known:
            self.ledger.folders.remember("inbox", self.folder.path, inbox_id)

    def _take(self, drop: Drop) -> float | None:
        try:
            return self.intake.take(drop)
        except DiskError as error:
            # Room is kept free for more than a note; where there is none, or no writing, there is no note.
            with suppress(InboxError, DiskError):
                if lies(self.folder, drop.path):
                    write_note(self.folder, drop.path, no_room_note(drop.name, error.what))
            raise

    def _waiting(self, waiting: Waiting) -> None:
        if waiting.unfinished:
            self.on_unfinished(self.folder.name, waiting)
        try:
            self.intake.tell_waiting(waiting)
        except (InboxError, DiskError) as error:
            self.log.warning("note.refused", inbox=self.folder.name, what=error.what)

    def _order(self, path: bytes) -> None:
        """A file that orders something about the job of a drop that lay beside it; done once."""
        where, slash, name = path.rpartition(b"/")
        found = order_of(os.fsdecode(name))
        if found is None:
            return
        drop, order = where + slash + os.fsencode(found[0]), found[1]
        try:
            jobs = self.ledger.views.running_of_drop(self.folder.name, drop)
            for job in jobs:
                self._obey(order, job)
            remove_order(self.folder, path)
            if not jobs:
                write_note(self.folder, drop, order_in_vain_note(found[0], order))
        except (InboxError, DiskError) as error:
            self.log.warning("order.refused", inbox=self.folder.name, what=error.what)

    def _obey(self, order: Order, job: str) -> None:
        if order is Order.CANCEL:
            self.ledger.orders.cancel(job, now=self.clock())
        else:
            self.ledger.orders.approve(job)
        self.log.info("job.ordered", job=job, order=order.value)
        self.on_order(job)

    def _unknown(self, paths: tuple[bytes, ...]) -> None:
        """Named once; the pictures of open jobs are where they are meant to be."""
        meant = self.ledger.companions.named(self.folder.name)
        found = sorted(path for path in paths if path not in meant)
        if not found:
            return
        self.log.warning("drop.unknown", inbox=self.folder.name, files=_named(found))
        try:
            # The next version of the note names again what is still there.
            found += [path for path in self._unknown_before if lies(self.folder, path)]
            self._unknown_before = found[:_NAMED]
            note = unknown_note(_named(found), self.folder.extensions)
            write_note(self.folder, _UNKNOWN_NOTE, note)
        except (InboxError, DiskError) as error:
            self.log.warning("note.refused", inbox=self.folder.name, what=error.what)


def _named(paths: Sequence[bytes]) -> list[str]:
    """Fit for people, some of them and how many more there are."""
    more = [f"… and {len(paths) - _NAMED:,} more"] if len(paths) > _NAMED else []
    return [*map(printable, paths[:_NAMED]), *more]
