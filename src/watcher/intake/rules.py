"""What an inbox says about the rows of its drops, and what plans them by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from watcher.core.catalogue import Catalogue
from watcher.core.jobs import Item, Json
from watcher.core.parsing import Limits, Parsed, kind_of
from watcher.core.pictures import is_address
from watcher.core.planning import Planner, RowRules
from watcher.core.templates import Template
from watcher.intake.drops import open_drop
from watcher.intake.pictures import is_data, named

_DAY = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRules:
    """What an inbox says about the rows of its drops. `fingerprint`: equal rules, equal text.

    `assets`: further folders with pictures; `grace`: seconds that one which is not there is waited
    for; `hosts`: the only ones that addresses may name, none: any. `picture_row`: the columns of the
    row that a dropped picture is. `approve_above_usd`: what costs more waits for a person. `reuse_days`:
    how long what was paid for at `server` is used again. `sheet`: of workbooks, None: the first one.
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
    sheet: str | None = None
    hosts: tuple[str, ...] = ()
    picture_row: Mapping[str, str] = field(default_factory=dict)

    def paid_since(self, now: float) -> float:
        """What was paid for at this moment or later is used again; both in seconds since the epoch."""
        return now - self.reuse_days * _DAY


def planner_of(name: str, parsed: Parsed, rules: InboxRules, catalogue: Catalogue) -> Planner:
    """What plans the rows of a drop of that name."""
    own = rules.rows
    if (
        kind_of(name) == "picture"
    ):  # the inbox's template is for tables; a dropped picture has its prompt
        own = replace(own, prompt_template=None)
    return Planner(own, catalogue, parsed.columns, parsed.defaults)


def named_pictures(name: str, path: Path, rules: InboxRules, catalogue: Catalogue) -> Iterator[str]:
    """The pictures that the rows of a file name and that it does not hold itself, as they are written there.

    Raises DropError or TornDrop, here or while they are iterated.
    """
    with path.open("rb") as stream:
        parsed, inside = open_drop(name, stream, rules.limits, rules.picture_row, sheet=rules.sheet)
        planner = planner_of(name, parsed, rules, catalogue)
        plans = (planner.plan(row) for row in parsed.rows)
        for plan in plans:
            for _, reference in named(plan) if isinstance(plan, Item) else ():
                if not (is_data(reference) or is_address(reference) or inside(reference)):
                    yield reference
