"""Jobs in the ledger: accepted whole or not at all, ended once, run again where they failed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from tests.edges.ledger_room import (
    BAD_ROW,
    NOW,
    accept,
    begin,
    new_job,
    new_row,
    open_items,
    reopened,
    settle,
    settlement,
    take,
)

from watcher.core.errors import DropError, LedgerError
from watcher.core.jobs import JobState, Problem, RowState, Usage
from watcher.ledger import Acceptance, Ledger, NewRow


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path)
    yield made
    made.close()


def test_a_job_is_invisible_until_it_is_accepted(ledger: Ledger) -> None:
    """Nobody sees, works on or publishes a job whose rows are still coming in."""
    ledger.jobs.begin(new_job("a"))
    ledger.jobs.add_rows("a", [new_row(1)])
    seen = (ledger.views.job("a"), ledger.views.jobs(), ledger.views.unpublished(), take(ledger))
    assert seen == (None, [], [], [])
    assert ledger.jobs.earlier(sha256="sha of a", inbox="products", rules="rules") is None


def test_rows_that_break_off_leave_nothing_visible(ledger: Ledger, tmp_path: Path) -> None:
    """A drop that fails in the middle, or a process that dies there, leaves no part of a job behind."""

    def rows() -> Iterator[NewRow]:
        yield from (new_row(number) for number in range(1, 4_001))
        raise DropError("It ends here.")

    ledger.jobs.begin(new_job("a"))
    with pytest.raises(DropError):
        ledger.jobs.add_rows("a", rows())
    fresh = reopened(ledger, tmp_path)
    try:
        assert list(fresh.views.rows("a")) == []
        with pytest.raises(LedgerError):
            fresh.jobs.accept("a", Acceptance(columns=[]), claim_id="a", now=NOW)
    finally:
        fresh.close()


def test_what_was_undone_is_not_accepted(ledger: Ledger) -> None:
    """An acceptance of a job that was forgotten since changes nothing, its claim included."""
    ledger.claims.intend("a", inbox="products", path=b"drop.csv", now=NOW)
    ledger.jobs.begin(new_job("a"))
    ledger.jobs.forget("a")
    with pytest.raises(LedgerError):
        ledger.jobs.accept("a", Acceptance(columns=[]), claim_id="a", now=NOW)
    claim = ledger.claims.find("a")
    assert claim is not None
    assert claim.state == "intended"


def test_an_accepted_job_is_never_forgotten(ledger: Ledger) -> None:
    """Beginning a job under an id that exists fails, and leaves the one that exists as it was."""
    accept(ledger, "a", 3)
    ledger.jobs.forget("a")
    with pytest.raises(Exception, match="UNIQUE"):
        ledger.jobs.begin(new_job("a"))
    assert len(list(ledger.views.rows("a"))) == 3


def test_accepting_marks_the_claim_with_it(ledger: Ledger) -> None:
    """Job and claim are accepted in one transaction: a claim that lies there is never taken twice."""
    accept(ledger, "a", 1)
    claim = ledger.claims.find("a")
    assert claim is not None
    assert (claim.state, claim.job_id) == ("accepted", "a")


def test_slices_hold_fifty_consecutive_rows(ledger: Ledger) -> None:
    """Every row is in one slice, 50 to each, the rest in the last."""
    accept(ledger, "a", 120)
    spans = []
    while taken := take(ledger):
        spans += [(one.first, one.last) for one in taken]
    assert spans == [(1, 50), (51, 100), (101, 120)]


@pytest.mark.parametrize("rows", [[], [new_row(1, usable=False), new_row(2, usable=False)]])
def test_a_job_without_a_usable_row_is_over_at_once(ledger: Ledger, rows: list[NewRow]) -> None:
    """Nothing to ask for: the job has failed, nothing is handed out, and it waits to be published."""
    accept(ledger, "a", rows)
    job = ledger.views.job("a")
    assert job is not None
    assert (job.state, job.ended_at) == (JobState.FAILED, NOW)
    assert (take(ledger), ledger.views.unpublished()) == ([], ["a"])


def test_unusable_rows_stand_in_the_results_with_their_problem(ledger: Ledger) -> None:
    """A bad row fails alone: it keeps its place and its problem, and is never handed out."""
    accept(ledger, "a", [new_row(1), new_row(2, usable=False), new_row(3)])
    assert [one.number for one in open_items(ledger)] == [1, 3]
    assert [row.problem for row in ledger.views.rows("a")] == [None, BAD_ROW, None]


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((RowState.DONE, RowState.DONE), JobState.DONE),
        ((RowState.DONE, RowState.FAILED), JobState.PARTIAL),
        ((RowState.DONE, RowState.PARTIAL), JobState.PARTIAL),
        ((RowState.PARTIAL, RowState.FAILED), JobState.PARTIAL),
        ((RowState.FAILED, RowState.FAILED), JobState.FAILED),
    ],
)
def test_a_job_ends_once_with_its_last_row(
    ledger: Ledger, states: tuple[RowState, ...], expected: JobState
) -> None:
    """The last row's settlement, and no other, says that the job is over."""
    accept(ledger, "a", len(states))
    over = [
        settle(ledger, one, state) for one, state in zip(open_items(ledger), states, strict=True)
    ]
    job = ledger.views.job("a")
    assert job is not None
    assert (over, job.state) == ([False, True], expected)


