"""Faults of our own, as sentences."""

from __future__ import annotations

from watcher.core.errors import DropError


def our_fault(name: str) -> DropError:
    return DropError(
        f"{name} could not be read: this program met a fault of its own.",
        "Drop it again after an update, and send it with the log to who looks after image-watcher.",
        code="internal",
    )
