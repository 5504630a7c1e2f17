"""Schedules through the real process."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.system.house import House, Values, house, prompts_csv, sandbox, wait_for

from watcher.ledger import Ledger

HOURLY = "17 * * * *"


def _settings(folder: Path, **more: str) -> Values:
    file = folder / "list.csv"
    file.write_text(prompts_csv(["a kite", "a lamp"]))
    one = {"name": "hourly", "cron": HOURLY, "inbox": "main", "file": str(file), **more}
    return {"schedules": [one]}


def _was_off_for(one: House, hours: float, *names: str) -> None:
    """As if the daemon had last looked that long ago."""
    ledger = Ledger(one.state)
    now = time.time() - hours * 3600
    for name in names or ("hourly",):
        ledger.schedules.begin(name, rule=f"{HOURLY} UTC", now=now)
    ledger.close()


def _schedules(one: House) -> dict[str, Values]:
    found = json.loads(one.command("status", "--json").stdout)["schedules"]
    return {told["name"]: told for told in found}


def test_what_was_missed_is_made_up_for_once_and_anew(tmp_path: Path) -> None:
    """After hours off each schedule drops once, the same bytes too; a restart adds nothing."""
    settings = _settings(tmp_path)
    settings["schedules"].append({**settings["schedules"][0], "name": "second"})
    with sandbox() as api, house(
        tmp_path / "house", api.base_url, settings, start=False
    ) as one:  # fmt: skip
        _was_off_for(one, 3, "hourly", "second")
        one.start()
        wait_for(lambda: len(one.events("schedule.dropped")) == 2, what="both are dropped")
        names = [Path(told["file"]).name for told in one.events("schedule.dropped")]
        for name in names:
            assert one.wait_over(name).statuses == ["done", "done"]
        assert api.stats()["paid"] == 4
        one.stop()
        one.start()
        told = _schedules(one)["hourly"]
        assert (told["last_drop"], told["problem"]) == (f"again/{names[0]}", None)
        assert told["next_run"] > told["last_run"]
        assert "schedule hourly: next" in one.command("status").stdout
        assert one.events("schedule.dropped") == []
        assert list((one.inbox / "again").glob("*.csv")) == []
        assert len(one.jobs()) == 2
        one.stop()


def test_skip_leaves_missed_runs_out(tmp_path: Path) -> None:
    """With `missed: skip` nothing is dropped for the hours off, and the log says so."""
    settings = _settings(tmp_path, missed="skip", cron="17 3 1 1 *")
    with sandbox() as api, house(
        tmp_path / "house", api.base_url, settings, start=False
    ) as one:  # fmt: skip
        ledger = Ledger(one.state)
        ledger.schedules.begin("hourly", rule="17 3 1 1 * UTC", now=time.time() - 366 * 86_400)
        ledger.close()
        one.start()
        told = wait_for(lambda: one.events("schedule.missed"))[0]
        assert told["makes_up"] is False
        assert not (one.inbox / "again").exists()


def test_a_file_that_is_away_is_told_of(tmp_path: Path) -> None:
    """`status` says what is wrong and what to do; when the file is there it is dropped by itself."""
    settings = _settings(tmp_path)
    (tmp_path / "list.csv").unlink()
    with sandbox() as api, house(
        tmp_path / "house", api.base_url, settings, start=False
    ) as one:  # fmt: skip
        _was_off_for(one, 3)
        one.start()
        told = wait_for(lambda: one.events("schedule.refused"))[0]
        assert "list.csv cannot be read" in told["what"]
        assert "list.csv" in str(_schedules(one)["hourly"]["problem"])
        assert "Put the file there" in one.command("status").stdout


def test_schedules_that_cannot_be(tmp_path: Path) -> None:
    """Each is refused at once, with its place and what is allowed."""
    for wrong, word in (
        ({"cron": "0 0 30 2 *"}, "a day that comes"),
        ({"cron": "every day"}, "five cron fields"),
        ({"timezone": "Mars/Olympus"}, "time zone"),
        ({"inbox": "other"}, "no inbox"),
        ({"file": "list.exe"}, "a file that ends in"),
        ({"missed": "twice"}, "run_once"),
    ):
        with house(
            tmp_path / "house", "http://127.0.0.1:9/v1", _settings(tmp_path, **wrong), start=False
        ) as one:
            found = one.command("config")
            assert (found.returncode, word in found.stderr) == (78, True), found.stderr
