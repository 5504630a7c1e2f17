"""Death of the daemon at any step of taking drops in, and what is found after the next start.

The daemon runs in a child that was forked, so that a thousand of them can die within minutes; what
kills it is an audit hook that ends the process, without a word, before its n-th call to the file
system, or SIGKILL after a random time. Between two calls lies at most one commit.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from watcher.core.log import Log
from watcher.daemon import Daemon
from watcher.settings import Settings, load

STEPS = frozenset(
    {"open", "os.mkdir", "os.rename", "os.rmdir", "os.remove", "os.chmod", "os.scandir"}
)
# a.csv and again.csv are the same: one of them repeats the other's job. bad.json is refused.
DROPS = {
    "a.csv": "prompt\na cat\na dog\n",
    "b/c.prompt": "a house\n",
    "b/same.csv": "prompt\na cat\na dog\n",
    "bad.json": "[1, 2",
    "torn.json": '{"rows": [{"prompt": "a tree"}',
}
DIED, FINE, LATE = 9, 0, 3
_MOST_SECONDS = 60.0
_LOOKS = 4


class Silence:
    """A log that nobody reads."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What happens to one house, life by life: the step at which each of them dies (0: none), or by SIGKILL
    after so many seconds. `lost`: after which of them the state folder is gone.
    """

    steps: tuple[int, ...] = ()
    kill_after: float = 0.0
    lost: frozenset[int] = field(default_factory=frozenset)

    @classmethod
    def by_chance(cls, chance: random.Random, most: int) -> Plan:
        lives = chance.choice((1, 1, 1, 2, 3))
        lost = frozenset(life for life in range(lives) if chance.random() < 0.25)
        if chance.random() < 0.25:
            return cls(kill_after=chance.uniform(0.0, 0.8), lost=lost)
        return cls(steps=tuple(chance.randint(1, most) for _ in range(lives)), lost=lost)


def make_house(folder: Path) -> None:
    for name, text in DROPS.items():
        file = folder / "inbox" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def settings_of(folder: Path) -> Settings:
    environ = {
        "WATCHER_STATE_DIR": str(folder / "state"),
        "WATCHER_INBOXES": (
            f'{{"main": {{"path": "{folder}/inbox", "outbox": "{folder}/outbox", "settle": 0.05,'
            ' "poll_interval": 0.1, "watch": "poll"}}'
        ),
        "WATCHER_DISK__LEAST_GB": "0",
        "WATCHER_DISK__LEAST_PERCENT": "0",
        "WATCHER_WEB__ENABLED": "false",
    }
    return load(None, environ, folder).settings


def live(folder: Path, settings: Settings, *, dies_at: int = 0) -> int:
    """One life of the daemon, from its start until all is taken in; its exit code, and how many steps it made."""
    child = os.fork()
    if child == 0:
        _die_at(dies_at, folder)
        code = LATE
        try:
            code = asyncio.run(_serve(folder, settings))
        except BaseException:  # noqa: BLE001 - the border of the process
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def ended(child: int, kill_after: float = 0.0) -> int:
    """The exit code of a child; DIED also for one that was killed after so many seconds."""
    if kill_after:
        timer = threading.Timer(kill_after, os.kill, (child, signal.SIGKILL))
        timer.start()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        timer.cancel()
        timer.join()
    else:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return DIED if code == -signal.SIGKILL else code


def _die_at(step: int, folder: Path) -> None:
    left, ours = step, str(folder)

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in STEPS and not _elsewhere(arguments[0], ours):
            left -= 1
            if left == 0:
                os._exit(DIED)

    if step:
        sys.addaudithook(count)


def _elsewhere(path: object, ours: str) -> bool:
    """Python's own files are no steps; a name without a folder is one of ours, beside an open descriptor."""
    return isinstance(path, str) and path.startswith("/") and not path.startswith(ours)


async def _serve(folder: Path, settings: Settings) -> int:
    log: Log = Silence()  # type: ignore[assignment]
    daemon = Daemon(settings, {}, log=log)
    running = asyncio.create_task(daemon.run())
    deadline = time.monotonic() + _MOST_SECONDS
    quiet = 0
    while quiet < _LOOKS:  # files and ledger cannot be looked at in one instant
        if running.done():
            running.result()
        if time.monotonic() > deadline:
            return LATE
        await asyncio.sleep(0.03)
        quiet = quiet + 1 if _all_taken(folder) else 0
    daemon.stop()
    await running
    return FINE


