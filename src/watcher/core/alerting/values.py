"""The nouns of alerts.

A happening is a fact, looked up again at every look. An alert is that a fact is news. A message is
what one person gets of the alerts of one look, a letter the same on its way to one address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Occasion: TypeAlias = Literal[
    "job_failed",
    "job_done_with_errors",
    "job_waits_for_approval",
    "paused",
    "budget",
    "model_retiring",
    "disk_full",
    "inbox_offline",
    "drop_unfinished",
]
OCCASIONS: tuple[Occasion, ...] = get_args(Occasion)


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that people must know of.

    `place` says what it is about (`job:…`, `lane:…`, `inbox:…`), `reason` what is the matter with it:
    the two together are the cause. `since`: when it began, in seconds since the epoch. `inbox`: whose
    people it concerns, "" everybody. `all_clear`: the title that tells its end; "" where it has none.
    """

    place: str
    reason: str
    occasion: Occasion
    since: float
    title: str
    lines: tuple[str, ...] = ()
    inbox: str = ""
    all_clear: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was told of one cause, and when (`at`, seconds since the epoch). `open`: its end was not yet."""

    place: str
    reason: str
    occasion: Occasion
    since: float
    at: float
    inbox: str = ""
    all_clear: str = ""
    open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One piece of news. `good`: that something is over."""

    occasion: Occasion
    title: str
    lines: tuple[str, ...] = ()
    inbox: str = ""
    good: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Plain text. `bad` where any of it is."""

    title: str
    body: str
    bad: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message on its way. `to` tells addresses apart without telling them; `written_at` in seconds since the epoch."""

    id: int
    to: str
    message: Message
    written_at: float
