"""`image-watcher doctor`: what `check` looks at, and what goes wrong over the years; each with what to do."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from watcher import __version__
from watcher.cli import alerts
from watcher.cli.check import Finding, check, tell
from watcher.cli.common import AsJson, Config, keys_of, load_settings
from watcher.core.errors import WatcherError
from watcher.daemon import is_running, read_about
from watcher.inbox import within
from watcher.ledger import upkeep
from watcher.settings import Loaded, Settings

_UNSYNCED = 0x0040  # STA_UNSYNC of adjtimex(2)
_APART = 60.0  # seconds that two clocks may differ
_PATIENCE = 15.0  # seconds for one folder
_OLD = 3600.0  # seconds after which something half-made is nobody's any more
_SPARE = 0.5  # share of a database that may be empty pages
_LARGE = 256 * 2**20  # bytes of a database below which nobody minds


def doctor(
    config: Config = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask the API.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look for what is wrong, or will be: all of `check`, the database, the clock, the daemon, leftovers.

    Reads all of the database, which takes a while where it is large. Changes nothing. Each finding is one
    line: ok, NOT (with what to do), or ? where it could not be told or a person must decide.

    Exit codes: 0 nothing is wrong; 1 something is; 78 the settings cannot be used.
    """
    tell(_findings(load_settings(config), offline=offline), as_json=as_json)


def _findings(loaded: Loaded, *, offline: bool) -> Iterator[Finding]:
    settings = loaded.settings
    yield _daemon(settings.state_dir)
    yield from _database(settings.state_dir)
    yield _clock()
    yield from _shares(settings)
    yield from _leftovers(settings.state_dir)
    try:
        yield from alerts.understood(settings)
        yield from check(settings, keys_of(loaded), offline=offline)
    except WatcherError as error:
        yield Finding(ok=False, what=str(error))


def _daemon(state_dir: Path) -> Finding:
    if not is_running(state_dir):
        return Finding(ok=None, what="daemon: not running. Start it with: image-watcher run")
    version = read_about(state_dir).get("version", __version__)
    if version != __version__:
        return Finding(
            ok=False,
            what=f"daemon: runs version {version}, installed is {__version__}. Restart it.",
        )
    return Finding(ok=True, what=f"daemon: running, version {version}.")


def _database(state_dir: Path) -> Iterator[Finding]:
    try:
        file = upkeep.database_file(state_dir)
    except WatcherError as error:
        yield Finding(ok=None, what=f"database: {error}")
        return
    try:
        upkeep.check_database(file)
        upkeep.expect_known(state_dir)
        spare = upkeep.spare_share(file)
    except WatcherError as error:
        yield Finding(ok=False, what=f"database: {error}")
        return
    size = file.stat().st_size
    yield Finding(
        ok=True, what=f"database: {file}, {size / 1e6:,.1f} MB, every page read and whole."
    )
    if size > _LARGE and spare > _SPARE:
        yield Finding(
            ok=None,
            what=f"database: {spare:.0%} of it is empty. The daemon gives it back bit by bit; nothing to do.",
        )


def _clock() -> Finding:
    """What the kernel knows of its own clock: adjtimex(2), which anybody may read."""
    buffer = ctypes.create_string_buffer(512)
    state = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    status = ctypes.c_int.from_buffer(buffer, 5 * ctypes.sizeof(ctypes.c_long)).value
    if state < 0:
        return Finding(ok=None, what="clock: it cannot be told whether it is right.")
    if status & _UNSYNCED:
        return Finding(
            ok=None,
            what="clock: nothing keeps it right. Schedules and due times go by it; run: timedatectl set-ntp true",
        )
    return Finding(ok=True, what="clock: kept right by the system.")


def _shares(settings: Settings) -> Iterator[Finding]:
    """The clock of a file server, told by the time of a file that is made there."""
    for name, inbox in settings.inboxes.items():
        with suppress(OSError):  # `check` tells of one that is away, or hangs
            apart = within(_PATIENCE, partial(_seconds_apart, inbox.path))
            if abs(apart) > _APART:
                yield Finding(
                    ok=None,
                    what=f"clock of inbox {name}: the server of {inbox.path} is {apart:+,.0f} s apart from here. Correct one of the two: what is kept for days goes by it.",
                )


def _seconds_apart(folder: Path) -> float:
    probe = folder / f".image-watcher-check-{os.getpid()}"
    before = time.time()
    probe.touch(exist_ok=False)
    apart = probe.stat().st_mtime - before
    probe.unlink()
    return apart


def _leftovers(state_dir: Path) -> Iterator[Finding]:
    """What a crash left, and copies that nobody has deleted."""
    now = time.time()
    for path in sorted(state_dir.glob("*")):
        half_made = path.name.startswith(("backing-up-", "restoring-")) or path.suffix == ".part"
        if half_made and now - path.stat().st_mtime > _OLD:
            yield Finding(ok=None, what=f"left over: {path}, half made. Delete it: rm -r {path}")
        elif path.name.startswith(("ledger-", "before-restore-")):
            yield Finding(
                ok=None,
                what=f"kept aside: {path}, {_size(path) / 1e6:,.1f} MB. Delete it when you trust what replaced it.",
            )


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.stat().st_size for one in files)
