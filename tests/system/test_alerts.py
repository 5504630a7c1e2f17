"""People are told of what they must know, through the real daemon: once, in time, and without holding up anything."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest
from tests.listener import Listener, listener
from tests.system.house import House, Values, house, prompts_csv, sandbox, wait_for

FEW = [f"row {at}" for at in range(5)]


def told(ears: Listener, *more: str, gather: float = 0.5) -> Values:
    """Settings that tell whoever listens."""
    return {
        "api": {"retry": {"base": 0.05, "longest": 0.2}},
        "limits": {"concurrency": 2},
        "notify": {"urls": [ears.address, *more], "gather": gather},
    }


def wait_heard(ears: Listener, number: int) -> None:
    wait_for(lambda: len(ears.heard) >= number, 40, f"{number} messages, not {ears.titles}")


def assert_no_secret(home: House, ears: Listener) -> None:
    """In nothing that is written is the address, or its token."""
    for path in home.folder.rglob("*"):
        if path.is_file() and path != home.config:
            assert ears.secret.encode() not in path.read_bytes(), path


def test_no_money_left_is_told_once_and_its_return_once(tmp_path: Path) -> None:
    """Quota gone with several jobs: one message `Paused`, over a restart too; money back: one `Goes on`."""
    with (
        listener() as ears,
        sandbox(faults=["quota"]) as api,
        house(tmp_path, api.base_url, told(ears)) as home,
    ):
        for name in ("a.csv", "b.csv", "c.csv"):
            home.drop(name, prompts_csv([f"{name} {prompt}" for prompt in FEW]))
        wait_for(lambda: home.events("alert.sent"), 40, "it was told")
        home.signal(signal.SIGHUP)
        wait_for(lambda: len(home.events("lane.halted")) >= 2, what="it was probed in vain")
        home.restart()
        wait_for(lambda: home.events("lane.halted"), what="it was probed in vain once more")
        api.misbehave()
        home.signal(signal.SIGHUP)
        for name in ("a.csv", "b.csv", "c.csv"):
            home.wait_over(name)
        wait_heard(ears, 2)
        assert home.stop() == 0
        assert_no_secret(home, ears)
    paused, goes_on = ears.heard
    assert paused["title"].startswith("Paused: ")
    assert "15 rows of 3 jobs not done yet" in paused["message"]
    assert goes_on["title"].startswith("Goes on: ")
    assert (paused["type"], goes_on["type"]) == ("warning", "success")


def test_a_job_with_failures_is_told_with_the_first_three(tmp_path: Path) -> None:
    """One message: counts, cost, three failures with what to do, where the results are."""
    with (
        listener() as ears,
        sandbox(faults=["moderation prompt~bad"]) as api,
        house(tmp_path, api.base_url, told(ears)) as home,
    ):
        home.drop("list.csv", prompts_csv([*FEW, "bad 1", "bad 2", "bad 3", "bad 4"]))
        home.drop("good.csv", prompts_csv(FEW))
        job = home.wait_over("list.csv")
        home.wait_over("good.csv")
        wait_heard(ears, 1)
        assert home.stop() == 0
    (heard,) = ears.heard
    assert heard["title"] == "list.csv: 4 of 9 rows did not end well"
    lines = heard["message"].split("\n")
    assert lines[0].startswith("5 done, 4 failed, $")
    assert [line.split(":")[0] for line in lines[1:4]] == ["Row 6", "Row 7", "Row 8"]
    assert f"Results: {job.folder}" in lines
    assert lines[-1].startswith("image-watcher on ")


@pytest.mark.slow
def test_many_jobs_at_once_are_one_message(tmp_path: Path) -> None:
    """Thirty files that fail within the time of gathering: a digest, and nothing besides."""
    with (
        listener() as ears,
        sandbox(faults=["moderation"]) as api,
        house(tmp_path, api.base_url, told(ears, gather=15)) as home,
    ):
        for at in range(30):
            home.drop(f"{at:02}.csv", prompts_csv([f"{at}"]))
        for at in range(30):
            home.wait_over(f"{at:02}.csv")
        wait_heard(ears, 1)
        assert home.stop() == 0
    assert ears.titles[0].endswith("jobs failed")
    assert sum(int(title.split()[0]) for title in ears.titles if "jobs" in title) == 30
    assert len(ears.heard) <= 2


def test_a_dead_address_slows_nothing(tmp_path: Path) -> None:
    """One service hangs, one is not there: the third hears at once, the job is done meanwhile, no secret shows."""
    with listener() as gone:
        pass
    with (
        listener() as ears,
        listener(hang=threading.Event()) as deaf,
        sandbox(faults=["moderation prompt~bad"]) as api,
        house(tmp_path, api.base_url, told(ears, deaf.address, gone.address)) as home,
    ):
        home.drop("list.csv", prompts_csv(["bad"]))
        wait_heard(ears, 1)
        home.drop("more.csv", prompts_csv(FEW))
        assert home.wait_over("more.csv").statuses == ["done"] * 5
        wait_for(lambda: home.events("alert.refused"), 40, "the log says that it was not taken")
        assert deaf.heard == []
        assert home.stop() == 0
        assert_no_secret(home, ears)
    assert ears.titles == ["list.csv: all 1 row failed"]


def test_whom_to_tell_is_taken_over_while_it_runs(tmp_path: Path) -> None:
    """Addresses come with SIGHUP; those of an inbox hear of that inbox."""
    with (
        listener() as first,
        listener() as second,
        sandbox(faults=["moderation"]) as api,
        house(tmp_path, api.base_url, told(first)) as home,
    ):
        home.drop("a.csv", prompts_csv(["one"]))
        wait_heard(first, 1)
        changed = told(first) | {"inboxes": {"main": {"notify": [second.address]}}}
        home.configure(changed)
        home.signal(signal.SIGHUP)
        wait_for(lambda: home.events("settings.reloaded"), what="the settings are taken over")
        home.drop("b.csv", prompts_csv(["two"]))
        wait_heard(second, 1)
        wait_heard(first, 2)
    assert second.titles == ["b.csv: all 1 row failed"]


def test_one_run_tells_before_it_ends(tmp_path: Path) -> None:
    """`run --once`, as a timer starts it: what failed is told before the process is gone."""
    with (
        listener() as ears,
        sandbox(faults=["moderation"]) as api,
        house(tmp_path, api.base_url, told(ears, gather=600), start=False) as home,
    ):
        home.drop("a.csv", prompts_csv(["one"]))
        assert home.command("run", "--once").returncode == 0
    assert ears.titles == ["a.csv: all 1 row failed"]


def test_an_inbox_that_goes_away(tmp_path: Path) -> None:
    """Its marker is gone, as when a share is unmounted: told; it is back: told."""
    mine: Values = {"inboxes": {"main": {"poll_interval": 0.2, "rescan_interval": 0.3}}}
    with (
        listener() as ears,
        sandbox() as api,
        house(tmp_path, api.base_url, told(ears) | mine) as home,
    ):
        wait_for(lambda: home.events("inbox.online"), what="the inbox is online")
        away = home.inbox.rename(home.folder / "away")
        wait_heard(ears, 1)
        away.rename(home.inbox)
        wait_heard(ears, 2)
    assert ears.titles == ["The inbox main is offline", "The inbox main is back"]


def test_a_test_message_on_request(tmp_path: Path) -> None:
    """`alert-test` tells everybody, says who could be told and shows no address; `check` sends nothing."""
    with (
        listener() as ears,
        listener(status=500) as broken,
        house(tmp_path, "http://127.0.0.1:1/v1", told(ears), start=False) as home,
    ):
        said = home.command("alert-test")
        assert said.returncode == 0
        assert said.stdout == "ok   alerts: json://******** (notify.urls) took a test message.\n"
        assert ears.titles == ["A test message"]
        looked = home.command("check", "--offline")
        assert "ok   alerts: json://******** (notify.urls) can be understood." in looked.stdout
        home.configure(told(ears, "nonsense") | {"inboxes": {"main": {"notify": [broken.address]}}})
        said = home.command("alert-test")
        assert said.returncode == 1
        assert (
            "NOT  alerts: json://******** (inboxes.main.notify): The service answered 500."
            in said.stdout
        )
        looked = home.command("check", "--offline")
        assert looked.returncode == 1
        assert (
            "NOT  alerts: ******** (notify.urls): The address cannot be understood" in looked.stdout
        )
        assert len(ears.heard) == 2
        assert ears.secret not in said.stdout + said.stderr + looked.stdout


def test_a_job_that_wants_a_person_is_told_of(tmp_path: Path) -> None:
    """It would cost more than may be spent without one: told once, with what to do."""
    budget: Values = {"budget": {"approve_above_usd": 0.01}}
    with (
        listener() as ears,
        sandbox() as api,
        house(tmp_path, api.base_url, told(ears) | budget) as home,
    ):
        home.drop("list.csv", prompts_csv(FEW))
        wait_heard(ears, 1)
        assert home.stop() == 0
    (heard,) = ears.heard
    assert heard["title"] == "list.csv waits for approval"
    assert "image-watcher approve" in heard["message"]


def test_a_budget_that_is_used_up_is_told_of_each_way(tmp_path: Path) -> None:
    """One message for the budget, however many jobs it holds; one when it was raised."""
    budget: Values = {"budget": {"usd_per_day": 0.05}}
    with (
        listener() as ears,
        sandbox() as api,
        house(tmp_path, api.base_url, told(ears) | budget) as home,
    ):
        for name in ("a.csv", "b.csv", "c.csv"):
            home.drop(name, prompts_csv([f"{name} {prompt}" for prompt in FEW]))
        wait_heard(ears, 1)
        home.configure(told(ears))
        home.signal(signal.SIGHUP)
        for name in ("a.csv", "b.csv", "c.csv"):
            home.wait_over(name)
        wait_heard(ears, 2)
        assert home.stop() == 0
    assert ears.titles == ["The budget is reached", "The budget allows calls again"]
    assert "(budget.usd_per_day)" in ears.heard[0]["message"]
