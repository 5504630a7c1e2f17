"""What people and machines do to an inbox, at random, against a model of what must be taken."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TextIO

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.edges.inbox_room import Room, bytes_of

from watcher.inbox.archive import archive
from watcher.inbox.claims import claim, claimed_ids, find_claimed, unclaim
from watcher.inbox.scan import Scanner
from watcher.inbox.snapshot import snapshot
from watcher.inbox.values import Drop, DropBusy, DropGone

NAMES = st.sampled_from(["a.csv", "b.csv", "sub/a.csv", "again/c.csv", "café\n.csv"])
WHOLE = re.compile(r"begin (\d+)\n(middle\n)*end \1\n")


class Inbox(RuleBasedStateMachine):
    """`lying`: the number of the whole text under each name. Every one that is not overwritten or
    deleted by somebody else must be taken, once, whole."""

    @initialize()
    def start(self) -> None:
        self.base = Path(tempfile.mkdtemp())
        self.room = Room(self.base)
        self.away = False
        self.numbers = count(1)
        self.lying: dict[str, int] = {}
        self.writing: dict[str, tuple[TextIO, int]] = {}
        self.taken: Counter[int] = Counter()
        self.sighted: tuple[Drop, ...] = ()

    def path(self, name: str) -> Path:
        file = (self.base / "away" if self.away else self.room.path) / name
        file.parent.mkdir(exist_ok=True)
        return file

    @rule(name=NAMES)
    def write(self, name: str) -> None:
        """Somebody writes a file in one go, perhaps over another."""
        self.stop_writing(name)
        number = next(self.numbers)
        self.path(name).write_text(f"begin {number}\nend {number}\n")
        self.lying[name] = number

    @rule(name=NAMES)
    def begin(self, name: str) -> None:
        """A slow program opens a file and writes half of it."""
        self.stop_writing(name)
        self.lying.pop(name, None)
        number = next(self.numbers)
        file = self.path(name).open("w")
        file.write(f"begin {number}\n")
        file.flush()
        self.writing[name] = (file, number)

    @rule(name=NAMES)
    def go_on(self, name: str) -> None:
        if name in self.writing:
            self.writing[name][0].write("middle\n")
            self.writing[name][0].flush()

    @rule(name=NAMES)
    def end(self, name: str) -> None:
        if name in self.writing:
            file, number = self.writing.pop(name)
            file.write(f"end {number}\n")
            file.close()
            self.lying[name] = number

    @rule(name=NAMES, told=st.booleans())
    def rename_in(self, name: str, told: bool) -> None:  # noqa: FBT001
        """A file that was finished elsewhere is renamed in; the event may be lost."""
        self.stop_writing(name)
        number = next(self.numbers)
        (self.base / "new").write_text(f"begin {number}\nend {number}\n")
        (self.base / "new").rename(self.path(name))
        self.lying[name] = number
        if told:
            self.room.scanner.hint_moved(os.fsencode(name))

    @rule()
    def move_in_a_folder(self) -> None:
        number = next(self.numbers)
        (self.base / "folder" / "deep").mkdir(parents=True)
        (self.base / "folder" / "deep" / "x.csv").write_text(f"begin {number}\nend {number}\n")
        name = f"batch{number}"
        (self.base / "folder").rename(self.path(name))
        self.lying[f"{name}/deep/x.csv"] = number

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        self.stop_writing(name)
        self.path(name).unlink(missing_ok=True)
        self.lying.pop(name, None)

    @rule(name=NAMES, other=NAMES)
    def rename(self, name: str, other: str) -> None:
        if name != other and name in self.lying:
            self.stop_writing(other)
            self.path(name).rename(self.path(other))
            self.lying[other] = self.lying.pop(name)

    @rule(seconds=st.sampled_from([0.1, 0.6, 2.0, 10.0, 70.0]))
    def time_passes(self, seconds: float) -> None:
        self.room.clock.now += seconds

    @rule(seconds=st.sampled_from([0.6, 2.0, 70.0]))
    def serve(self, seconds: float) -> None:
        """The patrol's round: look, wait, look, take."""
        self.look()
        self.time_passes(seconds)
        self.look()
        self.take()

    @rule()
    def look(self) -> None:
        sighting = self.room.look()
        assert sighting.online is not self.away
        self.sighted = sighting.ready

    @rule()
    def take(self) -> None:
        """Take what some earlier look saw; much may have happened since."""
        for drop in self.sighted if not self.away else ():
            with suppress(DropGone):
                self.take_one(drop)
        self.sighted = ()

    @rule()
    def restart(self) -> None:
        self.room.scanner = Scanner(self.room.folder, clock=self.room.clock)
        self.sighted = ()

    @precondition(lambda self: not self.away)
    @rule()
    def share_goes(self) -> None:
        self.room.path.rename(self.base / "away")
        self.room.path.mkdir()
        self.away = True

    @precondition(lambda self: self.away)
    @rule()
    def share_comes(self) -> None:
        self.room.path.rmdir()
        (self.base / "away").rename(self.room.path)
        self.away = False

    def take_one(self, drop: Drop) -> None:
        claim_id = f"c{next(self.numbers)}"
        claimed = claim(self.room.folder, drop, claim_id)
        assert find_claimed(self.room.folder, claim_id) == claimed
        try:
            text = bytes_of(snapshot(claimed, self.base)).decode()
        except DropBusy:
            unclaim(claimed)
            return
        found = WHOLE.fullmatch(text)
        assert found, f"taken half: {text!r}"
        self.taken[int(found[1])] += 1
        assert self.lying.pop(os.fsdecode(drop.path)) == int(found[1])
        archive(claimed, where="done", month="2026-11", job=claim_id)

    def stop_writing(self, name: str) -> None:
        if name in self.writing:
            self.writing.pop(name)[0].close()

    def teardown(self) -> None:
        """In the end everything that lies there whole is taken, and nothing was taken twice."""
        try:
            self.settle_all()
        finally:
            for file, _ in self.writing.values():
                file.close()
            shutil.rmtree(self.base)

    def settle_all(self) -> None:
        if self.away:
            self.share_comes()
        for name in list(self.writing):
            self.end(name)
        for _ in range(3):
            self.time_passes(70)
            self.look()
            self.take()
        assert self.lying == {}
        assert set(self.taken.values()) <= {1}
        assert claimed_ids(self.room.folder) == []


TestInbox = Inbox.TestCase
TestInbox.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
