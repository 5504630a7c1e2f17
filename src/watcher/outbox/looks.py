"""What a picture looks like, told from its thumbnail, which takes a tenth of the time of the picture's own decode."""

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageStat

from watcher.core.checks import Look
from watcher.outbox.pictures import BROKEN

_SIDE = 16  # the print has as many rows, and one column more
_MARGIN = 3  # of 255: less than that is noise of the thumbnail, not a slope
_HALF = 128
_GREY = (128, 128, 128)


def look_of(thumbnail: bytes) -> Look | None:
    """None where there is no thumbnail (SVG), or it cannot be read."""
    try:
        with Image.open(BytesIO(thumbnail), formats=["WEBP"]) as image:
            return _look(image.convert("RGBA"))
    except BROKEN:
        return None


def _look(image: Image.Image) -> Look:
    alpha = image.getchannel("A")
    seen = Image.new("RGB", image.size, _GREY)
    seen.paste(image.convert("RGB"), mask=alpha)
    pixels = image.width * image.height
    spread = max(*ImageStat.Stat(seen).stddev, *ImageStat.Stat(alpha).stddev)
    clear = sum(alpha.histogram()[:_HALF]) / pixels
    return Look(clear=clear, contrast=spread, print=_print(seen))


def _print(seen: Image.Image) -> str:
    small = seen.convert("L").resize((_SIDE + 1, _SIDE), Image.Resampling.BOX)
    level = small.tobytes()
    bits = 0
    for row in range(_SIDE):
        start = row * (_SIDE + 1)
        for at in range(start, start + _SIDE):
            bits = bits << 1 | (level[at] > level[at + 1] + _MARGIN)
    colour = bytes(round(mean) for mean in ImageStat.Stat(seen).mean)
    return f"{bits:0{_SIDE * _SIDE // 4}x}{colour.hex()}"
