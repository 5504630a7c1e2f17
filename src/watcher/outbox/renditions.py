"""A smaller copy of a picture, for rows that asked for a size which the API no longer makes."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from watcher.outbox.pictures import BROKEN, PALE, BadPicture

_QUALITY = 92
_COMPRESSED = ("jpeg", "webp")


def resized(content: bytes, real_format: str, size: str) -> bytes:
    """The picture in `size` (pixels, "512x512"), in its own format: png, jpeg or webp.

    For a picture that was looked at before. Raises BadPicture where no such copy can be made.
    """
    if real_format not in ("png", *_COMPRESSED):
        raise BadPicture(f"No smaller copy is made of a {real_format.upper()} picture.")
    width, height = map(int, size.split("x"))
    sink = BytesIO()
    try:
        with Image.open(BytesIO(content), formats=[real_format.upper()]) as image:
            small = _in_eight_bits(image).resize((width, height), Image.Resampling.LANCZOS)
            options = {"quality": _QUALITY} if real_format in _COMPRESSED else {}
            profile = image.info.get("icc_profile")
            small.save(sink, real_format.upper(), icc_profile=profile, **options)
    except BROKEN as error:
        raise BadPicture(f"No copy of {size} pixels could be made of this picture.") from error
    return sink.getvalue()


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """Resampling takes the nearest pixel of a palette; of colours it takes the mean."""
    if image.mode in PALE:
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")
