"""What people and machines do to an inbox, at random, against a model of what must be a job in the ledger."""

from __future__ import annotations

import os
import re
from contextlib import suppress

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from tests.edges.intake_room import Desk
from tests.edges.test_inbox_model import Inbox

from watcher.core.errors import InboxError
from watcher.inbox.scan import Scanner
from watcher.inbox.values import Drop, DropBusy, DropGone, DropStuck

BEGUN, ENDED = re.compile(r"begin (\d+)"), re.compile(r"end (\d+)")


class IntakeModel(Inbox):
    """The model of the room, with the real intake and the real ledger. `taken`: the numbers that were
    jobs at some time; each of them is one in the ledger at any time, also after this was lost, since
    no original leaves its claim before its job is over.
    """

    @initialize()
    def start(self) -> None:
        super().start()
        self.desk = Desk(base=self.base, room=self.room)

    def take_one(self, drop: Drop) -> None:
        before = len(self.desk.jobs)
        with suppress(DropBusy, DropGone, DropStuck):
            assert self.desk.intake.take(drop) is None
        for job in self.desk.jobs[before:]:
            number = self.number_of(job)
            self.taken[number] += 1
            assert self.lying.pop(os.fsdecode(drop.path)) == number

    def number_of(self, job: str) -> int:
        """Which text a job was made of; it must be a whole one."""
        found = self.desk.ledger.views.job(job)
        assert found is not None
        begun = BEGUN.fullmatch("".join(found.columns))
        rows = [row.values for row in self.desk.ledger.views.rows(job)]
        assert begun, f"taken half: {found}"
        assert rows, f"taken half: {found}"
        ended = ENDED.fullmatch(str(rows[-1][0]))
        assert ended, f"taken half: {rows}"
        assert begun[1] == ended[1]
        return int(begun[1])

    @precondition(lambda self: not self.away)
    @rule(ledger_lost=st.booleans())
    def start_again(self, ledger_lost: bool) -> None:  # noqa: FBT001
        """A new process, perhaps with an empty ledger; what was claimed is taken up."""
        self.desk.ledger.close()
        if ledger_lost:
            for file in (self.base / "state").iterdir():
                file.unlink()
        self.room.scanner = Scanner(self.room.folder, clock=self.room.clock)
        self.sighted = ()
        self.desk = Desk(base=self.base, room=self.room, starts=self.desk.starts + 1)
        self.desk.ledger.jobs.clear_unaccepted()
        self.desk.intake.recover()
        self.expect_all_taken()

    @precondition(lambda self: self.away)
    @rule()
    def start_while_away(self) -> None:
        """A new process finds the share away: it takes nothing up and forgets nothing."""
        with suppress(InboxError):
            self.desk.intake.recover()
            raise AssertionError("an empty mount point was taken for the inbox")

    def expect_all_taken(self) -> None:
        jobs = self.desk.ledger.views.jobs(most=1000)
        assert sorted(self.number_of(job.id) for job in jobs) == sorted(self.taken)

    def settle_all(self) -> None:
        """In the end everything that lies there whole is a job, once."""
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
        self.expect_all_taken()
        self.start_again(ledger_lost=True)
        self.desk.ledger.close()


TestIntakeModel = IntakeModel.TestCase
TestIntakeModel.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
