"""The patrol on its own thread: everything that is dropped is taken, once; by events and by polling alike."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Literal

import pytest
from tests.edges.inbox_room import PLAIN, DeafEars, Room

from watcher.core.errors import DiskError
from watcher.inbox.claims import claim
from watcher.inbox.ears import InotifyEars, MakeEars
from watcher.inbox.hands import Hands
from watcher.inbox.marker import InboxLock, prepare
from watcher.inbox.patrol import Patrol
from watcher.inbox.scan import Scanner
from watcher.inbox.seen import drop_of
from watcher.inbox.values import Drop, DropStuck, InboxFolder, InboxState, Waiting
from watcher.inbox.watch import Watch

QUICK = replace(PLAIN, settle=0.1, poll_interval=0.1, rescan_interval=5.0, empty_grace=0.3)


class Service:
    """A patrol that claims what it is handed, and what it was told."""

    def __init__(
        self,
        folder: InboxFolder,
        *,
        ears: MakeEars = InotifyEars,
        clock: Callable[[], float] = time.monotonic,
        hands: int = 4,
    ) -> None:
        self.folder = folder
        self.taken: list[bytes] = []
        self.contents: list[str] = []
        self.states: list[InboxState] = []
        self.waiting: list[Waiting] = []
        self.unknown: list[bytes] = []
        self.warnings: list[str] = []
        self.recovered = 0
        self.before: Callable[[Drop], None] = lambda _drop: None
        self.asked, self.answers = threading.Event(), threading.Event()
        self.answers.set()
        self._changed = threading.Condition()
        self._numbers = count(1)
        self.stop, self.wake = threading.Event(), threading.Event()
        scanner = Scanner(folder, clock=clock)
        self.patrol = Patrol(
            folder,
            scanner=scanner,
            watch=Watch(
                folder,
                wake=self.wake.set,
                moved=scanner.hint_moved,
                clock=clock,
                warn=self.warnings.append,
                ears=ears,
            ),
            lock=InboxLock(folder),
            prepare=self._prepare,
            recover=self._recover,
            on_ready=self._take,
            on_waiting=self._told(self.waiting),
            on_state=self._told(self.states),
            on_unknown=self.unknown.extend,
            hands=hands,
            clock=clock,
            stop=self.stop,
            wake=self.wake,
        )

    def until(self, condition: Callable[[], bool], seconds: float = 10.0) -> bool:
        """Whether it is so within `seconds`; what is told of wakes us, the rest is looked at now and then."""
        end = time.monotonic() + seconds
        with self._changed:
            while not (met := condition()) and (left := end - time.monotonic()) > 0:
                self._changed.wait(min(left, 0.1))
        return met

    def online(self) -> bool:
        return bool(self.states) and self.states[-1].state == "online"

    def _prepare(self) -> None:
        self.asked.set()
        _wait_for(self.answers)
        prepare(self.folder, known=True, new_id="id")

    def _recover(self) -> None:
        self.recovered += 1

    def _take(self, drop: Drop) -> None:
        self.before(drop)
        claimed = claim(self.folder, drop, f"c{id(self)}-{next(self._numbers)}")
        with self._changed:
            self.taken.append(drop.path)
            self.contents.append(claimed.file.read_text())
            self._changed.notify_all()

    def _told(self, what: list[Waiting] | list[InboxState]) -> Callable[..., None]:
        def tell(value: Waiting | InboxState) -> None:
            with self._changed:
                what.append(value)  # type: ignore[arg-type]
                self._changed.notify_all()

        return tell


@contextmanager
def serving(service: Service) -> Iterator[Service]:
    thread = threading.Thread(target=service.patrol.run)
    thread.start()
    try:
        yield service
    finally:
        service.stop.set()
        service.wake.set()
        thread.join(timeout=10)
        assert not thread.is_alive()


@pytest.fixture(params=["events", "poll"])
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Room:
    """The same promises hold in both modes."""
    mode: Literal["events", "poll"] = request.param
    return Room(tmp_path, replace(QUICK, watch=mode))


def test_what_lay_there_before(room: Room) -> None:
    """A file that was dropped while nobody served the inbox is taken."""
    room.drop("a.csv")
    with serving(Service(room.folder)) as service:
        assert service.until(lambda: service.taken == [b"a.csv"])
        mode = "events" if room.folder.watch == "events" else "polling"
        assert [(state.state, state.mode) for state in service.states] == [("online", mode)]
        assert service.recovered == 1


def test_what_comes_while_it_is_served(room: Room) -> None:
    """A file written, one renamed in, and those in a folder moved in whole or made later, are taken once each."""
    outside = room.base / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "deep" / "c.csv").write_text("x")
    (room.base / "b.csv").write_text("x")
    with serving(Service(room.folder)) as service:
        assert service.until(service.online)
        room.drop("a.csv")
        (room.base / "b.csv").rename(room.path / "b.csv")
        outside.rename(room.path / "batch")
        room.drop("made/later/d.csv")
        wanted = {b"a.csv", b"b.csv", b"batch/deep/c.csv", b"made/later/d.csv"}
        assert service.until(lambda: set(service.taken) == wanted)
        room.drop("batch/deep/e.csv")
        assert service.until(lambda: b"batch/deep/e.csv" in service.taken)
        assert len(service.taken) == 5


def test_a_slow_writer_is_waited_for(room: Room) -> None:
    """A file that is written in pieces, with pauses of many settle times, is taken whole."""
    with serving(Service(room.folder)) as service, (room.path / "a.csv").open("w") as file:
        assert service.until(service.online)
        for number in range(3):
            file.write(f"{number}\n")
            file.flush()
            assert not service.until(lambda: bool(service.taken), seconds=0.3)
        file.close()
        assert service.until(lambda: service.contents == ["0\n1\n2\n"])


def test_many_writers(room: Room) -> None:
    """Of many files written side by side in two pieces each, none is taken half."""
    total = 120
    with serving(Service(room.folder)) as service:
        assert service.until(service.online)
        files = [(room.path / f"{number}.csv").open("w") for number in range(total)]
        for half in ("first\n", "second\n"):
            for file in files:
                file.write(half)
                file.flush()
            service.until(lambda: bool(service.taken), seconds=0.15)
        for file in files:
            file.close()
        assert service.until(lambda: len(service.taken) == total)
        assert Counter(service.contents) == {"first\nsecond\n": total}


def test_a_burst_is_taken_whole(room: Room) -> None:
    """Thousands of files renamed in at once: none lost, none twice."""
    total = 800
    outside = room.base / "outside"
    outside.mkdir()
    for number in range(total):
        (outside / f"{number}.csv").touch()
    (outside / "0.csv").write_text("x")
    with serving(Service(replace(room.folder, empty_grace=0.1), hands=8)) as service:
        assert service.until(service.online)
        for file in outside.iterdir():
            file.rename(room.path / file.name)
        assert service.until(lambda: len(service.taken) >= total, seconds=60)
        assert not service.until(lambda: len(service.taken) > total, seconds=0.3)
        assert len(set(service.taken)) == total


def test_the_same_name_again_and_again(room: Room) -> None:
    """A name that is dropped again as soon as it was taken is a drop of its own each time."""
    with serving(Service(room.folder)) as service:
        assert service.until(service.online)
        for number in range(5):
            room.drop("a.csv", str(number))
            assert service.until(lambda: len(service.taken) == number + 1)  # noqa: B023
        assert service.contents == ["0", "1", "2", "3", "4"]


def test_a_share_that_goes_away(room: Room) -> None:
    """While the root is away the inbox is offline and nothing is taken; back again, it is served and recovered."""
    with serving(Service(room.folder)) as service:
        assert service.until(service.online)
        room.path.rename(room.base / "away")
        room.path.mkdir()
        (room.path / "stray.csv").write_text("x")
        service.wake.set()
        assert service.until(lambda: service.states[-1].state == "offline")
        assert "touch" in service.states[-1].hint
        (room.path / "stray.csv").unlink()
        room.path.rmdir()
        (room.base / "away" / "a.csv").write_text("x")
        (room.base / "away").rename(room.path)
        assert service.until(lambda: service.taken == [b"a.csv"])
        assert service.online()
        assert service.recovered == 2


def test_a_second_daemon_stands_by(room: Room) -> None:
    """A second daemon on an inbox takes nothing and says who serves it; it takes over when that one stops."""
    first, second = Service(room.folder), Service(room.folder)
    with serving(second):
        assert second.until(second.online)
        with serving(first):
            assert first.until(lambda: bool(first.states))
            assert first.states[-1].state == "standby"
            assert f"process {os.getpid()}" in first.states[-1].what
            room.drop("a.csv")
            assert second.until(lambda: second.taken == [b"a.csv"])
            second.stop.set()
            second.wake.set()
            room.drop("b.csv")
            assert first.until(lambda: first.taken == [b"b.csv"])
    assert second.taken == [b"a.csv"]


def test_a_slow_drop_holds_up_no_other(room: Room) -> None:
    """While one drop is being taken, for as long as that needs, the others are taken."""
    go = threading.Event()
    service = Service(room.folder, hands=2)
    service.before = lambda drop: None if drop.path != b"slow.csv" else _wait_for(go)
    with serving(service):
        room.drop("slow.csv")
        assert service.until(service.online)
        for number in range(5):
            room.drop(f"{number}.csv")
        assert service.until(lambda: len(service.taken) == 5)
        go.set()
        assert service.until(lambda: b"slow.csv" in service.taken)
        assert len(service.taken) == 6


def test_large_drops_hold_up_no_small_one(room: Room) -> None:
    """More large drops than there are hands, each for as long as it needs: small ones are taken meanwhile."""
    go = threading.Event()
    service = Service(room.folder, hands=2)
    service.before = lambda drop: _wait_for(go) if drop.path.startswith(b"large") else None
    with serving(service):
        for number in range(4):
            room.drop(f"large-{number}.csv", "prompt\n" + "a cat\n" * 100_000)
        assert service.until(service.online)
        for number in range(5):
            room.drop(f"{number}.csv")
        assert service.until(lambda: len(service.taken) == 5)
        go.set()
        assert service.until(lambda: len(service.taken) == 9)


def test_an_urgent_drop_is_next_however_many_wait(room: Room) -> None:
    """Large drops are given to their hands as they come: an urgent one waits for those in hand, and no others."""
    begun, go = threading.Event(), threading.Event()

    def take(_: Drop) -> None:
        begun.set()
        _wait_for(go)

    hands = Hands(take, count=1, wanting=lambda: None)
    first, *others = (
        drop_of(room.folder, path, (0, 0, 0, 0, 0))
        for path in (b"a.csv", b"b.csv", b"c.csv", b"urgent/d.csv")
    )
    hands.give(first)
    assert begun.wait(10)
    for drop in others:
        hands.give(drop)
    go.set()
    taken = [drop.path for drop, _ in hands.collect(wait=True)]
    assert taken == [b"a.csv", b"urgent/d.csv", b"b.csv", b"c.csv"]
    assert hands.stop() == []


def test_an_urgent_drop_overtakes_those_that_were_given(room: Room) -> None:
    """While the hands have many drops before them, an urgent one that comes is the next they take up."""
    go = threading.Event()
    service = Service(room.folder, hands=1)
    service.before = lambda _drop: _wait_for(go)
    for number in range(20):
        room.drop(f"{number}.csv")
    with serving(service):
        assert service.until(service.online)
        room.drop("urgent/late.csv")
        settled = time.monotonic() + 2 * room.folder.settle
        assert service.until(lambda: service.patrol.last_look > settled)
        go.set()
        assert service.until(lambda: len(service.taken) == 21)
        assert service.taken.index(b"urgent/late.csv") < 10


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_hands_that_a_fault_ended_leave_nothing_behind(room: Room) -> None:
    """Their word to end was taken by nobody: the next hands do not take it either."""
    broken = [True]

    def take(drop: Drop) -> bytes:
        if broken[0]:
            raise RuntimeError("a fault of our own")
        return drop.path

    hands = Hands(take, count=1, wanting=lambda: None)
    room.drop("a.csv")
    drop = drop_of(room.folder, b"a.csv", (0, 0, 0, 0, 0))
    hands.give(drop)
    assert [result for _, result in hands.collect(wait=True)] == [None]
    assert hands.stop() == []
    broken[0] = False
    hands.give(drop)
    assert [result for _, result in hands.collect(wait=True)] == [b"a.csv"]
    assert hands.stop() == []


def _wait_for(go: threading.Event) -> None:
    assert go.wait(10)


def test_a_share_that_does_not_answer(room: Room) -> None:
    """Its patrol waits in it; others can tell by the time that a look takes, and that it is over."""
    now = [0.0]
    service = Service(room.folder, clock=lambda: time.monotonic() + now[0])
    service.answers.clear()
    with serving(service):
        _wait_for(service.asked)
        assert service.until(lambda: not service.patrol.hangs)
        now[0] = 3600.0
        assert service.until(lambda: service.patrol.hangs)
        service.answers.set()
        assert service.until(service.online)
        assert service.until(lambda: not service.patrol.hangs)


def test_a_full_disk_pauses(room: Room) -> None:
    """Where taking fails for want of room nothing is lost: paused, said once, and by itself online again."""
    full = threading.Event()
    full.set()
    tries: list[bytes] = []
    service = Service(room.folder)

    def before(drop: Drop) -> None:
        tries.append(drop.path)
        if full.is_set():
            raise DiskError("/state is full.", "Make room.")

    service.before = before
    with serving(service):
        room.drop("a.csv")
        assert service.until(lambda: bool(service.states) and service.states[-1].state == "paused")
        assert not service.until(lambda: len(tries) > 3 and service.online(), seconds=0.6)
        full.clear()
        assert service.until(lambda: service.taken == [b"a.csv"])
        assert service.until(service.online)
    assert [state.state for state in service.states] == ["online", "paused", "online"]
    assert service.states[1].what == "/state is full."


def test_a_stuck_drop_is_told(room: Room) -> None:
    """A drop that cannot be moved is told, once, with what to do; the others go on."""
    service = Service(replace(room.folder, rescan_interval=0.1))
    tries: list[bytes] = []

    def before(drop: Drop) -> None:
        if drop.path == b"stuck.csv":
            tries.append(drop.path)
            raise DropStuck("stuck.csv cannot be taken.", "Run: chmod")

    service.before = before
    with serving(service):
        room.drop("stuck.csv")
        room.drop("a.csv")
        assert service.until(lambda: bool(service.waiting) and service.taken == [b"a.csv"])
        assert not service.until(lambda: False, seconds=0.4)
        assert len(tries) > 1
        [waiting] = service.waiting
        assert (waiting.code, waiting.reason, waiting.hint) == (
            "stuck",
            "stuck.csv cannot be taken.",
            "Run: chmod",
        )
        assert service.online()


def test_stopping_finishes_what_is_in_hand(room: Room) -> None:
    """Told to stop, the patrol finishes the drop in hand, leaves the others where they are, and gives the lock back."""
    stopping = threading.Event()
    service = Service(room.folder, hands=1)

    def before(_drop: Drop) -> None:
        service.stop.set()
        service.wake.set()
        stopping.set()

    service.before = before
    for number in range(20):
        room.drop(f"{number}.csv")
    with serving(service):
        assert stopping.wait(10)
    assert len(service.taken) == 1
    assert len(list(room.path.glob("*.csv"))) == 19
    lock = InboxLock(room.folder)
    assert lock.acquire()
    lock.release()


def test_a_missed_event_is_made_good(tmp_path: Path) -> None:
    """Where events are lost without a word, the rescan finds what they were about."""
    room = Room(tmp_path, replace(QUICK, watch="events", rescan_interval=0.2))
    with serving(Service(room.folder, ears=DeafEars)) as service:
        assert service.until(service.online)
        room.drop("a.csv")
        assert service.until(lambda: service.taken == [b"a.csv"])
        assert service.states[-1].mode == "events"


def test_an_idle_patrol_rests(tmp_path: Path) -> None:
    """Where nothing happens nothing is looked at, though files lie there and one was just taken."""
    room = Room(tmp_path, replace(QUICK, watch="events"))
    asked: list[float] = []

    def clock() -> float:
        asked.append(time.monotonic())
        return asked[-1]

    with serving(Service(room.folder, clock=clock)) as service:
        room.drop("offer.docx")
        room.drop("a.csv")
        assert service.until(lambda: service.taken == [b"a.csv"])
        service.until(lambda: False, seconds=0.3)
        asked.clear()
        service.until(lambda: False, seconds=0.7)
        assert len(asked) < 20


def test_waiting_is_told_after_a_minute_and_an_hour(tmp_path: Path) -> None:
    """A file that is never finished is waited for, and told after a minute and again after an hour, no more."""
    room = Room(tmp_path)
    service = Service(room.folder, clock=room.clock)
    with (room.path / "a.csv").open("w") as file:
        file.write("x")
        file.flush()
        for seconds in (0, 10, 49, 1, 60, 60, 3400, 30, 3600):
            room.clock.now += seconds
            service.patrol.look_once()
        assert [waiting.code for waiting in service.waiting] == ["writing", "writing"]
        assert [waiting.unfinished for waiting in service.waiting] == [False, True]
        file.write("y")
        file.flush()
        service.patrol.look_once()
        assert service.waiting[-1].code == "changing"
        assert [waiting.unfinished for waiting in service.waiting].count(True) == 1
    room.clock.now += 5
    service.patrol.look_once()
    service.patrol.leave()
    assert service.taken == [b"a.csv"]


def test_what_will_never_be_a_drop_is_told_at_once(tmp_path: Path) -> None:
    """Links, pipes and unknown kinds are told once each, and not again."""
    room = Room(tmp_path)
    (room.path / "link.csv").symlink_to(room.base)
    os.mkfifo(room.path / "pipe.csv")
    room.drop("offer.docx")
    service = Service(room.folder, clock=room.clock)
    for seconds in (0, 10, 60, 3600):
        room.clock.now += seconds
        service.patrol.look_once()
    service.patrol.leave()
    assert sorted(waiting.code for waiting in service.waiting) == ["link", "special"]
    assert service.unknown == [b"offer.docx"]


def test_looking_once(tmp_path: Path) -> None:
    """One look takes what is ready before it returns, and says whether anything is still settling."""
    room = Room(tmp_path)
    service = Service(room.folder, clock=room.clock)
    room.drop("a.csv")
    assert service.patrol.look_once()
    room.clock.now += 2
    service.patrol.look_once()
    assert service.taken == [b"a.csv"]
    assert not service.patrol.look_once()
    service.patrol.leave()


def test_looking_once_at_an_inbox_that_is_away(tmp_path: Path) -> None:
    """An inbox that is away has nothing settling, and its state says why."""
    room = Room(tmp_path)
    service = Service(room.folder, clock=room.clock)
    room.path.rename(room.base / "away")
    assert not service.patrol.look_once()
    assert [state.state for state in service.states] == ["offline"]
