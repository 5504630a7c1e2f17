"""The figures of the intake, measured on the real process: how much, how soon, how lightly. Nothing is worked
on meanwhile (there is no key, so every lane is halted), unless a figure says so.

`accepted` times are those that the ledger holds: rows and job are on disk a commit later.
"""

from __future__ import annotations

import os
import random
import sqlite3
import statistics
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import heappop, heappush
from pathlib import Path
from typing import Any, TextIO

from tests.system.house import House, default_settings, house, wait_for

NOWHERE = "http://127.0.0.1:9/v1"  # the discard port: nothing is ever sent there
NO_KEY: dict[str, str] = {}
GIGABYTE = 10**9


@dataclass(frozen=True, kw_only=True)
class Figure:
    """`value` must be at most `limit`, or at least where `least`."""

    what: str
    value: float
    limit: float
    unit: str
    least: bool = False

    @property
    def holds(self) -> bool:
        return self.value >= self.limit if self.least else self.value <= self.limit

    def __str__(self) -> str:
        sign = "≥" if self.least else "≤"
        verdict = "ok" if self.holds else "FALLS SHORT"
        return f"{self.what:<66} {self.value:>10,.6g} {self.unit:<10} {sign} {self.limit:<9,.6g} {verdict}"


class Book:
    """What the ledger of a running daemon holds, read beside it."""

    def __init__(self, home: House) -> None:
        self._file = home.state / "ledger.sqlite3"

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        link = sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=30)
        try:
            return link.execute(query).fetchall()
        finally:
            link.close()

    def accepted(self) -> int:
        count: int = self.ask("select count(*) from jobs where accepted_at is not null")[0][0]
        return count

    def times(self) -> dict[str, float]:
        """When each drop was accepted (seconds since the epoch), by its path in the inbox."""
        found = self.ask("select path, accepted_at from jobs where accepted_at is not null")
        return {os.fsdecode(path): at for path, at in found}

    def rows(self) -> dict[str, int]:
        """How many rows each accepted drop had, by its path."""
        found = self.ask(
            "select path, count(number) from jobs join rows on job_id = id"
            " where accepted_at is not null group by id"
        )
        return {os.fsdecode(path): count for path, count in found}


@contextmanager
def halted_house(folder: Path, **inbox: object) -> Iterator[tuple[House, Book]]:
    """A daemon whose lanes are halted for want of a key."""
    settings = {"inboxes": {"main": inbox}, "logs": {"level": "warning"}}
    with house(folder, NOWHERE, settings, environ=NO_KEY, start=False) as home:
        home.start(wait=False)
        wait_served(home)
        yield home, Book(home)


def wait_served(home: House) -> None:
    """A new inbox is made by the thread that serves it."""
    marker = home.inbox / ".image-watcher" / "inbox.id"
    wait_for(marker.exists, 30, "the start")


def storm(folder: Path, count: int, **inbox: object) -> list[Figure]:
    """`count` files, renamed in as fast as one process can; all of them are accepted, each once."""
    beside = folder / "beside"
    beside.mkdir(parents=True)
    for number in range(count):
        (beside / f"{number}.prompt").write_text(f"a picture of the number {number}\n")
    with halted_house(folder, **inbox) as (home, book):
        names = [(os.fsencode(beside / f"{n}.prompt"), os.fsencode(home.inbox / f"{n}.prompt")) for n in range(count)]  # fmt: skip
        cpu, began = home.cpu_seconds(), time.time()
        for source, target in names:
            os.rename(source, target)  # noqa: PTH104 - as fast as can be
        renamed = time.time() - began
        wait_for(lambda: book.accepted() >= count, 60 + count / 20, f"{count} accepted", every=0.5)
        took = max(book.times().values()) - began
        cpu = home.cpu_seconds() - cpu
        lost = count - len(book.times())
        twice = book.accepted() - len(book.times())
        left = sum(1 for entry in os.scandir(home.inbox) if entry.name.endswith(".prompt"))
    return [
        Figure(what=f"{count:,} files renamed in", value=count / renamed, limit=20_000, unit="files/s", least=True),
        Figure(what="  of these lost", value=lost + left, limit=0, unit="files"),
        Figure(what="  of these accepted twice", value=twice, limit=0, unit="files"),
        Figure(what="small files accepted, sustained", value=count / took, limit=300, unit="files/s", least=True),
        Figure(what="  processor time a file, results shown meanwhile included", value=1000 * cpu / count, limit=1000 / 300 * 2, unit="ms"),
    ]  # fmt: skip


