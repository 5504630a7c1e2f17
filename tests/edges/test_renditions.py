"""Copies for channels: of the size, weight, colours and format that were asked for; the picture stays as it is."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms

from watcher.core.channels import Origin, Recipe, Watermark, presets
from watcher.core.xmp import xmp_packet
from watcher.outbox import BadPicture, copied, has_credentials, opened
from watcher.outbox.renditions import Copy

BOX = Recipe(name="own", width=400, height=300, quality=90)
TEAL, WHITE = (0, 128, 128), (255, 255, 255)


def png(image: Image.Image, **options: Any) -> bytes:  # noqa: ANN401
    sink = io.BytesIO()
    image.save(sink, "PNG", **options)
    return sink.getvalue()


def plain(width: int = 200, height: int = 100, mode: str = "RGB") -> bytes:
    return png(Image.new(mode, (width, height), "teal"))


def made(content: bytes, real_format: str = "png", **changes: Any) -> Copy:  # noqa: ANN401
    recipe = Recipe(**{"name": "own", "width": 400, "height": 300, "quality": 90, **changes})
    return copied(opened(content, real_format), recipe, own_format=real_format)


def pixels(copy: Copy, *places: tuple[int, int]) -> list[tuple[int, ...]]:
    with Image.open(io.BytesIO(copy.content)) as image:
        assert image.size == (copy.width, copy.height)
        found = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return [pixel for place in places if isinstance(pixel := found.getpixel(place), tuple)]


def near(left: tuple[int, ...], right: tuple[int, ...], by: int = 6) -> bool:
    return all(abs(one - other) <= by for one, other in zip(left, right, strict=True))


@pytest.mark.parametrize(
    ("fit", "size"),
    [("fit", (200, 100)), ("pad", (400, 300)), ("crop", (400, 300)), ("stretch", (400, 300))],
)
def test_each_fit_gives_its_size(fit: str, size: tuple[int, int]) -> None:
    """fit never enlarges; the others fill the box."""
    copy = made(plain(), fit=fit)
    assert (copy.width, copy.height) == size


def test_fit_keeps_the_proportions() -> None:
    """A picture larger than the box is scaled into it."""
    copy = made(plain(4000, 1000))
    assert (copy.width, copy.height) == (400, 100)


def test_what_pads_has_the_colour() -> None:
    """The picture stands in the middle of the colour that was asked for, or of nothing at all."""
    corner, middle = pixels(made(plain(), fit="pad", background="#ff0000"), (2, 2), (200, 150))
    assert near(corner, (255, 0, 0))
    assert near(middle, TEAL)
    clear = made(plain(), fit="pad", background="transparent", format="png")
    assert pixels(clear, (2, 2)) == [(255, 255, 255, 0)]


def test_transparency_lies_on_the_background_where_the_format_has_none() -> None:
    """A JPEG of a transparent picture is not black."""
    clear = png(Image.new("RGBA", (400, 300), (0, 0, 0, 0)))
    assert near(pixels(made(clear, background="white"), (5, 5))[0], WHITE)


def test_max_bytes_is_kept_by_as_little_quality_as_needed() -> None:
    """The best quality that fits; one more would not."""
    noise = png(Image.effect_noise((400, 300), 90).convert("RGB"))
    whole = made(noise)
    most = len(whole.content) * 2 // 3
    copy = made(noise, max_bytes=most)
    assert len(copy.content) <= most
    assert 25 <= copy.quality < 90
    assert len(made(noise, quality=copy.quality + 1).content) > most


def test_what_cannot_be_light_enough_is_said() -> None:
    """In words, with how much it has and how much is taken; also of a PNG, which has no quality."""
    noise = png(Image.effect_noise((400, 300), 90).convert("RGB"))
    for real_format in ("jpeg", "png"):
        with pytest.raises(BadPicture, match="own takes 500"):
            made(noise, max_bytes=500, format=real_format)


def test_colours_are_those_of_srgb() -> None:
    """A picture with a profile of its own looks the same afterwards, and its profile is gone."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    red, blue = (srgb.index(tag, 128) for tag in (b"rXYZ", b"bXYZ"))
    swapped = bytearray(srgb)  # in which what is called red looks blue
    swapped[red + 4 : red + 12] = srgb[blue + 4 : blue + 12]
    swapped[blue + 4 : blue + 12] = srgb[red + 4 : red + 12]
    odd = png(Image.new("RGB", (40, 40), "red"), icc_profile=bytes(swapped))
    copy = made(odd, format="png")
    with Image.open(io.BytesIO(copy.content)) as image:
        assert "icc_profile" not in image.info
    assert near(pixels(copy, (5, 5))[0], (0, 0, 255))
    broken = png(Image.new("RGB", (40, 40), (120, 120, 120)), icc_profile=b"no profile")
    assert near(pixels(made(broken, format="png"), (5, 5))[0], (120, 120, 120))


