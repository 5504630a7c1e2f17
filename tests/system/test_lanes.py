"""Nobody is asked until something changes: rows stay queued, everybody is told, and it resumes by itself."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.system import quota
from tests.system.house import House, Job, Values, house, merged, prompts_csv, sandbox, wait_for

QUICK = {"api": {"retry": {"base": 0.05, "longest": 0.2}}, "limits": {"concurrency": 1}}
SOON = {"api": {"probe_minutes": [0.02]}}  # 1.2 s


def settings(*more: Mapping[str, Any]) -> Values:
    whole: Values = dict(QUICK)
    for each in more:
        whole = merged(whole, each)
    return whole


def status(home: House) -> Values:
    """What `status --json` says."""
    found = home.command("status", "--json")
    assert found.returncode == 0, found.stderr
    said: Values = json.loads(found.stdout)
    return said


def wait_paused(home: House, name: str) -> str:
    """The note of a drop, once it says that nothing moves."""

    def paused() -> str:
        note = home.note(name)
        return note if note.startswith("paused") else ""

    return wait_for(paused, 20, f"the note of {name} says that it is paused")


def queued(home: House, name: str) -> int:
    """How many rows of a drop wait to be asked for, as `status --json` counts them."""
    job = next(job for job in status(home)["jobs"] if job["name"] == name)
    assert job["state"] == "running"
    return int(job["counts"]["queued"])


def assert_all_done(job: Job, rows: int) -> None:
    assert job.statuses == ["done"] * rows
    assert len(job.pictures) == rows


@pytest.mark.parametrize("empty", [True, False])
def test_a_key_that_is_missing_stops_everything_and_one_that_appears_starts_it(
    tmp_path: Path, *, empty: bool
) -> None:
    """Without a key nothing is sent; status, note and log say so; a key file is noticed by itself."""
    key = tmp_path / "key"
    if empty:
        key.write_text("")
    mine = settings({"api": {"key_file": str(key)}})
    with sandbox(key="sk-right") as api, house(tmp_path, api.base_url, mine, environ={}) as home:
        home.drop("rows.csv", prompts_csv([f"row {at}" for at in range(20)]))
        note = wait_paused(home, "rows.csv")
        assert "There is no API key." in note
        assert queued(home, "rows.csv") == 20
        wait_for(lambda: "paused" in home.command("jobs").stdout, 20, "the job shows as paused")
        assert "There is no API key." in home.command("show", home.jobs()[0].summary["id"]).stdout
        (lane,) = status(home)["lanes"]
        assert (lane["state"], lane["code"]) == ("halted", "no_key")
        assert "OPENAI_API_KEY" in lane["hint"]
        assert len(home.events("lane.halted")) == 1
        assert api.stats()["calls"] == 0
        assert "There is no API key." in home.command("status").stdout
        key.write_text("sk-right\n")
        assert_all_done(home.wait_over("rows.csv", 15), 20)
        assert status(home)["lanes"] == []
        assert "sk-right" not in home.log_text()


def test_a_missing_key_in_the_environment_is_no_reason_to_end(tmp_path: Path) -> None:
    """The daemon starts without a key, and with one at the next start it goes on where it was."""
    with sandbox() as api, house(tmp_path, api.base_url, settings(), environ={}) as home:
        home.drop("rows.csv", prompts_csv(["one", "two"]))
        wait_paused(home, "rows.csv")
        assert home.stop() == 0
        home.environ = {"OPENAI_API_KEY": "any"}
        home.start()
        assert_all_done(home.wait_over("rows.csv"), 2)
        assert status(home)["lanes"] == []


def test_a_key_that_is_refused_halts_the_lane(tmp_path: Path) -> None:
    """401: one call, every row still queued; after SIGHUP all of them are done."""
    with sandbox(faults=["401"]) as api, house(tmp_path, api.base_url, settings()) as home:
        home.drop("rows.csv", prompts_csv([f"row {at}" for at in range(30)]))
        note = wait_paused(home, "rows.csv")
        assert "Nothing is lost" in note
        assert queued(home, "rows.csv") == 30
        assert api.stats()["calls"] == 1
        (lane,) = status(home)["lanes"]
        assert lane["code"] == "invalid_api_key"
        api.misbehave()
        home.signal(signal.SIGHUP)
        assert_all_done(home.wait_over("rows.csv"), 30)
        assert api.stats()["calls"] == 31
        assert status(home)["lanes"] == []
        assert "paused" not in home.note("rows.csv")


def test_no_money_left_costs_one_call(tmp_path: Path) -> None:
    """One call of 500 rows, with eight allowed at a time; with money back all are done, no file is touched."""
    seen = quota.play(tmp_path, 500)
    assert (seen.calls_without_money, seen.queued) == (1, 500)
    assert seen.code == "credit_balance_exhausted"
    assert "quota" in seen.note
    assert seen.statuses == {"done": 500}
    assert seen.calls == 500 + 1 + seen.probes


def test_at_most_the_calls_in_flight_are_made(tmp_path: Path) -> None:
    """With several calls in flight as the money ends, no more than those are made."""
    mine = settings({"limits": {"concurrency": 4}})
    with (
        sandbox(faults=["quota"], latency="0.3") as api,
        house(tmp_path, api.base_url, mine) as home,
    ):
        home.drop("rows.csv", prompts_csv([f"row {at}" for at in range(100)]))
        wait_paused(home, "rows.csv")
        wait_for(lambda: queued(home, "rows.csv") == 100, what="no call is in flight")
        assert api.stats()["calls"] <= 4


@pytest.mark.parametrize(
    "fault", ["401", "402", "quota", "403", "404", "400@code=billing_hard_limit_reached"]
)
def test_the_lane_reopens_by_itself(tmp_path: Path, fault: str) -> None:
    """Nobody touches anything: the lane is probed now and then, and goes on when it works again."""
    with (
        sandbox(faults=[fault]) as api,
        house(tmp_path, api.base_url, settings(SOON)) as home,
    ):
        home.drop("rows.csv", prompts_csv([f"row {at}" for at in range(10)]))
        wait_paused(home, "rows.csv")
        wait_for(lambda: api.stats()["calls"] >= 3, what="the lane was probed twice")
        wait_for(lambda: queued(home, "rows.csv") == 10, what="no probe is in flight")
        api.misbehave()
        assert_all_done(home.wait_over("rows.csv"), 10)
        assert len(home.events("lane.reopened")) == 1
        assert all(row["result_attempts"] for row in home.wait_over("rows.csv").rows)


def test_a_probe_is_one_call(tmp_path: Path) -> None:
    """However many rows wait and however many calls are allowed: a closed lane is tried by one."""
    mine = settings(SOON, {"limits": {"concurrency": 8}})
    with sandbox(faults=["401"]) as api, house(tmp_path, api.base_url, mine) as home:
        home.drop("rows.csv", prompts_csv([f"row {at}" for at in range(200)]))
        wait_paused(home, "rows.csv")
        before = api.stats()["calls"]
        assert before <= 8 + len(
            home.events("lane.halted")
        )  # a slow machine has seen probes by now
        halts = len(home.events("lane.halted"))
        wait_for(lambda: len(home.events("lane.halted")) >= halts + 3, what="it was probed thrice")
        probes = len(home.events("lane.halted")) - halts
        assert api.stats()["calls"] - before <= probes + 1


def test_another_key_does_not_inherit_the_halt(tmp_path: Path) -> None:
    """The key of the settings is replaced: its account is a new one, and the old halt is forgotten."""
    key = tmp_path / "key"
    key.write_text("sk-wrong-key")
    mine = settings({"api": {"key_file": str(key)}})
    with sandbox(key="sk-right") as api, house(tmp_path, api.base_url, mine, environ={}) as home:
        home.drop("rows.csv", prompts_csv(["one", "two", "three"]))
        wait_paused(home, "rows.csv")
        key.write_text("sk-right")
        assert_all_done(home.wait_over("rows.csv", 15), 3)
        assert status(home)["lanes"] == []
        for text in (home.log_text(), home.note("rows.csv"), json.dumps(status(home))):
            assert "sk-wrong-key" not in text
            assert "sk-right" not in text


def test_a_halt_outlives_the_process(tmp_path: Path) -> None:
    """After a restart the lane is still closed, and one call finds out whether it still must be."""
    with sandbox(faults=["401"]) as api, house(tmp_path, api.base_url, settings()) as home:
        home.drop("rows.csv", prompts_csv([f"row {at}" for at in range(30)]))
        wait_paused(home, "rows.csv")
        home.restart()
        wait_for(lambda: home.events("lane.halted"), what="it was probed and is still halted")
        assert queued(home, "rows.csv") == 30
        assert api.stats()["calls"] == 2
        home.kill()
        api.misbehave()
        home.start()
        assert_all_done(home.wait_over("rows.csv"), 30)


def test_a_server_that_is_away_comes_back(tmp_path: Path) -> None:
    """No connection: no row fails, nothing is counted against it, and it resumes with the server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with house(tmp_path, f"http://127.0.0.1:{port}/v1", settings()) as home:
        home.drop("rows.csv", prompts_csv([f"row {at}" for at in range(10)]))
        note = wait_paused(home, "rows.csv")
        assert "refused the connection" in note
        assert status(home)["lanes"][0]["code"] == "connection"
        with sandbox(port=port) as api:
            assert_all_done(home.wait_over("rows.csv"), 10)
            assert api.stats()["calls"] == 10


