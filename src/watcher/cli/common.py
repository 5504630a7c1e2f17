"""What every command needs: its settings, its logs, its key, the ledger beside the daemon."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, TextIO

import typer

from watcher.core.errors import WatcherError
from watcher.core.log import Log
from watcher.daemon.state import StateLock
from watcher.ledger import Ledger, upkeep
from watcher.logs import SOCKET, configure, get_logger, is_journal, register_secret
from watcher.settings import COMMON, Loaded, Settings, find_key, load

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="The settings file. Without it: WATCHER_CONFIG, ./config/watcher.yaml, /etc/image-watcher/watcher.yaml.",
        show_default=False,
    ),
]


def _known_jobs(incomplete: str) -> list[tuple[str, str]]:
    """For shell completion: the newest jobs, by the settings that are found without --config."""
    try:
        with open_ledger(load_settings(None).settings) as ledger:
            found = ledger.views.jobs()
    except (WatcherError, OSError):
        return []
    return [(job.id, f"{job.name}, {job.state}") for job in found if job.id.startswith(incomplete)]


Job = Annotated[
    str,
    typer.Argument(
        help="The job, as `image-watcher jobs` names it.",
        show_default=False,
        autocompletion=_known_jobs,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def load_settings(config: Path | None) -> Loaded:
    """The settings in force here and now. Raises SettingsError."""
    return load(config, os.environ, Path.cwd())


def start_logging(settings: Settings, stream: TextIO = sys.stderr) -> Log:
    configure(
        level=settings.logs.level,
        format=settings.logs.format,
        stream=stream,
        is_tty=stream.isatty(),
        journal=SOCKET if is_journal(stream.fileno(), os.environ) else None,
    )
    return get_logger()


def key_of(loaded: Loaded, inbox: str = COMMON) -> str:
    """The API's key, never to be shown; "" when there is none. Raises SettingsError."""
    found, _ = find_key(loaded.settings, os.environ, inbox, credential=loaded.credential)
    key = found.get_secret_value()
    if key:
        register_secret(key)
    return key


def keys_of(loaded: Loaded) -> dict[str, str]:
    """Those of all inboxes, and the common one. Raises SettingsError."""
    return {name: key_of(loaded, name) for name in (COMMON, *loaded.settings.inboxes)}


@contextmanager
def held(settings: Settings) -> Iterator[Path]:
    """The state folder, while no daemon works with it. Raises StateBusy.

    What root makes in it ends as its owner's: the service must be able to use it.
    """
    state_dir = settings.state_dir
    lock = StateLock(state_dir)
    lock.acquire()
    try:
        yield state_dir
    finally:
        if os.geteuid() == 0:
            owner = state_dir.stat()
            for path in state_dir.rglob("*"):
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
        lock.release()


def act_as_owner(settings: Settings) -> None:
    """From now on root is the user that the state belongs to: what is made here, the service works with."""
    with suppress(FileNotFoundError):
        owner = settings.state_dir.stat()
        if os.geteuid() == 0 != owner.st_uid:
            os.setgroups([owner.st_gid])
            os.setegid(owner.st_gid)
            os.seteuid(owner.st_uid)


@contextmanager
def open_ledger(settings: Settings, *, upgrade: bool = False) -> Iterator[Ledger]:
    """The ledger, for reading beside a running daemon. Raises LedgerError where there is none yet."""
    upkeep.database_file(settings.state_dir)
    ledger = Ledger(settings.state_dir, upgrade=upgrade)
    try:
        yield ledger
    finally:
        ledger.close()
