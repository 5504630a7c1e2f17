"""Whether given bytes are a picture, and which: with pictures of a real encoder, whole and broken."""

from __future__ import annotations

import random
import struct
import zlib
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from watcher.outbox import BadPicture, look_at_picture

_FORMATS = ("png", "jpeg", "webp", "gif")
_SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30px"><rect width="9"/></svg>'


def _noise(mode: str = "RGB", size: tuple[int, int] = (37, 23)) -> Image.Image:
    channels = len(Image.new(mode, (1, 1)).getbands())
    chance = random.Random(1)  # noqa: S311 - the same noise every time
    return Image.frombytes(mode, size, chance.randbytes(size[0] * size[1] * channels))


def _encoded(image: Image.Image, real: str, **options: Any) -> bytes:  # noqa: ANN401
    sink = BytesIO()
    image.save(sink, real, **options)
    return sink.getvalue()


def _film(real: str, frames: int = 3) -> bytes:
    rest = [Image.new("RGB", (37, 23), (shade * 40 % 256, 90, 200)) for shade in range(1, frames)]
    return _encoded(_noise(), real, save_all=True, append_images=rest, duration=50)


@pytest.mark.parametrize("real", _FORMATS)
def test_a_whole_picture_is_known(real: str) -> None:
    """The format is the real one, the size that of the pixels, and there is a thumbnail."""
    facts = look_at_picture(_encoded(_noise(), real))
    assert (facts.format, facts.width, facts.height, facts.frames) == (real, 37, 23, 1)
    assert Image.open(BytesIO(facts.thumbnail)).size == (37, 23)


@pytest.mark.parametrize("real", _FORMATS)
def test_a_picture_that_is_cut_short_is_always_noticed(real: str) -> None:
    """A picture without its end is refused, wherever it was cut."""
    whole = _encoded(_noise(), real)
    for end in range(len(whole)):
        with pytest.raises(BadPicture):
            look_at_picture(whole[:end])


@pytest.mark.parametrize("real", ["gif", "webp", "png"])
def test_every_frame_of_a_moving_picture_is_looked_at(real: str) -> None:
    """A moving picture is counted, and one whose later frames are missing is refused."""
    whole = _film(real)
    assert look_at_picture(whole).frames == 3
    with pytest.raises(BadPicture):
        look_at_picture(whole[: len(whole) - 30])


@pytest.mark.parametrize(
    ("mode", "real"),
    [("L", "png"), ("LA", "png"), ("RGBA", "png"), ("RGBA", "webp"), ("1", "png"), ("CMYK", "jpeg"), ("L", "jpeg"), ("P", "gif"), ("P", "png")],
)  # fmt: skip
def test_any_kind_of_pixels_gets_a_thumbnail(mode: str, real: str) -> None:
    """Grey, transparent, palette and print pictures are as good as others."""
    source = _noise("L").convert(mode) if mode in "1P" else _noise(mode)
    thumbnail = look_at_picture(_encoded(source, real)).thumbnail
    assert Image.open(BytesIO(thumbnail)).size == (37, 23)


