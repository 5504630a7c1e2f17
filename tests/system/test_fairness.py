"""Nobody waits behind somebody else's many rows, nor behind a slow one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.system.house import House, house, prompts_csv, sandbox, wait_for

LATENCY = 0.5


def attempts(home: House, name: str) -> list[tuple[float, float]]:
    """When the job of a drop was accepted, and each of its attempts begun: seconds since the epoch."""
    query = """SELECT jobs.accepted_at, attempts.started_at FROM jobs
               JOIN attempts ON attempts.job_id = jobs.id WHERE jobs.name = ? ORDER BY attempts.id"""
    file = home.state / "ledger.sqlite3"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as ledger:
        return [(accepted, begun) for accepted, begun in ledger.execute(query, (name,))]


@pytest.mark.alone
def test_one_row_behind_five_thousand_starts_within_one_rows_time(tmp_path: Path) -> None:
    """Two calls at a time: at most two of the big job's rows begin between its acceptance and its start."""
    big = prompts_csv([f"Stone number {number}" for number in range(5000)])
    settings = {"limits": {"concurrency": 2}}
    with (
        sandbox(latency=str(LATENCY)) as api,
        house(tmp_path, api.base_url, settings) as home,
    ):
        home.drop("big.csv", big)
        wait_for(lambda: api.stats()["calls"] >= 7, 60, "the big job runs")
        home.drop("small.csv", prompts_csv(["A feather"]))
        job = home.wait_over("small.csv", 20)
        assert job.statuses == ["done"]
        [(accepted, begun)] = attempts(home, "small.csv")
        between = [at for _, at in attempts(home, "big.csv") if accepted < at < begun]
        assert len(between) <= 2
        assert begun - accepted <= 1.5 * LATENCY
        assert home.job("big.csv") is not None
        assert api.stats()["calls"] < 100


def test_many_small_drops_share_the_calls(tmp_path: Path) -> None:
    """Twenty drops of one row and one of a hundred: the hundred do not come first, nor last."""
    settings = {"limits": {"concurrency": 4}}
    names = [f"small-{number}.csv" for number in range(20)]
    with (
        sandbox(latency="0.1") as api,
        house(tmp_path, api.base_url, settings) as home,
    ):
        home.drop("big.csv", prompts_csv([f"Stone number {number}" for number in range(100)]))
        wait_for(lambda: api.stats()["calls"] >= 4, 30, "the big job runs")
        for name in names:
            home.drop(name, prompts_csv([f"A feather for {name}"]))
        for name in names:
            home.wait_over(name, 30)
        assert len(home.wait_over("big.csv", 60).rows) == 100
        last_small = max(begun for name in names for _, begun in attempts(home, name))
        big = [begun for _, begun in attempts(home, "big.csv")]
        assert sum(begun > last_small for begun in big) > 20
        assert api.stats()["in_flight_max"] == 4


def test_a_slow_row_holds_back_nobody(tmp_path: Path) -> None:
    """One row takes 6 s more: the others are all done long before it is."""
    prompts = ["A snail [fault:slow=6]", *(f"A hare, number {number}" for number in range(23))]
    settings = {"limits": {"concurrency": 4}, "inboxes": {"main": {"batch_size": 4}}}
    with (
        sandbox(latency="0.2") as api,
        house(tmp_path, api.base_url, settings) as home,
    ):
        home.drop("race.csv", prompts_csv(prompts))
        wait_for(lambda: len(list(home.outbox.glob("*/images/*.png"))) == 23, 6, "the hares")
        assert api.stats()["paid_by_prompt"].get(prompts[0], 0) == 0
        job = home.wait_over("race.csv", 20)
        assert job.statuses == ["done"] * 24
        seconds = [float(row["result_seconds"]) for row in job.rows]
        assert seconds[0] > 6
        assert max(seconds[1:]) < 3


@pytest.mark.slow
def test_rows_that_wait_for_a_retry_hold_back_nobody(tmp_path: Path) -> None:
    """As many rows as the batch is large are deferred for 4 s: the others go on meanwhile."""
    late = [f"A late one [fault:500@retry_after=4x1], number {number}" for number in range(4)]
    prompts = [*late, *(f"A hare, number {number}" for number in range(20))]
    settings = {"limits": {"concurrency": 4}, "inboxes": {"main": {"batch_size": 4}}}
    with (
        sandbox(latency="0.1") as api,
        house(tmp_path, api.base_url, settings) as home,
    ):
        home.drop("race.csv", prompts_csv(prompts))
        job = home.wait_over("race.csv", 30)
        assert job.statuses == ["done"] * 24
        begun = [at for _, at in attempts(home, "race.csv")]
        assert len(begun) == 28
        assert api.stats()["calls"] == 28
