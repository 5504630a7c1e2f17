"""An inbox with its intake and a ledger for a test, and deaths at every step of what they do."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from pathlib import Path
from types import FrameType

from tests.edges.inbox_room import Room
from tests.edges.ledger_room import NOW, Notes

from watcher.core.catalogue import Catalogue
from watcher.core.jobs import Operation
from watcher.core.parsing import Limits
from watcher.core.planning import RowRules
from watcher.core.profiles import load_profiles
from watcher.core.templates import Template
from watcher.daemon.state import clear_snapshots
from watcher.inbox.scan import Scanner
from watcher.intake import InboxRules, Intake
from watcher.ledger import Ledger

MODEL = "gpt-image-2.5-flare"
DIED = 9
MONTH = "2026-11"
# Before each of these, and after it, a process may die; what it calls in between changes nothing.
_STEPS = frozenset(
    {"rename", "replace", "mkdir", "rmdir", "unlink", "fsync", "commit", "execute", "executemany"}
)


def inbox_rules(fingerprint: str = "rules") -> InboxRules:
    rows = RowRules(
        models=dict.fromkeys(Operation, MODEL),
        profile=load_profiles()["openai"],
        today=date(2026, 11, 20),
    )
    return InboxRules(
        rows=rows,
        filename=Template("{{ name or row }}-{{ index }}"),
        limits=Limits(),
        fingerprint=fingerprint,
        settings={},
    )


class Roomy:
    """A disk with room; `error` is raised instead, where a test sets it."""

    error: Exception | None = None

    def require(self, folder: Path) -> None:
        del folder
        if self.error is not None:
            raise self.error


@dataclass(kw_only=True)
class Desk:
    """Everything that the intake of one inbox touches, in `base`; `restart` is a new process."""

    base: Path
    room: Room
    rules: Callable[[], InboxRules] = inbox_rules
    jobs: list[str] = field(default_factory=list)
    log: Notes = field(default_factory=Notes)
    space: Roomy = field(default_factory=Roomy)
    starts: int = 0

    def __post_init__(self) -> None:
        self.ids = (f"id{self.starts}-{number}" for number in count(1))
        for name in ("blobs", "inputs"):
            (self.base / name).mkdir(exist_ok=True)
        self.ledger = Ledger(self.base / "state")
        self.intake = Intake(
            folder=self.room.folder,
            rules=self._rules_now,
            ledger=self.ledger,
            catalogue=Catalogue.shipped(),
            blobs=self.base / "blobs",
            inputs=self.base / "inputs",
            space=self.space,
            outbox="outbox",
            clock=lambda: NOW,
            monotonic=self.room.clock,
            new_id=lambda: next(self.ids),
            month=lambda: MONTH,
            log=self.log,
            on_job=self.jobs.append,
        )

    def _rules_now(self) -> InboxRules:
        return self.rules()

    def look(self) -> list[float | None]:
        """Take everything that is ready."""
        self.room.look()
        return [self.intake.take(drop) for drop in self.room.look(60).ready]

    def restart(self, *, ledger_lost: bool = False) -> Desk:
        """As the daemon starts: what was coming in is cleared, what was claimed is taken up, then it looks."""
        self.ledger.close()
        if ledger_lost:
            for file in (self.base / "state").iterdir():
                file.unlink()
        self.room.scanner = Scanner(self.room.folder, clock=self.room.clock)
        fresh = Desk(base=self.base, room=self.room, rules=self.rules, starts=self.starts + 1)
        fresh.ledger.jobs.clear_unaccepted()
        clear_snapshots(self.base / "blobs")
        fresh.intake.recover()
        fresh.look()
        return fresh

    def close(self) -> None:
        self.ledger.close()


def desk(base: Path) -> Desk:
    base.mkdir(exist_ok=True)
    return Desk(base=base, room=Room(base))


def dies_at(step: int, work: Callable[[], object]) -> bool:
    """Do `work` in a process that ends, without a word, at its `step`-th moment around a change on disk.

    `work` must open its own ledger: a database does not go with a process that forks.
    """
    child = os.fork()
    if child == 0:
        left = step

        def watch(_frame: FrameType, event: str, argument: object) -> None:
            nonlocal left
            if event in ("c_call", "c_return") and getattr(argument, "__name__", "") in _STEPS:
                left -= 1
                if left == 0:
                    os._exit(DIED)

        sys.setprofile(watch)
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == DIED


def steps(base: Path, first: int, stride: int) -> Iterator[tuple[int, Path]]:
    """A folder for each step at which a process is to die."""
    for step in range(first, 2_000, stride):
        place = base / str(step)
        place.mkdir()
        yield step, place
