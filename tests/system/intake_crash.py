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
REFUSED = ("bad.json", "torn.json")
DIED, FINE, LATE, BROKEN = 9, 0, 3, 4
_SAID = {LATE: "was late", BROKEN: "met a fault"}
_ACCOUNT = "account.txt"
_MOST_SECONDS = 60.0
_LOOKS = 4


class Remembered:
    """A log that is read only where a life ends badly."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        def note(*said: object, **values: object) -> None:
            fault = traceback.format_exc() if name == "exception" else ""
            self.lines.append(f"{name} {said} {values} {fault}")

        return note


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
    """One life of the daemon, from its start until all is taken in; the process to wait for (`ended`)."""
    child = os.fork()
    if child == 0:
        _die_at(dies_at, folder)
        code, log = BROKEN, Remembered()
        try:
            code = asyncio.run(_serve(folder, settings, log))
            account = "; ".join(_untaken(folder)) if code == LATE else ""
        except BaseException:  # noqa: BLE001 - the border of the process
            account = traceback.format_exc()
        finally:
            if code != FINE:
                (folder / _ACCOUNT).write_text("\n".join([account, *log.lines]))
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


async def _serve(folder: Path, settings: Settings, remembered: Remembered) -> int:
    log: Log = remembered  # type: ignore[assignment]
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
        quiet = 0 if _untaken(folder) else quiet + 1
    daemon.stop()
    await running
    return FINE


def _untaken(folder: Path) -> list[str]:
    """What lies in the inbox still, and what need not lie among the claims; nothing in the end."""
    lying = [
        f"{file} lies there"
        for file in files(folder)
        if file.parts[0] not in {".image-watcher", "done", "failed"}
    ]
    claims = ask(folder, "select claims.id, claims.path, claims.state, job_id, jobs.state"
                         " from claims left join jobs on jobs.id = job_id"
                         " where claims.state = 'intended' or (claims.state = 'accepted'"
                         " and (jobs.state = 'failed' or claims.id != job_id))")  # fmt: skip
    return [*lying, *(f"claim {claim}" for claim in claims)]


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
    reasons = sorted(file.name for file in (folder / "inbox" / "failed").rglob("*.error.txt"))
    if reasons != [f"{name}.error.txt" for name in REFUSED]:
        found.append(f"reasons: {reasons}")
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
    deaths, broken = 0, []
    for number, step in enumerate(plan.steps or (0,)):
        code = ended(live(folder, settings, dies_at=step), plan.kill_after)
        deaths += code == DIED
        broken += _ill_end(folder, number, code) if code != DIED else []
        if number in plan.lost:
            shutil.rmtree(folder / "state", ignore_errors=True)
    last = ended(live(folder, settings))
    broken += _ill_end(folder, -1, last)
    return deaths, broken or faults(folder, plan)


def _ill_end(folder: Path, life: int, code: int) -> list[str]:
    """A life that neither died as planned nor took everything in, with its own account of why."""
    if code == FINE:
        return []
    account = folder / _ACCOUNT
    said = account.read_text() if account.exists() else ""
    return [f"life {life} {_SAID.get(code, f'ended with {code}')}: {said}"]


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
