"""The real processes, for system tests and benches: a sandbox and a daemon, started, asked, stopped, killed.

Nothing here sleeps for time: `wait_for` looks again until a condition holds, and fails at its deadline.
"""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import yaml

T = TypeVar("T")
Values = dict[str, Any]

ROOT = Path(__file__).parents[2]
INBOX = "main"
MODES = ("events", "poll")  # how a daemon notices drops; `noticing` sets it
SLOW_MODES = ("events", pytest.param("poll", marks=pytest.mark.slow))
# A root that may do no more than anybody else.
NO_RIGHTS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
_PROGRAM = [sys.executable, "-m", "watcher"]
_LOOK = 0.02  # seconds between two looks at a condition
_START = 30.0  # seconds that a process gets to be ready
_STOP = 60.0


def wait_for(
    condition: Callable[[], T | None], timeout: float = 30.0, what: str = "", every: float = _LOOK
) -> T:
    """The first thing that `condition` gives which is true; AssertionError after `timeout` seconds.

    `every`: seconds between two looks, more where looking costs something.
    """
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Not within {timeout:g} s: {what or condition}")
        time.sleep(every)
    return found


@dataclass(kw_only=True)
class Sandbox:
    """The image API as a process; `base_url` ends in /v1."""

    base_url: str
    process: subprocess.Popen[str]
    client: httpx.Client

    def stats(self) -> Values:
        """What was called and what would have been paid: see `watcher.sandbox.counts`."""
        found: Values = self.client.get("/sandbox/stats").raise_for_status().json()
        return found

    def misbehave(self, *faults: str) -> None:
        """These faults from now on, instead of all others; none: it behaves."""
        self.client.post("/sandbox/faults", json=list(faults)).raise_for_status()

    def reset(self) -> Values:
        """All counts at nothing; what they were until then."""
        before: Values = self.client.post("/sandbox/reset").raise_for_status().json()
        return before


