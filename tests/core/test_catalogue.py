"""The catalogue: the shipped entries are whole, an overlay is merged or refused in words."""

from __future__ import annotations

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.core.catalogue import Catalogue, CatalogueError
from watcher.core.jobs import Json, Operation
from watcher.core.sizes import GifRule, SizeRule, edges

SHIPPED = Catalogue.shipped()
TODAY = date(2026, 11, 20)
PICTURES = [model for model in SHIPPED.models.values() if "generations" in model.endpoints]
FLEX = SHIPPED.models["gpt-image-2.5-flare"].size
FIXED = SHIPPED.models["gpt-image-1.5"].size


@pytest.mark.parametrize("model", SHIPPED.models.values(), ids=lambda model: model.id)
def test_entries_are_whole(model: object) -> None:
    """Every shipped model says what it can do, and every model it refers to is there and lives."""
    entry = SHIPPED.models[getattr(model, "id", "")]
    assert any(entry.takes(operation) for operation in Operation)
    for operation, name in {**entry.replacements, **entry.transparent_instead}.items():
        other = SHIPPED.models[name]
        assert other.takes(operation)
        assert other.state_on(TODAY, "openai") == "active"
    if "openai" in entry.shutdown:
        needed = [operation for operation in Operation if entry.takes(operation)]
        assert set(needed) <= set(entry.replacements)


@pytest.mark.parametrize("model", PICTURES, ids=lambda model: model.id)
def test_picture_models_have_what_a_call_needs(model: object) -> None:
    """Every picture model has sizes, qualities, and tokens for each quality where it has a price."""
    entry = SHIPPED.models[getattr(model, "id", "")]
    assert entry.size.problem(1024, 1024) == ""
    assert entry.qualities
    if entry.price:
        assert {"low", "medium", "high"} <= set(entry.output_tokens)
        assert all("1024x1024" in table for table in entry.output_tokens.values())


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("gpt-image-2.5-flare", "gpt-image-2.5-flare"),
        ("gpt-image-2.5-flare-2026-09-08", "gpt-image-2.5-flare"),
        ("dalle-3", "dall-e-3"),
        (" DALL-E-3 ", "dall-e-3"),
        ("gpt-image-latest", "chatgpt-image-latest"),
    ],
)
def test_found_by_any_name(name: str, model: str) -> None:
    """A model is found by its id, its snapshots and its aliases, in any case."""
    found = SHIPPED.find(name)
    assert found is not None
    assert found.id == model


@pytest.mark.parametrize("name", ["", "gpt-image-2.5", "gpt-image-2.6", "sdxl", "openai/dall-e-3"])
def test_unknown_models_are_not_guessed(name: str) -> None:
    """There is no bare 2.5 or 2.6, and a name that only looks like one is unknown."""
    assert SHIPPED.find(name) is None


@pytest.mark.parametrize(
    ("name", "day", "provider", "state"),
    [
        ("dall-e-3", date(2026, 5, 11), "openai", "deprecated"),
        ("dall-e-3", date(2026, 5, 12), "openai", "retired"),
        ("dall-e-3", TODAY, "", "active"),
        ("dall-e-3", TODAY, "localai", "active"),
        ("gpt-image-1", date(2026, 10, 23), "openai", "retired"),
        ("gpt-image-1.5", TODAY, "openai", "deprecated"),
        ("gpt-image-1.5", date(2026, 12, 1), "openai", "retired"),
        ("gpt-image-1.5", date(2026, 12, 1), "azure", "deprecated"),
        ("gpt-image-1-mini", date(2027, 4, 7), "azure", "retired"),
        ("gpt-image-2", TODAY, "openai", "active"),
        ("gpt-4o", date(2027, 1, 14), "openai", "retired"),
    ],
)
def test_states_are_by_day_and_provider(name: str, day: date, provider: str, state: str) -> None:
    """A model is retired from its day on, only with the provider that said so."""
    assert SHIPPED.models[name].state_on(day, provider) == state


@pytest.mark.parametrize(
    ("width", "height", "broken"),
    [
        (1024, 1024, ""),
        (1792, 1024, ""),
        (3840, 2160, ""),
        (3840, 1280, ""),
        (816, 816, ""),
        (800, 800, "640,000 pixels are too few: at least 655,360."),
        (512, 512, "262,144 pixels are too few: at least 655,360."),
        (1024, 1000, "Width and height must be multiples of 16."),
        (1920, 1080, "Width and height must be multiples of 16."),
        (3856, 1600, "No edge may be longer than 3840 pixels."),
        (3840, 1264, "The long edge may be at most 3 times the short one."),
        (3840, 2176, "8,355,840 pixels are too many: at most 8,294,400."),
        (0, 0, "Width and height must be at least 1 pixel."),
    ],
)
def test_free_sizes(width: int, height: int, broken: str) -> None:
    """A size by rule is legal, or the one rule that it breaks is named."""
    assert FLEX.problem(width, height) == broken


def test_listed_sizes() -> None:
    """A size by list is legal when it is listed; the sentence lists them."""
    assert FIXED.problem(1536, 1024) == ""
    assert FIXED.problem(1792, 1024) == "Only 1024x1024, 1536x1024, 1024x1536, auto are made."


