"""What is looked for all the time costs no more in a ledger of years than in a young one."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from tests.edges.ledger_room import NOW, accept, begin, open_items, settlement

from watcher.core.jobs import JobState, RowState
from watcher.ledger import Ledger

JOBS, ROWS = 20, 10  # seven times doubled: 25,600 rows, and as many pictures
KEYS = {"jobs": "id", "rows": "job_id", "pictures": "job_id", "attempts": "job_id"}
INBOX = "products"
LOOKS: Mapping[str, Callable[[Ledger], object]] = {
    "copies to be made": lambda ledger: ledger.renditions.due(INBOX, most=64),
    "jobs that people choose in": lambda ledger: ledger.choices.folders(INBOX, most=100),
    "the newest jobs": lambda ledger: ledger.views.jobs(most=20),
    "running jobs": lambda ledger: ledger.views.jobs(states=(JobState.RUNNING,), most=20),
    "jobs to publish": lambda ledger: ledger.views.unpublished((INBOX,)),
    "slices that are due": lambda ledger: ledger.items.take_slices(now=NOW, most=64),
    "when the next one is": lambda ledger: ledger.items.next_due(
        without=(), only=None, inboxes=(INBOX,)
    ),
    "rows that are open": lambda ledger: ledger.figures.open_rows(),
    "alerts that were told": lambda ledger: ledger.alerts.told(),
}


def _young(folder: Path) -> None:
    """A ledger of some jobs that are over and published, with a picture for each row."""
    with closing(Ledger(folder)) as ledger:
        for number in range(JOBS):
            job = accept(ledger, f"{number:013}", ROWS)
            for one in open_items(ledger):
                ledger.items.settle(one, begin(ledger, one), settlement(RowState.DONE), now=NOW)
            ledger.jobs.published(job, now=NOW)


def _grow(file: Path) -> None:
    """As many jobs again, and again, each a copy of one that was there."""
    with closing(sqlite3.connect(file)) as database, database:
        for suffix in "abcdefg":
            for table, key in KEYS.items():
                names = [line[1] for line in database.execute(f"pragma table_info({table})")]
                others = ", ".join(f'"{name}"' for name in names if name not in {key, "id"})
                copies = f"select {key} || '{suffix}', {others} from {table}"  # noqa: S608 - names of ours
                database.execute(f"insert into {table} ({key}, {others}) {copies}")


def _seconds(look: Callable[[Ledger], object], folder: Path) -> float:
    """Of the processor, in the best of some tries."""
    with closing(Ledger(folder)) as ledger:
        look(ledger)
        tries = []
        for _ in range(5):
            began = time.process_time()
            look(ledger)
            tries.append(time.process_time() - began)
    return min(tries)


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    young, old = tmp_path_factory.mktemp("young"), tmp_path_factory.mktemp("old")
    for folder in (young, old):
        _young(folder)
    _grow(old / "ledger.sqlite3")
    return young, old


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_costs_no_more_in_an_old_ledger(name: str, ledgers: tuple[Path, Path]) -> None:
    """A hundred times the jobs: less than three times the time, and two milliseconds for noise."""
    young, old = (_seconds(LOOKS[name], folder) for folder in ledgers)
    assert old < 3 * young + 0.002, f"{young * 1000:.2f} → {old * 1000:.2f} ms"
