"""`image-watcher demo`: the real daemon and the sandbox as processes of their own, in one folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text
from rich.tree import Tree

from watcher import __version__
from watcher.cli.process import drop, wait_ready
from watcher.core.errors import WatcherError
from watcher.core.jobs import JobState
from watcher.core.parsing import KINDS
from watcher.core.report import job_json
from watcher.core.results import JobResult
from watcher.daemon.rooms import inbox_folder
from watcher.ledger import Ledger
from watcher.settings import load

_START = 30.0  # seconds that a process may take to start
_LOOK = 0.1
_COMMAND = [sys.executable, "-m", "watcher"]
_SETTINGS = """\
# yaml-language-server: $schema=../config/watcher.schema.json
api:
  base_url: {base_url}
inboxes:
  demo:
    path: ./inbox
    outbox: ./outbox
    settle: 0.5
"""


def play(folder: Path, examples: Path, *, as_json: bool) -> bool:
    """Run the demo in `folder`, with the files of `examples`; True when every row is done."""
    console = Console(stderr=as_json)
    files = sorted(filter(_is_drop, examples.iterdir())) if examples.is_dir() else []
    if not files:
        raise WatcherError(
            f"There are no example files in {examples}.", "Name their folder with --examples."
        )
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with _sandbox() as base_url:
        (folder / "watcher.yaml").write_text(_SETTINGS.format(base_url=base_url), encoding="utf-8")
        with _daemon(folder):
            console.print(
                f"The sandbox answers at {base_url}; the daemon watches {folder / 'inbox'}"
            )
            jobs = _drop_and_wait(folder, files, console)
    if as_json:
        typer.echo(json.dumps([job_json(job, version=__version__) for job in jobs]))
    else:
        _show(folder / "outbox", jobs, console)
    return len(jobs) == len(files) and all(job.state is JobState.DONE for job in jobs)


def _is_drop(file: Path) -> bool:
    """Examples of other ways to bring work lie there as well."""
    return file.is_file() and KINDS.get(file.suffix.lower(), "picture") != "picture"


@contextmanager
def _sandbox() -> Iterator[str]:
    command = [*_COMMAND, "sandbox", "--port", "0", "--latency", "0.2-0.8"]
    with _process(command, os.environ, Path.cwd(), stdout=subprocess.PIPE) as process:
        line = process.stdout.readline() if process.stdout else b""
        if not line:
            raise WatcherError("The sandbox did not start.", "Try: image-watcher sandbox")
        yield line.decode().strip()


@contextmanager
def _daemon(folder: Path) -> Iterator[None]:
    # A settings file says all; what is set for the real thing must not reach the demo.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WATCHER_")}
    environ = {**clean, "OPENAI_API_KEY": "sandbox"}
    command = [*_COMMAND, "run", "--config", "watcher.yaml"]
    with (
        (folder / "daemon.log").open("wb") as log,
        _process(command, environ, folder, stdout=log, stderr=log) as process,
    ):
        deadline = time.monotonic() + _START
        while not (folder / "state" / "daemon.json").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise WatcherError("The daemon did not start.", f"See {folder / 'daemon.log'}.")
            time.sleep(_LOOK)
        yield


@contextmanager
def _process(
    command: list[str], environ: Mapping[str, str], cwd: Path, **streams: object
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, env=environ, cwd=cwd, **streams)  # type: ignore[call-overload]  # noqa: S603 - our own command
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _drop_and_wait(folder: Path, files: list[Path], console: Console) -> list[JobResult]:
    settings = load(folder / "watcher.yaml", {}, folder).settings
    wait_ready(inbox_folder("demo", settings.inboxes["demo"]))
    started = time.time()
    dropped = [drop(file, settings, "demo") for file in files]
    ledger = Ledger(folder / "state")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    try:
        with Progress(*columns, console=console) as progress:
            bars = {path: progress.add_task(path.name, total=None) for path in dropped}
            while True:
                jobs = {
                    path: ledger.views.job_of_drop("demo", os.fsencode(path.name), started)
                    for path in dropped
                }
                for path, job in jobs.items():
                    if job:
                        progress.update(bars[path], total=job.rows, completed=job.ended)
                found = [job for job in jobs.values() if job]
                if len(found) == len(files) and all(job.published_at for job in found):
                    return found
                time.sleep(_LOOK)
    finally:
        ledger.close()


def _show(outbox: Path, jobs: list[JobResult], console: Console) -> None:
    tree = Tree(Text(str(outbox)))
    for job in jobs:
        branch = tree.add(Text(job.folder))
        for path in sorted((outbox / job.folder).iterdir()):
            twig = branch.add(Text(path.name))
            if path.name == "images":
                for picture in sorted(path.iterdir()):
                    twig.add(Text(picture.name))
    console.print(tree)
    for job in jobs:
        console.print(f"{job.name}: {job.state}", highlight=False)
        console.print(
            f"  gallery: {(outbox / job.folder / 'index.html')}", soft_wrap=True, highlight=False
        )
    console.print(f"all of them: {outbox / 'index.html'}", soft_wrap=True, highlight=False)