@pytest.mark.parametrize(
    ("size", "nearest"),
    [("800x800", "816x816"), ("1000x1000", "1008x1008"), ("1920x1080", "1920x1088")],
)
def test_nearest_size_looks_the_same(size: str, nearest: str) -> None:
    """The suggestion has the shape that was asked for and about as many pixels."""
    assert FLEX.nearest(*edges(size)) == nearest


@given(width=st.integers(0, 99_999), height=st.integers(0, 99_999))
def test_suggestions_are_legal(width: int, height: int) -> None:
    """Whatever is asked for, the suggested size is one that the model makes."""
    for rule in (FLEX, FIXED, SHIPPED.models["dall-e-2"].size):
        assert rule.problem(*edges(rule.nearest(width, height))) == ""


@pytest.mark.parametrize(
    ("frames", "largest"),
    [(2, "960x960"), (8, "960x960"), (9, "960x960"), (10, "816x816"), (12, "816x816"),
     (13, "720x720"), (16, "720x720")],
)  # fmt: skip
def test_gif_frames_share_a_sheet(frames: int, largest: str) -> None:
    """The largest square frames are those that were measured on the API."""
    gif = SHIPPED.models["gpt-image-2.6-flare"].gif
    assert gif is not None
    assert gif.largest(2048, 2048, frames) == largest
    assert gif.problem(*edges(largest), frames) == ""
    assert gif.problem(1024, 1024, frames) != ""


@given(width=st.integers(16, 9999), height=st.integers(16, 9999), frames=st.integers(2, 16))
def test_largest_frames_are_no_larger(width: int, height: int, frames: int) -> None:
    """A frame is only ever made smaller, and breaks no upper limit."""
    gif = GifRule(sheet_rule=SizeRule(max_ratio=float("inf"), min_pixels=0))
    new_width, new_height = edges(gif.largest(width, height, frames))
    assert new_width <= width
    assert new_height <= height
    assert gif.problem(new_width, new_height, frames) == ""


def test_overlay_changes_what_it_names() -> None:
    """A user's entry changes the fields it gives; models that are like it stay as they are."""
    merged = Catalogue.shipped({"gpt-image-2.5-flare": {"price": {"image_out": "20"}, "n_max": 4}})
    changed, like_it = merged.models["gpt-image-2.5-flare"], merged.models["gpt-image-2.6-flare"]
    assert changed.n_max == 4
    assert changed.price is not None
    assert changed.price.image_out == 20
    assert changed.size == FLEX
    assert like_it.n_max == 10
    assert SHIPPED.models["gpt-image-2.5-flare"].n_max == 10


def test_overlay_adds_models() -> None:
    """A user's own model is like another one, without that one's names, dates and successors."""
    overlay: dict[str, Json] = {
        "ours": {"like": "gpt-image-1", "aliases": ["house-model"], "size": {"values": ["64x64"]}},
        "ours-2": {"like": "ours", "size": "flex16", "shutdown": {"openai": "2027-01-01"}},
    }
    merged = Catalogue.shipped(overlay)
    ours = merged.find("House-Model")
    assert ours is not None
    assert ours.size.values == ("64x64",)
    assert ours.shutdown == {}
    assert ours.input_fidelity == ("low", "high")
    assert merged.models["ours-2"].size == FLEX
    assert merged.models["ours-2"].shutdown == {"openai": date(2027, 1, 1)}


def test_overlay_is_refused_in_words_all_at_once() -> None:
    """A bad overlay is refused with one sentence a finding, each with its place."""
    overlay: dict[str, Json] = {
        "new": {"n_max": 2},
        "lost": {"like": "nobody"},
        "loop": {"like": "loop"},
        "flat": 3,
        "gpt-image-2": {"n_max": "many", "bogus": 1},
        "twin": {"like": "gpt-image-1", "aliases": ["dalle-3"]},
        "odd": {"like": "gpt-image-1", "size": "huge"},
    }
    with pytest.raises(CatalogueError) as caught:
        Catalogue.shipped(overlay)
    assert sorted(str(caught.value).splitlines()) == [
        "models.flat: fields are wanted, 3 was found.",
        "models.gpt-image-2.bogus: there is no such field.",
        "models.gpt-image-2.n_max: Input should be a valid integer, unable to parse string as an integer; 'many' was found.",
        "models.loop.like: 'loop' is no other model of the catalogue.",
        "models.lost.like: 'nobody' is no other model of the catalogue.",
        "models.new: this model is not known. Say which one it is like, such as `like: gpt-image-2.5-flare`.",
        "models.odd.size: 'huge' is none of flex16, fixed3.",
        "models.twin: dalle-3 already stands for dall-e-3.",
    ]


@settings(deadline=None)  # each example builds a whole catalogue
@given(
    overlay=st.dictionaries(
        st.sampled_from(["gpt-image-2", "new"]),
        st.none()
        | st.integers()
        | st.dictionaries(
            st.sampled_from(["like", "size", "n_max", "price", "endpoints", "x"]),
            st.none() | st.integers() | st.text(max_size=3) | st.lists(st.text(max_size=3)),
        ),
    )
)
def test_any_overlay_is_merged_or_refused(overlay: dict[str, Json]) -> None:
    """Whatever settings hold, the answer is a catalogue or a CatalogueError."""
    with suppress(CatalogueError):
        assert set(overlay) <= set(Catalogue.shipped(overlay).models)