@pytest.mark.parametrize("fault", ["500", "html"])
def test_a_server_that_fails_for_all_rows_is_an_outage(tmp_path: Path, fault: str) -> None:
    """Errors, or the page of a portal, for every call: soon it is the server and not the rows; they wait."""
    patient = settings({"limits": {"concurrency": 4}, "api": {"retry": {"attempts": 2}}})
    with sandbox(faults=[fault]) as api, house(tmp_path, api.base_url, patient) as home:
        home.drop("rows.csv", prompts_csv([f"row {at}" for at in range(40)]))
        wait_paused(home, "rows.csv")
        failed = status(home)["jobs"][0]["counts"]["failed"]
        assert failed <= 14  # ten in a row show it, and four are in flight
        api.misbehave()
        home.signal(signal.SIGHUP)

        def counts() -> Values | None:
            found: Values = status(home)["jobs"][0]["counts"]
            return found if found["done"] + found["waiting"] + failed == 40 else None

        # Those that showed the outage wait two minutes; nobody else has to.
        assert wait_for(counts, 30, "all other rows are done")["waiting"] <= 8


@pytest.mark.parametrize("fault", ["reset", "524", "url@gone=99"])
def test_calls_that_are_paid_for_nothing_end_soon(tmp_path: Path, fault: str) -> None:
    """A proxy that hangs up, links that lead nowhere: each call is paid and brings nothing. A few show it, and
    the other rows wait; once it is well they are done, and each is asked for twice at most.
    """
    with sandbox(faults=[fault]) as api, house(tmp_path, api.base_url, settings()) as home:
        home.drop("rows.csv", prompts_csv([f"row {at}" for at in range(60)]))
        assert "may have been charged and brought nothing" in wait_paused(home, "rows.csv")
        wait_for(lambda: not status(home)["daemon"]["in_flight"], 30, "calls in flight end")
        assert api.stats()["paid"] <= 10 + 4
        assert status(home)["lanes"][0]["code"] == "unanswered"
        api.misbehave()
        home.signal(signal.SIGHUP)
        job = home.wait_over("rows.csv")
        assert job.statuses.count("done") >= 60 - 14
        assert max(api.stats()["calls_by_prompt"].values()) <= 2


def test_one_model_that_is_refused_leaves_the_others_alone(tmp_path: Path) -> None:
    """403 `must be verified` for one model: rows of another model of the same key go on."""
    rows = [{"prompt": f"row {at} held"} for at in range(5)]
    rows += [{"prompt": f"row {at} free", "model": "gpt-image-2"} for at in range(5)]
    with (
        sandbox(faults=["403 prompt~held"]) as api,
        house(tmp_path, api.base_url, settings()) as home,
    ):
        home.drop("rows.json", json.dumps(rows))

        def five_done() -> Values | None:
            jobs = [job for job in status(home)["jobs"] if job["counts"]["done"] == 5]
            return jobs[0] if jobs else None

        job = wait_for(five_done, 20, "the rows of the other model are done")
        assert job["counts"]["queued"] == 5
        api.misbehave()
        home.signal(signal.SIGHUP)
        assert_all_done(home.wait_over("rows.json"), 10)
