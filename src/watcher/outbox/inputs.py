"""Pictures on their way out with a call: what they really are, and made into what the API takes.

Nothing is decoded that need not be: a picture that is sent as it came is looked at by its header
and its end. Takes time for the others: call it off the event loop.
"""

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageOps

from watcher.core.jobs import Adjustment
from watcher.core.pictures import (
    FitPicture,
    PictureRules,
    Role,
    Unfit,
    advice,
    expect_bytes,
)
from watcher.outbox.pictures import BOMB, BROKEN, BadPicture, check_ends, what_else

MAX_PIXELS = 64_000_000  # 256 MB when decoded: what cameras make, and no more
_STARTS = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpeg",
    b"GIF87a": "gif",
    b"GIF89a": "gif",
    b"BM": "bmp",
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
}
_END_IS_KNOWN = ("png", "jpeg", "webp", "gif")
_PHONES = {b"avif": "AVIF", b"avis": "AVIF"}  # every other brand of that box is HEIC to people
# Modes that the API is known to open; it answers "Invalid image file or mode" to others.
_USUAL_MODES = ("RGB", "RGBA", "L", "LA", "P", "1")
_OPAQUE = 255


def fit_picture(content: bytes, name: str, role: Role, rules: PictureRules) -> FitPicture:
    """The picture as it can be sent: its own bytes where the API takes them, else a PNG made of it.

    `name` is what its author calls it. Raises Unfit: no picture, damaged, too large, a mask that
    marks nothing.
    """
    real = _real_format(content, name, role)
    try:
        if real in _END_IS_KNOWN:
            check_ends(content, real)
        with Image.open(BytesIO(content), formats=[real.upper()]) as image:
            return _fitted(image, content, real, name=name, role=role, rules=rules)
    except BadPicture as error:
        raise _no_picture(name, role, str(error)) from None
    except BOMB:
        raise _no_picture(name, role, _too_many_pixels("more than that")) from None
    except BROKEN as error:
        said = f"The {real.upper()} picture is damaged or cut short."
        raise _no_picture(name, role, said) from error


def _fitted(
    image: Image.Image, content: bytes, real: str, *, name: str, role: Role, rules: PictureRules
) -> FitPicture:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise BadPicture(_too_many_pixels(f"{width} × {height}"))
    if role == "image" and rules.images.square and width != height:
        raise BadPicture(f"It has {width} × {height} pixels, and the model takes squares only.")
    made, why = _made(image, real, role, rules)
    sent = content if made is None else _saved(made)
    expect_bytes(role, name, len(sent), rules)
    told = advice(role, len(sent), rules)
    if made is not None:
        told = (Adjustment(column=role, found=f"{name} ({real})", used="png", why=why), *told)
    return FitPicture(
        content=sent,
        format=real if made is None else "png",
        width=width if made is None else made.width,
        height=height if made is None else made.height,
        adjustments=told,
    )


def _made(
    image: Image.Image, real: str, role: Role, rules: PictureRules
) -> tuple[Image.Image | None, str]:
    """What is sent instead, and why; None: the picture as it came. Raises Unfit."""
    if role == "mask" and rules.mask_said == "white":
        return _from_white(image, real, rules)
    if role == "mask":
        _expect_marks(_alpha(image, role), _OPAQUE)
        if rules.mask_sent == "white":
            return ImageOps.invert(_alpha(image, role)), "the server wants masks in white"
    if role == "markup":
        _alpha(image, role)
    why = _why_not_as_it_is(image, real, role, rules)
    return (_plain(image), why) if why else (None, "")


def _from_white(
    image: Image.Image, real: str, rules: PictureRules
) -> tuple[Image.Image | None, str]:
    white = _on_black(image).convert("L")
    _expect_marks(white, 0)
    if rules.mask_sent == "white":
        return (None, "") if real == "png" else (white, f"{real} is not taken")
    mask = Image.new("RGBA", image.size)
    mask.putalpha(ImageOps.invert(white))
    return mask, "the API wants what is to be replaced transparent, not white"


def _on_black(image: Image.Image) -> Image.Image:
    image.load()
    plain = _plain(image)
    if not plain.has_transparency_data:
        return plain
    black = Image.new("RGBA", plain.size, "black")
    return Image.alpha_composite(black, plain.convert("RGBA"))


def _alpha(image: Image.Image, role: Role) -> Image.Image:
    if image.has_transparency_data:
        return image.convert("RGBA").getchannel("A")
    raise Unfit(
        f"{role}_not_transparent",
        f"The {role} has no transparency, so that it marks nothing.",
        "Save it as PNG with transparency"
        + (", or write white into the column mask_mode." if role == "mask" else "."),
        role,
    )


def _expect_marks(levels: Image.Image, nothing: int) -> None:
    if levels.getextrema() == (nothing, nothing):
        marked = "transparent" if nothing else "white"
        raise Unfit(
            "mask_marks_nothing",
            f"The mask is {marked} nowhere, so that nothing would be replaced.",
            f"Make what is to be replaced {marked}, or set mask_mode to what the mask uses.",
            "mask",
        )


def _why_not_as_it_is(image: Image.Image, real: str, role: Role, rules: PictureRules) -> str:
    """Empty where the API takes the picture as it came."""
    if real not in rules.formats(role):
        return f"{real} is not taken"
    if getattr(image, "is_animated", False):
        return "of a picture that moves, the first frame is taken"
    if image.mode not in _USUAL_MODES:
        return f"its colours ({image.mode}) may not be taken"
    return ""


def _plain(image: Image.Image) -> Image.Image:
    """The first frame, upright, in eight bits a channel."""
    image.load()
    if image.mode.startswith(("I", "F")):
        plain = image.convert("I").point(lambda level: level * (1 / 256)).convert("L")
    elif image.mode in _USUAL_MODES:
        plain = image
    else:
        plain = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return ImageOps.exif_transpose(plain)


def _saved(image: Image.Image) -> bytes:
    sink = BytesIO()
    image.save(sink, "PNG")
    return sink.getvalue()


def _real_format(content: bytes, name: str, role: Role) -> str:
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    for start, real in _STARTS.items():
        if content.startswith(start):
            return real
    if content[4:8] == b"ftyp":
        kind = _PHONES.get(content[8:12], "HEIC")
        raise _no_picture(name, role, f"{kind} pictures are not read.")
    raise _no_picture(name, role, f"It is {what_else(content)}, not a picture.")


def _no_picture(name: str, role: Role, why: str) -> Unfit:
    return Unfit(
        "picture_unusable",
        f"{role}: {name} cannot be sent. {why}",
        "Save it anew as PNG or JPEG, and drop the row again.",
        role,
    )


def _too_many_pixels(size: str) -> str:
    return f"It has {size} pixels; more than {MAX_PIXELS // 1_000_000} million are not opened."
