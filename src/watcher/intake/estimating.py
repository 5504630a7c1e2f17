"""What a file would cost, without taking it in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from watcher.core.catalogue import Catalogue
from watcher.core.estimates import Estimate
from watcher.core.jobs import Item, Problem
from watcher.core.planning import Planner
from watcher.inbox import Snapshot
from watcher.intake.drops import opened_drop
from watcher.intake.rows import Pricing
from watcher.intake.rules import InboxRules


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEstimate:
    """`rows` in all; `failing` of them could not be asked for, for a reason like `first`."""

    rows: int
    failing: int
    first: Problem | None
    estimate: Estimate


def estimate_file(
    file: Path, rules: InboxRules, catalogue: Catalogue, is_paid: Callable[[Item], bool]
) -> FileEstimate:
    """Parse and plan every row, as a drop of this file would be. Raises DropError where it cannot be read."""
    pricing, failing, first, rows = Pricing(catalogue, is_paid), 0, None, 0
    own = Snapshot(sha256="", size=file.stat().st_size, path=file)
    with opened_drop(file.name, own, rules.limits, rules.picture_row) as (parsed, _):
        planner = Planner(rules.rows, catalogue, parsed.columns, parsed.defaults)
        for source in parsed.rows:
            rows += 1
            plan = planner.plan(source)
            if isinstance(plan, Problem):
                failing, first = failing + 1, first or plan
            else:
                pricing.add(plan)
    return FileEstimate(rows=rows, failing=failing, first=first, estimate=pricing.sum)
