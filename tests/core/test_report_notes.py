"""STATUS.txt beside a drop."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from tests.core.report_values import BEGUN, job

from watcher.core.jobs import JobState, Problem, RowState
from watcher.core.report import duplicate_note, refused_note, status_note, waiting_note
from watcher.core.report.times import dollars, lasted

_SOME = Counter({RowState.DONE: 11, RowState.FAILED: 1, RowState.QUEUED: 28})
_ALL = Counter({RowState.DONE: 38, RowState.FAILED: 1, RowState.PARTIAL: 1})


def test_an_accepted_drop() -> None:
    """A job that has not begun says how many rows it has and what it may cost."""
    accepted = job(counts={RowState.QUEUED: 40}, estimate_usd=Decimal("0.84"))
    assert status_note(accepted, BEGUN).splitlines()[0] == "accepted: 40 rows, est. $0.84"


def test_a_running_job() -> None:
    """The first line is the state at a glance; then where, what was spent, and of when the note is."""
    running = job(
        counts={**_SOME, RowState.WAITING: 1}, attempts=14, estimate_usd=Decimal("0.84"),
        cost_usd=Decimal("0.231"), notes=("The file was read as cp1252.",),
    )  # fmt: skip
    zone = timezone(timedelta(hours=2), "CEST")
    assert status_note(running, BEGUN + 60, outbox="/srv/out/", zone=zone) == (
        "running 12/41, 1 failed, est. $0.84\n"
        "1 row waits before the next try.\n"
        "\n"
        "Results: /srv/out/mugs--2r2kb9sgzdg69\n"
        "Spent so far: $0.23\n"
        "The file was read as cp1252.\n"
        "Job 2r2kb9sgzdg69, as of 2026-09-21 16:14 CEST\n"
    )


def test_a_paused_job() -> None:
    """A job that cannot go on says why and that nothing is lost."""
    paused = job(
        counts=_SOME, attempts=13, paused="The key was refused. Put the right key in place."
    )
    assert status_note(paused, BEGUN).splitlines()[:2] == [
        "paused 12/40: The key was refused. Put the right key in place.",
        "Nothing is lost: what is open stays queued and goes on by itself.",
    ]


def test_a_job_that_is_done() -> None:
    """A job without failures says so, with cost and time, and asks for nothing."""
    over = job(
        counts={RowState.DONE: 1}, attempts=1, state=JobState.DONE, ended_at=BEGUN + 8, cost_usd=Decimal("0.021"),
    )  # fmt: skip
    assert status_note(over, BEGUN + 9) == (
        "done: 1 of 1 row, $0.02\n"
        "\n"
        "Results: mugs--2r2kb9sgzdg69\n"
        "Job 2r2kb9sgzdg69, as of 2026-09-21 14:13 UTC, took 8 s\n"
    )


def test_a_job_with_errors_says_what_to_do() -> None:
    """Failed rows come with the way to mend them; unknown and doubtful costs are not passed over."""
    over = job(
        counts=_ALL, state=JobState.PARTIAL, ended_at=BEGUN + 192, cost_usd=Decimal("0.81"), unpriced=1, possibly_charged=2,
    )  # fmt: skip
    unknown = "1 call of unknown cost, 2 calls possibly charged without a result"
    assert status_note(over, BEGUN + 200).splitlines()[:3] == [
        f"done with errors: 38 of 40 rows, 1 partial, 1 failed, $0.81, {unknown}",
        "failed.csv, beside the results, says why each row failed and what to do.",
        "Correct it there and drop it here: only those rows run.",
    ]


def test_a_refused_drop() -> None:
    """A drop that cannot be read says why, what to do, where it went, and that it cost nothing."""
    problem = Problem(code="x", what="Not UTF-8 at byte 8.", hint="Save it as CSV UTF-8.")
    refused = status_note(job(state=JobState.FAILED, problem=problem), BEGUN)
    assert refused == refused_note("mugs.csv", "Not UTF-8 at byte 8.", "Save it as CSV UTF-8.")
    assert refused == (
        "refused: mugs.csv\nNot UTF-8 at byte 8.\nSave it as CSV UTF-8.\n"
        "The file was moved to the folder failed. Nothing was asked for and nothing was paid.\n"
    )


def test_a_drop_that_is_not_ours_yet() -> None:
    """A drop that is still being written says that nothing needs to be done; its name cannot add lines."""
    assert waiting_note("a\nb\x1b.csv", "It is still being written.") == (
        "waiting: a b .csv\nIt is still being written.\nIt is taken by itself as soon as it is whole.\n"
    )


@pytest.mark.parametrize(
    ("changes", "second"),
    [
        ({"counts": _SOME}, "It is being worked on: 12/40, 1 failed."),
        ({"counts": {RowState.DONE: 40}, "state": JobState.DONE}, "It is done already; nothing is made and nothing is paid."),
        ({"counts": _ALL, "state": JobState.PARTIAL}, "2 rows of 40 did not end well last time: only those run again."),
    ],
)  # fmt: skip
def test_the_same_file_again(changes: dict[str, Any], second: str) -> None:
    """A second drop of the same bytes says what became of the first and what is paid now."""
    lines = duplicate_note("mugs.csv", job(**changes), outbox="/srv/out").splitlines()
    assert lines[0] == "the same file again: mugs.csv"
    assert lines[1] == second
    assert "/srv/out/mugs--2r2kb9sgzdg69" in lines[2]


@pytest.mark.parametrize(
    ("amount", "text"),
    [(None, ""), (Decimal(0), "$0.00"), (Decimal("0.0042"), "$0.0042"), (Decimal("1234.5"), "$1,234.50")],
)  # fmt: skip
def test_money(amount: Decimal | None, text: str) -> None:
    """Dollars to the cent, less than a cent to what tells something, the unknown as nothing at all."""
    assert dollars(amount) == text


def test_durations() -> None:
    """Seconds, minutes and hours as one says them."""
    assert [lasted(8.4), lasted(192), lasted(7500)] == ["8 s", "3 min 12 s", "2 h 5 min"]
