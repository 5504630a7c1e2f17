"""What an inbox says about its drops, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from watcher.core.jobs import Json
from watcher.core.parsing import Limits
from watcher.core.planning import RowRules
from watcher.core.templates import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRules:
    """What an inbox says about the rows of its drops. `fingerprint`: equal rules, equal text.

    `assets`: further folders with pictures; `grace`: seconds that one which is not there is waited
    for; `hosts`: the only ones that addresses may name, none: any. `picture_row`: the columns of the
    row that a dropped picture is. `approve_above_usd`: what costs more waits for a person. `reuse_days`:
    how long what was paid for at `server` is used again.
    """

    rows: RowRules
    filename: Template
    limits: Limits
    fingerprint: str
    settings: Mapping[str, Json]
    priority: int = 1
    assets: tuple[Path, ...] = ()
    grace: float = 60.0
    approve_above_usd: Decimal | None = None
    reuse_days: float = 0.0
    server: str = ""
    hosts: tuple[str, ...] = ()
    picture_row: Mapping[str, str] = field(default_factory=dict)


class Space(Protocol):
    """Room on the disks."""

    def require(self, folder: Path) -> None:
        """Raises DiskError where too little is free."""
