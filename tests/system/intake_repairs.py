"""How soon a missed event is made good, and a deaf watcher repaired: the patrol of one inbox with real files and
real time, and with ears that hear nothing. Waits may be scaled down for a quick look: then the limits are too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.edges.inbox_room import PLAIN, DeafEars
from tests.system.house import wait_for
from tests.system.intake_figures import Figure

from watcher.inbox import Drop, InboxLock, Patrol, Scanner, Watch, prepare
from watcher.inbox.ears import Ears, Heard, InotifyEars, MakeEars

RESCAN, PROBE = 60.0, 30.0  # seconds, as they are set where nothing else is said


@dataclass(kw_only=True)
class _Served:
    inbox: Path
    watch: Watch
    taken: list[str] = field(default_factory=list)

    def take(self, drop: Drop) -> None:
        (self.inbox / drop.name).unlink()
        self.taken.append(drop.name)


@contextmanager
def _served(inbox: Path, ears: MakeEars, *, rescan: float, probe: float) -> Iterator[_Served]:
    inbox.mkdir(parents=True)
    folder = replace(PLAIN, path=inbox, settle=0.5, rescan_interval=rescan, watch="events")
    stop, wake = threading.Event(), threading.Event()
    scanner = Scanner(folder, clock=time.monotonic)
    watch = Watch(
        folder, wake=wake.set, moved=scanner.hint_moved, clock=time.monotonic,
        warn=lambda _: None, ears=ears, probe_every=probe,
    )  # fmt: skip
    served = _Served(inbox=inbox, watch=watch)
    patrol = Patrol(
        folder, scanner=scanner, watch=watch, lock=InboxLock(folder),
        prepare=lambda: prepare(folder, known=False, new_id="x"), on_ready=served.take,
        on_waiting=lambda _: None, on_state=lambda _: None, clock=time.monotonic, stop=stop,
        wake=wake,
    )  # fmt: skip
    thread = threading.Thread(target=patrol.run)
    thread.start()
    try:
        wait_for(lambda: watch.mode == "events", 10, "it listens")
        yield served
    finally:
        stop.set()
        wake.set()
        thread.join()


def missed_event(folder: Path, *, rescan: float = RESCAN) -> list[Figure]:
    """A file of which no event tells: from the end of writing to its being handed over."""
    with _served(folder / "missed", DeafEars, rescan=rescan, probe=10 * rescan) as served:
        time.sleep(1.0)  # the first looks are over
        (served.inbox / "a.csv").write_text("prompt\na cat\n")
        began = time.monotonic()
        wait_for(lambda: served.taken, 3 * rescan + 10, "it is taken")
        took = time.monotonic() - began
    return [
        Figure(what=f"missed event made good (rescan every {rescan:g} s)", value=round(took, 2), limit=rescan * 75 / RESCAN, unit="s")
    ]  # fmt: skip


def deaf_watcher(folder: Path, *, probe: float = PROBE) -> list[Figure]:
    """Ears that go deaf without a word: until a new pair hears a file that is dropped."""
    made = 0

    def ears(root: Path, heard: Heard) -> Ears:
        nonlocal made
        made += 1
        return DeafEars(root, heard) if made == 1 else InotifyEars(root, heard)

    with _served(folder / "deaf", ears, rescan=100 * probe, probe=probe) as served:
        began = time.monotonic()
        wait_for(lambda: served.watch.rebuilt and served.watch.mode == "events", 10 * probe)
        (served.inbox / "a.csv").write_text("prompt\na cat\n")
        wait_for(lambda: served.taken, 10, "its event is heard")
        took = time.monotonic() - began
    return [
        Figure(what=f"deaf watcher repaired (probed every {probe:g} s)", value=round(took, 2), limit=probe * 150 / PROBE, unit="s")
    ]  # fmt: skip