def test_a_watermark_stands_in_its_corner(tmp_path: Path) -> None:
    """As wide as was asked, half of it shining through; none: why."""
    mark = tmp_path / "mark.png"
    mark.write_bytes(png(Image.new("RGBA", (100, 50), "white")))
    shown = Watermark(file=str(mark), width=25, opacity=50)
    inside, outside = pixels(
        made(plain(400, 300), watermark=shown, format="png"), (330, 270), (20, 20)
    )
    assert near(inside, (128, 192, 192, 255), 2)
    assert near(outside, (*TEAL, 255), 0)
    with pytest.raises(BadPicture, match=r"gone\.png cannot be read"):
        made(plain(), watermark=Watermark(file=str(tmp_path / "gone.png")))


@pytest.mark.parametrize("real_format", ["png", "jpeg", "webp"])
def test_only_the_copy_tells_where_it_comes_from(real_format: str) -> None:
    """XMP with IPTC's source type; the prompt where it is asked for; hostile text stays text."""
    from_prompt = Origin(model="m<1>", prompt='</rdf:li><script>"&\x00', edited=False)
    recipe = Recipe(name="own", width=10, height=10, format=real_format, tell="prompt")
    xmp = xmp_packet(recipe, from_prompt)
    copy = copied(opened(plain(), "png"), recipe, own_format="png", xmp=xmp)
    with Image.open(io.BytesIO(copy.content)) as image:
        told = str(image.getxmp())
    assert "trainedAlgorithmicMedia" in told
    assert "<script>" in told
    assert b"<script>" not in copy.content
    assert xmp_packet(Recipe(name="own", width=1, height=1, tell="nothing"), from_prompt) == b""


def test_content_credentials_are_seen() -> None:
    """C2PA in a PNG's caBX, a JPEG's APP11 or a WebP's chunk; a picture without has none."""
    chunk = b"jumb-of-somebody"
    whole = len(chunk).to_bytes(4) + b"caBX" + chunk + zlib.crc32(b"caBX" + chunk).to_bytes(4)
    bare = plain()
    signed = bare[:33] + whole + bare[33:]
    assert (has_credentials(signed, "png"), has_credentials(bare, "png")) == (True, False)
    assert opened(signed, "png").size == (200, 100)
    jpeg = made(bare).content
    marked = jpeg[:2] + b"\xff\xeb\x00\x10JP\x00\x01\x00\x00\x00\x01jumb\x00\x00" + jpeg[2:]
    assert (has_credentials(marked, "jpeg"), has_credentials(jpeg, "jpeg")) == (True, False)


def test_every_channel_can_be_made_of_a_square() -> None:
    """The presets are whole recipes: right size, format, weight."""
    square = opened(png(Image.effect_noise((256, 256), 40).convert("RGB")), "png")
    for name, wanted in presets().items():
        recipe = Recipe(name=name, **wanted)
        copy = copied(square, recipe, own_format="png")
        assert copy.format == wanted["format"]
        assert len(copy.content) <= wanted.get("max_bytes", 10**9)
        if wanted["fit"] != "fit":
            assert (copy.width, copy.height) == (wanted["width"], wanted["height"])
