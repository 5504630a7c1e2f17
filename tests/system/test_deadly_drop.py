"""A drop at which the process ends each time it is read: the service lives, and says so."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.system.house import House, house, prompts_csv, sandbox, wait_for

ROWS = 400_000  # takes many seconds to read


def _deaths(one: House) -> int | None:
    """How many processes died while they read the drop that is claimed; None while none is."""
    with closing(sqlite3.connect(one.state / "ledger.sqlite3", timeout=30)) as ledger:
        line = ledger.execute("SELECT deaths FROM claims WHERE state = 'intended'").fetchone()
    return None if line is None else int(line[0])


def test_after_three_starts_it_is_refused_and_others_go_on(tmp_path: Path) -> None:
    """kill -9 while it is read, at the drop and at three starts: the next one puts it into failed/ with its reason."""
    with sandbox() as api, house(tmp_path / "house", api.base_url) as one:
        one.drop("deadly.csv", "prompt\n" + "a kite\n" * ROWS)
        wait_for(lambda: _deaths(one) == 0, what="it is claimed")
        for died in (1, 2, 3):
            one.restart()
            wait_for(lambda died=died: _deaths(one) == died, what="it is taken up again")  # type: ignore[misc]
        one.restart()
        (told,) = wait_for(lambda: one.events("drop.refused"))
        assert (told["code"], told["file"]) == ("deadly", "deadly.csv")
        one.drop("good.csv", prompts_csv(["a lamp"]))
        assert one.wait_over("good.csv").statuses == ["done"]
        (reason,) = wait_for(lambda: list(one.inbox.glob("failed/*/*/deadly.csv.error.txt")))
        assert "4 times" in reason.read_text("utf-8")


def test_a_service_that_is_stopped_died_of_nothing(tmp_path: Path) -> None:
    """Who restarts it while a large drop is taken up, again and again, does not have that drop refused."""
    with sandbox() as api, house(tmp_path / "house", api.base_url) as one:
        one.stop()
        with closing(sqlite3.connect(one.state / "ledger.sqlite3")) as ledger, ledger:
            ledger.execute(
                "INSERT INTO claims (id, inbox, path, state, created_at, deaths)"
                " VALUES ('large', 'not served', x'61', 'intended', 1.0, 2)"
            )
        one.start()
        assert _deaths(one) == 2
        assert one.stop() == 0
        assert _deaths(one) == 0
