"""The round of one inbox thread: wait for news or for the clock, look, hand over what is ready.

A share that fails is offline and tried again; it is never taken for an empty inbox.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from watcher.core.errors import DiskError, InboxError, WatcherError
from watcher.inbox.hands import Hands
from watcher.inbox.marker import InboxLock
from watcher.inbox.scan import Scanner
from watcher.inbox.values import (
    Drop,
    DropBusy,
    DropGone,
    DropStuck,
    InboxFolder,
    InboxState,
    Sighting,
    Waiting,
)
from watcher.inbox.watch import Watch

DEBOUNCE = 0.05  # seconds from an event to the look: a burst of events is one look
_STOP_SEEN = 2.0  # seconds until `stop` is seen by a patrol that nobody wakes
_HANGS = 120.0  # seconds that no look takes where the share answers
_RECOVERS = 900.0  # as long as what a crash left may take
_LARGE = 256 * 1024  # bytes of a drop that may take its hand long
_LARGE_HANDS = 2  # hands for such drops alone: with any number of them, the others find theirs free
_TOLD_AFTER = (60.0, 3600.0)  # seconds that a drop waits until it is told, and told again


def _nothing(*_: object) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Handed:
    """What came of handing a drop over: not again for `put_off` seconds, and what went wrong with the inbox."""

    put_off: float
    trouble: WatcherError | None = None
    stuck: Waiting | None = None


class Patrol:
    """Serves one inbox; `run` is its thread.

    `prepare` is called before the inbox is served, also after it was away, and raises InboxError
    or DiskError while it cannot be; then, once the lock is ours, `recover`, for claims that a crash
    left behind. `on_ready` takes a drop, in one of `hands` threads: it may return the seconds for
    which the drop is not to be handed over again if it still lies there (else `poll_interval`), and
    may raise DropGone, DropBusy (when it has put the drop back), DropStuck, InboxError or DiskError.
    The others are called in the patrol's own thread: `on_waiting` is told of a drop after it waited
    a minute, and again after an hour; of one that will never be ready, at once. `on_unknown` gets
    the files of no known kind, each once. `on_state` is told of each change.
    Who sets `stop` may set `wake` as well, to be heard at once. `last_look`: when the last look
    ended (on `clock`).
    """

    def __init__(
        self,
        folder: InboxFolder,
        *,
        scanner: Scanner,
        watch: Watch,
        lock: InboxLock,
        prepare: Callable[[], object],
        on_ready: Callable[[Drop], float | None],
        on_waiting: Callable[[Waiting], None],
        on_state: Callable[[InboxState], None],
        on_unknown: Callable[[tuple[bytes, ...]], None] = _nothing,
        on_order: Callable[[bytes], None] = _nothing,
        recover: Callable[[], object] = _nothing,
        hands: int = 4,
        clock: Callable[[], float],
        stop: threading.Event,
        wake: threading.Event,
    ) -> None:
        self.folder = folder
        self._scanner = scanner
        self._watch = watch
        self._lock = lock
        self._prepare = prepare
        self._on_ready = on_ready
        self._on_waiting = on_waiting
        self._on_state = on_state
        self._on_unknown = on_unknown
        self._on_order = on_order
        self._recover = recover
        self._clock = clock
        self._stop = stop
        self._woken = wake
        self._hands = Hands(self._take, count=hands, wanting=wake.set)
        self._large = Hands(self._take, count=_LARGE_HANDS, wanting=wake.set)
        self.last_look = clock()
        self._limit = _HANGS
        self._began: float | None = None  # the look that goes on, or None between two
        self._inside = False
        self._gap = DEBOUNCE
        self._state: InboxState | None = None
        self._paused_until = 0.0
        self._told: dict[bytes, tuple[str, int]] = {}
        self._stuck: dict[bytes, str] = {}

    def run(self) -> None:
        """Serve the inbox until `stop` is set."""
        try:
            while not self._stop.is_set():
                self._rest(self._round())
        finally:
            self.leave()

    @property
    def hangs(self) -> bool:
        """The look that goes on takes so long that nothing can be told of the share. For any thread."""
        began = self._began
        return began is not None and self._clock() - began > self._limit

    def look_once(self) -> bool:
        """One look, without waiting for news; every drop that is ready is handed over before it returns.

        True: something is still settling, look again in a moment. Call `leave` at the end.
        """
        sighting = self._look(listen=False)
        return sighting is not None and sighting.settling

    def leave(self) -> None:
        """Finish what is in hand, stop listening, and give the lock back."""
        self._watch.stop()
        for drop in (*self._hands.stop(), *self._large.stop()):
            self._scanner.put_off(drop, 0.0)
        for drop, _ in self._collected():
            self._scanner.put_off(drop, self.folder.poll_interval)
        self._lock.release()
        self._inside = False

    def _round(self) -> float:
        """Look and hand over; returns the seconds until the next look is due."""
        self._began, self._limit = self._clock(), _HANGS
        try:
            return self._looked()
        finally:
            self._began = None

    def _looked(self) -> float:
        sighting = self._look(listen=True)
        if sighting is None:
            return self.folder.poll_interval
        if self._watch.cover(sighting.folders):
            return 0.0
        self._watch.check()
        self._say_online()
        events = self._watch.mode == "events"
        due = [self.folder.rescan_interval if events else self.folder.poll_interval]
        if events:
            due.append(self._watch.next_check())
        if sighting.next_look is not None:
            due.append(sighting.next_look)
        if sighting.more and self._hands.want_more():
            due.append(0.0)  # else the hands wake us when they do
        return min(due)

    def _look(self, *, listen: bool) -> Sighting | None:
        """One look and what follows from it; None when the inbox is not ours to serve now."""
        try:
            if not self._inside and not self._enter(listen=listen):
                return None
            self._let_go(wait=False)
            sighting = self._seen()
            self._tell(sighting)
            self._hand_over(sighting.ready)
            self._let_go(wait=not listen)
        except DiskError as error:
            self._paused_until = self._clock() + 2 * self.folder.poll_interval
            self._say(InboxState(state="paused", what=error.what, hint=error.hint))
            return None
        except InboxError as error:
            self.leave()
            self._say(InboxState(state="offline", what=error.what, hint=error.hint))
            return None
        return sighting

    def _seen(self) -> Sighting:
        started = self._clock()
        sighting = self._scanner.look(least=0 if self._hands.want_more() else _LARGE)
        self.last_look = self._clock()
        # Where looking takes long, events must not make it all we do.
        self._gap = max(DEBOUNCE, 2 * (self._clock() - started))
        if not sighting.online:
            raise InboxError(sighting.trouble, sighting.hint)
        return sighting

    def _enter(self, *, listen: bool) -> bool:
        self._prepare()
        if not self._lock.acquire():
            what = f"Another daemon serves the inbox {self.folder.name} ({self._lock.holder()})."
            hint = "Nothing to do: this one takes over when the other one stops."
            self._say(InboxState(state="standby", what=what, hint=hint))
            return False
        self._limit = _RECOVERS
        self._recover()
        self._began, self._limit = self._clock(), _HANGS
        if listen:
            self._watch.start()
        self._inside = True
        self._say_online()
        return True

    def _hand_over(self, ready: tuple[Drop, ...]) -> None:
        """Give what is ready to the hands; large drops to hands of their own."""
        for drop in ready:
            self._scanner.put_off(drop, math.inf)
            hands = self._large if drop.size >= _LARGE else self._hands
            hands.give(drop)

    def _collected(self, *, wait: bool = False) -> Iterator[tuple[Drop, _Handed | None]]:
        yield from self._hands.collect(wait=wait)
        yield from self._large.collect(wait=wait)

    def _let_go(self, *, wait: bool) -> None:
        """Note what the hands did. Raises what they found wrong with the inbox."""
        trouble = None
        for drop, result in self._collected(wait=wait):
            handed = result or _Handed(put_off=self.folder.rescan_interval)
            self._scanner.put_off(drop, handed.put_off)
            self._tell_stuck(drop, handed.stuck)
            if handed.trouble:
                trouble = handed.trouble
            else:
                self._paused_until = 0.0
        if trouble is not None:
            raise trouble

    def _take(self, drop: Drop) -> _Handed:
        """Hand one drop over; called by the hands."""
        if self._stop.is_set():
            return _Handed(put_off=0.0)
        try:
            put_off = self._on_ready(drop)
        except (DropGone, DropBusy):
            return _Handed(put_off=self.folder.settle)  # the next look sees what it is now
        except DropStuck as error:
            stuck = _stuck(drop, error, self._clock())
            return _Handed(put_off=self.folder.rescan_interval, stuck=stuck)
        except (InboxError, DiskError) as error:
            return _Handed(put_off=self.folder.poll_interval, trouble=error)
        return _Handed(put_off=self.folder.poll_interval if put_off is None else put_off)

    def _tell(self, sighting: Sighting) -> None:
        if sighting.unknown:
            self._on_unknown(sighting.unknown)
        for path in sighting.orders:
            self._on_order(path)
        told, now = {}, self._clock()
        for waiting in sighting.waiting:
            path = waiting.drop.path
            stage = 1 if waiting.final else sum(now - waiting.since >= t for t in _TOLD_AFTER)
            told[path] = (waiting.code, stage)
            before = self._told.get(path, ("", 0))
            if stage and before != told[path]:
                late = stage == len(_TOLD_AFTER) and before[1] < stage
                self._on_waiting(replace(waiting, unfinished=late))
        self._told = told

    def _tell_stuck(self, drop: Drop, stuck: Waiting | None) -> None:
        """Once for each reason; it is tried again all the time."""
        before = self._stuck.pop(drop.path, None)
        if stuck is not None:
            self._stuck[drop.path] = stuck.reason
            if stuck.reason != before:
                self._on_waiting(stuck)

    def _say_online(self) -> None:
        # A disk that was full is taken for full until a drop gets through, or none comes any more.
        if self._clock() >= self._paused_until:
            self._say(InboxState(state="online", mode=self._watch.mode))

    def _say(self, state: InboxState) -> None:
        if state != self._state:
            self._state = state
            self._on_state(state)

    def _rest(self, seconds: float) -> None:
        until = self._clock() + seconds
        while not self._stop.is_set() and (left := until - self._clock()) > 0:
            if self._woken.wait(min(left, _STOP_SEEN)):
                self._stop.wait(self._gap)
                break
        self._woken.clear()


def _stuck(drop: Drop, error: WatcherError, now: float) -> Waiting:
    return Waiting(
        drop=drop, code="stuck", reason=error.what, hint=error.hint, since=now, final=True
    )
