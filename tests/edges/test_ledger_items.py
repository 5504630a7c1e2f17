"""Items in the ledger: handed out in order, each attempt noted before its call, each outcome in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.edges.ledger_room import (
    LANE,
    NOW,
    REFUSED,
    accept,
    begin,
    new_row,
    open_items,
    picture,
    reopened,
    settle,
    settlement,
    take,
)

from watcher.core.errors import DiskError
from watcher.core.jobs import JobState, RowState, Slice
from watcher.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path)
    yield made
    made.close()


def handed_out(slices: list[Slice]) -> list[tuple[str, int]]:
    return [(one.job_id, one.ordinal) for one in slices]


def test_each_job_hands_out_one_slice_at_a_time(ledger: Ledger) -> None:
    """A large job does not fill the hands: of each job its first slice, older jobs first."""
    for job in ("a", "b", "c"):
        accept(ledger, job, 120 if job == "a" else 1)
    assert handed_out(take(ledger, most=2)) == [("a", 0), ("b", 0)]
    assert handed_out(take(ledger)) == [("a", 1), ("c", 0)]


def test_urgent_jobs_come_first(ledger: Ledger) -> None:
    """The smallest priority first, whatever came in before."""
    accept(ledger, "a", 1, priority=2)
    accept(ledger, "b", 1, priority=3)
    accept(ledger, "c", 1, priority=0)
    assert handed_out(take(ledger)) == [("c", 0), ("a", 0), ("b", 0)]


def test_what_is_out_is_not_handed_out_again(ledger: Ledger) -> None:
    """A slice is worked on once, until it is given back."""
    accept(ledger, "a", 1)
    (slice_,) = take(ledger)
    assert take(ledger) == []
    ledger.items.release(slice_, due_at=NOW, now=NOW)
    assert take(ledger) == [slice_]


def test_jobs_of_other_inboxes_wait(ledger: Ledger) -> None:
    """A job whose inbox is not served now is not handed out, and wakes nobody."""
    accept(ledger, "a", 1, inbox="gone")
    accept(ledger, "b", 1, inbox="served")
    served = ("served",)
    assert handed_out(ledger.items.take_slices(now=NOW, most=9, inboxes=served)) == [("b", 0)]
    assert ledger.items.next_due(inboxes=served) is None
    assert ledger.items.next_due() == 0.0


def test_one_job_alone(ledger: Ledger) -> None:
    """`only` hands out slices of that job, and looks at its due times alone."""
    accept(ledger, "a", 1)
    accept(ledger, "b", 1)
    assert handed_out(ledger.items.take_slices(now=NOW, most=9, only="b")) == [("b", 0)]
    assert ledger.items.next_due(only="b") is None


def test_a_paused_job_rests(ledger: Ledger) -> None:
    """Nothing of it is handed out, no attempt of it begins, and it goes on where it was."""
    accept(ledger, "a", 1)
    (slice_,) = take(ledger)
    (one,) = ledger.items.open_items(slice_)
    ledger.orders.pause("a")
    assert ledger.items.begin_attempt(one, lane=LANE, n=1, now=NOW) is None
    ledger.items.release(slice_, due_at=NOW, now=NOW)
    assert (take(ledger), ledger.items.next_due()) == ([], None)
    ledger.orders.resume("a")
    assert take(ledger) == [slice_]


def test_a_slice_is_due_with_its_first_row(ledger: Ledger) -> None:
    """Deferred rows bring their slice back when the first of them is due, and no sooner."""
    accept(ledger, "a", 2)
    (slice_,) = take(ledger)
    for one, due in zip(ledger.items.open_items(slice_), (NOW + 90, NOW + 70), strict=True):
        later = settlement(RowState.WAITING, outcome="later", due_at=due)
        ledger.items.settle(one, begin(ledger, one), later, now=NOW)
    ledger.items.release(slice_, due_at=NOW, now=NOW)
    assert (take(ledger, now=NOW + 69), ledger.items.next_due()) == ([], NOW + 70)
    assert take(ledger, now=NOW + 70) == [slice_]


def test_a_row_that_was_due_before_its_lane_halted_waits_for_the_lane(ledger: Ledger) -> None:
    """A due time that has passed does not bring a slice back for ever while nothing may be sent."""
    accept(ledger, "a", 1)
    (slice_,) = take(ledger)
    (one,) = ledger.items.open_items(slice_)
    later = settlement(RowState.WAITING, outcome="later", due_at=NOW + 2)
    ledger.items.settle(one, begin(ledger, one), later, now=NOW)
    ledger.items.release(slice_, due_at=NOW + 300, now=NOW + 3)
    assert ledger.items.next_due() == NOW + 300


def test_a_reopened_lane_wakes_all_that_waits(ledger: Ledger) -> None:
    """After `wake` every waiting slice may be looked at."""
    accept(ledger, "a", 1)
    (slice_,) = take(ledger)
    ledger.items.release(slice_, due_at=NOW + 3600, now=NOW)
    ledger.items.wake()
    assert take(ledger) == [slice_]


def test_a_slice_ends_with_its_last_row(ledger: Ledger) -> None:
    """With every row final it is never due again."""
    accept(ledger, "a", [new_row(1), new_row(2, usable=False)])
    (slice_,) = take(ledger)
    settle(ledger, ledger.items.open_items(slice_)[0], RowState.DONE)
    ledger.items.release(slice_, due_at=NOW, now=NOW)
    assert (ledger.items.next_due(), take(ledger, now=NOW * 2)) == (None, [])


def test_after_a_crash_nobody_works_on_anything(ledger: Ledger, tmp_path: Path) -> None:
    """What was out when the process died is handed out at once, the calls in flight marked as pending."""
    accept(ledger, "a", 2)
    (slice_,) = take(ledger)
    attempt = begin(ledger, ledger.items.open_items(slice_)[0])
    fresh = reopened(ledger, tmp_path)
    try:
        found = open_items(fresh)
        assert [(one.number, one.pending, one.asked) for one in found] == [
            (1, attempt, 1),
            (2, None, 0),
        ]
        assert fresh.items.unsettled() == {attempt}
    finally:
        fresh.close()


def test_an_interrupted_call_may_have_been_charged(ledger: Ledger) -> None:
    """Without a reply on disk its end is unknown: said so in the row's attempts, and asked for again."""
    accept(ledger, "a", 1)
    (slice_,) = take(ledger)
    (one,) = ledger.items.open_items(slice_)
    ledger.items.interrupted(begin(ledger, one), now=NOW + 1)
    (again,) = ledger.items.open_items(slice_)
    (row,) = ledger.views.rows("a")
    (attempt,) = row.attempts
    assert (again.pending, attempt.outcome, attempt.paid_maybe) == (None, "ambiguous", True)


