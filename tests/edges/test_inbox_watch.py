"""Events from a real kernel: what wakes the patrol, and how deafness is noticed."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.edges.inbox_room import DeafEars, Room

from watcher.inbox.ears import Heard, InotifyEars, MakeEars
from watcher.inbox.marker import prepare
from watcher.inbox.notes import write_note
from watcher.inbox.values import Identity
from watcher.inbox.watch import Watch


class News:
    """What a watch told, and a bounded wait for it."""

    def __init__(self) -> None:
        self.wakes = 0
        self.moved: list[bytes] = []
        self.warnings: list[str] = []
        self._changed = threading.Condition()

    def wake(self) -> None:
        with self._changed:
            self.wakes += 1
            self._changed.notify_all()

    def until(self, condition: Callable[[], bool]) -> bool:
        with self._changed:
            return self._changed.wait_for(condition, timeout=10)


class Listening:
    """A room with a watch on it, as a patrol would use it."""

    def __init__(self, room: Room, ears: MakeEars = InotifyEars) -> None:
        self.room = room
        self.hears = ears is InotifyEars
        self.news = News()
        self.watch = Watch(
            room.folder,
            wake=self.news.wake,
            moved=self.news.moved.append,
            clock=room.clock,
            warn=self.news.warnings.append,
            ears=ears,
        )
        self.watch.start()
        self.cover()
        self.watch.check()

    def cover(self) -> bool:
        new = self.watch.cover(self.room.look().folders)
        self.news.wakes = 0
        return new

    def later(self, seconds: float = 30.0) -> None:
        """Let the probe be heard, where anybody hears, and time pass."""
        for _ in range(100 if self.hears else 0):
            if self.watch._heard_probe:  # the one thing that nobody is told of
                break
            threading.Event().wait(0.002)
        self.room.clock.now += seconds
        self.watch.check()


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@contextmanager
def listening(room: Room, ears: MakeEars = InotifyEars) -> Iterator[Listening]:
    heard = Listening(room, ears)
    try:
        yield heard
    finally:
        heard.watch.stop()


class DeadEars(DeafEars):
    """Ears whose thread has ended."""

    def alive(self) -> bool:
        return False


class FullEars(DeafEars):
    """Ears that the kernel gives no watches to."""

    def listen(self, folders: Mapping[bytes, Identity]) -> bool:
        raise OSError(errno.ENOSPC, "inotify watch limit reached", len(folders))


def refused_ears(root: Path, heard: Heard) -> DeafEars:
    """The kernel gives no instance at all."""
    raise OSError(errno.EMFILE, "inotify instance limit reached", str(root), None, str(heard))


def test_news_wakes(room: Room) -> None:
    """A file that is written, and one that is renamed in, wake; the second is said to be moved, with its path."""
    with listening(room) as heard:
        room.drop("a.csv")
        assert heard.news.until(lambda: heard.news.wakes > 0)
        assert heard.news.moved == []
        (room.base / "b.csv").touch()
        (room.base / "b.csv").rename(room.path / "b.csv")
        assert heard.news.until(lambda: heard.news.moved == [b"b.csv"])
        assert heard.watch.mode == "events"


def test_what_we_write_is_no_news(room: Room) -> None:
    """Our notes, claims, archives and probes wake nobody, nor does looking and reading."""
    with listening(room) as heard:
        write_note(room.folder, b"a.csv", "waiting")
        (room.path / "done" / "2026-11").mkdir(parents=True)
        (room.path / ".image-watcher" / "claimed" / "x").mkdir()
        room.look()
        heard.later()
        (room.base / "b.csv").touch()
        (room.base / "b.csv").rename(room.path / "b.csv")
        assert heard.news.until(lambda: heard.news.moved == [b"b.csv"])
        assert heard.news.wakes == 1


def test_sub_folders_are_heard(room: Room) -> None:
    """A folder that a look found is heard from then on, under its path; the first cover of it asks for another look."""
    (room.path / "client" / "deep").mkdir(parents=True)
    with listening(room) as heard:
        assert not heard.cover()
        (room.path / "new").mkdir()
        assert heard.news.until(lambda: heard.news.wakes > 0)
        assert heard.cover()
        for folder in ("client/deep", "new"):
            (room.base / "b.csv").touch()
            (room.base / "b.csv").rename(room.path / folder / "b.csv")
        assert heard.news.until(lambda: len(heard.news.moved) == 2)
        assert heard.news.moved == [b"client/deep/b.csv", b"new/b.csv"]


def test_a_renamed_folder_is_heard_under_its_new_name(room: Room) -> None:
    """A folder that is renamed within the inbox stays heard, and its files are told with where they lie now."""
    (room.path / "old").mkdir()
    with listening(room) as heard:
        (room.path / "old").rename(room.path / "new")
        assert heard.news.until(lambda: heard.news.wakes > 0)
        assert heard.cover()
        (room.base / "b.csv").touch()
        (room.base / "b.csv").rename(room.path / "new" / "b.csv")
        assert heard.news.until(lambda: heard.news.moved == [b"new/b.csv"])


def test_a_folder_that_went_is_let_go(room: Room) -> None:
    """A folder that was removed costs no watch any more, and its name can be heard again."""
    (room.path / "sub").mkdir()
    with listening(room) as heard:
        (room.path / "sub").rmdir()
        assert heard.news.until(lambda: heard.news.wakes > 0)
        assert not heard.cover()
        (room.path / "sub").mkdir()
        assert heard.news.until(lambda: heard.news.wakes > 0)
        assert heard.cover()


def test_a_root_that_is_removed_wakes(room: Room) -> None:
    """The end of the root itself is news: the next look says what it means."""
    with listening(room) as heard:
        (room.path / ".image-watcher" / "probe").unlink()
        (room.path / ".image-watcher" / "inbox.id").unlink()
        (room.path / ".image-watcher" / "claimed").rmdir()
        (room.path / ".image-watcher").rmdir()
        room.path.rmdir()
        assert heard.news.until(lambda: heard.news.wakes > 0)
        assert not room.look().online


def test_probes_that_are_heard_change_nothing(room: Room) -> None:
    """As long as the probe is heard, events it is, for ever."""
    with listening(room) as heard:
        for _ in range(8):
            heard.later()
        assert (heard.watch.mode, heard.watch.rebuilt) == ("events", 0)
        assert heard.watch.next_check() == 30.0


def test_a_replaced_root_is_noticed(room: Room) -> None:
    """A root that was replaced makes the ears deaf: two missed probes, at most 90 s, and they are made anew."""
    with listening(room) as heard:
        room.path.rename(room.base / "old")
        room.path.mkdir()
        prepare(room.folder, known=False, new_id="id-2")
        for _ in range(4):
            heard.later()
        assert heard.watch.rebuilt == 1
        assert heard.watch.mode == "events"
        heard.cover()
        room.drop("a.csv")
        assert heard.news.until(lambda: heard.news.wakes > 0)


def test_a_look_that_sees_another_root_mends_at_once(room: Room) -> None:
    """Where a look finds another root, it is heard from then on, without waiting for probes."""
    with listening(room) as heard:
        room.path.rename(room.base / "old")
        room.path.mkdir()
        prepare(room.folder, known=False, new_id="id-2")
        assert heard.cover()
        (room.base / "b.csv").touch()
        (room.base / "b.csv").rename(room.path / "b.csv")
        assert heard.news.until(lambda: heard.news.moved == [b"b.csv"])
        assert heard.watch.rebuilt == 0


def test_deaf_ears_end_in_polling(room: Room) -> None:
    """Two misses and the ears are made anew; two more and it is polling, said once; events are tried again later."""
    DeafEars.made = 0
    with listening(room, DeafEars) as heard:
        for _ in range(3):
            heard.later()
        assert (heard.watch.mode, heard.watch.rebuilt, DeafEars.made) == ("events", 1, 2)
        heard.later()
        assert heard.watch.mode == "polling"
        [warning] = heard.news.warnings
        assert warning == (
            "The inbox products is looked at every 5 s from now on: no events arrive from it, though files change."
        )
        heard.later(600)
        assert (heard.watch.mode, DeafEars.made) == ("events", 3)
        for _ in range(2):
            heard.later()
        assert heard.watch.mode == "polling"
        assert len(heard.news.warnings) == 1


def test_dead_ears_are_made_anew(room: Room) -> None:
    """Where the reader of events has died, it is replaced at the next check."""
    with listening(room, DeadEars) as heard:
        assert heard.watch.rebuilt == 1


@pytest.mark.parametrize(
    ("ears", "setting"),
    [
        (FullEars, "sysctl fs.inotify.max_user_watches=524288"),
        (refused_ears, "sysctl fs.inotify.max_user_instances=1024"),
    ],
)
def test_the_kernels_limits(room: Room, ears: MakeEars, setting: str) -> None:
    """Where the kernel gives no watch, or no instance, it is polling at once, and the words name the setting."""
    with listening(room, ears) as heard:
        assert heard.watch.mode == "polling"
        [warning] = heard.news.warnings
        assert setting in warning


def test_polling_where_it_is_set(tmp_path: Path) -> None:
    """An inbox that is set to polling takes no watch."""
    room = Room(tmp_path)
    room.folder = replace(room.folder, watch="poll")
    with listening(room) as heard:
        assert heard.watch.mode == "polling"
        heard.later(600)
        assert heard.watch.mode == "polling"
        assert heard.news.warnings == []


def test_stopping_leaves_nothing(room: Room) -> None:
    """A stopped watch holds no thread and no descriptor."""
    before = (threading.active_count(), len(os.listdir("/proc/self/fd")))  # noqa: PTH208
    for _ in range(3):
        with listening(room):
            pass
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == before  # noqa: PTH208
