"""Backup and restore as an operator types them, beside the real daemon."""

from __future__ import annotations

import json
from pathlib import Path

from tests.system.house import House, Sandbox, house, prompts_csv, sandbox, wait_for


def _running(one: House) -> bool:
    return bool(one.events("item.delivered"))


def _work(one: House, api: Sandbox) -> None:
    one.drop("long.csv", prompts_csv([f"a kite {row}" for row in range(60)]))
    wait_for(lambda: _running(one), what="rows are delivered")
    api.misbehave("slow=600")  # however long the commands take, the job is not over


def test_a_backup_while_rows_are_worked(tmp_path: Path) -> None:
    """Taken in the middle of a job it can be restored; the job goes on to its end from there, and
    nothing that had been answered by then is paid for again."""
    with sandbox(latency="0.3") as api, house(tmp_path / "house", api.base_url) as one:
        _work(one, api)
        file = tmp_path / "state.tar.gz"
        done = one.command("backup", str(file), "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["bytes"] == file.stat().st_size
        one.kill()
        paid = api.stats()["paid"]
        api.misbehave()
        one.drop("after.csv", prompts_csv(["a late kite"]))
        back = one.command("restore", str(file), "--json")
        assert back.returncode == 0, back.stderr
        assert len(json.loads(back.stdout)["running"]) == 1
        (job,) = json.loads(one.command("status", "--json").stdout)["jobs"]
        answered = job["counts"]["done"]
        one.start()
        assert one.wait_over("long.csv").statuses == ["done"] * 60
        assert one.wait_over("after.csv").statuses == ["done"]
        assert answered > 0
        cut_off = 4  # calls that were in flight when the daemon was killed
        assert api.stats()["paid"] - paid <= 60 - answered + 1 + cut_off


def test_no_restore_under_a_running_daemon(tmp_path: Path) -> None:
    """It is refused in a sentence, and the daemon goes on."""
    with sandbox() as api, house(tmp_path / "house", api.base_url) as one:
        file = tmp_path / "state.backup"
        assert one.command("backup", str(file)).returncode == 0
        refused = one.command("restore", str(file))
        assert (refused.returncode, "Traceback" in refused.stderr) == (75, False)
        one.drop("more.csv", prompts_csv(["a kite"]))
        assert one.wait_over("more.csv").statuses == ["done"]


def test_sentences_of_what_cannot_be(tmp_path: Path) -> None:
    """No ledger yet, a file that is there, a file that is none: each has its sentence and its code."""
    with house(tmp_path / "house", "http://127.0.0.1:9/v1", start=False) as one:
        assert one.command("backup", str(tmp_path / "a")).returncode == 74
        one.start()
        one.stop()
        (tmp_path / "a").write_text("mine")
        taken = one.command("backup", str(tmp_path / "a"))
        assert (taken.returncode, "is there already" in taken.stderr) == (74, True)
        wrong = one.command("restore", str(tmp_path / "a"))
        assert (wrong.returncode, "no backup" in wrong.stderr) == (74, True)
        assert "Nothing was changed" in wrong.stderr