def test_the_number_of_an_attempt_is_never_used_twice(ledger: Ledger, tmp_path: Path) -> None:
    """Replies on disk are named by it: a new attempt never finds the reply of an older one."""
    accept(ledger, "a", 1)
    (slice_,) = take(ledger)
    (one,) = ledger.items.open_items(slice_)
    numbers = [begin(ledger, one) for _ in range(3)]
    fresh = reopened(ledger, tmp_path)
    try:
        numbers.append(begin(fresh, one))
    finally:
        fresh.close()
    assert len(set(numbers)) == 4
    assert numbers == sorted(numbers)


def test_an_outcome_is_whole(ledger: Ledger) -> None:
    """State, pictures, text, time and request id of a row come with one transaction."""
    accept(ledger, "a", [new_row(1, n=2)])
    (slice_,) = take(ledger)
    (one,) = ledger.items.open_items(slice_)
    answer = settlement(
        RowState.DONE,
        pictures=(picture(1), picture(2)),
        text="a text",
        request_id="req_1",
        status=200,
    )
    assert ledger.items.settle(one, begin(ledger, one), answer, now=NOW + 8)
    (row,) = ledger.views.rows("a")
    assert (row.state, row.pictures, row.text, row.seconds, row.request_id) == (
        RowState.DONE,
        (picture(1), picture(2)),
        "a text",
        8.0,
        "req_1",
    )


