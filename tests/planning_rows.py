"""Rows for the tests of planning: one row planned by the rules of an inbox on OpenAI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from watcher.core.catalogue import Catalogue
from watcher.core.jobs import Item, Json, Operation, Problem, SourceRow
from watcher.core.planning import Planner, RowRules
from watcher.core.profiles import Profile

CATALOGUE = Catalogue.shipped()
OPENAI = Profile(name="openai", provider="openai", user_field="safety_identifier")
GENERIC = Profile(name="generic")
RULES = RowRules(
    models={
        Operation.GENERATE: "gpt-image-2.5-flare",
        Operation.EDIT: "gpt-image-2.5-sunburst",
        Operation.ANALYZE: "gpt-6-luna",
    },
    profile=OPENAI,
    today=date(2026, 11, 20),
)


def plan(
    row: Mapping[str, Json], rules: RowRules = RULES, drop: Mapping[str, Json] | None = None
) -> Item | Problem:
    """What becomes of a drop's only row; `drop` holds the drop's own defaults."""
    planner = Planner(rules, CATALOGUE, list(row), drop)
    return planner.plan(SourceRow(number=1, values=tuple(row.values())))


def item(
    row: Mapping[str, Json], rules: RowRules = RULES, drop: Mapping[str, Json] | None = None
) -> Item:
    """The item of a row that is usable; a prompt and a picture are added where it needs them."""
    planned = plan({"prompt": "a red cup", **row}, rules, drop)
    assert isinstance(planned, Item), planned
    return planned


def problem(
    row: Mapping[str, Json], rules: RowRules = RULES, drop: Mapping[str, Json] | None = None
) -> Problem:
    """The problem of a row that is not usable."""
    planned = plan({"prompt": "a red cup", **row}, rules, drop)
    assert isinstance(planned, Problem), planned
    return planned


def told(planned: Item) -> list[tuple[str, str, str]]:
    """The adjustments as column, found, used."""
    return [(each.column, each.found, each.used) for each in planned.adjustments]


STRICT = replace(RULES, coercion="strict")