def _all_taken(folder: Path) -> bool:
    """Nothing lies in the inbox any more, and nothing that need not lies among the claims."""
    lying = {
        file.name
        for file in files(folder)
        if file.parts[0] not in {".image-watcher", "done", "failed"}
    }
    open_claims = ask(folder, "select count(*) from claims where state = 'intended'")
    refused = ask(folder, "select count(*) from claims join jobs on jobs.id = job_id"
                          " where claims.state = 'accepted' and jobs.state = 'failed'")  # fmt: skip
    repeats = ask(folder, "select count(*) from claims where state = 'accepted' and id != job_id")
    return not lying and [*open_claims, *refused, *repeats] == [(0,)] * 3


def files(folder: Path) -> list[Path]:
    """Every drop in the inbox, wherever it lies, relative to the inbox; no notes, nothing of our bookkeeping."""
    inbox = folder / "inbox"
    # os.walk: what vanishes on the way is no error.
    found = [
        (Path(where) / name).relative_to(inbox)
        for where, _, names in os.walk(inbox)
        for name in names
    ]
    return [
        file
        for file in found
        if not file.name.endswith((".STATUS.txt", ".error.txt"))
        and not (file.parts[0] == ".image-watcher" and file.parts[1] != "claimed")
        and not file.name.startswith(".permissions-")  # removed by a start a minute later
    ]


def ask(folder: Path, query: str) -> list[tuple[object, ...]]:
    link = sqlite3.connect(
        f"file:{folder / 'state' / 'ledger.sqlite3'}?mode=ro", uri=True, timeout=30
    )
    try:
        return link.execute(query).fetchall()
    finally:
        link.close()


def faults(folder: Path, plan: Plan) -> list[str]:
    """What a run broke; nothing where it kept the promise: no drop lost, none doubled, no job twice."""
    found = []
    texts = Counter((folder / "inbox" / file).read_text() for file in files(folder))
    if texts != Counter(DROPS.values()):
        found.append(f"drops lying about: {texts}")
    jobs = Counter(
        path for (path,) in ask(folder, "select path from jobs where accepted_at is not null")
    )
    twice = [path for path, count in jobs.items() if count > 1]
    if twice:
        found.append(f"accepted twice: {twice}")
    if not plan.lost:
        claims = Counter(
            path for (path,) in ask(folder, "select path from claims where state != 'intended'")
        )
        if claims != Counter(name.encode() for name in DROPS):
            found.append(f"claims: {claims}")
        if len(jobs) != 4:
            found.append(f"jobs: {jobs}")
    half = ask(folder, "select id from jobs where accepted_at is null")
    rows = ask(folder, "select job_id, count(*) from rows group by job_id having count(*) > 2")
    if half or rows:
        found.append(f"half taken: {half}, {rows}")
    if list((folder / "state" / "blobs").iterdir()):
        found.append("snapshots were left over")
    return found


def run(folder: Path, plan: Plan) -> tuple[int, list[str]]:
    """A house through all its lives; how many of them died, and what was broken."""
    make_house(folder)
    settings = settings_of(folder)
    deaths = 0
    lives = plan.steps or (0,)
    for number, step in enumerate(lives):
        deaths += ended(live(folder, settings, dies_at=step), plan.kill_after) == DIED
        if number in plan.lost:
            shutil.rmtree(folder / "state", ignore_errors=True)
    code = ended(live(folder, settings))
    if code != FINE:
        return deaths, [f"the last life ended with {code}"]
    return deaths, faults(folder, plan)


def count_steps(folder: Path) -> int:
    """How many steps a life makes that nobody cuts short, about: the first step at which none dies."""
    step = 64
    while True:
        place = folder / f"count-{step}"
        make_house(place)
        died = ended(live(place, settings_of(place), dies_at=step)) == DIED
        shutil.rmtree(place)
        if not died:
            return step
        step = step * 5 // 4
