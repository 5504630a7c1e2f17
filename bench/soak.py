"""Hours of mixed drops, faults, restarts and reloads, looking for what grows. `--minutes N` (360).

The first fifth of the time, at most 20 minutes, brings restarts, half of them kill -9; then one life is
measured to its end.
Fails when its descriptors or threads grow, when its memory grows by more than a tenth, when a drop has
no result, or when anything is left in the state folder that belongs to no job.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from signal import SIGHUP
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.system.house import INBOX, House, Sandbox, house, prompts_csv, sandbox, wait_for

PROMPT_FAULTS = ("429x1", "500x1", "resetx1", "truncatedx1", "htmlx1", "400", "moderation")
STRUCK = 0.15  # share of the rows that misbehave
MOST_OPEN = 6  # jobs that run at once: what waits would count as growth
LONGEST = 600.0  # seconds that the last jobs get to end
GROWTH, SPARE_MB = (
    1.10,
    4.0,
)  # of memory, between the first and the last quarter of the measured life
DESCRIPTORS, THREADS = 4, 8  # pools of threads fill up by and by
RESTARTS, RESTARTING = (
    6,
    20 * 60.0,
)  # and the seconds that they take at most: what is measured is one life


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One look at the process: `memory` in MB, `state` the files in its folders for replies, blobs, inputs."""

    at: float
    memory: float
    descriptors: int
    threads: int
    state: int
    ledger: float

    def __str__(self) -> str:
        return (
            f"{self.at / 60:7.1f} min  {self.memory:6.1f} MB  {self.descriptors:3} descriptors  "
            f"{self.threads:3} threads  {self.state:4} files of state  ledger {self.ledger:6.1f} MB"
        )


@dataclass(kw_only=True)
class Soak:
    """One run of it."""

    one: House
    api: Sandbox
    random: Random
    begun: float = field(default_factory=time.monotonic)
    dropped: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    def drop(self) -> None:
        """One drop of any kind: good, bad, seen before, with rows that misbehave."""
        number = len(self.dropped)
        kind = self.random.choices(
            ("csv", "txt", "json", "prompt", "broken", "again"), (6, 3, 2, 2, 1, 1)
        )[0]
        prompts = [self._prompt(number, row) for row in range(self.random.randint(1, 25))]
        name, content = f"drop-{number}.{kind}", "\n".join(prompts)
        if kind == "csv":
            content = prompts_csv(prompts)
        elif kind == "json":
            content = "[" + ",".join(f'{{"prompt": "{prompt}"}}' for prompt in prompts) + "]"
        elif kind == "prompt":
            content = prompts[0]
        elif kind == "broken":
            name, content = f"drop-{number}.json", '[{"prompt": '
        elif kind == "again":
            name, content = f"again/drop-{number}.csv", "prompt\nthe same as ever\n"
        self.one.drop(name, content)
        self.dropped.append(Path(name).name)

    def look(self) -> Sample:
        pid = self.one.pid
        status = dict(
            line.split(":", 1)
            for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
        )
        state = self.one.state
        kept = [
            path for name in ("replies", "blobs", "inputs") for path in (state / name).rglob("*")
        ]
        sample = Sample(
            at=time.monotonic() - self.begun,
            memory=int(status["VmRSS"].split()[0]) / 1024,
            descriptors=len(list(Path(f"/proc/{pid}/fd").iterdir())),
            threads=int(status["Threads"]),
            state=len(kept),
            ledger=(state / "ledger.sqlite3").stat().st_size / 1e6,
        )
        sys.stdout.write(f"{sample}  {len(self.dropped):5} drops\n")
        sys.stdout.flush()
        return sample

    def work(self, seconds: float, *, every: float) -> Iterator[Sample]:
        """Drop and look for so long; a reload now and then."""
        end = time.monotonic() + seconds
        due = time.monotonic() + every
        while time.monotonic() < end:
            if self.open() < MOST_OPEN:
                self.drop()
            if time.monotonic() > due:
                due += every
                self.one.signal(SIGHUP)
                yield self.look()
            time.sleep(0.3)

    def open(self) -> int:
        """Drops without a final result: counted by their originals, which are archived at the end."""
        return len(self.dropped) - self._archived()

    def finish(self) -> None:
        wait_for(lambda: self.open() == 0, LONGEST, f"{self.open()} drops still have no result")

    def _archived(self) -> int:
        archives = (self.one.inbox / where for where in ("done", "failed"))
        return len(
            {path.name for one in archives for path in one.rglob("drop-*")} & {*self.dropped}
        )

    def _prompt(self, number: int, row: int) -> str:
        fault = (
            f"[fault:{self.random.choice(PROMPT_FAULTS)}] " if self.random.random() < STRUCK else ""
        )
        return f"{fault}a kite {number} of {row}"


