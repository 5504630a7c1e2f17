"""Pictures on their way out: sent as they came where the API takes them, made into PNG where not, else refused."""

from __future__ import annotations

import random
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from watcher.core.catalogue import PictureLimits
from watcher.core.pictures import FitPicture, PictureRules, Role, Unfit, expect_same_size
from watcher.outbox import fit_picture

SIZE = (40, 30)

# Pillow warns of what it then refuses.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


def rules(**more: Any) -> PictureRules:  # noqa: ANN401
    said: dict[str, Any] = {
        "images": PictureLimits(formats=("png", "jpeg", "webp"), max_bytes=50_000),
        "mask": PictureLimits(formats=("png",), max_bytes=50_000, advised_max_bytes=40_000),
        "inline": False,
        "mask_said": "alpha",
        "mask_sent": "alpha",
    }
    return PictureRules(**{**said, **more})


def picture(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    image = Image.new("RGB", size, "#336699")
    ImageDraw.Draw(image).rectangle((5, 5, 15, 15), fill="#ffcc00")
    return image.convert(mode)


def encoded(image: Image.Image, real: str = "png", **options: Any) -> bytes:  # noqa: ANN401
    sink = BytesIO()
    image.save(sink, real, **options)
    return sink.getvalue()


def white_mask() -> Image.Image:
    """White in the left half, black in the right one."""
    mask = Image.new("L", SIZE, 0)
    ImageDraw.Draw(mask).rectangle((0, 0, 19, 29), fill=255)
    return mask


def holed() -> Image.Image:
    """Transparent in the left half."""
    image = picture("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 20, 30))
    return image


def fit(content: bytes, role: Role = "image", **more: Any) -> FitPicture:  # noqa: ANN401
    return fit_picture(content, "pic", role, rules(**more))


def refused(content: bytes, role: Role = "image", **more: Any) -> tuple[str, str]:  # noqa: ANN401
    with pytest.raises(Unfit) as raised:
        fit(content, role, **more)
    problem = raised.value.problem
    assert problem.hint
    assert problem.column == role
    return problem.code, problem.what


def alpha_at(content: bytes, x: int) -> object:
    return Image.open(BytesIO(content)).convert("RGBA").getchannel("A").getpixel((x, 10))


@pytest.mark.parametrize("real", ["png", "jpeg", "webp"])
def test_what_the_api_takes_is_sent_byte_for_byte(real: str) -> None:
    """No picture is decoded and encoded again without need."""
    content = encoded(picture(), real)
    fitted = fit(content)
    assert (fitted.content, fitted.format, fitted.width, fitted.height) == (content, real, *SIZE)
    assert fitted.adjustments == ()


@pytest.mark.parametrize("real", ["bmp", "tiff", "gif"])
def test_other_formats_become_png_and_it_is_told(real: str) -> None:
    """The pixels are the same; the mending is an adjustment that names both formats."""
    fitted = fit(encoded(picture(), real))
    sent = Image.open(BytesIO(fitted.content))
    assert (sent.format, sent.size, fitted.format) == ("PNG", SIZE, "png")
    assert sent.convert("RGB").getpixel((10, 10)) == (255, 204, 0)
    assert [(a.column, a.found, a.used) for a in fitted.adjustments] == [
        ("image", f"pic ({real})", "png")
    ]


def test_of_a_picture_that_moves_the_first_frame_is_sent() -> None:
    """Also where the format itself is taken."""
    frames = [picture(), Image.new("RGB", SIZE, "red")]
    film = encoded(frames[0], "webp", save_all=True, append_images=frames[1:], lossless=True)
    fitted = fit(film)
    assert Image.open(BytesIO(fitted.content)).convert("RGB").getpixel((10, 10)) == (255, 204, 0)
    assert fitted.format == "png"


@pytest.mark.parametrize(("mode", "real"), [("CMYK", "jpeg"), ("CMYK", "tiff"), ("I;16", "png")])
def test_odd_colours_become_usual_ones(mode: str, real: str) -> None:
    """The API answers "Invalid image file or mode" to them."""
    image = Image.new("I;16", SIZE, 30_000) if mode == "I;16" else picture(mode)
    fitted = fit(encoded(image, real))
    assert Image.open(BytesIO(fitted.content)).mode in ("L", "RGB")


def test_a_converted_picture_stands_upright() -> None:
    """What a camera says of its position is done before it is lost."""
    exif = Image.Exif()
    exif[0x0112] = 6
    fitted = fit(encoded(picture(), "tiff", exif=exif))
    assert (fitted.width, fitted.height) == (SIZE[1], SIZE[0])
    assert Image.open(BytesIO(fitted.content)).size == (SIZE[1], SIZE[0])


NO_PICTURE = {
    "nothing": (b"", "nothing at all"),
    "text": (b"see attachment", "text"),
    "a web page": (b"<!doctype html><title>x</title>", "a web page"),
    "a drawing": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "text"),
    "heic": (b"\0\0\0\x18ftypheic" + b"\0" * 60, "HEIC pictures are not read"),
    "avif": (b"\0\0\0\x18ftypavif" + b"\0" * 60, "AVIF pictures are not read"),
    "half a png": (encoded(picture())[:-30], "cut short"),
    "half a jpeg": (encoded(picture(), "jpeg")[:-30], "cut short"),
    "half a bmp": (encoded(picture(), "bmp")[:-300], "damaged or cut short"),
    "half a tiff": (encoded(picture(), "tiff")[:100], "damaged or cut short"),
}


@pytest.mark.parametrize("kind", NO_PICTURE)
def test_what_is_no_whole_picture_is_refused_in_words(kind: str) -> None:
    """The sentence names the picture and says what it is instead."""
    content, words = NO_PICTURE[kind]
    code, what = refused(content)
    assert code == "picture_unusable"
    assert what.startswith("image: pic cannot be sent. ")
    assert words in what


def test_a_picture_bomb_is_refused_by_its_header() -> None:
    """A few hundred bytes that say 60,000 × 60,000 pixels are never decoded."""
    content = bytearray(encoded(picture()))
    content[16:24] = (60_000).to_bytes(4) * 2
    assert refused(bytes(content))[0] == "picture_unusable"


def test_too_large_a_file_is_refused() -> None:
    """In bytes as they are sent, for each role its own limit; as text in JSON, what fits there."""
    noise = Image.frombytes("RGB", (200, 200), random.Random(1).randbytes(120_000))  # noqa: S311
    assert refused(encoded(noise))[0] == "picture_too_large"
    assert rules(inline=True, images=PictureLimits()).max_bytes("image") == 15_728_592


def test_only_squares_where_the_model_takes_no_others() -> None:
    """A picture that is none is the row's error."""
    limits = PictureLimits(formats=("png",), square=True)
    assert "squares" in refused(encoded(picture()), images=limits)[1]
    assert fit(encoded(picture(size=(30, 30))), images=limits).width == 30


def test_a_white_mask_becomes_a_transparent_one() -> None:
    """White is replaced: alpha = 255 - luminance."""
    fitted = fit(encoded(white_mask()), "mask", mask_said="white")
    assert (alpha_at(fitted.content, 5), alpha_at(fitted.content, 30)) == (0, 255)
    assert [each.column for each in fitted.adjustments] == ["mask"]


def test_a_white_mask_may_be_of_any_format() -> None:
    """A JPEG has no alpha, and needs none."""
    fitted = fit(encoded(white_mask(), "jpeg"), "mask", mask_said="white")
    assert fitted.format == "png"
    assert (alpha_at(fitted.content, 3), alpha_at(fitted.content, 36)) == (0, 255)


def test_a_transparent_mask_is_sent_as_it_is() -> None:
    """Byte for byte, where the server marks by transparency too."""
    content = encoded(holed())
    assert fit(content, "mask").content == content


def test_a_server_that_wants_white_masks_gets_them() -> None:
    """LocalAI's way, from either kind."""
    fitted = fit(encoded(holed()), "mask", mask_sent="white")
    sent = Image.open(BytesIO(fitted.content)).convert("L")
    assert (sent.getpixel((5, 10)), sent.getpixel((30, 10))) == (255, 0)
    white = encoded(white_mask())
    assert fit(white, "mask", mask_said="white", mask_sent="white").content == white


@pytest.mark.parametrize("role", ["mask", "markup"])
def test_what_is_laid_over_needs_transparency(role: Role) -> None:
    """Without it, it would mark nothing, and be paid for."""
    assert refused(encoded(picture()), role)[0] == f"{role}_not_transparent"


@pytest.mark.parametrize(
    ("image", "said"), [(picture("RGBA"), "alpha"), (Image.new("L", SIZE, 0), "white")]
)
def test_a_mask_that_marks_nothing_is_refused(image: Image.Image, said: str) -> None:
    """Wholly opaque, or wholly black: the classic mistake of the wrong mask_mode."""
    assert refused(encoded(image), "mask", mask_said=said)[0] == "mask_marks_nothing"


def test_a_large_mask_is_sent_and_told() -> None:
    """One of two documents allows 4 MB only."""
    noise = Image.frombytes("RGBA", (110, 110), random.Random(1).randbytes(48_400))  # noqa: S311
    fitted = fit(encoded(noise), "mask")
    assert [(a.column, a.used) for a in fitted.adjustments] == [("mask", "sent as it is")]


def test_a_mask_of_another_size_is_refused() -> None:
    """It is laid over the first picture, pixel by pixel."""
    first, mask = fit(encoded(picture(size=(50, 30)))), fit(encoded(holed()), "mask")
    with pytest.raises(Unfit) as raised:
        expect_same_size("mask", mask, first)
    assert raised.value.problem.code == "mask_size"
    assert "40 × 30" in raised.value.problem.what
    expect_same_size("mask", mask, fit(encoded(picture())))


SEEDS = [encoded(picture(), real) for real in ("png", "jpeg", "webp", "gif", "bmp", "tiff")] + [
    encoded(holed()),
    encoded(white_mask()),
]


@settings(max_examples=300, deadline=None)
@given(
    seed=st.sampled_from(SEEDS),
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, 400),
    role=st.sampled_from(["image", "mask", "markup"]),
    said=st.sampled_from(["alpha", "white"]),
)
def test_damaged_bytes_never_raise_anything_else(
    seed: bytes, changes: list[tuple[int, int]], cut: int, role: Role, said: str
) -> None:
    """Whatever is dropped: a picture that fits, or a problem in words."""
    content = bytearray(seed[: len(seed) - cut] if cut < len(seed) else seed)
    for place, value in changes:
        content[place % len(content)] = value
    with suppress(Unfit):
        fitted = fit(bytes(content), role, mask_said=said)
        assert Image.open(BytesIO(fitted.content)).size == (fitted.width, fitted.height)
