"""Copies of pictures: in another size, format or weight, in sRGB, with a mark. The picture stays as it is."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageCms, ImageColor, ImageOps

from watcher.core.channels import Recipe, Watermark
from watcher.outbox.pictures import BROKEN, PALE, BadPicture

_COMPRESSED = ("jpeg", "webp")
_FORMATS = ("png", *_COMPRESSED)
_LOWEST = 25  # the quality below which a copy is no longer worth having
_MARGIN = 0.03  # of a copy's width, around a watermark
_FULL = 255
_PERCENT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A whole file. `quality` 0: its format has none."""

    content: bytes
    format: str
    width: int
    height: int
    quality: int = 0


def opened(content: bytes, real_format: str) -> Image.Image:
    """The picture, decoded once for all its copies: in eight bits a channel, in sRGB.

    For one that was looked at before. Raises BadPicture where no copy can be made of it.
    """
    if real_format not in _FORMATS:
        raise BadPicture(f"No copy is made of a {real_format.upper()} picture.")
    try:
        with Image.open(BytesIO(content), formats=[real_format.upper()]) as image:
            image.load()
            return _in_srgb(image)
    except BROKEN as error:
        raise BadPicture("No copy could be made of this picture.") from error


def copied(image: Image.Image, recipe: Recipe, *, own_format: str, xmp: bytes = b"") -> Copy:
    """One copy of an `opened` picture. Raises BadPicture where it cannot be as the recipe says."""
    real = recipe.format or own_format
    try:
        made = _framed(image, recipe, keep_alpha=real != "jpeg")
        if recipe.watermark is not None:
            made = _marked(made, recipe.watermark)
        if real == "jpeg":
            made = _flat(made, recipe.background)
        content, quality = _light_enough(made, real, recipe, xmp)
    except BROKEN as error:
        said = str(error) if isinstance(error, BadPicture) else "Its pixels cannot be converted."
        raise BadPicture(said) from error
    return Copy(content=content, format=real, width=made.width, height=made.height, quality=quality)


def has_credentials(content: bytes, real_format: str) -> bool:
    """Whether the file holds content credentials, which no copy keeps: they are signed for its bytes.

    https://c2pa.org/specifications/specifications/2.1/specs/C2PA_Specification.html#_embedding_manifests_into_assets
    """
    if real_format == "png":
        return b"caBX" in _png_chunks(content)
    if real_format == "jpeg":
        return b"\xff\xeb" in content and b"jumb" in content
    return real_format == "webp" and b"C2PA" in content


def _png_chunks(content: bytes) -> set[bytes]:
    at, kinds = 8, set()
    while at + 8 <= len(content):
        kinds.add(content[at + 4 : at + 8])
        at += 12 + int.from_bytes(content[at : at + 4])
    return kinds


def _in_srgb(image: Image.Image) -> Image.Image:
    """Without its profile, since everybody takes a picture that has none for sRGB."""
    made = _converted(ImageOps.exif_transpose(image), image.info.get("icc_profile"))
    if made.mode not in PALE or (made.has_transparency_data and "A" not in made.mode):
        made = made.convert("RGBA" if made.has_transparency_data else "RGB")
    made.info.clear()
    return made


def _converted(image: Image.Image, profile: bytes | None) -> Image.Image:
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return image
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        made = ImageCms.profileToProfile(image, source, _srgb(), outputMode=mode)
    except (ImageCms.PyCMSError, *BROKEN):
        return image  # no profile that can be read: browsers take its numbers for sRGB too
    return made or image


def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _framed(image: Image.Image, recipe: Recipe, *, keep_alpha: bool) -> Image.Image:
    size, filtered = (recipe.width, recipe.height), Image.Resampling.LANCZOS
    match recipe.fit:
        case "stretch":
            return image.resize(size, filtered)
        case "crop":
            return ImageOps.fit(image, size, filtered)
        case "pad":
            return _padded(ImageOps.contain(image, size, filtered), size, recipe, keep_alpha)
        case _:
            if image.width <= recipe.width and image.height <= recipe.height:
                return image
            return ImageOps.contain(image, size, filtered)


