"""From drop to job: no drop is lost and none is doubled, whatever fails and wherever the process dies."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest
from tests.edges.inbox_room import PLAIN, Room
from tests.edges.intake_room import DIED, MONTH, Desk, desk, dies_at, inbox_rules, steps
from tests.edges.ledger_room import settlement

from watcher.core.errors import DiskError
from watcher.core.jobs import JobState, LaneKey, RowState
from watcher.inbox import DropBusy, DropGone, claim, claimed_ids
from watcher.intake import InboxRules
from watcher.intake.drops import large_turn
from watcher.ledger import Ledger

CSV = "prompt\na cat\na dog\n"
LANE = LaneKey(account="api.example", model="m")
FULL = DiskError("The disk is full.", "Make room.")


@pytest.fixture
def base() -> Iterator[Path]:
    """In memory where there is such a place: each death needs an inbox and a ledger of its own."""
    memory = Path("/dev/shm")  # noqa: S108 - a mount point, not a file
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def one(base: Path) -> Iterator[Desk]:
    made = desk(base)
    yield made
    made.close()


def jobs_of(ledger: Ledger) -> list[tuple[str, JobState, int]]:
    return [(job.name, job.state, job.rows) for job in ledger.views.jobs()]


def is_clean(one: Desk) -> bool:
    """Nothing is claimed for nothing, and no copy is left over."""
    known = {claim.id for claim in one.ledger.claims.open()}
    lying = {claim_id for claim_id, _ in claimed_ids(one.room.folder)}
    return known == lying and not list((one.base / "blobs").iterdir())


def finish(one: Desk, states: dict[int, RowState]) -> None:
    """Work off what is queued: each row ends as `states` says, done where it says nothing."""
    items = one.ledger.items
    for slice_ in items.take_slices(now=1e10, most=99):
        for item in items.open_items(slice_):
            attempt = items.begin_attempt(item, lane=LANE, n=1, now=1e10)
            assert attempt is not None
            told = settlement(states.get(item.number, RowState.DONE))
            items.settle(item, attempt, told, now=1e10)
        items.release(slice_, due_at=0.0, now=1e10)


def test_a_drop_becomes_a_job(one: Desk) -> None:
    """Claimed, read, accepted with all its rows; its job is told of once, and nothing is left over."""
    one.room.drop("a.csv", CSV)
    assert one.look() == [None]
    assert jobs_of(one.ledger) == [("a.csv", JobState.RUNNING, 2)]
    assert (one.jobs, is_clean(one)) == (["id0-1"], True)


@pytest.mark.parametrize("name", ["a.csv", "again/a.csv"])
def test_death_at_every_step_loses_and_doubles_nothing(base: Path, name: str) -> None:
    """Wherever the process dies, the next start has one job of all rows, and the drop once on disk."""
    deaths = 0
    for step, place in steps(base, 1 if "/" in name else 4, 5):
        first = desk(place)
        first.room.drop(name, CSV)
        first.ledger.close()

        def take(first: Desk = first) -> None:
            second = Desk(base=first.base, room=first.room)
            second.look()

        died = dies_at(step, take)
        fresh = first.restart()
        try:
            assert jobs_of(fresh.ledger) == [("a.csv", JobState.RUNNING, 2)]
            assert len(one_file := list(place.joinpath("inbox").rglob("a.csv"))) == 1
            assert (one_file[0].read_text(), is_clean(fresh)) == (CSV, True)
        finally:
            fresh.close()
        if not died:
            break
        deaths += 1
        shutil.rmtree(place)
    assert deaths > 15


def test_death_at_every_step_of_a_repeat_pays_nothing_twice(base: Path) -> None:
    """The same bytes again, and death on the way: the failed row runs once more, the others never."""
    deaths = 0
    for step, place in steps(base, 1, 13):
        first = desk(place)
        first.room.drop("a.csv", CSV)
        first.look()
        finish(first, {2: RowState.FAILED})
        first.room.drop("b.csv", CSV)
        first.ledger.close()

        def take(first: Desk = first) -> None:
            second = Desk(base=first.base, room=first.room, starts=1)
            second.look()

        died = dies_at(step, take)
        first.starts = 1
        fresh = first.restart()
        try:
            finish(fresh, {})
            assert jobs_of(fresh.ledger) == [("a.csv", JobState.DONE, 2)]
            tries = [len(row.attempts) for row in fresh.ledger.views.rows("id0-1")]
            assert tries == [1, 2]
            assert len(list(place.joinpath("inbox", "done").rglob("b.csv"))) == 1
            assert [claim.id for claim in fresh.ledger.claims.open()] == ["id0-1"]
        finally:
            fresh.close()
        if not died:
            break
        deaths += 1
        shutil.rmtree(place)
    assert deaths > 10


def test_a_lost_ledger_loses_no_drop(one: Desk) -> None:
    """Without its database, the next start takes up what lies claimed."""
    one.room.drop("a.csv", CSV)
    one.look()
    fresh = one.restart(ledger_lost=True)
    try:
        assert jobs_of(fresh.ledger) == [("a.csv", JobState.RUNNING, 2)]
    finally:
        fresh.close()


def test_equal_drops_at_the_same_moment_are_one_job(one: Desk) -> None:
    """Two hands, one content under two names: one job, and the other drop is its repeat."""
    for name in ("a.csv", "b.csv", "c.csv", "d.csv"):
        one.room.drop(name, CSV)
    one.room.look()
    ready = one.room.look(60).ready
    hands = [threading.Thread(target=one.intake.take, args=(drop,)) for drop in ready]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()
    assert len(one.ledger.views.jobs()) == 1
    assert sum(event == "drop.repeated" for event in one.log.events) == 3
    assert is_clean(one)


def test_the_same_drop_again_is_the_same_job(one: Desk) -> None:
    """Done rows are not asked for again; failed ones are, once."""
    one.room.drop("a.csv", CSV)
    one.look()
    finish(one, {2: RowState.FAILED})
    one.room.drop("a.csv", CSV)
    one.look()
    finish(one, {})
    one.room.drop("a.csv", CSV)
    one.look()
    assert [len(row.attempts) for row in one.ledger.views.rows("id0-1")] == [1, 2]
    assert jobs_of(one.ledger) == [("a.csv", JobState.DONE, 2)]
    assert len(list(one.room.path.joinpath("done", MONTH).rglob("a.csv"))) == 2


def test_again_and_other_rules_are_another_job(one: Desk) -> None:
    """The folder `again/` runs everything anew, and so does an inbox that says something else now; not any
    folder of that name further down.
    """
    one.room.drop("a.csv", CSV)
    one.look()
    one.room.drop("again/a.csv", CSV)
    one.look()
    one.rules = lambda: inbox_rules("others")
    one.room.drop("b.csv", CSV)
    one.look()
    assert len(one.ledger.views.jobs()) == 3
    one.room.drop("Again/Urgent/d.csv", CSV)
    one.look()
    assert len(one.ledger.views.jobs()) == 4
    one.room.drop("a customer/again/e.csv", CSV)
    one.look()
    assert len(one.ledger.views.jobs()) == 4


def test_a_bad_row_fails_alone(one: Desk) -> None:
    """The rows that can be used run, the others say why not; nothing of the drop is refused."""
    one.room.drop("a.csv", "prompt,n\na cat,1\n,1\na dog,many\n")
    one.look()
    (job,) = one.ledger.views.jobs()
    assert (job.state, job.counts) == (JobState.RUNNING, {RowState.QUEUED: 1, RowState.FAILED: 2})


def test_a_drop_without_a_usable_row_is_over(one: Desk) -> None:
    """A job of failed rows is told of, and ended."""
    one.room.drop("a.csv", "prompt,n\n,1\n")
    one.look()
    assert (jobs_of(one.ledger), one.jobs) == ([("a.csv", JobState.FAILED, 1)], ["id0-1"])


def test_a_drop_that_cannot_be_read_is_a_job_that_says_so(one: Desk) -> None:
    """Not one row: refused in words, never left lying claimed."""
    one.room.drop("a.json", '{"rows": 7}')
    one.look()
    (job,) = one.ledger.views.jobs()
    assert job.problem is not None
    assert (job.state, one.jobs, is_clean(one)) == (JobState.FAILED, ["id0-1"], True)


def test_a_torn_drop_is_given_time_and_then_refused(one: Desk) -> None:
    """It ends in the middle: put back and put off; unchanged for ten settle times it is refused."""
    one.room.drop("a.json", '[{"prompt": "a cat"')
    (wait,) = one.look()
    assert wait is not None
    assert wait == pytest.approx(20.0)
    assert (jobs_of(one.ledger), list(one.ledger.claims.open())) == ([], [])
    one.room.look()
    (drop,) = one.room.look(5).ready
    assert one.intake.take(drop) == pytest.approx(15.0)
    one.room.clock.now += 20
    one.look()
    assert jobs_of(one.ledger) == [("a.json", JobState.FAILED, 0)]


def test_large_workbooks_are_read_one_at_a_time(base: Path) -> None:
    """The second is put back while the first is in memory, says why, and is taken after it; a small one never waits."""
    room = Room(base, replace(PLAIN, extensions=frozenset({".xlsx"}), max_file_bytes=10**8))
    one = Desk(base=base, room=room)
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(["prompt"])
    book.active.append(["a cat"])
    book.save(room.path / "small.xlsx")
    book.active.cell(600_000, 1, "a dog")
    book.save(room.path / "large.xlsx")
    with large_turn():
        assert sorted(one.look(), key=str) == [5.0, None]
        assert [job.name for job in one.ledger.views.jobs()] == ["small.xlsx"]
        assert "large workbook" in (room.path / "large.xlsx.STATUS.txt").read_text()
    one.look()
    assert jobs_of(one.ledger)[0] == ("large.xlsx", JobState.RUNNING, 2)
    assert is_clean(one)
    one.close()


def test_a_torn_drop_that_is_completed_is_taken(one: Desk) -> None:
    """The writer went on: the whole file becomes the job."""
    file = one.room.drop("a.json", '[{"prompt": "a cat"')
    one.look()
    file.write_text('[{"prompt": "a cat"}]')
    one.look()
    assert jobs_of(one.ledger) == [("a.json", JobState.RUNNING, 1)]


def test_a_drop_that_is_still_written_to_goes_back(one: Desk) -> None:
    """Open for writing after the claim: put back, no claim is left, and it is taken later."""
    file = one.room.drop("a.csv", CSV)
    one.room.look()
    (drop,) = one.room.look(60).ready
    with file.open("a"), pytest.raises(DropBusy):
        one.intake.take(drop)
    assert (file.read_text(), list(one.ledger.claims.open())) == (CSV, [])
    one.look()
    assert jobs_of(one.ledger) == [("a.csv", JobState.RUNNING, 2)]


def test_without_room_nothing_is_claimed(one: Desk) -> None:
    """A full disk leaves the drop where people see it, and it is taken when there is room."""
    file = one.room.drop("a.csv", CSV)
    one.space.error = FULL
    with pytest.raises(DiskError):
        one.look()
    assert (file.exists(), list(one.ledger.claims.open())) == (True, [])
    one.space.error = None
    one.room.look(60)
    one.look()
    assert len(one.ledger.views.jobs()) == 1


def test_a_disk_that_refuses_after_the_claim_gives_the_drop_back(one: Desk) -> None:
    """It does not stay hidden until a restart: it lies in the inbox, and is taken when there is room."""
    large = CSV + "a bird\n" * 15_000
    file = one.room.drop("a.csv", large)
    shutil.rmtree(one.base / "blobs")
    with pytest.raises(DiskError):
        one.look()
    assert (file.read_text(), list(one.ledger.claims.open())) == (large, [])
    (one.base / "blobs").mkdir()
    one.look()
    assert jobs_of(one.ledger) == [("a.csv", JobState.RUNNING, 15_002)]


def test_a_fault_of_ours_stops_no_inbox(one: Desk) -> None:
    """A drop that breaks the reading is refused in words, and the next one is taken; so at a restart."""
    broken = inbox_rules()
    object.__setattr__(broken, "rows", None)
    one.rules = lambda: broken
    one.room.drop("a.csv", CSV)
    one.look()
    one.rules = inbox_rules
    one.room.drop("b.csv", CSV)
    one.look()
    assert sorted(jobs_of(one.ledger)) == [
        ("a.csv", JobState.FAILED, 0),
        ("b.csv", JobState.RUNNING, 2),
    ]
    assert (is_clean(one), one.log.events.count("drop.broken")) == (True, 1)


def test_one_broken_claim_keeps_no_other_from_being_taken_up(one: Desk) -> None:
    """At a start, a claim that meets a fault of ours is logged and left; those after it become jobs."""
    for name in ("a.csv", "b.csv"):
        one.room.drop(name, f"prompt\n{name}\n")

    one.room.look()
    for drop in one.room.look(60).ready:
        claim_id = one.intake.new_id()
        one.ledger.claims.intend(claim_id, inbox="products", path=drop.path, now=0.0)
        claim(one.room.folder, drop, claim_id)
    calls = iter([ZeroDivisionError("ours")])

    def rules() -> InboxRules:
        for error in calls:
            raise error
        return inbox_rules()

    one.rules = rules
    one.intake.recover()
    assert one.log.events.count("claim.broken") == 1
    assert len(one.ledger.views.jobs()) == 1


def test_a_drop_that_ends_every_process_is_refused(base: Path) -> None:
    """After the first death and those of three starts it is refused in words, and what lies behind it is taken."""
    first = desk(base)
    first.ledger.close()
    for name in ("deadly.csv", "fine.csv"):
        first.room.drop(name, f"{CSV}{name}\n")
    statuses = [_life(first, start) for start in range(5)]
    assert statuses == [DIED, DIED, DIED, DIED, 0]
    with closing(Desk(base=first.base, room=first.room, starts=9)) as last:
        assert sorted(jobs_of(last.ledger)) == [
            ("deadly.csv", JobState.FAILED, 0),
            ("fine.csv", JobState.RUNNING, 3),
        ]
        refused = next(job for job in last.ledger.views.jobs() if job.name == "deadly.csv")
        assert refused.problem is not None
        assert "4 times" in refused.problem.what
        assert {claim.deaths for claim in last.ledger.claims.open()} == {0}


class _Deadly:
    """Who looks at it dies."""

    def __getattr__(self, _name: str) -> None:
        os._exit(DIED)


def _life(first: Desk, start: int) -> int:
    """The exit code of a process that serves the inbox, and ends without a word once it reads deadly.csv."""
    child = os.fork()
    if child == 0:
        mine = Desk(base=first.base, room=first.room, starts=start)

        def rules() -> InboxRules:
            made, claims = inbox_rules(), mine.ledger.claims.open()
            if any(one.path == b"deadly.csv" and one.state == "intended" for one in claims):
                object.__setattr__(made, "rows", _Deadly())
            return made

        mine.rules = rules
        try:
            mine.restart()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_an_archived_drop_that_comes_back_is_not_paid_again(one: Desk) -> None:
    """A claim folder restored with a backup of the inbox goes to the archive; its job stays as it was."""
    one.room.drop("a.csv", CSV)
    one.look()
    finish(one, {})
    one.ledger.claims.archived("id0-1")
    one.intake.recover()
    assert jobs_of(one.ledger) == [("a.csv", JobState.DONE, 2)]
    assert len(list(one.room.path.joinpath("done").rglob("a.csv"))) == 1


def test_a_drop_that_is_gone_before_the_claim_leaves_nothing(one: Desk) -> None:
    """Taken away between the look and the claim: no claim, no job, and nobody is troubled."""
    file = one.room.drop("a.csv", CSV)
    one.room.look()
    (drop,) = one.room.look(60).ready
    file.unlink()
    with pytest.raises(DropGone):
        one.intake.take(drop)
    assert (list(one.ledger.claims.open()), jobs_of(one.ledger)) == ([], [])
