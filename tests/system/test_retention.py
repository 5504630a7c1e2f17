"""Retention through the real process."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tests.system.house import INBOX, house, prompts_csv, sandbox, wait_for


def test_old_jobs_are_forgotten_and_their_results_stay(tmp_path: Path) -> None:
    """After its days a drop leaves the archive and the ledger; what it made stays in the outbox."""
    settings = {"inboxes": {INBOX: {"keep_done_days": 5, "reuse_days": 0}}}
    with sandbox() as api, house(tmp_path / "house", api.base_url, settings) as one:
        for name in ("old.csv", "new.csv"):
            one.drop(name, prompts_csv([f"a kite of {name}"]))
            one.wait_over(name)
        wait_for(lambda: len(list(one.inbox.glob("done/*/*/*.csv"))) == 2)
        one.stop()
        with closing(sqlite3.connect(one.state / "ledger.sqlite3")) as ledger, ledger:
            ledger.execute(
                "UPDATE jobs SET ended_at = :then, published_at = :then WHERE name = 'old.csv'",
                {"then": time.time() - 6 * 86_400},
            )
        one.start()
        (told,) = wait_for(lambda: one.events("retention.done"))
        assert (told["jobs"], told["drops"]) == (1, 1)
        jobs = json.loads(one.command("jobs", "--json").stdout)
        assert [job["name"] for job in jobs] == ["new.csv"]
        assert [path.name for path in one.inbox.glob("done/*/*/*.csv")] == ["new.csv"]
        assert {job.summary["name"] for job in one.jobs()} == {"old.csv", "new.csv"}
        assert one.stop() == 0
