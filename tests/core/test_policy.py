"""After an attempt: which no is for later, which for never, and which stops the lane."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.jobs import Item, No, OpenItem, Operation, Problem, Refusal, Scope
from watcher.core.pictures import KeptPicture
from watcher.core.policy import ROW_DEADLINE, Defer, Fail, Halt, Patience, decide, idempotency_key

NOW = 1_790_000_000.0
PATIENCE = Patience(attempts=4, ambiguous=1)
WHAT = "The server said no."


def refusal(no: No, code: str = "server_error", **more: object) -> Refusal:
    return Refusal(no=no, code=code, what=WHAT, hint="Wait.", **more)  # type: ignore[arg-type]


def open_item(*, strict: bool = False, named: bool = False, **more: object) -> OpenItem:
    asked = Item(
        operation=Operation.GENERATE,
        model="m",
        prompt="p",
        strict=strict,
        model_named_by_row=named,
    )
    return OpenItem(
        job_id="a",
        number=1,
        item=asked,
        stem="1",
        folder="f",
        inbox="i",
        **more,  # type: ignore[arg-type]
    )


def problem(code: str = "server_error") -> Problem:
    return Problem(code=code, what=WHAT, hint="Wait.")


def test_a_server_error_is_tried_as_often_as_is_set() -> None:
    """Four attempts are four calls: after the fourth the row has failed."""
    tried = open_item()
    verdicts = []
    for _ in range(PATIENCE.attempts):
        verdict = decide(refusal(No.LATER), tried, PATIENCE, now=NOW)
        verdicts.append(type(verdict))
        tried = open_item(tries=verdict.tries if isinstance(verdict, Defer) else 0)
    assert verdicts == [Defer, Defer, Defer, Fail]


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "slow_down", "server_is_overloaded"])
def test_waiting_for_a_rate_costs_no_attempt(code: str) -> None:
    """However often a row is told to wait, that counts against its day and not against its attempts."""
    tired = open_item(tries=3, since=NOW - ROW_DEADLINE + 1)
    assert decide(refusal(No.LATER, code), tired, PATIENCE, now=NOW) == Defer(tries=3, doubts=0)


def test_after_a_day_of_waiting_a_row_has_failed() -> None:
    """A rate that never comes is told of after 24 hours."""
    old = open_item(since=NOW - ROW_DEADLINE - 1)
    code = "rate_limit_exceeded"
    assert decide(refusal(No.LATER, code), old, PATIENCE, now=NOW) == Fail(problem=problem(code))


def test_a_server_that_is_away_is_no_rows_fault() -> None:
    """With its attempts used up on connections that failed, the row stays and the lane halts."""
    tired = open_item(tries=3)
    found = decide(refusal(No.LATER, "connection"), tired, PATIENCE, now=NOW)
    assert found == Halt(problem=problem("connection"), scope="provider")


@pytest.mark.parametrize("scope", ["provider", "model", "outbox"])
def test_what_nobody_gets_stops_the_lane(scope: Scope) -> None:
    """No key, no money, no such model: the lane halts as far as the no reaches, the row stays queued."""
    found = decide(refusal(No.NOBODY, "x", scope=scope), open_item(), PATIENCE, now=NOW)
    assert found == Halt(problem=problem("x"), scope=scope)


def test_a_model_that_only_one_row_names_is_that_rows_fault() -> None:
    """A row that names a model which does not exist fails alone."""
    found = decide(refusal(No.NOBODY, "model_not_found"), open_item(named=True), PATIENCE, now=NOW)
    assert found == Fail(problem=problem("model_not_found"))


def test_a_call_without_a_known_end_is_sent_once_more() -> None:
    """It may have been paid: one resend, then the row has failed."""
    doubt = refusal(No.AMBIGUOUS, "timeout", paid_maybe=True)
    assert decide(doubt, open_item(), PATIENCE, now=NOW) == Defer(tries=0, doubts=1)
    assert decide(doubt, open_item(doubts=1), PATIENCE, now=NOW) == Fail(problem=problem("timeout"))


def test_without_patience_for_doubt_nothing_is_sent_twice() -> None:
    """`ambiguous: 0` never risks a second charge."""
    doubt = refusal(No.AMBIGUOUS, "timeout")
    found = decide(doubt, open_item(), Patience(ambiguous=0), now=NOW)
    assert found == Fail(problem=problem("timeout"))


@pytest.mark.parametrize("code", ["link_expired", "link_unreachable", "download"])
def test_a_picture_that_is_paid_for_is_not_bought_again(code: str) -> None:
    """A paid picture that cannot be fetched fails its row: a second one would cost again."""
    found = decide(refusal(No.AMBIGUOUS, code), open_item(), PATIENCE, now=NOW)
    assert found == Fail(problem=problem(code))


def test_a_parameter_that_is_not_taken_is_left_out_once() -> None:
    """Asked again at once without it, and no attempt is counted; refused again, the row has failed."""
    mend = refusal(No.MEND, "unknown_parameter", param="quality")
    found = decide(mend, open_item(tries=1, dropped=("user",)), PATIENCE, now=NOW)
    assert found == Defer(tries=1, doubts=0, dropped=("user", "quality"), at_once=True)
    again = decide(mend, open_item(dropped=("quality",)), PATIENCE, now=NOW)
    assert again == Fail(problem=problem("unknown_parameter"))


def test_a_strict_row_gets_its_background_or_nothing() -> None:
    """A row that is had as it is written fails where the model does not take its background."""
    mend = refusal(No.MEND, "transparent_background", param="background")
    found = decide(mend, open_item(strict=True), PATIENCE, now=NOW)
    assert found == Fail(problem=problem("transparent_background"))


refusals = st.builds(
    refusal,
    st.sampled_from(No),
    st.sampled_from(["server_error", "connection", "rate_limit_exceeded", "timeout", "download"]),
    param=st.sampled_from(["", "quality", "size", "user"]),
)


@given(st.lists(refusals, min_size=60, max_size=60))
def test_no_row_is_asked_for_for_ever(given_: list[Refusal]) -> None:
    """Whatever is answered, in any order: the row ends, halts its lane, or waits for a rate."""
    asked, counted = open_item(), 0
    for said in given_:
        verdict = decide(said, asked, PATIENCE, now=NOW)
        if not isinstance(verdict, Defer):
            return
        assert verdict.tries >= asked.tries
        assert verdict.doubts >= asked.doubts
        assert set(verdict.dropped) >= set(asked.dropped)
        counted += said.code != "rate_limit_exceeded" or said.no is not No.LATER
        asked = open_item(
            tries=verdict.tries, doubts=verdict.doubts, dropped=verdict.dropped, since=NOW
        )
    # At most: attempts, one resend, and once without each parameter.
    assert counted <= PATIENCE.attempts + PATIENCE.ambiguous + 3


def test_a_key_stands_for_one_question() -> None:
    """A resend has the key of its call. The question about the next picture has its own, though nobody answered
    the one before: its answer would be taken for that of the other picture.
    """
    asked = open_item()
    about = [
        replace(
            asked,
            item=replace(
                asked.item, images=(str(KeptPicture(sha256=sha, format="png", name="a")),)
            ),
        )
        for sha in ("ab" * 32, "cd" * 32)
    ]
    keys = [idempotency_key(one, 1) for one in (asked, *about)]
    assert len(set(keys)) == 3
    assert keys == [idempotency_key(replace(one, doubts=1, asked=5), 1) for one in (asked, *about)]
    assert idempotency_key(asked, 2) not in keys