def test_pictures_of_a_part_of_a_row_count_when_it_is_asked_again(ledger: Ledger) -> None:
    """Two of three are in the outbox: one is left to ask for, and none is listed twice."""
    accept(ledger, "a", [new_row(1, n=3)])
    (slice_,) = take(ledger)
    (one,) = ledger.items.open_items(slice_)
    part = settlement(RowState.WAITING, outcome="answered", pictures=(picture(1), picture(2)))
    ledger.items.settle(one, begin(ledger, one), part, now=NOW)
    (again,) = ledger.items.open_items(slice_)
    assert again.delivered == 2
    rest = settlement(RowState.DONE, pictures=(picture(2), picture(3)))
    ledger.items.settle(again, begin(ledger, again), rest, now=NOW)
    (row,) = ledger.views.rows("a")
    assert [found.index for found in row.pictures] == [1, 2, 3]


def test_a_clock_that_goes_back_gives_no_negative_times(ledger: Ledger) -> None:
    """An answer that came before it was asked for took no time."""
    accept(ledger, "a", 1)
    settle(ledger, open_items(ledger)[0], RowState.DONE, now=NOW - 3600)
    (row,) = ledger.views.rows("a")
    assert row.seconds == 0.0


def test_a_row_has_a_day_from_its_first_call(ledger: Ledger) -> None:
    """Its deadline counts from there; after its lane was halted it has a day again."""
    accept(ledger, "a", 1)
    (slice_,) = take(ledger)
    since = []
    for outcome in ("later", "later", "nobody"):
        (one,) = ledger.items.open_items(slice_)
        since.append(one.since)
        told = settlement(RowState.WAITING, outcome=outcome)
        ledger.items.settle(one, begin(ledger, one, now=NOW + len(since)), told, now=NOW + 9)
    (one,) = ledger.items.open_items(slice_)
    assert [*since, one.since] == [0.0, NOW + 1, NOW + 1, 0.0]


def test_a_cancelled_job_ends_when_its_calls_have_ended(ledger: Ledger) -> None:
    """Rows in flight finish and count, the others are never asked for, and the job ends once."""
    accept(ledger, "a", 3)
    first, second, _ = open_items(ledger)
    flying = [(one, begin(ledger, one)) for one in (first, second)]
    ledger.orders.cancel("a", now=NOW)
    refused = settlement(RowState.WAITING, outcome="later", due_at=NOW + 9, problem=REFUSED)
    over = [
        ledger.items.settle(*flying[0], settlement(RowState.DONE), now=NOW),
        ledger.items.settle(*flying[1], refused, now=NOW),
    ]
    job = ledger.views.job("a")
    assert job is not None
    assert (over, job.state) == ([False, True], JobState.CANCELLED)
    assert job.counts == {RowState.DONE: 1, RowState.CANCELLED: 2}


def test_a_job_cancelled_during_a_crash_ends(ledger: Ledger, tmp_path: Path) -> None:
    """A row whose call was in flight when the process died, and whose job was cancelled then, is not
    asked for again, and is not due for ever."""
    accept(ledger, "a", 1)
    begin(ledger, open_items(ledger)[0])
    ledger.orders.cancel("a", now=NOW)
    fresh = reopened(ledger, tmp_path)
    try:
        (slice_,) = take(fresh)
        (one,) = fresh.items.open_items(slice_)
        assert fresh.items.begin_attempt(one, lane=LANE, n=1, now=NOW) is None
        fresh.items.release(slice_, due_at=0.0, now=NOW)
        job = fresh.views.job("a")
        assert job is not None
        assert (job.state, fresh.items.next_due()) == (JobState.CANCELLED, None)
    finally:
        fresh.close()


def test_a_database_that_another_program_holds_is_a_disk_that_refuses(
    ledger: Ledger, tmp_path: Path
) -> None:
    """Held for longer than we wait, it is tried again like a full disk, and nothing breaks."""
    accept(ledger, "a", 1)
    with ledger._database.write() as tx:
        tx.exec_driver_sql("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DiskError, match="another program"):
            take(ledger)
    finally:
        other.close()
    assert len(take(ledger)) == 1
