"""Faults of our own, as sentences."""

from __future__ import annotations

from watcher.core.errors import DropError


def our_fault(name: str) -> DropError:
    return DropError(
        f"{name} could not be read: this program met a fault of its own.",
        "Drop it again after an update, and send it with the log to who looks after image-watcher.",
        code="internal",
    )


def deadly(name: str) -> DropError:
    return DropError(
        f"{name} was not read: three times in a row image-watcher was ended while it did.",
        "Make it smaller, or save it as CSV. Send it with the log to who looks after image-watcher.",
        code="deadly",
    )