def test_sixteen_bits_are_shown_as_they_look() -> None:
    """A grey picture of 16 bits a pixel has a thumbnail of the same grey."""
    deep = Image.new("I;16", (20, 20), 40_000)
    thumbnail = Image.open(BytesIO(look_at_picture(_encoded(deep, "png")).thumbnail))
    assert abs(thumbnail.convert("L").getpixel((10, 10)) - 40_000 // 256) <= 2  # type: ignore[operator]


def test_transparency_survives_in_the_thumbnail() -> None:
    """What is transparent in the picture is transparent in its thumbnail."""
    clear = Image.new("RGBA", (50, 50), (255, 0, 0, 0))
    thumbnail = Image.open(BytesIO(look_at_picture(_encoded(clear, "png")).thumbnail))
    assert thumbnail.mode == "RGBA"
    assert thumbnail.getchannel("A").getextrema() == (0, 0)


def test_a_thumbnail_stands_upright() -> None:
    """A picture that is stored lying down with a note to turn it is shown turned."""
    exif = Image.Exif()
    exif[0x0112] = 6
    facts = look_at_picture(_encoded(Image.new("RGB", (900, 300)), "jpeg", exif=exif))
    assert (facts.width, facts.height) == (900, 300)
    assert Image.open(BytesIO(facts.thumbnail)).size == (107, 320)


@pytest.mark.parametrize("size", [(1024, 1024), (1536, 1024), (3000, 20), (1, 1)])
def test_a_thumbnail_is_small(size: tuple[int, int]) -> None:
    """Even noise, which nothing compresses, ends in a box of 320 pixels and at most 25 kB."""
    facts = look_at_picture(_encoded(_noise("RGB", size), "jpeg"))
    assert len(facts.thumbnail) <= 25_000
    assert max(Image.open(BytesIO(facts.thumbnail)).size) <= 320


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "nothing at all"),
        (b" \n ", "nothing but blanks"),
        (b"<!DOCTYPE html><title>Login</title>", "a web page"),
        (b"\xef\xbb\xbf<html>", "a web page"),
        (b'{"error": "x"}', "JSON"),
        (b"Bad gateway", "text"),
        (b"%PDF-1.7\0\xff", "data of another kind"),
        (b"BM" + bytes(100), "data of another kind"),
    ],
)
def test_what_is_no_picture_is_named(content: bytes, words: str) -> None:
    """Bytes that are no picture are refused with what they look like instead."""
    with pytest.raises(BadPicture, match=f"This is {words}, not a PNG"):
        look_at_picture(content)


def test_a_bomb_is_not_opened() -> None:
    """A small file that says it has billions of pixels is refused by what it says."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    with pytest.raises(BadPicture, match="more than 34 million are not opened"):
        look_at_picture(bomb)


def test_more_pixels_than_wanted_are_refused() -> None:
    """The limit is the caller's, and the sentence says size and limit."""
    with pytest.raises(BadPicture, match="2000 × 1001 pixels; more than 2 million"):
        look_at_picture(_encoded(Image.new("L", (2000, 1001)), "png"), max_pixels=2_000_000)


def test_a_film_without_end_is_refused() -> None:
    """A moving picture of more frames than anybody looks at is not decoded to the end."""
    with pytest.raises(BadPicture, match="moves for longer"):
        look_at_picture(_film("gif", frames=600))


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (_SVG, (40, 30)),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- made --><svg viewBox="0 0 24 12.4"/>', (24, 12)),
        (b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://x"><svg width="100%" height="1em"/>', (0, 0)),
        (b'<svg:svg xmlns:svg="http://www.w3.org/2000/svg" width="5" height="6"/>', (5, 6)),
    ],
)  # fmt: skip
def test_a_drawing_is_known(content: bytes, size: tuple[int, int]) -> None:
    """SVG is kept as text: its size is what it says, and it has no thumbnail."""
    facts = look_at_picture(content)
    assert (facts.format, facts.width, facts.height, facts.thumbnail) == ("svg", *size, b"")


@pytest.mark.parametrize(
    "content",
    [_SVG[:-3], b"<svg><g></svg>", b"<svg width='1'>\xff</svg>",
     b'<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>', b"<svg>&nbsp;</svg>"],
)  # fmt: skip
def test_a_broken_drawing_is_refused(content: bytes) -> None:
    """SVG that is cut short, no XML, or brings entities of its own is none."""
    with pytest.raises(BadPicture):
        look_at_picture(content)


_WHOLE = [*(_encoded(_noise(), real) for real in _FORMATS), _film("gif"), _film("webp"), _SVG]


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=400)
@given(
    st.sampled_from(_WHOLE),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    st.binary(max_size=8),
)
def test_damaged_bytes_raise_nothing_else(
    whole: bytes, flips: list[tuple[float, int]], tail: bytes
) -> None:
    """Whatever an API sends, it is a picture or it is none: no other error comes of looking at it."""
    content = bytearray(whole)
    for place, value in flips:
        content[int(place * len(content))] = value
    with suppress(BadPicture):
        assert look_at_picture(bytes(content) + tail).format in {*_FORMATS, "svg"}
