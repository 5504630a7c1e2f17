"""Where errors become sentences and exit codes. No traceback ever reaches a person."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Literal, Self

from watcher.core.errors import LedgerError, SettingsError, WatcherError
from watcher.daemon import StateBusy
from watcher.logs import get_logger, scrub


class Exit(IntEnum):
    """What the exit codes mean; after sysexits.h where that has a word for it."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        made = int.__new__(cls, code)
        made._value_, made.meaning = code, meaning
        return made

    OK = 0, "as asked"
    ROWS_OPEN_OR_FAILED = 1, "the work ended, but not every row or finding is good"
    USAGE = 2, "the command was typed wrongly"
    NOT_RUNNING = 3, "no daemon runs, and one is needed"
    FAULT = 70, "a fault of image-watcher itself; the log has more"
    LEDGER = 74, "the state folder or its database cannot be used"
    BUSY = 75, "another daemon works with the state folder"
    SETTINGS = 78, "the settings cannot be used; systemd does not try again"
    INTERRUPTED = 130, "ended by Ctrl-C"


@contextmanager
def in_words() -> Iterator[None]:
    """Turn errors into their sentences on standard error, and into an exit code.

    This is the border of the process: what nobody foresaw ends here too, in one sentence.
    """
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the border of the process
        known = _ours(error)
        if known is None:
            known = _unforeseen(error)
            _log(error, "error" if isinstance(known, _Fault) else "debug")
        say(f"{known.what}\n{known.hint}".rstrip())
        sys.exit(_code(known))


def say(text: str) -> None:
    """One message on standard error, without secrets."""
    sys.stderr.write(f"image-watcher: {scrub(text)}\n")


class _Fault(WatcherError):  # noqa: N818 - the word that the sentence uses
    """Nobody foresaw it."""


def _ours(error: BaseException) -> WatcherError | None:
    """The error, or the first in a group of them, that says in words what happened."""
    if isinstance(error, WatcherError):
        return error
    members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return next(filter(None, map(_ours, members)), None)


def _unforeseen(error: BaseException) -> WatcherError:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, OSError) and error.strerror:
        named = isinstance(error.filename, (str, bytes))
        where = f": {os.fsdecode(error.filename)}" if named else ""
        hint = "Look at its path, its rights and the room on its disk, then try again."
        if isinstance(error, PermissionError) and os.geteuid() != 0:
            hint = "Put sudo before the command where it is a service's, or look at its path and its rights."
        return LedgerError(f"The system does not allow it ({error.strerror}){where}", hint)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return _Fault(
        "This command ended because of a fault in image-watcher itself.",
        f"What was accepted is safe in the ledger. Report the fault: {type(error).__name__}{place}.",
    )


def _log(error: BaseException, level: Literal["error", "debug"]) -> None:
    """The traceback, for whoever mends it: into a log, never onto a terminal."""
    if logging.getLogger().handlers and not sys.stderr.isatty():
        say = get_logger().error if level == "error" else get_logger().debug
        say("command.broken", exc_info=error)


def _code(error: WatcherError) -> Exit:
    match error:
        case SettingsError():
            return Exit.SETTINGS
        case StateBusy():
            return Exit.BUSY
        case LedgerError():
            return Exit.LEDGER
        case _Fault():
            return Exit.FAULT
        case _:
            return Exit.ROWS_OPEN_OR_FAILED
