"""Alerts: once for each cause, its end once, never more than one an hour, many as one, no secret in any."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.alerting import (
    HOUR,
    OCCASIONS,
    Alert,
    Decision,
    Happening,
    Told,
    decide,
    job_over,
    lane_halted,
    link_to,
    may_tell_of_jobs,
    message,
    model_retiring,
)
from watcher.core.jobs import JobState, Problem, RowState
from watcher.core.lifecycle import Retiring
from watcher.core.results import JobResult

NOW = 1_790_000_000.0
QUOTA = Problem(code="insufficient_quota", what="There is no credit left.", hint="Add some.")


def lane(problem: Problem = QUOTA, since: float = NOW) -> Happening:
    return lane_halted("api.example", problem, since=since, waiting=(2, 40), inbox="", link="")


LANE = lane()


def memory(*decisions: Decision) -> list[Told]:
    """What is remembered after these, the last word of each cause."""
    kept = {(one.place, one.reason): one for each in decisions for one in each.told}
    return list(kept.values())


def job(**more: object) -> JobResult:
    values: dict[str, object] = {
        "id": "01J", "inbox": "main", "name": "list.csv", "folder": "list--01J",
        "state": JobState.PARTIAL, "columns": ("prompt",), "created_at": NOW - 60, "ended_at": NOW,
        "counts": {RowState.DONE: 35, RowState.FAILED: 5}, "cost_usd": Decimal("1.40"),
    }  # fmt: skip
    return JobResult(**{**values, **more})  # type: ignore[arg-type]


def failure(number: int, what: str = "The API refused this prompt.") -> tuple[int, Problem]:
    return number, Problem(code="moderation_blocked", what=what, hint="Write it differently.")


def test_a_lane_is_told_of_once_each_way() -> None:
    """Halted: one alert; still halted: none; open: one; still open: none."""
    first = decide([LANE], [], now=NOW)
    assert [one.title for one in first.alerts] == ["Paused: There is no credit left"]
    assert decide([LANE], memory(first), now=NOW + 9 * HOUR) == Decision()
    end = decide([], memory(first), now=NOW + 60)
    assert [(one.title, one.good) for one in end.alerts] == [("Goes on: api.example", True)]
    assert decide([], memory(first, end), now=NOW + 120) == Decision()


def test_a_lane_that_comes_and_goes_is_told_of_once_an_hour() -> None:
    """Halted again within the hour of its alert: nothing is said until the hour is over."""
    first = decide([LANE], [], now=NOW)
    end = decide([], memory(first), now=NOW + 60)
    again = replace(LANE, since=NOW + 120)
    assert decide([again], memory(first, end), now=NOW + HOUR - 1) == Decision()
    late = decide([again], memory(first, end), now=NOW + HOUR)
    assert [one.title for one in late.alerts] == ["Paused: There is no credit left"]


def test_another_reason_is_news_and_has_no_end_of_its_own() -> None:
    """From one trouble to the next: two alerts, and one all-clear when everything is well."""
    first = decide([LANE], [], now=NOW)
    refused = Problem(code="invalid_api_key", what="The key is not valid.")
    second = decide(
        [lane(refused)],
        memory(first),
        now=NOW + 60,
    )
    assert [one.title for one in second.alerts] == ["Paused: The key is not valid"]
    assert len(decide([], memory(first, second), now=NOW + 90).alerts) == 1


def test_nobody_says_that_all_is_well_where_nobody_knows() -> None:
    """After a start an inbox has not said yet how it is: its old alert stays open."""
    told = Told(place="inbox:main", reason="offline", occasion="inbox_offline", since=NOW, at=NOW,
                all_clear="The inbox main is back", open=True)  # fmt: skip
    assert decide([], [told], now=NOW + 5, unsure={"inbox:main"}) == Decision()
    assert len(decide([], [told], now=NOW + 5).alerts) == 1


def test_a_job_is_told_of_once_for_each_time_that_it_ends() -> None:
    """The same end is never told twice; a second run that fails again is, an hour after the first alert."""
    over = job_over(job(), [failure(4)], link="")
    first = decide([over], [], now=NOW)
    assert len(first.alerts) == 1
    assert decide([over], memory(first), now=NOW + 3 * HOUR) == Decision()
    again = replace(over, since=NOW + 300)
    assert decide([again], memory(first), now=NOW + 310) == Decision()
    assert len(decide([again], memory(first), now=NOW + HOUR).alerts) == 1


def test_a_clock_that_went_back_silences_nothing() -> None:
    """What was told in a future that is not yet does not count as recent."""
    over = job_over(job(), [failure(4)], link="")
    told = memory(decide([over], [], now=NOW + 900_000))
    assert len(decide([replace(over, since=NOW)], told, now=NOW).alerts) == 0
    assert len(decide([replace(over, since=NOW + 1)], told, now=NOW).alerts) == 1


steps = st.lists(
    st.tuples(st.floats(1, 4000), st.booleans(), st.sampled_from(["a", "b"])), max_size=60
)


@given(steps)
def test_never_two_of_one_cause_within_an_hour(moves: list[tuple[float, bool, str]]) -> None:
    """However a lane flaps and whatever for: each alert of a cause is an hour from the last; ends alternate."""
    now, past, told = NOW, dict[str, float](), list[Told]()
    said: list[bool] = []
    for wait, halted, code in moves:
        now += wait
        problem = Problem(code=code, what=f"Trouble {code}.")
        facts = [lane(problem, now)] if halted else []
        decision = decide(facts, told, now=now)
        for one in decision.alerts:
            said.append(one.good)
            if not one.good:
                assert now - past.get(one.title, 0.0) >= HOUR
                past[one.title] = now
        kept = {(one.place, one.reason): one for one in (*told, *decision.told)}
        told = list(kept.values())
    assert not any(first and second for first, second in pairwise(said))


@given(st.lists(st.floats(0, 600), max_size=200))
def test_jobs_that_keep_ending_are_told_of_ever_more_rarely(gaps: list[float]) -> None:
    """Jobs that end with errors all day: four messages in the first hour at most."""
    now, sent = NOW, list[float]()
    for gap in gaps:
        now += gap
        if may_tell_of_jobs(sent, first=60, now=now):
            sent.append(now)
    for at in sent:
        assert sum(at <= other < at + HOUR for other in sent) <= 4


def test_a_job_in_words() -> None:
    """Counts, cost, the first three failures with what to do, where the results are."""
    rows = [failure(4), failure(7), failure(9), failure(11)]
    one = job_over(job(), rows, link="/srv/outbox/list--01J")
    said = message(decide([one], [], now=NOW).alerts, foot="image-watcher on host")
    assert said.title == "list.csv: 5 of 40 rows did not end well"
    assert said.bad
    assert "35 done, 5 failed, $1.40. Inbox main, job 01J." in said.body
    assert "Row 9: The API refused this prompt. Write it differently." in said.body
    assert "Row 11" not in said.body
    assert "… and 2 more." in said.body
    assert "Results: /srv/outbox/list--01J" in said.body
    assert said.body.endswith("image-watcher on host")


def test_a_drop_that_could_not_be_read_in_words() -> None:
    """What is wrong with it, and that nothing was paid."""
    problem = Problem(code="no_header", what="The first line holds no header.", hint="Add one.")
    one = job_over(job(state=JobState.FAILED, problem=problem, counts={}), [], link="")
    assert one.occasion == "job_failed"
    assert one.title == "list.csv could not be read"
    assert one.lines[:2] == ("The first line holds no header.", "Add one.")


@pytest.mark.parametrize(
    ("code", "occasion"),
    [("insufficient_quota", "paused"), ("reply_lost", "disk_full"), ("disk_full", "disk_full")],
)
def test_why_a_lane_is_halted_is_an_occasion(code: str, occasion: str) -> None:
    """People can choose to hear of a full disk and not of the rest."""
    problem = Problem(code=code, what="So it is.")
    assert lane(problem).occasion == occasion


def test_a_model_that_goes_is_told_of_as_its_day_comes() -> None:
    """A month, a week, a day before, and when it is gone; not every day anew."""
    one = Retiring(model="m", what="m goes.", hint="Take n.", shutdown=date(2027, 1, 1), used_by=())
    told: list[Told] = []
    said = []
    for left in range(30, -4, -1):
        found = decide([model_retiring(one, days_left=left)], told, now=NOW - left * 86400)
        told += found.told
        said += [left] * len(found.alerts)
    assert said == [30, 7, 1, 0]


def test_many_become_one_message() -> None:
    """A digest: what stops everybody first, at most ten by name, the rest counted, each with its gist."""
    jobs = [job_over(job(id=f"{at}"), [failure(1)], link="") for at in range(30)]
    alerts = decide([*jobs, LANE], [], now=NOW).alerts
    said = message(alerts)
    assert said.title == "Paused: There is no credit left, and 30 more"
    assert said.body.startswith("• Paused")
    assert said.body.count("• ") == 10
    assert "… and 21 more." in said.body
    assert message(alerts[:30]).title == "30 jobs with errors"


def test_no_secret_and_no_control_character_gets_out() -> None:
    """Whatever a row, a name or an answer holds."""
    what = "Wrong key sk-abcdef123456 at https://u:p@h/x?token=abc\x1b[31m\nBcc: a@b"
    one = job_over(job(name="a\r\nb\x00.csv"), [failure(1, what)], link="")
    said = message(decide([one], [], now=NOW).alerts)
    whole = said.title + said.body
    assert "sk-abcdef123456" not in whole
    assert "u:p@" not in whole
    assert "token=abc" not in whole
    assert all(char.isprintable() or char == "\n" for char in whole)
    assert "\nBcc" not in whole


@given(st.lists(st.builds(Alert, occasion=st.sampled_from(OCCASIONS), title=st.text(min_size=1),
                          lines=st.lists(st.text()).map(tuple)), min_size=1, max_size=40))  # fmt: skip
def test_a_message_is_always_short_plain_text(alerts: list[Alert]) -> None:
    """One line of title, and a body that every service takes."""
    said = message(alerts, foot="image-watcher on host")
    assert said.title == said.title.strip().replace("\n", " ")
    assert len(said.title) <= 120
    assert 0 < len(said.body) <= 4000
    assert all(char.isprintable() or char == "\n" for char in said.title + said.body)


def test_where_the_results_are() -> None:
    """A public address where there is one, else the folder."""
    assert link_to(job(), public_url="", outbox="/out/") == "/out/list--01J"
    public = link_to(job(folder="a b--01J"), public_url="https://p.example/", outbox="/out")
    assert public == "https://p.example/a%20b--01J/index.html"
