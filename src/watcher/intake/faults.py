"""Faults of our own, and drops that no process survives, as sentences."""

from __future__ import annotations

from watcher.core.errors import DropError


def our_fault(name: str) -> DropError:
    return DropError(
        f"{name} could not be read: this program met a fault of its own.",
        "Drop it again after an update, and send it with the log to who looks after image-watcher.",
        code="internal",
    )


def deadly(name: str, deaths: int) -> DropError:
    return DropError(
        f"{name} could not be read: this program ended without a word each time it tried, {deaths} times.",
        "Make it smaller or save it anew, and drop it again. The system log says what ended the program: often too little memory.",
        code="deadly",
    )
