"""A job that is killed again and again, and what is left of it in the end. No moment is spared."""

from __future__ import annotations

import csv
import io
import sqlite3
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

from PIL import Image
from tests.system.house import House, Job, Values, house, sandbox, wait_for

from watcher.sandbox import read_description

DROP = "sheep.csv"
_SLOWEST = 60.0  # seconds that one life gets to come as far as it is to come
_AT_START = 0.25  # the share of lives that end at any moment of their first second


@dataclass(frozen=True, kw_only=True)
class Killed:
    """What came of it. `open_calls`: by prompt, the calls that were in flight at a kill, each once."""

    rows: list[tuple[str, str]]
    kills: int
    concurrency: int
    job: Job
    stats: Values
    open_calls: Counter[str]
    home: House
    seconds: float

    @property
    def lost(self) -> int:
        return int(self.stats["paid"]) - len(self.rows)

    def __str__(self) -> str:
        twice = sum(count > 1 for count in self.stats["paid_by_prompt"].values())
        return (
            f"{self.kills} kills over {len(self.rows)} rows, {self.concurrency} calls at a time, in {self.seconds:.0f} s\n"
            f"{self.job.statuses.count('done')} rows done, {self.stats['calls']} calls, {self.stats['paid']} paid\n"
            f"{self.lost} paid and not kept; {self.open_calls.total()} calls were in flight at a kill\n"
            f"{twice} rows paid more than once, {len(paid_again_in_vain(self))} of them without need"
        )


def play(
    folder: Path,
    *,
    rows: int,
    kills: int,
    concurrency: int,
    latency: tuple[float, float],
    seed: int,
) -> Killed:
    """A job of `rows` rows whose daemon is killed `kills` times, spread over all of it; then it may end."""
    random = Random(seed)  # noqa: S311 - it keeps no secret
    sheep = [
        (f"sheep-{number}", f"Sheep number {number}, grazing") for number in range(1, rows + 1)
    ]
    settings = {
        "limits": {"concurrency": concurrency},
        "inboxes": {"main": {"batch_size": concurrency}},
    }
    began = time.monotonic()
    with (
        sandbox(latency=f"{latency[0]}-{latency[1]}") as api,
        house(folder, api.base_url, settings, start=False) as home,
    ):
        home.drop(DROP, _csv(sheep))
        open_calls: dict[int, str] = {}
        for number in range(1, kills + 1):
            home.start(wait=False)
            _live(home, random, until=number * rows // (kills + 1), longest=latency[1])
            home.kill()
            open_calls |= _open_calls(home)
        home.start()
        job = home.wait_over(DROP, 120)
        wait_for(lambda: not api.stats()["in_flight"], what="the server is idle")
        wait_for(lambda: not list(home.inbox.glob(".image-watcher/claimed/*")), what="archived")
        home.stop()
        return Killed(
            rows=sheep, kills=kills, concurrency=concurrency, job=job, stats=api.stats(),
            open_calls=Counter(open_calls.values()), home=home, seconds=time.monotonic() - began,
        )  # fmt: skip


def _live(home: House, random: Random, *, until: int, longest: float) -> None:
    """Let the daemon live until so many pictures are kept, and a random moment longer."""
    if random.random() < _AT_START:
        time.sleep(random.uniform(0, 1))
        return
    wait_for(lambda: kept(home) >= until, _SLOWEST, f"{until} pictures")
    time.sleep(random.uniform(0, longest))


def kept(home: House) -> int:
    return sum(not picture.name.startswith(".") for picture in home.outbox.glob("*/images/*"))


def _csv(rows: list[tuple[str, str]]) -> str:
    sink = io.StringIO(newline="")
    csv.writer(sink).writerows([("name", "prompt"), *rows])
    return sink.getvalue()


def _open_calls(home: House) -> dict[int, str]:
    """The attempts that a dead daemon had begun and has no answer to on disk: id → prompt."""
    file = home.state / "ledger.sqlite3"
    if not file.exists():
        return {}
    query = """SELECT attempts.id, json_extract(rows."values", '$[1]') FROM attempts
               JOIN rows USING (job_id, number) WHERE outcome = 'sent'"""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as ledger:
        try:
            found = ledger.execute(query).fetchall()
        except sqlite3.OperationalError:  # it died before its tables were there
            return {}
    replies = home.state / "replies"
    return {id_: prompt for id_, prompt in found if not (replies / f"{id_}.reply").exists()}


def paid_again_in_vain(killed: Killed) -> list[str]:
    """The prompts that were paid more often than calls for them were lost: there must be none."""
    paid = killed.stats["paid_by_prompt"]
    return [prompt for _, prompt in killed.rows if paid[prompt] > 1 + killed.open_calls[prompt]]


def check_results(killed: Killed) -> None:
    """Every row once, in order; every picture whole, under its own row's name, and no other there."""
    job = killed.job
    assert [one.folder for one in killed.home.jobs()] == [job.folder]
    assert [(row["name"], row["prompt"]) for row in job.rows] == killed.rows
    assert job.statuses == ["done"] * len(killed.rows)
    assert [row["result_files"] for row in job.rows] == [
        f"images/{n}-1.png" for n, _ in killed.rows
    ]
    assert {picture.name for picture in job.pictures} == {f"{n}-1.png" for n, _ in killed.rows}
    for name, prompt in killed.rows:
        file = job.folder / "images" / f"{name}-1.png"
        with Image.open(file) as picture:
            picture.load()
        assert read_description(file.read_bytes()) == prompt


def check_nothing_left(killed: Killed) -> None:
    """The original is archived, once; no reply, no part of a file, no claim is left over."""
    home = killed.home
    assert list((home.state / "replies").iterdir()) == []
    assert [path.name for path in home.inbox.glob("done/*/*/*")] == [DROP]
    assert not (home.inbox / DROP).exists()
    left = [path for path in home.folder.rglob("*") if path.name.endswith((".part", ".reply"))]
    assert left == []


def check_money(killed: Killed) -> None:
    """Nothing is paid again but what was in flight at a kill, and nothing whose answer had arrived."""
    assert paid_again_in_vain(killed) == []
    assert killed.lost <= killed.open_calls.total()
    assert killed.open_calls.total() <= killed.kills * killed.concurrency
    answered = [
        sum(attempt["outcome"] == "answered" for attempt in record["result_attempt_log"])
        for record in killed.job.records
    ]
    assert answered == [1] * len(killed.rows)
    marked = sum(record["result_possibly_charged"] for record in killed.job.records)
    assert marked == killed.open_calls.total()
