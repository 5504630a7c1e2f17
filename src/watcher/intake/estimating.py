"""What a file would cost, without taking it in."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from watcher.core.catalogue import Catalogue
from watcher.core.estimates import Estimate
from watcher.core.jobs import Problem
from watcher.intake.drops import open_drop
from watcher.intake.rows import Pricing
from watcher.intake.rules import InboxRules, planner_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEstimate:
    """`rows` in all; `failing` of them could not be asked for, for a reason like `first`."""

    rows: int
    failing: int
    first: Problem | None
    estimate: Estimate


def estimate_file(
    file: Path,
    rules: InboxRules,
    catalogue: Catalogue,
    paid: Callable[[Collection[str]], Collection[str]],
) -> FileEstimate:
    """Parse and plan every row, as a drop of this file would be; `paid`: which fingerprints are paid for. Raises DropError where it cannot be read."""
    pricing, failing, first, rows = Pricing(catalogue, rules.server, rules.rows), 0, None, 0
    with file.open("rb") as stream:
        parsed, _ = open_drop(file.name, stream, rules.limits, rules.picture_row, sheet=rules.sheet)
        planner = planner_of(file.name, parsed, rules, catalogue)
        for source in parsed.rows:
            rows += 1
            plan = planner.plan(source)
            if isinstance(plan, Problem):
                failing, first = failing + 1, first or plan
            else:
                pricing.add(plan)
    pricing.count_reused(paid)
    return FileEstimate(rows=rows, failing=failing, first=first, estimate=pricing.sum)