def slow_writers(
    folder: Path, count: int, *, settle: float = 0.2, at_once: int = 400, **inbox: object
) -> list[Figure]:
    """CSV files written a row at a time with pauses of up to ten settle times, held open all the while."""
    chance = random.Random(count)  # noqa: S311 - it spreads pauses, and keeps no secret
    expected: dict[str, int] = {}
    with halted_house(folder, settle=settle, **inbox) as (home, book):
        due: list[tuple[float, int, int, TextIO]] = []
        started = 0
        while started < count or due:
            while started < count and len(due) < at_once:
                name, rows = f"{started}.csv", chance.randint(1, 5)
                new: TextIO = (home.inbox / name).open("w")
                new.write("prompt\n")
                expected[name] = rows
                heappush(due, (time.monotonic(), started, rows, new))
                started += 1
            at, number, left, file = heappop(due)
            time.sleep(max(0.0, at - time.monotonic()))
            file.write(f"file {number}, row {left}\n")
            file.flush()
            if left > 1:
                pause = chance.uniform(0, 10 * settle)
                heappush(due, (time.monotonic() + pause, number, left - 1, file))
            else:
                file.close()
        wait_for(lambda: book.accepted() >= count, 60 + count / 50, f"{count} accepted")
        found = book.rows()
        twice = book.accepted() - len(found)
    half = sum(found.get(name) != rows for name, rows in expected.items())
    return [
        Figure(what=f"{count:,} writes with pauses up to ten settle times, taken half", value=half, limit=0, unit="files"),
        Figure(what="  taken twice", value=twice, limit=0, unit="files"),
    ]  # fmt: skip


def latencies(
    folder: Path,
    count: int,
    limit: float,
    what: str,
    *,
    renamed: bool = False,
    gap: float = 0.1,
    **inbox: object,
) -> list[Figure]:
    """Seconds from the end of writing to accepted, of `count` drops one after the other; the 99th percentile.

    `gap`: seconds between two drops, on average; each is of another length.
    """
    chance = random.Random(count)  # noqa: S311 - it spreads pauses, and keeps no secret
    dropped: dict[str, float] = {}
    with halted_house(folder, **inbox) as (home, book):
        for number in range(count):
            name, text = f"{number}.prompt", f"picture {number}\n"
            if renamed:
                home.drop(name, text)
            else:
                (home.inbox / name).write_text(text)
            dropped[name] = time.time()
            time.sleep(chance.uniform(0, 2 * gap))
        wait_for(lambda: book.accepted() >= count, 60, f"{count} accepted")
        accepted = book.times()
    waits = sorted(accepted[name] - at for name, at in dropped.items())
    p99 = statistics.quantiles(waits, n=100, method="inclusive")[98]
    return [
        Figure(what=f"drop to accepted, {what}: p99 of {count}", value=round(p99, 3), limit=limit, unit="s")
    ]  # fmt: skip