@contextmanager
def sandbox(
    *,
    latency: str = "0",
    faults: Sequence[str] = (),
    picture_bytes: int | None = None,
    key: str | None = None,
    images_per_minute: int | None = None,
    limit_headers: bool = True,
    port: int = 0,
) -> Iterator[Sandbox]:
    """`image-watcher sandbox` as a process of its own, while the block runs."""
    command = [sys.executable, "-m", "watcher.sandbox", "--port", str(port), "--latency", latency]
    options = {"picture-bytes": picture_bytes, "key": key, "images-per-minute": images_per_minute}
    for name, value in options.items():
        command += [f"--{name}", str(value)] if value is not None else []
    command += [] if limit_headers else ["--no-limit-headers"]
    for fault in faults:
        command += ["--fault", fault]
    with subprocess.Popen(command, env=clean_environ(), stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            base_url = child.stdout.readline().strip()
            assert base_url, "the sandbox did not start"
            with httpx.Client(base_url=base_url.removesuffix("/v1"), timeout=30) as client:
                yield Sandbox(base_url=base_url, process=child, client=client)
        finally:
            child.kill()


def clean_environ(**more: str) -> dict[str, str]:
    """An environment that says nothing about us but what `more` says."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT / "src"),
        **more,
    }


@dataclass(kw_only=True)
class House:
    """One inbox, its outbox, and the daemon that serves them; the daemon may die and come again.

    `settings` are laid over the small ones of `default_settings`. `folder` holds everything.
    `wrapper`: what goes before every command, such as `NO_RIGHTS`.
    """

    folder: Path
    base_url: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=lambda: {"OPENAI_API_KEY": "test-key"})
    wrapper: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = None
    _log_seen: int = 0

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def config(self) -> Path:
        return self.folder / "watcher.yaml"

    @property
    def log_file(self) -> Path:
        return self.folder / "daemon.log"

    # The process

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Write the settings file anew, as an editor does: beside it, then renamed."""
        self.settings = settings
        whole = merged(default_settings(self.base_url), settings)
        self.write_config(yaml.safe_dump(whole, sort_keys=False))

    def write_config(self, text: str) -> None:
        part = self.config.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.replace(self.config)

    def start(self, *, wait: bool = True) -> None:
        """Start the daemon; `wait` until it says that it has started."""
        self._log_seen = self.log_file.stat().st_size if self.log_file.exists() else 0
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, *_PROGRAM, "run", "--config", str(self.config)],
                cwd=self.folder, env=clean_environ(**self.environ), stdout=log, stderr=log,
            )  # fmt: skip
        if wait:
            self.wait_started()

    def wait_started(self) -> None:
        wait_for(self._has_started, _START, "the daemon has started")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`image-watcher …` beside the daemon, with the same settings and environment."""
        return subprocess.run(
            [*self.wrapper, *_PROGRAM, *arguments, "--config", str(self.config)],
            cwd=self.folder, env=clean_environ(**self.environ),
            capture_output=True, text=True, timeout=_STOP, check=False,
        )  # fmt: skip

    @contextmanager
    def beginning(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """As `command`, while the block runs; what it says goes into the file `said`. Ctrl-C reaches it."""
        with (self.folder / "said").open("wb") as said:
            process = subprocess.Popen(
                ["env", "--default-signal=INT", *_PROGRAM, *arguments, "--config", str(self.config)],
                cwd=self.folder, env=clean_environ(**self.environ), stdout=said, stderr=said,
            )  # fmt: skip
            try:
                yield process
            finally:
                process.kill()
                process.wait()

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self, timeout: float = _STOP) -> int:
        """SIGTERM, and the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait_ended(timeout)

    def wait_ended(self, timeout: float = _STOP) -> int:
        assert self.process is not None
        code = self.process.wait(timeout)
        self.process = None
        return code

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self, *, wait: bool = True) -> None:
        """kill -9, and start again."""
        self.kill()
        self.start(wait=wait)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def peak_rss_bytes(self) -> int:
        """The most memory that the daemon has had so far (VmHWM)."""
        status = Path(f"/proc/{self.pid}/status").read_text("ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def cpu_seconds(self) -> float:
        """User and system time of the daemon so far."""
        after_name = Path(f"/proc/{self.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")

    def log(self) -> list[Values]:
        """The lines of the log since the last start, as they are whole."""
        with self.log_file.open("rb") as file:
            file.seek(self._log_seen)
            text = file.read().decode()
        return [json.loads(line) for line in text.split("\n")[:-1] if line.startswith("{")]

    def log_text(self) -> str:
        """Everything that was logged, since ever."""
        return self.log_file.read_text("utf-8")

    def events(self, name: str) -> list[Values]:
        """The log's lines of one event since the last start."""
        return [line for line in self.log() if line.get("event") == name]

    # Drops

    def drop(self, name: str, content: str | bytes) -> Path:
        """A file that appears in the inbox whole: written beside it, then renamed in."""
        self.inbox.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"{Path(name).name}.beside"
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        target = self.inbox / name
        target.parent.mkdir(parents=True, exist_ok=True)
        return part.replace(target)

    def note(self, name: str) -> str:
        """The STATUS note beside a drop; "" while there is none."""
        file = self.inbox / f"{name}.STATUS.txt"
        return file.read_text("utf-8") if file.exists() else ""

    # Results

    def jobs(self) -> list[Job]:
        """Every job that has a folder with a summary in the outbox, oldest first."""
        files = sorted(
            self.outbox.glob("*/job.json"), key=lambda file: file.parent.name.rpartition("--")[2]
        )
        return [Job(folder=file.parent) for file in files]

    def job(self, name: str) -> Job | None:
        """The newest job of a drop of that name; None while it shows nothing."""
        mine = [job for job in self.jobs() if job.summary["name"] == name]
        return max(mine, key=lambda job: str(job.summary["created_at"]), default=None)

    def wait_over(self, name: str, timeout: float = 60.0) -> Job:
        """The job of a drop, once its final results are out."""

        def over() -> Job | None:
            job = self.job(name)
            return job if job and job.is_over else None

        return wait_for(over, timeout, f"the job of {name} is over")

    def _has_started(self) -> bool:
        if self.process is not None and (code := self.process.poll()) is not None:
            raise AssertionError(f"The daemon ended with {code}: {self.log_text()[-2000:]}")
        return bool(self.events("daemon.started"))


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as its folder in the outbox shows it."""

    folder: Path

    @property
    def summary(self) -> Values:
        """job.json"""
        found: Values = json.loads((self.folder / "job.json").read_text("utf-8"))
        return found

    @property
    def is_over(self) -> bool:
        """job.json is written last of the results; the original is archived right after it."""
        return bool(self.summary["state"] != "running")

    @property
    def rows(self) -> list[dict[str, str]]:
        """results.csv, one dict a row; the delimiter is that of the drop."""
        text = (self.folder / "results.csv").read_text("utf-8-sig")
        delimiter = ";" if ";" in text.partition("\n")[0] else ","
        return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))

    @property
    def records(self) -> list[Values]:
        """results.jsonl"""
        lines = (self.folder / "results.jsonl").read_text("utf-8").split("\n")
        return [json.loads(line) for line in lines if line]

    @property
    def statuses(self) -> list[str]:
        return [row["result_status"] for row in self.rows]

    @property
    def pictures(self) -> list[Path]:
        return sorted((self.folder / "images").iterdir())


def default_settings(base_url: str) -> Values:
    """Small and quick: one inbox, drops taken after 0.2 s, short waits before a retry."""
    return {
        "api": {"base_url": base_url, "retry": {"base": 0.1, "longest": 1}},
        "limits": {"concurrency": 4},
        "state_dir": "./state",
        "inboxes": {INBOX: {"path": "./inbox", "outbox": "./outbox", "settle": 0.2}},
        "logs": {"level": "info", "format": "json"},
        "web": {"enabled": False},
    }


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> Values:
    """`above` laid over `below`, level by level."""
    whole = dict(below)
    for name, value in above.items():
        both = isinstance(value, Mapping) and isinstance(whole.get(name), Mapping)
        whole[name] = merged(whole[name], value) if both else value
    return whole


def noticing(mode: str, settings: Mapping[str, Any]) -> Values:
    """`settings` of a daemon that notices drops in this of the MODES; polling is quick."""
    inbox = {"watch": mode, "poll_interval": 0.3}
    return merged({"inboxes": {INBOX: inbox}}, settings)


def prompts_csv(prompts: Sequence[str], header: str = "prompt") -> str:
    """A CSV of one column."""
    sink = io.StringIO(newline="")
    writer = csv.writer(sink)
    writer.writerow([header])
    writer.writerows([prompt] for prompt in prompts)
    return sink.getvalue()


@contextmanager
def house(
    folder: Path,
    base_url: str,
    settings: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    start: bool = True,
) -> Iterator[House]:
    """A daemon in `folder` (a new one), killed at the end of the block if it still runs."""
    folder.mkdir(parents=True, exist_ok=True)
    made = House(folder=folder, base_url=base_url)
    if environ is not None:
        made.environ = environ
    made.configure(settings or {})
    try:
        if start:
            made.start()
        yield made
    finally:
        made.kill()