def _padded(
    image: Image.Image,
    size: tuple[int, int],
    recipe: Recipe,
    keep_alpha: bool,  # noqa: FBT001 - one caller
) -> Image.Image:
    clear = recipe.background == "transparent" and keep_alpha
    ground = Image.new(
        "RGBA", size, (_FULL, _FULL, _FULL, 0) if clear else _colour(recipe.background)
    )
    place = ((size[0] - image.width) // 2, (size[1] - image.height) // 2)
    if clear:
        ground.paste(image.convert("RGBA"), place)
    else:
        ground.alpha_composite(image.convert("RGBA"), place)
    return ground


def _colour(name: str) -> tuple[int, ...]:
    return ImageColor.getcolor("white" if name == "transparent" else name, "RGBA")  # type: ignore[return-value]


def _flat(image: Image.Image, background: str) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    ground = Image.new("RGBA", image.size, _colour(background))
    return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")


def _marked(image: Image.Image, watermark: Watermark) -> Image.Image:
    try:
        with Image.open(Path(watermark.file)) as mark:
            mark.load()
            sign = mark.convert("RGBA")
    except BROKEN as error:
        raise BadPicture(f"The watermark {watermark.file} cannot be read.") from error
    width = max(1, round(image.width * watermark.width / _PERCENT))
    sign = sign.resize(
        (width, max(1, round(sign.height * width / sign.width))), Image.Resampling.LANCZOS
    )
    share = watermark.opacity / _PERCENT
    sign.putalpha(sign.getchannel("A").point(lambda level: round(level * share)))
    below = image.convert("RGBA")
    over = Image.new("RGBA", below.size)
    over.paste(sign, _corner(below.size, sign.size, watermark.corner))
    return Image.alpha_composite(below, over)


def _corner(outer: tuple[int, int], inner: tuple[int, int], corner: str) -> tuple[int, int]:
    margin = round(outer[0] * _MARGIN)
    free = (outer[0] - inner[0], outer[1] - inner[1])
    if corner == "centre":
        return free[0] // 2, free[1] // 2
    vertical, horizontal = corner.split("-")
    across = margin if horizontal == "left" else free[0] - margin
    down = margin if vertical == "top" else free[1] - margin
    return max(0, across), max(0, down)


def _light_enough(image: Image.Image, real: str, recipe: Recipe, xmp: bytes) -> tuple[bytes, int]:
    """The best quality that is within `max_bytes`, by halving: seven tries for 65 qualities."""
    if real == "png":
        content = _saved(image, real, xmp)
        if recipe.max_bytes and len(content) > recipe.max_bytes:
            raise _too_heavy(len(content), recipe)
        return content, 0
    best, quality = _saved(image, real, xmp, recipe.quality), recipe.quality
    if not recipe.max_bytes or len(best) <= recipe.max_bytes:
        return best, quality
    low, high, found = _LOWEST, recipe.quality - 1, b""
    while low <= high:
        middle = (low + high) // 2
        content = _saved(image, real, xmp, middle)
        if len(content) <= recipe.max_bytes:
            found, quality, low = content, middle, middle + 1
        else:
            best, high = content, middle - 1
    if not found:
        raise _too_heavy(len(best), recipe)
    return found, quality


def _too_heavy(size: int, recipe: Recipe) -> BadPicture:
    return BadPicture(
        f"It has {size:,} bytes at the least, and {recipe.name} takes {recipe.max_bytes:,}."
    )


def _saved(image: Image.Image, real: str, xmp: bytes, quality: int = 0) -> bytes:
    sink = BytesIO()
    about = {"xmp": xmp} if xmp else {}
    if real in _COMPRESSED:
        image.save(sink, real.upper(), quality=quality, **about)
    else:
        image.save(sink, real.upper(), **(_png_text(xmp) if xmp else {}))
    return sink.getvalue()


def _png_text(xmp: bytes) -> dict[str, object]:
    from PIL.PngImagePlugin import PngInfo  # noqa: PLC0415 - for the few copies that are PNG

    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp.decode())
    return {"pnginfo": info}
