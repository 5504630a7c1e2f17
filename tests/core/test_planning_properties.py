"""Planning, for rows that nobody thought of."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.planning_rows import CATALOGUE, GENERIC, RULES

from watcher.core.catalogue import Model
from watcher.core.jobs import Item, Json, Operation, Problem, SourceRow
from watcher.core.parsing import Limits
from watcher.core.parsing.records import Element, rows_of
from watcher.core.planning import FIELDS, Planner, RowRules, item_from_json, item_to_json
from watcher.core.sizes import edges

_NAMES = [*FIELDS, "seed", "temperature", "steps", "title", "count", "format", "result_status"]
_SCALARS: st.SearchStrategy[Json] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40)
)
_JSON: st.SearchStrategy[Json] = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
_MODELS = [*CATALOGUE.models, "gpt-image-2-2026-04-21", "dalle-3", "a-model-of-our-own"]
# Values that somebody might really write, so that most rows get far.
_LIKELY: dict[str, st.SearchStrategy[Json]] = {
    "prompt": st.sampled_from(["a cat", "Ein Haus, 🏠", " x ", "a\ufffdb", "", 12, 3.0]),
    "operation": st.sampled_from(["generate", "edit", "analyze", "Describe", "variation", None]),
    "model": st.sampled_from(_MODELS) | st.none(),
    "n": st.integers(-1, 12) | st.sampled_from(["1", "2.0", " 3 ", "x", None]),
    "size": st.builds("{}x{}".format, st.integers(0, 260).map(16 .__mul__), st.integers(1, 260).map(16 .__mul__))
    | st.sampled_from(["auto", "512x512", "1024 × 1024", "1792x1024", 1024, None, "0x0", "1x99999"]),
    "width": st.sampled_from([None, 1024, "1024"]),
    "height": st.sampled_from([None, 1024, "0"]),
    "quality": st.sampled_from(["auto", "low", "HD", "standard", "xhigh", "max", "ultra", None]),
    "background": st.sampled_from(["auto", "opaque", "transparent", "Transparent", "blue", None]),
    "output_format": st.sampled_from(["png", "jpg", "JPEG", "webp", "gif", "svg", ".png", "bmp", None]),
    "output_compression": st.integers(-1, 101) | st.sampled_from(["80%", None]),
    "moderation": st.sampled_from(["auto", "low", "off", None]),
    "style": st.sampled_from(["vivid", "natural", "watercolour", None]),
    "response_format": st.sampled_from(["url", "b64_json", "png", None]),
    "image": st.sampled_from(["a.png", "a.png;b.jpg", ["c.webp"], "a.png," * 30, None, None]),
    "mask": st.sampled_from(["m.png", None, None, None]),
    "markup": st.sampled_from(["m.png", None, None, None]),
    "input_fidelity": st.sampled_from(["low", "high", None]),
    "complexity": st.sampled_from(["low", "high", None]),
    "frame_count": st.sampled_from([None, 2, "9", 16, 17]),
    "frame_duration_ms": st.sampled_from([None, 1, 203, 700_000]),
    "detail": st.sampled_from([None, "low", "original"]),
    "max_tokens": st.sampled_from([None, 300, "12"]),
    "user": st.sampled_from([None, "Ann"]),
    "seed": st.sampled_from([None, 42, "7"]),
    "temperature": st.sampled_from([None, 0.7]),
}  # fmt: skip
_RULES = [
    RULES,
    replace(RULES, coercion="strict"),
    replace(RULES, retired_models="send"),
    replace(RULES, retired_models="refuse"),
    replace(RULES, profile=GENERIC, extra_parameters=frozenset({"seed", "steps"})),
    replace(RULES, prompt_template="{{ prompt }} {{ title }}", prompt_suffix="on white"),
    replace(RULES, defaults={"size": "2048x2048", "quality": "low", "n": 2}),
]


def _planned(row: dict[str, Json], rules: RowRules) -> Item | Problem:
    planner = Planner(rules, CATALOGUE, list(row))
    return planner.plan(SourceRow(number=1, values=tuple(row.values())))


@given(row=st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=12), _JSON, max_size=12), rules=st.sampled_from(_RULES))  # fmt: skip
def test_never_raises(row: dict[str, Json], rules: RowRules) -> None:
    """Whatever a row holds, it becomes an item or a problem whose words can be written down."""
    planned = _planned(row, rules)
    if isinstance(planned, Problem):
        assert planned.what
        orjson.dumps([planned.code, planned.what, planned.hint])
    else:
        assert planned.prompt.strip() == planned.prompt != ""
        orjson.dumps(item_to_json(planned))


@settings(max_examples=400, deadline=None)
@given(row=st.fixed_dictionaries(_LIKELY), rules=st.sampled_from(_RULES))
def test_what_is_planned_is_what_the_model_takes(row: dict[str, Json], rules: RowRules) -> None:
    """An item for a known model holds nothing that the catalogue says the model refuses."""
    planned = _planned(row, rules)
    model = CATALOGUE.find(planned.model) if isinstance(planned, Item) else None
    if isinstance(planned, Item) and model is not None:
        assert _faults(planned, model) == []


def _faults(item: Item, model: Model) -> list[str]:
    said = item.parameters
    words = {
        "quality": model.qualities, "background": model.backgrounds, "moderation": model.moderation,
        "output_format": model.output_formats, "style": model.styles, "detail": model.details,
        "input_fidelity": model.input_fidelity, "complexity": model.complexity,
    }  # fmt: skip
    faults = [name for name, allowed in words.items() if name in said and said[name] not in allowed]
    checks = {
        "endpoint": model.takes(item.operation),
        "n": 1 <= item.n <= model.n_max,
        "prompt": 0 < len(item.prompt) <= model.prompt_max_chars,
        "size": _size_is_legal(item, model),
        "compression": "output_compression" not in said
        or said.get("output_format") in model.compression_formats,
        "transparent": said.get("background") != "transparent"
        or said.get("output_format", "png") in ("png", "webp"),
        "images": len(item.images) <= (model.images.max_count if model.images else 0),
        "mask": not item.mask or (model.mask is not None and bool(item.images)),
        "markup": not item.markup or (model.markup and not item.mask),
        "svg": said.get("output_format") != "svg" or item.n == 1,
        "response_format": "response_format" not in said,
        "strangers": not {"seed", "temperature"} & set(said),
        "quality and size are said": item.operation is not Operation.GENERATE
        or {"quality", "size"} <= set(said),
    }
    return faults + [name for name, fine in checks.items() if not fine]


def _size_is_legal(item: Item, model: Model) -> bool:
    size = item.parameters.get("size")
    if size is None or size == "auto":
        return size is None or model.size.auto
    width, height = edges(str(size))
    if item.parameters.get("output_format") == "gif" and model.gif:
        frames = item.parameters.get("frame_count", model.gif.frames_default)
        assert isinstance(frames, int)
        return not model.gif.problem(width, height, frames)
    return not model.size.problem(width, height)


@given(row=st.fixed_dictionaries(_LIKELY), rules=st.sampled_from(_RULES))
def test_strict_items_are_as_written(row: dict[str, Json], rules: RowRules) -> None:
    """With strict coercion an item has no adjustment, and no row is usable that lenient refuses."""
    strict = _planned(row, replace(rules, coercion="strict"))
    lenient = _planned(row, replace(rules, coercion="lenient"))
    if isinstance(strict, Item):
        assert strict.adjustments == ()
        assert strict == lenient
    if isinstance(lenient, Problem):
        assert isinstance(strict, Problem)


@given(rows=st.lists(st.fixed_dictionaries(_LIKELY), min_size=1, max_size=6))
def test_rows_do_not_colour_each_other(rows: list[dict[str, Json]]) -> None:
    """A row is planned the same way alone and among others, the second time too."""
    columns = list(_LIKELY)
    planner = Planner(RULES, CATALOGUE, columns)
    sources = [SourceRow(number=1, values=tuple(row[name] for name in columns)) for row in rows]
    together = [planner.plan(source) for source in (*sources, *sources)]
    alone = [Planner(RULES, CATALOGUE, columns).plan(source) for source in sources]
    assert together == [*alone, *alone]


@st.composite
def _spelt(draw: st.DrawFn) -> dict[str, Json]:
    """A row that says each field under one of its names."""
    row = draw(st.fixed_dictionaries({}, optional=_LIKELY))
    return {draw(st.sampled_from([name, *FIELDS.get(name, ())])): row[name] for name in row}


@settings(max_examples=200)
@given(rows=st.lists(_spelt(), min_size=1, max_size=6))
def test_names_of_other_rows_change_nothing(rows: list[dict[str, Json]]) -> None:
    """Whatever its neighbours call a field, a row of JSON or YAML is planned as if it stood alone."""
    columns: list[str] = []
    planner = Planner(RULES, CATALOGUE, columns)
    elements = [Element(kind="row", line=1, value=row) for row in rows]
    for source, row in zip(rows_of(elements, columns, Limits()), rows, strict=True):
        together, alone = planner.plan(source), _planned(row, RULES)
        assert _in_any_order(together) == _in_any_order(alone)


def _in_any_order(planned: Item | Problem) -> object:
    """What is told of several columns is told in their order in the drop."""
    if isinstance(planned, Problem):
        return planned.code
    return replace(planned, adjustments=tuple(sorted(planned.adjustments, key=str)))


@given(row=st.fixed_dictionaries(_LIKELY), rules=st.sampled_from(_RULES))
def test_stored_and_read_again(row: dict[str, Json], rules: RowRules) -> None:
    """What the ledger stores of an item is the same item when it is read again."""
    planned = _planned(row, rules)
    if isinstance(planned, Item):
        assert item_from_json(orjson.loads(orjson.dumps(item_to_json(planned)))) == planned


@given(item=st.builds(Item))
def test_any_item_survives_the_ledger(item: Item) -> None:
    """Every item that there can be is stored and read again without a loss, NaN aside."""
    assert item_from_json(item_to_json(item)) == item


def test_what_a_later_version_stored_is_no_hindrance() -> None:
    """Fields that this version does not know are left out, so that it can be gone back to."""
    stored = {**item_to_json(Item(operation=Operation.EDIT, model="m", prompt="p")), "later": 1}
    assert item_from_json(stored) == Item(operation=Operation.EDIT, model="m", prompt="p")


@pytest.mark.parametrize("value", [1, True, 1.0, "1"])
def test_equal_values_of_different_kinds(value: Json) -> None:
    """True is not taken for the 1 of the row before."""
    planner = Planner(RULES, CATALOGUE, ["prompt", "n"])
    first = planner.plan(SourceRow(number=1, values=("a", 1)))
    assert isinstance(first, Item)
    planned = planner.plan(SourceRow(number=2, values=("a", value)))
    assert isinstance(planned, Problem if value is True else Item)
