"""Drawings become files of the format that was asked for, each with its prompt inside.

`read_description` finds that prompt again, so that a file can be shown to belong to its row. The
whole prompt stands in PNG, WebP, GIF and SVG; JPEG has room for the first 60,000 bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from html import unescape

from PIL import ExifTags, Image, PngImagePlugin

from watcher.sandbox.asked import PicturesAsked, faces
from watcher.sandbox.drawing import draw, draw_edit, svg
from watcher.sandbox.grain import grained_png, international_text

_JPEG_ROOM = 60_000
_KEY = "Description"


def render(asked: PicturesAsked, label: str, call: str, *, wanted: int | None = None) -> bytes:
    """One picture as a file. `call` makes it different from the same picture of another call.

    `wanted`: about how many bytes a PNG takes; None: as few as it needs.
    """
    save = _SAVE[asked.output_format]
    if wanted and asked.output_format == "png" and not asked.transparent:
        return grained_png(_drawing(asked, label).convert("RGB"), wanted, _texts(asked, call))
    return save(asked, label, call)


def blank(asked: PicturesAsked) -> bytes:
    """A PNG of one plain colour."""
    return _saved(Image.new("L", (asked.width, asked.height), 200), "PNG")


def read_description(content: bytes) -> str:
    """The prompt that a picture of the sandbox was drawn for; "" when it holds none."""
    if content.startswith(b"<svg"):
        found = re.search(r"<desc>(.*?)</desc>", content.decode(), re.DOTALL)
        return unescape(found[1]) if found else ""
    with Image.open(io.BytesIO(content)) as picture:
        if picture.format == "GIF":
            return bytes(picture.info.get("comment", b"")).partition(b"\0")[0].decode()
        if picture.format == "PNG":
            picture.load()
            return str(picture.info.get(_KEY, ""))
        written = picture.getexif().get(ExifTags.Base.ImageDescription, "")
        return str(written).encode("latin-1").decode(errors="ignore")


def _drawing(asked: PicturesAsked, label: str) -> Image.Image:
    return draw_edit(asked, label) if faces(asked.shown) else draw(asked, label)


def _png(asked: PicturesAsked, label: str, call: str) -> bytes:
    texts = PngImagePlugin.PngInfo()
    for text in _texts(asked, call):
        texts.add(b"iTXt", text)
    return _saved(_drawing(asked, label), "PNG", compress_level=1, pnginfo=texts)


def _jpeg(asked: PicturesAsked, label: str, call: str) -> bytes:
    picture = _drawing(asked, label).convert("RGB")
    described = _exif(asked.prompt.encode()[:_JPEG_ROOM].decode(errors="ignore"), call)
    return _saved(picture, "JPEG", quality=min(asked.compression, 95), exif=described)


def _webp(asked: PicturesAsked, label: str, call: str) -> bytes:
    picture = _drawing(asked, label).convert("RGBA" if asked.transparent else "RGB")
    return _saved(
        picture, "WEBP", quality=asked.compression, method=0, exif=_exif(asked.prompt, call)
    )


def _gif(asked: PicturesAsked, label: str, call: str) -> bytes:
    frames = [draw(asked, label, shift=number / asked.frames) for number in range(asked.frames)]
    comment = f"{asked.prompt}\0{call}".encode()
    clear = {"transparency": 0, "disposal": 2} if asked.transparent else {}
    return _saved(
        frames[0],
        "GIF",
        save_all=True,
        append_images=frames[1:],
        duration=asked.frame_ms,
        loop=0,
        comment=comment,
        optimize=False,
        **clear,
    )


def _svg(asked: PicturesAsked, _label: str, call: str) -> bytes:
    return svg(asked).replace("</svg>", f"<!-- {call} --></svg>").encode()


_SAVE: Mapping[str, Callable[[PicturesAsked, str, str], bytes]] = {
    "png": _png,
    "jpeg": _jpeg,
    "webp": _webp,
    "gif": _gif,
    "svg": _svg,
}


def _texts(asked: PicturesAsked, call: str) -> list[bytes]:
    return [international_text(_KEY, asked.prompt), international_text("Call", call)]


def _exif(description: str, call: str) -> Image.Exif:
    exif = Image.Exif()
    # As bytes, because Pillow would write a text as ASCII.
    exif[ExifTags.Base.ImageDescription] = description.encode()
    exif[ExifTags.Base.ImageUniqueID] = call
    return exif


def _saved(picture: Image.Image, format_: str, **settings: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format_, **settings)
    return file.getvalue()
