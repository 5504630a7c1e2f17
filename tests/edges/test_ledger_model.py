"""The ledger against a model of it: whatever is done, and wherever the process dies, each row counts once."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.edges.ledger_room import (
    LANE,
    NOW,
    REFUSED,
    accept,
    new_job,
    new_row,
    picture,
    reopened,
    settlement,
)

from watcher.core.jobs import OPEN_STATES, JobState, OpenItem, RowState, Slice
from watcher.ledger import Ledger

_FINAL = (RowState.DONE, RowState.FAILED, RowState.PARTIAL)
_ROWS = (1, 2, 50, 53)
_MEMORY = Path("/dev/shm")  # noqa: S108 - a mount point: a commit costs nothing there
Row = tuple[str, int]


class LedgerModel(RuleBasedStateMachine):
    """One engine at a time works on several jobs: rows are begun, settled, deferred; the process is killed."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None)
        self.ledger = Ledger(Path(self.folder.name))
        self.now = NOW
        self.rows: dict[Row, RowState] = {}
        self.calls: dict[Row, int] = {}
        self.ended: dict[str, int] = {}
        self.out: list[tuple[Slice, list[OpenItem]]] = []
        self.flying: list[tuple[Slice, OpenItem, int]] = []

    def teardown(self) -> None:
        self.ledger.close()
        self.folder.cleanup()

    @rule(count=strategies.sampled_from(_ROWS), unusable=strategies.booleans())
    def accept(self, count: int, unusable: bool) -> None:  # noqa: FBT001
        job = f"job{len(self.ended):03}"
        if len(self.ended) >= 4:
            return
        rows = [
            new_row(number, usable=not unusable or number > 1) for number in range(1, count + 1)
        ]
        accept(self.ledger, job, rows)
        self.rows |= {
            (job, row.number): RowState.QUEUED if row.item else RowState.FAILED for row in rows
        }
        self.ended[job] = int(all(row.item is None for row in rows))

    @rule()
    def break_off(self) -> None:
        """A drop whose rows come in while the process dies."""
        self.ledger.jobs.begin(new_job("torn"))
        self.ledger.jobs.add_rows("torn", [new_row(1)])

    @rule(most=strategies.integers(1, 3))
    def take(self, most: int) -> None:
        for slice_ in self.ledger.items.take_slices(now=self.now, most=most):
            assert slice_ not in [one for one, _ in self.out], "handed out twice"
            self.out.append((slice_, self.ledger.items.open_items(slice_)))

    @precondition(lambda self: any(items for _, items in self.out))
    @rule(choice=strategies.integers(0, 99))
    def begin(self, choice: int) -> None:
        filled = [one for one in self.out if one[1]]
        slice_, items = filled[choice % len(filled)]
        one = items.pop(choice % len(items))
        if one.pending is not None:
            self.ledger.items.interrupted(one.pending, now=self.now)
        attempt = self.ledger.items.begin_attempt(one, lane=LANE, n=1, now=self.now)
        assert attempt is not None
        row = (one.job_id, one.number)
        assert self.rows[row] in OPEN_STATES, "a final row is asked for"
        self.calls[row] = self.calls.get(row, 0) + 1
        self.rows[row] = RowState.RUNNING
        self.flying.append((slice_, one, attempt))

    @precondition(lambda self: self.flying)
    @rule(
        choice=strategies.integers(0, 99),
        state=strategies.sampled_from((*_FINAL, RowState.WAITING, RowState.QUEUED)),
    )
    def settle(self, choice: int, state: RowState) -> None:
        _, one, attempt = self.flying.pop(choice % len(self.flying))
        due = self.now + 5 if state is RowState.WAITING else None
        stem = f"{one.job_id}-{one.number}"
        found = (picture(1, stem),) if state in (RowState.DONE, RowState.PARTIAL) else ()
        problem = None if state is RowState.DONE else REFUSED
        over = self.ledger.items.settle(
            one,
            attempt,
            settlement(state, due_at=due, pictures=found, problem=problem),
            now=self.now,
        )
        self.rows[one.job_id, one.number] = state
        self.ended[one.job_id] += over

    @rule(later=strategies.sampled_from((0.0, 3.0, 60.0)))
    def give_back(self, later: float) -> None:
        """Every slice of which nothing is in flight."""
        flying = {(slice_.job_id, slice_.ordinal) for slice_, _, _ in self.flying}
        for slice_, items in list(self.out):
            if (slice_.job_id, slice_.ordinal) not in flying:
                self.ledger.items.release(slice_, due_at=self.now + later, now=self.now)
                self.out.remove((slice_, items))

    @rule(seconds=strategies.sampled_from((1.0, 10.0, 100.0)))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def run_again(self) -> None:
        for job in self.ended:
            failed = [
                row
                for row, state in self.rows.items()
                if row[0] == job
                and state in (RowState.FAILED, RowState.PARTIAL)
                and row in self.calls
            ]
            assert self.ledger.jobs.run_again(job) == len(failed)
            self.rows |= dict.fromkeys(failed, RowState.QUEUED)
            if failed:
                self.ended[job] = 0

    @rule()
    def kill(self) -> None:
        self.ledger = reopened(self.ledger, Path(self.folder.name))
        self.out, self.flying = [], []

    @invariant()
    def each_row_counts_once(self) -> None:
        for job, ended in self.ended.items():
            found = {(job, row.number): row.state for row in self.ledger.views.rows(job)}
            assert found == {row: state for row, state in self.rows.items() if row[0] == job}
            told = self.ledger.views.job(job)
            assert told is not None
            assert told.rows == len(found)
            is_open = any(state in OPEN_STATES for state in found.values())
            assert (told.state is JobState.RUNNING) == is_open
            assert ended == (0 if is_open else 1), "a job ends exactly once"

    @invariant()
    def pictures_and_attempts_are_of_their_rows(self) -> None:
        for job in self.ended:
            for row in self.ledger.views.rows(job):
                assert len(row.attempts) == self.calls.get((job, row.number), 0)
                assert len(row.pictures) <= 1

    @invariant()
    def no_open_row_is_forgotten(self) -> None:
        """Each open row is in flight, in hand, or in a slice that will be due."""
        held = {(one.job_id, one.number) for _, one, _ in self.flying}
        held |= {(one.job_id, one.number) for _, items in self.out for one in items}
        out = [slice_ for slice_, _ in self.out]
        waiting = self.ledger.items.next_due() is not None
        for job, number in (row for row, state in self.rows.items() if state in OPEN_STATES):
            in_slice = any(one.job_id == job and one.first <= number <= one.last for one in out)
            assert (job, number) in held or in_slice or waiting


LedgerModel.TestCase.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
TestLedgerModel = LedgerModel.TestCase
TestLedgerModel.__doc__ = (
    "Every row is accounted for once, whatever is done and wherever the process dies."
)
