"""Every error that a person may see. Each says what happened, to what, and what to do now.

WatcherError
├── SettingsError    the settings cannot be used
├── DropError        a drop cannot be read as a whole; goes to `failed/` with a note
│   └── TornDrop     it ends in the middle: it may still be being written
├── InboxError       an inbox is away, or not as it must be
├── DiskError        a disk is full, read-only or broken: wait, nothing is lost
└── LedgerError      the state folder or its database cannot be used
"""

from __future__ import annotations


class WatcherError(Exception):
    """`what` happened to what, one sentence; `hint`: what to do now, one sentence."""

    def __init__(self, what: str, hint: str = "", *, code: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.code = code or type(self).__name__

    def __str__(self) -> str:
        return f"{self.what} {self.hint}".strip()


class SettingsError(WatcherError):
    """The settings cannot be used; `what` may hold several lines, one a finding."""


class DropError(WatcherError):
    """A drop cannot be read as a whole."""


class TornDrop(DropError):  # noqa: N818 - the glossary's word
    """A drop ends in the middle of a record: half written, or cut."""


class InboxError(WatcherError):
    """An inbox is offline, unreadable, or served by another daemon."""


class DiskError(WatcherError):
    """Writing failed for a reason that passes: no space, read-only, I/O error."""


class LedgerError(WatcherError):
    """The state folder or the database in it cannot be used."""