def idle(
    folder: Path, *, inboxes: int = 10, files: int = 10_000, seconds: float = 60
) -> list[Figure]:
    """CPU and memory of the whole daemon while nothing happens and `files` files lie there that it leaves alone."""
    names = [f"box{number}" for number in range(inboxes)]
    for name in names:
        (folder / name).mkdir(parents=True)
        for number in range(files // inboxes):
            (folder / name / f"{number}.psd").write_text("x")
    own = {name: {"path": f"./{name}", "outbox": f"./outbox/{name}"} for name in names}
    settings = {**default_settings(NOWHERE), "inboxes": own}
    with _plain_house(folder, settings) as home:
        wait_for(lambda: len(home.events("drop.unknown")) == inboxes, 60, "every file was seen")
        time.sleep(3)
        cpu, began = home.cpu_seconds(), time.monotonic()
        time.sleep(seconds)
        share = (home.cpu_seconds() - cpu) / (time.monotonic() - began)
        memory = _rss(home)
    return [
        Figure(what=f"idle, {inboxes} inboxes, {files:,} files: of a core", value=round(100 * share, 3), limit=0.5, unit="%"),
        Figure(what="  memory", value=memory / 1e6, limit=90, unit="MB"),
    ]  # fmt: skip


@contextmanager
def _plain_house(folder: Path, settings: Mapping[str, Any]) -> Iterator[House]:
    """Settings as they are given, with nothing laid below."""
    with house(folder, NOWHERE, {}, environ=NO_KEY, start=False) as home:
        import yaml  # noqa: PLC0415 - only here

        home.write_config(yaml.safe_dump(dict(settings)))
        home.start()
        yield home


def _rss(home: House) -> int:
    pages = int(Path(f"/proc/{home.pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def write_large_csv(file: Path, rows: int) -> None:
    with file.open("w") as sink:
        sink.write("sku,prompt,size\n")
        for n in range(rows):
            sink.write(f"SKU-{n},A photo of product number {n} on a plain background,1024x1024\n")


def large_csv(folder: Path, base_url: str, rows: int) -> list[Figure]:
    """One CSV of `rows` rows, small drops meanwhile; then its first rows are asked for."""
    settings = {"inboxes": {"main": {"max_file_mb": 1000}}}
    big = folder / "big.part"
    folder.mkdir(parents=True, exist_ok=True)
    write_large_csv(big, rows)
    with house(folder, base_url, settings) as home:
        book = Book(home)
        wait_served(home)
        before = home.cpu_seconds()
        big.rename(home.inbox / "big.csv")
        small, stop = {}, threading.Event()

        def drop_small() -> None:
            for number in range(10_000):
                home.drop(f"s{number}.prompt", f"small {number}")
                small[f"s{number}.prompt"] = time.time()
                if stop.wait(1.0):
                    return

        wait_for(lambda: book.ask("select 1 from jobs where name = 'big.csv'"), 60, "it is claimed")
        claimed = time.time()
        meanwhile = threading.Thread(target=drop_small)
        meanwhile.start()
        peak = 0
        try:
            while "big.csv" not in book.times():
                peak = max(peak, home.peak_rss_bytes())
                time.sleep(0.1)
        finally:
            stop.set()
            meanwhile.join()
        accepted, cpu = book.times()["big.csv"], home.cpu_seconds() - before
        query = "select 1 from attempts where job_id = (select id from jobs where name = 'big.csv')"
        wait_for(lambda: book.ask(query), 60, "its first row is asked for")
        first = book.ask("select min(started_at) from attempts where job_id = (select id from jobs where name = 'big.csv')")[0][0]  # fmt: skip
        times = book.times()
        waits = [
            times[name] - at for name, at in small.items() if name in times and at < accepted - 2
        ]
        found = book.ask("select count(*) from rows where job_id = (select id from jobs where name = 'big.csv')")[0][0]  # fmt: skip
    return [
        Figure(what=f"CSV of {rows:,} rows: rows accepted", value=found, limit=rows, unit="rows", least=True),
        Figure(what="  rows a second of CPU time, everything of the daemon", value=rows / cpu, limit=30_000, unit="rows/s", least=True),
        Figure(what="  rows a second", value=rows / (accepted - claimed), limit=30_000, unit="rows/s", least=True),
        Figure(what="  memory of the daemon, at most", value=peak / 1e6, limit=150, unit="MB"),
        Figure(what="  last row accepted → first row asked for", value=round(first - accepted, 2), limit=2, unit="s"),
        Figure(what=f"  other drops meanwhile ({len(waits)}): drop to accepted, at most", value=round(max(waits, default=0), 3), limit=1.7, unit="s"),
    ]  # fmt: skip
