"""How the daemon ends, begins again, and takes over new settings while it works."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from tests.system.house import House, house, prompts_csv, sandbox, wait_for

ROWS = 40
PROMPTS = [f"A boat with the number {number}" for number in range(ROWS)]


def drop_and_wait(home: House, calls: int) -> None:
    """The boats, and so many pictures of them."""
    home.drop("boats.csv", prompts_csv(PROMPTS))
    wait_for(lambda: len(list(home.outbox.glob("*/images/*.png"))) >= calls, 30, "some pictures")


def test_sigterm_lets_calls_in_flight_end_and_a_new_start_goes_on(tmp_path: Path) -> None:
    """Exit 0, no new call, every picture that was paid is kept and shown; then 40 of 40, none paid twice."""
    with sandbox(latency="0.8") as api, house(tmp_path, api.base_url) as home:
        drop_and_wait(home, 4)
        home.signal(signal.SIGTERM)
        wait_for(lambda: home.events("daemon.stopping"), 5, "it is stopping")
        stats = api.stats()
        assert stats["in_flight"] > 0
        assert home.wait_ended(10) == 0
        after = api.stats()
        assert after["calls"] == stats["calls"]
        assert after["paid"] == after["calls"] < ROWS
        job = home.job("boats.csv")
        assert job is not None
        assert job.statuses.count("done") == after["paid"] == len(job.pictures)
        home.start()
        assert home.wait_over("boats.csv").statuses == ["done"] * ROWS
        assert api.stats()["paid"] == ROWS


@pytest.mark.slow
def test_a_stop_waits_for_what_is_being_fetched(tmp_path: Path) -> None:
    """A picture that is paid for and comes by an address, slower than anything else is waited for: its address
    may have ended by the next start.
    """
    with sandbox(faults=["url@lag=45"]) as api, house(tmp_path, api.base_url) as home:
        home.drop("boat.csv", prompts_csv(PROMPTS[:1]))
        wait_for(lambda: api.stats()["paid"] == 1, 10, "it is paid")
        assert home.stop(90) == 0
        job = home.job("boat.csv")
        assert job is not None
        assert len(job.pictures) == 1


def test_a_second_sigterm_ends_it_at_once(tmp_path: Path) -> None:
    """Calls of 30 s are not waited for twice; what was in flight is told as possibly charged."""
    with sandbox(latency="30") as api, house(tmp_path, api.base_url) as home:
        home.drop("boats.csv", prompts_csv(PROMPTS[:4]))
        wait_for(lambda: api.stats()["in_flight"] == 4, 10, "four calls")
        home.signal(signal.SIGTERM)
        wait_for(lambda: home.events("daemon.stopping"), 5, "it is stopping")
        home.signal(signal.SIGTERM)
        assert home.wait_ended(5) == 1


def test_a_second_daemon_on_one_state_folder_is_refused(tmp_path: Path) -> None:
    """Exit code 75, in words that name the first one; the first one works on."""
    with sandbox() as api, house(tmp_path, api.base_url) as home:
        second = home.command("run")
        assert second.returncode == 75
        assert str(home.pid) in second.stderr
        assert "state_dir" in second.stderr
        assert "Traceback" not in second.stderr
        home.drop("boats.csv", prompts_csv(PROMPTS[:2]))
        assert home.wait_over("boats.csv").statuses == ["done", "done"]


def limits(concurrency: int) -> dict[str, object]:
    return {"limits": {"concurrency": concurrency}, "inboxes": {"main": {"batch_size": 12}}}


def test_a_changed_file_is_taken_over_while_it_works(tmp_path: Path) -> None:
    """One call at a time, then ten, then two: without a restart, and without losing a row."""
    with sandbox(latency="1") as api, house(tmp_path, api.base_url, limits(1)) as home:
        drop_and_wait(home, 2)
        assert api.stats()["in_flight_max"] == 1
        home.configure(limits(10))
        wait_for(lambda: api.stats()["in_flight_max"] == 10, 20, "ten calls at a time")
        home.configure(limits(2))
        home.signal(signal.SIGHUP)
        wait_for(lambda: len(home.events("settings.reloaded")) == 2, 5, "reloaded twice")
        wait_for(lambda: api.stats()["in_flight"] <= 2, 5, "two calls at a time")
        paid = api.reset()["paid"]
        assert home.wait_over("boats.csv").statuses == ["done"] * ROWS
        stats = api.stats()
        assert stats["in_flight_max"] <= 2
        assert stats["paid"] + paid == ROWS


def test_settings_that_cannot_be_used_are_refused_and_the_old_ones_stay(tmp_path: Path) -> None:
    """The log says which key, what was found and what to do; the work goes on."""
    with sandbox(latency="0.2") as api, house(tmp_path, api.base_url) as home:
        drop_and_wait(home, 2)
        home.write_config(home.config.read_text().replace("concurrency: 4", "concurrency: many"))
        [refused] = wait_for(lambda: home.events("settings.refused"), 10, "it is refused")
        assert "limits.concurrency" in refused["what"]
        assert "many" in refused["what"]
        home.write_config("api: [")
        wait_for(lambda: len(home.events("settings.refused")) == 2, 10, "it is refused again")
        assert home.wait_over("boats.csv").statuses == ["done"] * ROWS
        assert api.stats()["in_flight_max"] == 4


def test_what_cannot_be_reloaded_is_said_and_kept(tmp_path: Path) -> None:
    """Another state folder waits for a restart, and so does an inbox that came or went."""
    with sandbox(latency="0.2") as api, house(tmp_path, api.base_url) as home:
        drop_and_wait(home, 2)
        other = {"other": {"path": "./more", "outbox": "./more-out"}}
        home.configure({"state_dir": "./elsewhere", "inboxes": other})

        def kept() -> bool:
            told = {line["key"] for line in home.events("settings.kept")}
            return told == {"state_dir", "inboxes.other"}

        wait_for(kept, 10, "it says what it keeps")
        assert home.wait_over("boats.csv").statuses == ["done"] * ROWS
        assert not (tmp_path / "elsewhere").exists()
        assert home.stop() == 0


def test_an_inbox_that_left_the_file_is_served_until_the_restart(tmp_path: Path) -> None:
    """Its rows go on, and what is dropped into it is taken: people do not see the file of settings."""
    with sandbox(latency="0.2") as api, house(tmp_path, api.base_url) as home:
        drop_and_wait(home, 2)
        text = home.config.read_text().replace("  main:", "  renamed:")
        home.write_config(text)
        wait_for(lambda: home.events("settings.kept"), 10, "it says what it keeps")
        home.drop("more.csv", prompts_csv(["A raft"]))
        assert home.wait_over("more.csv").statuses == ["done"]
        assert home.wait_over("boats.csv").statuses == ["done"] * ROWS
