"""The examples of the ways to bring work: by hand, by file, by the clock. That of the webhook is in test_post_jobs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.system.house import ROOT, House, clean_environ, house, sandbox, wait_for

from watcher.ledger import Ledger

EXAMPLES = ROOT / "config/examples"


@pytest.fixture
def one(tmp_path: Path) -> Iterator[House]:
    with sandbox() as api, house(tmp_path / "house", api.base_url, start=False) as made:
        yield made


def _sh(one: House, name: str, **more: str) -> str:
    """Run an example as somebody whose shell knows the program."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = clean_environ(
        **{"WATCHER_CONFIG": str(one.config), **one.environ, "PATH": path, **more}
    )
    return subprocess.run(
        ["sh", str(EXAMPLES / name)],
        cwd=one.folder, env=environ, capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip


def test_by_hand(one: House) -> None:
    """manual.sh waits for its picture and says what came of it, without a daemon and beside one."""
    alone = json.loads(_sh(one, "manual.sh"))
    assert (alone["name"], alone["state"]) == ("mascot.prompt", "done")
    one.start()
    assert json.loads(_sh(one, "manual.sh"))["state"] == "done"


def test_by_file(one: House) -> None:
    """file.sh puts a file into the inbox, where it appears whole; its pictures follow."""
    one.start()
    told = wait_for(lambda: one.events("inbox.online"))[0]
    assert "what" not in told  # there is nothing to say or to do
    _sh(one, "file.sh", INBOX=str(one.inbox))
    job = one.wait_over("products.csv")
    assert set(job.statuses) == {"done"}


def test_by_the_clock(one: House) -> None:
    """scheduled/watcher.yaml drops its list on working days at six in Paris; four days off are made up for by one drop."""
    shutil.copytree(EXAMPLES, one.folder / "config/examples")
    one.write_config((EXAMPLES / "scheduled/watcher.yaml").read_text("utf-8"))
    one.environ = {
        **one.environ,
        "WATCHER_API__BASE_URL": one.base_url,
        "WATCHER_WEB__ENABLED": "false",
        "WATCHER_LOGS__FORMAT": "json",
    }
    ledger = Ledger(one.state)
    ledger.schedules.begin("daily", rule="0 6 * * 1-5 Europe/Paris", now=time.time() - 4 * 86_400)
    ledger.close()
    one.start()
    told = wait_for(lambda: one.events("schedule.dropped"))
    assert len(told) == 1
    assert "T0600+0" in told[0]["file"]
    assert set(one.wait_over(Path(told[0]["file"]).name).statuses) == {"done"}
    (schedule,) = json.loads(one.command("status", "--json").stdout)["schedules"]
    assert "T06:00" in schedule["next_run"]
