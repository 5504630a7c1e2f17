"""Where errors become sentences and exit codes. No traceback ever reaches a person."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from watcher.core.errors import LedgerError, SettingsError, WatcherError
from watcher.daemon import StateBusy
from watcher.logs import scrub


class Exit(IntEnum):
    """What the exit codes mean; after sysexits.h where that has a word for it."""

    OK = 0
    ROWS_OPEN_OR_FAILED = 1  # the work ended, but not every row is done
    USAGE = 2
    NOT_RUNNING = 3
    LEDGER = 74  # EX_IOERR: the state folder cannot be used
    BUSY = 75  # EX_TEMPFAIL: another daemon works with the state folder
    SETTINGS = 78  # EX_CONFIG: systemd does not restart on this one


@contextmanager
def in_words() -> Iterator[None]:
    """Turn our errors into their sentences on standard error, and into an exit code."""
    try:
        yield
    except WatcherError as error:
        say(f"{error.what}\n{error.hint}".rstrip())
        sys.exit(_code(error))
    except KeyboardInterrupt:
        sys.exit(130)


def say(text: str) -> None:
    """One message on standard error, without secrets."""
    sys.stderr.write(f"image-watcher: {scrub(text)}\n")


def _code(error: WatcherError) -> Exit:
    match error:
        case SettingsError():
            return Exit.SETTINGS
        case StateBusy():
            return Exit.BUSY
        case LedgerError():
            return Exit.LEDGER
        case _:
            return Exit.ROWS_OPEN_OR_FAILED
