"""Money: what is known is right to the last digit, what is not known is None."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planning_rows import CATALOGUE

from watcher.core.catalogue import Catalogue
from watcher.core.jobs import Item, Json, Operation, Usage
from watcher.core.pricing import cost_usd, estimate_usd


def _item(model: str, n: int = 1, images: tuple[str, ...] = (), **parameters: Json) -> Item:
    operation = Operation.EDIT if images else Operation.GENERATE
    return Item(
        operation=operation, model=model, prompt="", n=n, images=images, parameters=parameters
    )


@pytest.mark.parametrize(
    ("model", "usage", "dollars"),
    [
        ("gpt-image-2", Usage(text_in=1000, image_out=1756), "0.05768"),
        ("gpt-image-1", Usage(text_in=10, image_in=20, image_out=4160), "0.16665"),
        ("gpt-image-1.5", Usage(text_out=1_000_000), "10"),
        ("gpt-image-2.5-flare-2026-09-08", Usage(image_out=233), "0.00699"),
    ],
)
def test_cost_is_usage_times_price(model: str, usage: Usage, dollars: str) -> None:
    """The cost of a call is each kind of token times its price."""
    assert cost_usd(usage, model, CATALOGUE) == Decimal(dollars)


@pytest.mark.parametrize(
    ("usage", "model"),
    [(None, "gpt-image-2"), (Usage(image_out=1), "sdxl"), (Usage(image_out=1), "gpt-6-sol")],
)
def test_unknown_cost_is_not_nothing(usage: Usage | None, model: str) -> None:
    """Without usage, or without a price, the cost is unknown."""
    assert cost_usd(usage, model, CATALOGUE) is None


@pytest.mark.parametrize(
    ("item", "dollars"),
    [
        (_item("gpt-image-2", quality="medium", size="1024x1024"), "0.05268"),
        (_item("gpt-image-2", quality="medium", size="1024x1024", n=3), "0.15804"),
        (_item("gpt-image-2.5-flare", quality="low", size="3840x2160"), "0.01326"),
        (_item("gpt-image-1", quality="high", size="1024x1536"), "0.2496"),
        (_item("gpt-image-1", quality="high", size="auto"), "0.2496"),
        (_item("gpt-image-1", size="1024x1024"), "0.1664"),
        (_item("gpt-image-2.5-flare", quality="low", size="1024x1024", images=("a", "b")), "0.03899"),
    ],
)  # fmt: skip
def test_estimates_follow_the_published_figures(item: Item, dollars: str) -> None:
    """Before a call: listed tokens times price, n pictures, the dearest where the API chooses."""
    assert estimate_usd(item, CATALOGUE) == Decimal(dollars)


def test_the_prompt_is_counted() -> None:
    """A prompt of 4,000 letters is about a thousand tokens."""
    item = Item(operation=Operation.GENERATE, model="gpt-image-2", prompt="abcd" * 1000,
                parameters={"quality": "low", "size": "1024x1024"})  # fmt: skip
    assert estimate_usd(item, CATALOGUE) == Decimal("0.00591") + Decimal("0.005")


def test_sizes_that_are_not_listed_grow_with_the_edge() -> None:
    """Twice the edge is twice the tokens, as where it was measured."""
    small = estimate_usd(_item("gpt-image-2", quality="low", size="1024x1024"), CATALOGUE)
    large = estimate_usd(_item("gpt-image-2", quality="low", size="2048x2048"), CATALOGUE)
    assert small is not None
    assert large == 2 * small


def test_frames_are_counted_as_their_sheet() -> None:
    """A gif of nine frames costs what the sheet of nine frames costs."""
    gif = _item("gpt-image-2.6-flare", quality="low", size="960x960", output_format="gif")
    sheet = _item("gpt-image-2.6-flare", quality="low", size="2880x2880")
    assert estimate_usd(gif, CATALOGUE) == estimate_usd(sheet, CATALOGUE)


@pytest.mark.parametrize(
    "item",
    [
        _item("sdxl", quality="low", size="1024x1024"),
        _item("gpt-image-2", quality="no-such", size="1024x1024"),
        _item("gpt-image-2.6-flare", quality="low", size="1024x1024", output_format="svg"),
        Item(operation=Operation.ANALYZE, model="gpt-6-sol", prompt="x", images=("a.png",)),
    ],
)
def test_unknown_estimates_are_none(item: Item) -> None:
    """No price, no figure, or a second model's tokens: nobody knows before."""
    assert estimate_usd(item, CATALOGUE) is None


def test_the_model_that_looks_at_pictures_unless_said_otherwise_has_a_price() -> None:
    """Its answer is priced, and told beforehand by the largest picture; models like it have prices of their own."""
    usage = Usage(text_in=1_000_000, text_out=1_000_000)
    assert cost_usd(usage, "gpt-6-luna", CATALOGUE) == Decimal("0.6")
    item = Item(operation=Operation.ANALYZE, model="gpt-6-luna", prompt="abcd", images=("a.png",),
                parameters={"max_tokens": 300})  # fmt: skip
    assert estimate_usd(item, CATALOGUE) == Decimal("0.0004001")
    assert cost_usd(usage, "gpt-6.1-sol", CATALOGUE) is None


def test_analyze_is_estimated_where_a_price_is_given() -> None:
    """With a price of one's own an analyze row costs its text, its pictures and its cap."""
    fields: Json = {
        "price": {"text_in": 1, "image_in": 1, "text_out": 4},
        "reference_tokens": {"": 1000},
    }
    catalogue = Catalogue.shipped({"gpt-6-luna": fields})
    item = Item(operation=Operation.ANALYZE, model="gpt-6-luna", prompt="abcd", images=("a.png",),
                parameters={"max_tokens": 300})  # fmt: skip
    assert estimate_usd(item, catalogue) == Decimal("0.002201")


@given(
    model=st.sampled_from(sorted(CATALOGUE.models)),
    quality=st.sampled_from(["auto", "low", "medium", "high", "max"]),
    width=st.integers(1, 240),
    height=st.integers(1, 240),
    n=st.integers(1, 10),
)
def test_estimates_are_never_negative_or_free(
    model: str, quality: str, width: int, height: int, n: int
) -> None:
    """An estimate is a positive sum that grows with n, or unknown."""
    one = estimate_usd(_item(model, quality=quality, size=f"{16 * width}x{16 * height}"), CATALOGUE)
    many = estimate_usd(
        _item(model, quality=quality, size=f"{16 * width}x{16 * height}", n=n), CATALOGUE
    )
    assert (one is None) == (many is None)
    if one is not None and many is not None:
        assert one > 0
        assert many == n * one
