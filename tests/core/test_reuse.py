"""Fingerprints: equal for rows that send the same, and for no others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from watcher.core.jobs import Adjustment, Item, Operation
from watcher.core.reuse import fingerprint

SERVER = "api.example"
CAT = Item(
    operation=Operation.EDIT,
    model="gpt-image-2",
    prompt="a cat",
    parameters={"size": "1024x1024", "quality": "low"},
    images=(f"blob:{'a' * 64}.png:cat.png",),
)


def test_what_is_not_sent_does_not_count() -> None:
    """The name, what was mended, the order of parameters, and what a picture is called."""
    others = (
        replace(CAT, name="sku-7"),
        replace(CAT, adjustments=(Adjustment(column="size", found="1", used="2", why="x"),)),
        replace(CAT, parameters={"quality": "low", "size": "1024x1024"}),
        replace(CAT, images=(f"blob:{'a' * 64}.png:other name.png",)),
        replace(CAT, mask_mode="white"),  # without a mask it says nothing
    )
    assert {fingerprint(other, SERVER) for other in others} == {fingerprint(CAT, SERVER)}


def test_everything_that_is_sent_counts() -> None:
    """Model, prompt, number, parameters, extras, pictures and their order, mask, and who is asked."""
    others = (
        replace(CAT, model="gpt-image-1.5"),
        replace(CAT, prompt="a cat "),
        replace(CAT, n=2),
        replace(CAT, operation=Operation.GENERATE),
        replace(CAT, parameters={"size": "1024x1024", "quality": "high"}),
        replace(CAT, extra={"seed": 1}),
        replace(CAT, images=(f"blob:{'b' * 64}.png:cat.png",)),
        replace(CAT, images=(*CAT.images, f"blob:{'b' * 64}.png:x.png")),
        replace(CAT, images=(f"blob:{'b' * 64}.png:x.png", *CAT.images)),
        replace(CAT, mask=f"blob:{'b' * 64}.png:x.png"),
        replace(CAT, mask=f"blob:{'b' * 64}.png:x.png", mask_mode="white"),
    )
    prints = [fingerprint(other, SERVER) for other in (CAT, *others)]
    assert len({*prints, fingerprint(CAT, "other.example")}) == len(prints) + 1


@pytest.mark.parametrize("reference", ["cat.png", "https://example.org/cat.png"])
def test_a_picture_that_is_not_known_is_equal_to_none(reference: str) -> None:
    """What lies at an address, or is not brought in yet, may be anything."""
    unknown = replace(CAT, images=(reference,))
    assert fingerprint(unknown, SERVER) == ""


def test_what_was_fetched_counts_by_its_bytes() -> None:
    """Two addresses with the same picture are the same."""
    one, other = "https://example.org/a.png", "https://example.org/b.png"
    fetched = {one: "c" * 64, other: "c" * 64}
    prints = {fingerprint(replace(CAT, images=(at,)), SERVER, fetched) for at in (one, other)}
    assert len(prints) == 1
    assert "" not in prints
