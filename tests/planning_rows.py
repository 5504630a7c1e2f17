"""Rows for the tests of planning: one row planned by the rules of an inbox on OpenAI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from hypothesis import strategies as st

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


def _rows(**columns: st.SearchStrategy[Json]) -> st.SearchStrategy[dict[str, Json]]:
    return st.fixed_dictionaries({"prompt": st.just("a red cup"), **columns})


def _one_of(*values: Json) -> st.SearchStrategy[Json]:
    """One of these, or nothing."""
    return st.sampled_from([None, *values])


_PICTURE_COLUMNS: dict[str, st.SearchStrategy[Json]] = {
    "model": _one_of(*CATALOGUE.models),
    "n": _one_of(1, 2, 10),
    "size": _one_of("auto", "512x512", "1792x1024", "1024x1024", "3840x2160", "816x816"),
    "quality": _one_of("auto", "standard", "hd", "low", "max"),
    "background": _one_of("auto", "opaque", "transparent"),
    "output_format": _one_of("png", "jpg", "webp", "gif", "svg"),
    "output_compression": _one_of(0, 80, 100),
    "moderation": _one_of("auto", "low"),
    "style": _one_of("vivid"),
    "response_format": _one_of("url", "b64_json"),
    "complexity": _one_of("low", "high"),
    "frame_count": _one_of(2, 12, 16),
    "frame_duration_ms": _one_of(5, 200),
    "input_fidelity": _one_of("low", "high"),
    "user": _one_of("ann"),
    "seed": _one_of(42),
    "temperature": _one_of(0.7),
}
# What people write, for each operation; every value is one that the API or an old file knows.
GENERATE_ROWS = _rows(**_PICTURE_COLUMNS)
EDIT_ROWS = _rows(
    **_PICTURE_COLUMNS,
    image=st.sampled_from(["a.png", "a.png; b.jpg", "; ".join(f"{at}.png" for at in range(16))]),
    mask=_one_of("mask.png"),
    mask_mode=_one_of("alpha", "white"),
    markup=_one_of("markup.png"),
)
ANALYZE_ROWS = _rows(
    operation=st.just("analyze"),
    model=_one_of(*CATALOGUE.models),
    image=st.sampled_from(["a.png", "a.png; b.jpg"]),
    detail=_one_of("auto", "low", "high", "original"),
    max_tokens=_one_of(1, 300, 5000),
    quality=_one_of("high"),
    user=_one_of("ann"),
    temperature=_one_of(0.7),
)
