"""`image-watcher process FILE…`: one file now, with a progress bar, by the same way as every drop."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from watcher.cli.common import act_as_owner
from watcher.cli.words import Exit, say
from watcher.core.catalogue import Catalogue
from watcher.core.errors import DropError, SettingsError
from watcher.core.jobs import JobState
from watcher.core.log import Log
from watcher.core.results import JobResult
from watcher.daemon import Daemon, is_running
from watcher.daemon.ending import END, end_within
from watcher.daemon.rooms import inbox_folder, inbox_rules
from watcher.inbox import InboxFolder, begun, is_ready, place, place_beside
from watcher.intake import named_pictures
from watcher.ledger import Ledger
from watcher.settings import Inbox, Settings

_LOOK = 0.2  # seconds between two looks at the ledger
_READY = 10.0


def choose_inbox(settings: Settings, name: str | None) -> tuple[str, Inbox]:
    """The inbox of that name, or the only one. Raises SettingsError."""
    names = list(settings.inboxes)
    if name is None and len(names) == 1:
        name = names[0]
    if name not in settings.inboxes:
        asked = "Which inbox?" if name is None else f"There is no inbox {name}."
        raise SettingsError(asked, f"Name one with --inbox: {', '.join(names)}.")
    return name, settings.inboxes[name]


def check_files(files: Iterable[Path], extensions: Collection[str]) -> None:
    """Before anything is dropped: each is a file of a kind that the inbox takes. Raises DropError."""
    for file in files:
        if not file.is_file():
            raise DropError(f"{file} is no file.", "Name a file that is there.")
        if file.suffix.lower() not in extensions:
            kinds = ", ".join(sorted(extensions))
            raise DropError(f"{file} is of no kind that this inbox takes.", f"It takes: {kinds}.")


def drop(file: Path, settings: Settings, inbox: str) -> Path:
    """Copy a file into an inbox that is ready, after the pictures that its rows name beside it; returns where it lies.

    Raises DropError, InboxError or DiskError.
    """
    folder = inbox_folder(inbox, settings.inboxes[inbox])
    for path in pictures_beside(file, settings, inbox):
        if not place_beside(folder, path, file.parent / path):
            raise DropError(
                f"{file.name} names {path}, and in the inbox lies another picture of that name.",
                f"Rename one of the two: {folder.path / path}.",
            )
    return place(folder, file)


def wait_ready(folder: InboxFolder) -> None:
    """A daemon that has just started makes its inboxes ready within a moment."""
    until = time.monotonic() + _READY
    while not is_ready(folder) and time.monotonic() < until:
        time.sleep(_LOOK)


def pictures_beside(file: Path, settings: Settings, inbox: str) -> list[str]:
    """The pictures that lie beside a file and that its rows name, each once, as paths from there.

    None where the file cannot be read: that is told as of any other drop.
    """
    rules = inbox_rules(settings, inbox, datetime.now(UTC).date())
    found: dict[str, None] = {}
    with suppress(DropError):
        for name in named_pictures(file.name, file, rules, Catalogue.shipped(settings.api.models)):
            path = PurePosixPath(name.replace("\\", "/"))
            inside = not path.is_absolute() and ".." not in path.parts
            if inside and (file.parent / path).is_file():
                found[str(path)] = None
    return list(found)


def drop_only(settings: Settings, inbox: str, files: list[Path]) -> list[Path]:
    """Drop files for the daemon, that runs or will; returns where they lie."""
    folder = inbox_folder(inbox, settings.inboxes[inbox])
    check_files(files, folder.extensions)
    if is_running(settings.state_dir):
        wait_ready(folder)
    else:
        say("No daemon is running: the files are taken when it starts.")
    return [drop(file, settings, inbox) for file in files]


def process_files(
    settings: Settings,
    keys: Mapping[str, str],
    inbox: str,
    files: list[Path],
    *,
    log: Log,
    console: Console,
) -> list[JobResult]:
    """Drop files and wait until their jobs are over, with the running daemon or without one."""
    folder = inbox_folder(inbox, settings.inboxes[inbox])
    check_files(files, folder.extensions)
    if not is_running(settings.state_dir):
        act_as_owner(settings)
        return asyncio.run(_alone(settings, keys, inbox, files, log, console))
    wait_ready(folder)
    started = time.time()
    dropped = [drop(file, settings, inbox) for file in files]
    ledger = Ledger(settings.state_dir)
    try:
        return _follow(ledger, inbox, dropped, started, console)
    finally:
        ledger.close()


async def _alone(
    settings: Settings, keys: Mapping[str, str], inbox: str, files: list[Path], log: Log,
    console: Console,
) -> list[JobResult]:  # fmt: skip
    daemon = Daemon(settings, keys, log=log)
    running = asyncio.create_task(daemon.run(watch=False))
    serving = daemon.serving[inbox]

    def work() -> list[JobResult]:
        serving.adopt()
        started = time.time()
        dropped = [drop(file, settings, inbox) for file in files]
        serving.look_until_settled(lambda: time.sleep(_LOOK))
        return _follow(daemon.ledger, inbox, dropped, started, console, daemon)

    try:
        return await asyncio.wrap_future(begun(work))
    except asyncio.CancelledError:  # Ctrl-C
        say("Ending; calls in flight are waited for, and kept. Ctrl-C again ends at once.")
        daemon.stop()
        await running
        end_within(END, Exit.INTERRUPTED)
        raise
    finally:
        daemon.stop()
        await running


def _follow(
    ledger: Ledger, inbox: str, dropped: list[Path], started: float, console: Console,
    daemon: Daemon | None = None,
) -> list[JobResult]:  # fmt: skip
    """Show how the jobs of these drops get on; returns them when all are over, or nothing moves."""
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"), console=console,
        disable=not console.is_terminal,
    ) as progress:  # fmt: skip
        bars = {path: progress.add_task(path.name, total=None, note="") for path in dropped}
        while True:
            jobs = {
                path: ledger.views.job_of_drop(inbox, os.fsencode(path.name), started)
                for path in dropped
            }
            for path, job in jobs.items():
                if job:
                    progress.update(
                        bars[path], total=job.rows, completed=job.ended, note=_note(job, ledger)
                    )
            found = [job for job in jobs.values() if job]
            over = len(found) == len(dropped) and all(map(_is_over, found))
            if over or (daemon and daemon.stopping):
                return found
            if daemon and daemon.is_stuck():
                break
            time.sleep(_LOOK)
    say(
        f"{daemon.paused(inbox)} What is open stays queued; process the file again, or start the daemon."
    )
    return found


def _is_over(job: JobResult) -> bool:
    return job.state is not JobState.RUNNING and job.published_at is not None


def _note(job: JobResult, ledger: Ledger) -> str:
    """What is to be said beside the bar: why it failed, or why nothing moves."""
    if job.problem:
        return job.problem.what
    halted = ledger.lanes.halted() if job.state is JobState.RUNNING else ()
    return job.paused or (halted[0].problem.what if halted else "")
