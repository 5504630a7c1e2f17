"""A ledger of years against a young one: `python bench/years.py [--doublings 14]`, 114,688 jobs, 1,146,880 rows.

Demand: what people and systemd wait for takes as long as before, and an idle daemon stays below a twentieth
of a core.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.edges.ledger_room import grow
from tests.system.door import BEARER, door, page_address
from tests.system.house import House, prompts_csv, sandbox, wait_for

from watcher.choosing import CHOICES

JOBS, ROWS = 7, 10
TRIES = 3
CALM = 60.0  # seconds until all folders have been looked at once after a start
IDLE = 120.0  # seconds in which nothing happens
TIMES, NOISE = 2.0, 0.1  # what an old one may take: so many times as long, and seconds
MOST_IDLE = 0.05  # of a core


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Seconds, best of some tries, but for `idle`: the share of a core, and `memory`: MB."""

    start: float
    drop: float
    page: float
    figures: float
    status: float
    jobs: float
    idle: float
    memory: float


def best(act: Callable[[], object]) -> float:
    taken = []
    for _ in range(TRIES):
        began = time.monotonic()
        act()
        taken.append(time.monotonic() - began)
    return min(taken)


def measured(home: House, name: str) -> Measured:
    began = time.monotonic()
    home.start()
    start = time.monotonic() - began
    time.sleep(CALM)
    names = (f"{name}{number}" for number in range(TRIES))
    drop = best(lambda: finish(home, next(names)))
    url = page_address(home)
    page, figures = best(lambda: look(url)), best(lambda: look(f"{url}/metrics"))
    status, jobs = best(lambda: home.command("status")), best(lambda: home.command("jobs"))
    return Measured(
        start=start, drop=drop, page=page, figures=figures, status=status, jobs=jobs,
        idle=idle(home), memory=home.peak_rss_bytes() / 1e6,
    )  # fmt: skip


def idle(home: House) -> float:
    time.sleep(CALM)
    used, since = home.cpu_seconds(), time.monotonic()
    time.sleep(IDLE)
    return (home.cpu_seconds() - used) / (time.monotonic() - since)


def finish(home: House, name: str) -> None:
    """Drop a list of new rows and wait until its note says that all are done: no look through 100,000 folders."""
    home.drop(f"{name}.csv", prompts_csv([f"{name} {number}" for number in range(ROWS)]))
    wait_for(lambda: home.note(f"{name}.csv").startswith("done"), 60, "its note says so")


def look(url: str) -> None:
    httpx.get(url, headers=BEARER, timeout=60).raise_for_status()


def main() -> int:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--doublings", type=int, default=14)
    doublings = reader.parse_args().doublings
    with (
        tempfile.TemporaryDirectory() as folder,
        sandbox() as api,
        door(Path(folder), api.base_url) as entry,
    ):
        home = entry.house
        for number in range(JOBS):
            finish(home, f"first{number}")
        home.stop()
        young = measured(home, "young")
        home.stop()
        ledger = home.state / "ledger.sqlite3"
        grow(ledger, doublings)
        make_folders(home, ledger)
        old = measured(home, "old")
        print(f"ledger of {ledger.stat().st_size / 1e6:.0f} MB, jobs doubled {doublings} times")
        return told(young, old)


def make_folders(home: House, ledger: Path) -> None:
    """Those that people move pictures into, of every copy of a job, as old as those of the job itself."""
    with closing(sqlite3.connect(ledger)) as database:
        names = [
            line[0] for line in database.execute("select folder from jobs order by length(folder)")
        ]
    length = len(names[0])  # of the first jobs all are as long
    for name in names:
        for choice in CHOICES:
            made, first = (home.outbox / one / choice for one in (name, name[:length]))
            made.mkdir(parents=True, exist_ok=True)
            os.utime(made, ns=(0, first.stat().st_mtime_ns))


def told(young: Measured, old: Measured) -> int:
    missed = [] if old.idle < MOST_IDLE else ["idle"]
    for name, before in asdict(young).items():
        now = asdict(old)[name]
        print(f"{name:8} {before:8.3f} → {now:8.3f}")
        if name not in ("idle", "memory") and now > TIMES * before + NOISE:
            missed.append(name)
    print(f"missed: {', '.join(missed)}" if missed else "held")
    return len(missed)


if __name__ == "__main__":
    sys.exit(main())
