"""What is looked for all the time costs no more in a ledger of years than in a young one."""

from __future__ import annotations

import sqlite3
import time
import tracemalloc
from collections.abc import Callable, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import NoReturn

import pytest
from tests.edges.ledger_room import NOW, Notes, accept, begin, grow, open_items, settlement

from watcher.choosing import CHOICES, Chooser, Redoing
from watcher.core.catalogue import Catalogue
from watcher.core.jobs import JobState, RowState
from watcher.ledger import Ledger
from watcher.outbox import Outbox

KEPT, HELD = 200, 200  # bytes a job: of memory for good, and during a look
JOBS, ROWS = 20, 10  # seven times doubled: 25,600 rows, and as many pictures
INBOX = "products"
OFTEN = 20  # to tell what takes no time from what takes a millisecond
LOOKS: Mapping[str, Callable[[Ledger], object]] = {
    "copies to be made": lambda ledger: [
        ledger.renditions.due(INBOX, most=64) for _ in range(OFTEN)
    ],
    "jobs that people choose in": lambda ledger: [*islice(ledger.choices.folders(INBOX), 100)],
    "an earlier job of the same bytes": lambda ledger: [
        ledger.jobs.earlier(sha256="other bytes", inbox=INBOX, rules="rules") for _ in range(OFTEN)
    ],
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
            ledger.jobs.published(job, ended_at=NOW, now=NOW)


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
    grow(old / "ledger.sqlite3", 7)
    return young, old


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_costs_no_more_in_an_old_ledger(name: str, ledgers: tuple[Path, Path]) -> None:
    """A hundred times the jobs: less than three times the time, and two milliseconds for noise."""
    young, old = (_seconds(LOOKS[name], folder) for folder in ledgers)
    assert old < 3 * young + 0.002, f"{young * 1000:.2f} → {old * 1000:.2f} ms"


def test_a_kept_job_costs_hardly_any_memory(tmp_path: Path) -> None:
    """People may move its pictures for as long as it is kept: nothing is remembered of one that is calm, and
    none is looked through again after a restart.
    """
    _young(tmp_path)
    grow(tmp_path / "ledger.sqlite3", 5)
    with closing(Ledger(tmp_path)) as ledger:
        jobs = [*ledger.choices.folders(INBOX)]
        for one in jobs:
            for choice in CHOICES:
                (tmp_path / one.folder / choice).mkdir(parents=True, exist_ok=True)
        first = _Looks(ledger, tmp_path)
        first.until_calm()
        again = _Looks(ledger, tmp_path)
        again.until_calm()
        held = _traced(again)[1] / len(jobs)
        with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as database, database:
            database.execute("update jobs set choices_mark = null")
        kept = _traced(_Looks(ledger, tmp_path))[0] / len(jobs)
    assert (kept < KEPT, held < HELD) == (True, True), f"{kept:.0f} and {held:.0f} bytes"
    assert again.seconds < first.seconds / 2


def _traced(looks: _Looks) -> tuple[int, int]:
    """Bytes of memory that are held after the looks, and that were at most."""
    tracemalloc.start()
    try:
        looks.until_calm()
        return tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()


class _Looks:
    """Of one life, at all folders that people may have moved pictures in."""

    def __init__(self, ledger: Ledger, outbox: Path) -> None:
        self.seconds = 0.0
        self._chooser = Chooser(
            inbox=INBOX,
            outbox=Outbox(outbox),
            ledger=ledger,
            redoing=Redoing(
                ledger=ledger, inputs=outbox, catalogue=Catalogue.shipped(), clock=lambda: NOW
            ),
            rules=never,
            on_change=never,
            clock=lambda: NOW,
            monotonic=lambda: NOW,
            log=Notes(),
        )

    def until_calm(self) -> None:
        began = time.process_time()
        for _ in range(4):
            assert self._chooser.look(everywhere=True) == []
        self.seconds = time.process_time() - began


def never(*_: object) -> NoReturn:
    raise AssertionError("nothing was moved")