def restarts(soak: Soak, seconds: float) -> None:
    """Lives that end at any moment, half of them by kill -9."""
    for life in range(RESTARTS):
        for _ in soak.work(seconds / RESTARTS, every=seconds):
            pass
        if life % 2:
            soak.one.kill()
        else:
            soak.one.stop()
        soak.one.start()


def verdict(samples: list[Sample]) -> list[str]:
    """What grew, in words, between the first and the last quarter of the measured life."""
    quarter = max(1, len(samples) // 4)
    first, last = samples[:quarter], samples[-quarter:]

    def grew(name: str) -> tuple[float, float]:
        return tuple(median(getattr(one, name) for one in part) for part in (first, last))  # type: ignore[return-value]

    before, after = grew("memory")
    found = []
    sys.stdout.write(f"memory {before:.1f} → {after:.1f} MB\n")
    if after > before * GROWTH + SPARE_MB:
        found.append(f"memory grew from {before:.1f} to {after:.1f} MB")
    for name, most in (("descriptors", DESCRIPTORS), ("threads", THREADS)):
        before, after = grew(name)
        sys.stdout.write(f"{name} {before:.0f} → {after:.0f}\n")
        if after > before + most:
            found.append(f"{name} grew from {before:.0f} to {after:.0f}")
    return found


def left_over(soak: Soak) -> list[str]:
    """What is in the state folder and belongs to no job, and drops that have no result."""
    state = soak.one.state
    lying = [path for name in ("replies", "blobs") for path in (state / name).iterdir()]
    found = [f"{path} is left" for path in lying if path.suffix != ".part"]  # those go at a start
    told = {job.summary["name"] for job in soak.one.jobs()}
    refused = {path.name for path in (soak.one.inbox / "failed").rglob("drop-*")}
    return found + [f"{name} has no result" for name in {*soak.dropped} - told - refused]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=360)
    parser.add_argument("--seed", type=int, default=1)
    said = parser.parse_args()
    seconds = said.minutes * 60
    settings = {
        "limits": {"concurrency": 8},
        "inboxes": {INBOX: {"settle": 0.2, "rescan_interval": 10}},
        "web": {"enabled": True, "listen": "127.0.0.1:0"},
        "disk": {"least_gb": 0, "least_percent": 1},
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        sandbox(latency="0.05-0.3", picture_bytes=20_000) as api,
        house(Path(folder) / "house", api.base_url, settings) as one,
    ):
        soak = Soak(one=one, api=api, random=Random(said.seed))  # noqa: S311 - it keeps no secret
        restarting = min(seconds / 5, RESTARTING)
        restarts(soak, restarting)
        soak.samples = list(soak.work(seconds - restarting, every=max(5.0, seconds / 60)))
        soak.finish()
        rows = sum(job.summary["rows"] for job in one.jobs())
        problems = [*verdict(soak.samples), *left_over(soak)]
        code = one.stop()
        sys.stdout.write(
            f"{said.minutes:g} minutes, {len(soak.dropped)} drops, {rows} rows ended, {api.stats()['paid']} calls paid, exit code {code}\n"
        )
    sys.stdout.write("".join(f"NOT {problem}\n" for problem in problems))
    return int(bool(problems) or code != 0)


if __name__ == "__main__":
    sys.exit(main())