def test_two_rows_that_end_at_the_same_moment_end_the_job_once(ledger: Ledger) -> None:
    """Settled from two threads at once, exactly one of them hears that the job is over."""
    accept(ledger, "a", 20)
    begun = [(one, begin(ledger, one)) for one in open_items(ledger)]
    over: list[bool] = []

    def end(first: int) -> None:
        for one, attempt in begun[first::2]:
            over.append(ledger.items.settle(one, attempt, settlement(RowState.DONE), now=NOW))

    threads = [threading.Thread(target=end, args=(first,)) for first in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(over) == [False] * 19 + [True]


def test_failed_rows_run_again_and_no_others(ledger: Ledger) -> None:
    """Only what failed and can be asked for is queued anew, with all its tries and a whole day; the job is open again."""
    accept(ledger, "a", [new_row(1), new_row(2), new_row(3, usable=False)])
    (slice_,) = take(ledger)
    good, bad = ledger.items.open_items(slice_)
    settle(ledger, good, RowState.DONE)
    settle(ledger, bad, RowState.FAILED)
    ledger.items.release(slice_, due_at=NOW, now=NOW)
    ledger.jobs.published("a", ended_at=NOW, now=NOW)
    earlier = ledger.jobs.earlier(sha256="sha of a", inbox="products", rules="rules")
    assert earlier is not None
    assert (earlier.failed, earlier.reusable) == (1, True)
    assert ledger.jobs.run_again("a") == 1
    again = [(one.number, one.tries, one.asked, one.since) for one in open_items(ledger)]
    assert again == [(2, 0, 1, 0.0)]
    assert ledger.views.unpublished() == ["a"]


def test_rows_that_run_again_while_their_slice_is_out_are_not_lost(ledger: Ledger) -> None:
    """Queued anew before the slice came back, a row is handed out again when it comes back."""
    accept(ledger, "a", 2)
    (slice_,) = take(ledger)
    for one in ledger.items.open_items(slice_):
        settle(ledger, one, RowState.FAILED)
    assert ledger.jobs.run_again("a") == 2
    ledger.items.release(slice_, due_at=NOW, now=NOW)
    assert [one.number for one in open_items(ledger)] == [1, 2]


def test_results_of_a_job_that_runs_again_meanwhile_are_not_its_final_ones(ledger: Ledger) -> None:
    """Rows queued anew while results were written: the job is still to be published."""
    accept(ledger, "a", 1)
    settle(ledger, open_items(ledger)[0], RowState.FAILED)
    ledger.jobs.run_again("a")
    ledger.jobs.published("a", ended_at=NOW, now=NOW)
    assert ledger.views.unpublished() == ["a"]


def test_an_unknown_cost_is_unknown_and_not_nothing(ledger: Ledger) -> None:
    """A paid answer without usage has no cost, and the job says how many of these there are."""
    accept(ledger, "a", 3)
    first, second, third = open_items(ledger)
    for one, cost in ((first, None), (second, Decimal("0.0211")), (third, Decimal(0))):
        priced = settlement(RowState.DONE, cost_usd=cost, usage=Usage(image_out=7))
        ledger.items.settle(one, begin(ledger, one), priced, now=NOW)
    rows = list(ledger.views.rows("a"))
    job = ledger.views.job("a")
    assert job is not None
    assert [row.cost_usd for row in rows] == [None, Decimal("0.0211"), Decimal(0)]
    assert (job.cost_usd, job.unpriced) == (Decimal("0.0211"), 1)


def test_a_job_of_which_no_cost_is_known_has_none(ledger: Ledger) -> None:
    """Not a single known cost: the sum is unknown."""
    accept(ledger, "a", 1)
    settle(ledger, open_items(ledger)[0], RowState.DONE)
    job = ledger.views.job("a")
    assert job is not None
    assert (job.cost_usd, job.unpriced) == (None, 1)


def test_calls_that_may_have_been_charged_are_counted(ledger: Ledger) -> None:
    """Three calls without a known end are three, not one."""
    accept(ledger, "a", 3)
    for one in open_items(ledger):
        ledger.items.interrupted(begin(ledger, one), now=NOW)
    job = ledger.views.job("a")
    assert job is not None
    assert (job.possibly_charged, job.attempts) == (3, 3)
    assert type(job.possibly_charged) is int


def test_a_refused_drop_is_a_job_with_its_problem(ledger: Ledger) -> None:
    """A drop that cannot be read is over at once, and says why."""
    problem = Problem(code="unreadable", what="The drop cannot be read.")
    ledger.claims.intend("a", inbox="products", path=b"drop.csv", now=NOW)
    ledger.jobs.begin(new_job("a"))
    acceptance = Acceptance(columns=(), problem=problem)
    ledger.jobs.accept("a", acceptance, claim_id="a", now=NOW)
    job = ledger.views.job("a")
    assert job is not None
    assert (job.state, job.problem, job.rows) == (JobState.FAILED, problem, 0)


@pytest.mark.parametrize("changed", [{"sha256": "other"}, {"inbox": "other"}, {"rules": "other"}])
def test_only_the_same_bytes_under_the_same_rules_are_the_same_drop(
    ledger: Ledger, changed: dict[str, str]
) -> None:
    """Other bytes, another inbox or other rules make another job."""
    accept(ledger, "a", 1)
    same = {"sha256": "sha of a", "inbox": "products", "rules": "rules"}
    found = ledger.jobs.earlier(**same)
    assert found is not None
    assert (found.id, ledger.jobs.earlier(**{**same, **changed})) == ("a", None)


def test_a_drop_of_which_nothing_was_asked_for_is_read_anew(ledger: Ledger) -> None:
    """Dropped again after every row was unusable, it is read again: the rules may have learnt."""
    accept(ledger, "a", [new_row(1, usable=False)])
    found = ledger.jobs.earlier(sha256="sha of a", inbox="products", rules="rules")
    assert found is not None
    assert not found.reusable


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    """A file that is no database is kept as it is and named; nothing starts empty over it."""
    file = tmp_path / "ledger.sqlite3"
    file.write_bytes(b"not a database" * 1000)
    with pytest.raises(LedgerError, match=str(file)):
        Ledger(tmp_path)
    assert file.read_bytes() == b"not a database" * 1000
