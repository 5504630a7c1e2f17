"""What a picture looks like, told from its thumbnail: the same through formats and sizes, another for another picture."""

from __future__ import annotations

from io import BytesIO
from random import Random

import pytest
from PIL import Image, ImageDraw

from watcher.core.checks import Look, alike
from watcher.outbox import look_at_picture, look_of


def scene(seed: int, size: int = 512, field: str | None = "white") -> Image.Image:
    """Some discs and blocks on a field; None: transparent."""
    chance = Random(seed)  # noqa: S311 - it draws, and keeps no secret
    image = Image.new("RGBA", (size, size), field or (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    for at in range(6):
        x, y, reach = (chance.uniform(0.1, 0.9) * size for _ in range(3))
        box = (x - reach / 4, y - reach / 4, x + reach / 4, y + reach / 4)
        colour = tuple(chance.randrange(200) for _ in range(3))
        (draw.ellipse if at % 2 else draw.rectangle)(box, fill=colour)
    return image


def look(image: Image.Image, real: str = "PNG", **how: int) -> Look:
    sink = BytesIO()
    (image if real != "JPEG" else image.convert("RGB")).save(sink, real, **how)
    found = look_of(look_at_picture(sink.getvalue()).thumbnail)
    assert found is not None
    return found


@pytest.mark.parametrize("seed", range(20))
def test_the_same_picture_stays_the_same(seed: int) -> None:
    """As JPEG of middling quality, as WebP, smaller, with a little noise."""
    whole = scene(seed)
    first = look(whole).print
    assert alike(first, look(whole, "JPEG", quality=60).print)
    assert alike(first, look(whole, "WEBP", quality=60).print)
    assert alike(first, look(whole.resize((400, 400))).print)
    noisy = Image.blend(whole, Image.effect_noise(whole.size, 60).convert("RGBA"), 0.03)
    assert alike(first, look(noisy).print)


def test_other_pictures_are_others() -> None:
    """Of 60 pictures on the same white field no two are taken for one another."""
    found = [look(scene(seed)).print for seed in range(60)]
    pairs = [(a, b) for a in range(60) for b in range(a) if alike(found[a], found[b])]
    assert pairs == []


def test_what_can_be_seen_through() -> None:
    """A cut-out is, a picture on white is not."""
    assert look(scene(1, field=None)).clear > 0.1
    assert look(scene(1)).clear == 0


@pytest.mark.parametrize("colour", ["white", "black", "#7f7f7f", (0, 0, 0, 0)])
def test_an_empty_picture_is_empty(colour: str | tuple[int, ...]) -> None:
    """Of any colour, or wholly transparent, also with the noise of a JPEG; a drawn one is not."""
    empty = Image.new("RGBA", (512, 512), colour)
    assert look(empty).contrast < 2
    assert look(empty, "JPEG", quality=30).contrast < 2
    assert look(scene(3)).contrast > 10


def test_no_thumbnail_no_look() -> None:
    """Of a drawing, or of bytes that are none."""
    assert look_of(b"") is None
    assert look_of(b"RIFF....WEBPnothing") is None
