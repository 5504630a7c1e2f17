"""What the sandbox draws: the prompt on a colour field that is the prompt's own, and SANDBOX in a corner.

The same prompt always gets the same colours and shapes; another prompt gets others.
"""

from __future__ import annotations

import hashlib
import math
import textwrap
from collections.abc import Sequence
from colorsys import hls_to_rgb
from dataclasses import dataclass
from functools import lru_cache
from html import escape

from PIL import Image, ImageDraw, ImageFont, ImageOps

from watcher.sandbox.asked import PicturesAsked, faces

MARK = "SANDBOX"
_SHAPES = 6
_INK = 255  # the last tone of the ramp
_SHADE = 96  # tones up to here run from the field's colour to the second one
_LONGEST_TEXT = 1200  # characters that are drawn; the file carries all of them
_LEAST_LETTER = 13  # pixels

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of a prompt."""

    field: Colour
    shade: Colour
    ink: Colour = (255, 255, 255)

    def ramp(self) -> list[int]:
        """256 RGB triples: field to shade, then to ink, so that soft edges stay soft."""
        tones = (
            _mix(self.field, self.shade, tone / _SHADE)
            if tone <= _SHADE
            else _mix(self.shade, self.ink, (tone - _SHADE) / (_INK - _SHADE))
            for tone in range(256)
        )
        return [part for tone in tones for part in tone]


@dataclass(frozen=True, slots=True)
class Shape:
    """A disc (or, with `square`, a block) in fractions of the picture, in a tone of the ramp."""

    x: float
    y: float
    radius: float
    tone: int
    square: bool

    def box(self, width: int, height: int) -> Box:
        """Left, top, right, bottom in pixels."""
        reach = self.radius * min(width, height)
        x, y = self.x * width, self.y * height
        return x - reach, y - reach, x + reach, y + reach


def palette_of(prompt: str) -> Palette:
    """Two dark colours by the prompt's hash, so that white letters stand out."""
    digest = _digest(prompt)
    hue = int.from_bytes(digest[:2]) / 2**16
    light = 0.24 + digest[2] / 255 * 0.12
    return Palette(_rgb(hue, light, 0.55), _rgb(hue + 0.12 + digest[3] / 1000, light + 0.15, 0.5))


def shapes_of(prompt: str) -> list[Shape]:
    """Some shapes by the prompt's hash, from behind to the front."""
    digest = _digest(prompt)
    fields = (digest[4 + 4 * number : 8 + 4 * number] for number in range(_SHAPES))
    return [
        Shape(x / 255, y / 255, 0.12 + radius / 255 * 0.25, 20 + number * 13, bool(kind & 1))
        for number, (x, y, radius, kind) in enumerate(fields)
    ]


def draw(asked: PicturesAsked, label: str, *, shift: float = 0.0) -> Image.Image:
    """The picture without its edit: palette mode, 256 tones of one ramp.

    `label` stands beside the mark; `shift` moves the shapes sideways, as a fraction of the width.
    """
    picture = Image.new("L", (asked.width, asked.height), 0)
    pen = ImageDraw.Draw(picture)
    for shape in shapes_of(asked.prompt):
        moved = Shape((shape.x + shift) % 1.0, shape.y, shape.radius, shape.tone, shape.square)
        shape_pen = pen.rectangle if shape.square else pen.ellipse
        shape_pen(moved.box(asked.width, asked.height), fill=shape.tone)
    _write(pen, asked, faces(asked.shown))
    _mark(pen, asked, label)
    picture.putpalette(palette_of(asked.prompt).ramp())
    if asked.transparent:
        # How opaque each tone is: the field not at all, shapes and letters wholly.
        picture.info["transparency"] = bytes(min(255, tone * 12) for tone in range(256))
    return picture


def draw_edit(asked: PicturesAsked, label: str) -> Image.Image:
    """The picture with those that were given inside it; what the mask frees is tinted."""
    picture = draw(asked, label).convert("RGBA" if asked.transparent else "RGB")
    given = faces(asked.shown)
    pen = ImageDraw.Draw(picture)
    for number, (face, box) in enumerate(zip(given, _insets(asked, len(given)), strict=True)):
        inset = _contained(face, box)
        if number == 0:
            _overlay(inset, asked)
        left = box[0] + (box[2] - box[0] - inset.width) // 2
        top = box[1] + (box[3] - box[1] - inset.height) // 2
        picture.paste(inset, (left, top), inset)
        frame = (left - 2, top - 2, left + inset.width + 1, top + inset.height + 1)
        pen.rectangle(frame, outline="white", width=2)
    return picture


def svg(asked: PicturesAsked) -> str:
    """The same picture as a drawing of shapes and letters."""
    width, height = asked.width, asked.height
    palette = palette_of(asked.prompt)
    letter, lines = _fit(asked.prompt[:_LONGEST_TEXT], width * 0.86, height * 0.7)
    shapes = "".join(_svg_shape(shape, palette, width, height) for shape in shapes_of(asked.prompt))
    field = (
        ""
        if asked.transparent
        else f'<rect width="100%" height="100%" fill="{_hex(palette.field)}"/>'
    )
    rows = "".join(
        f'<tspan x="{width * 0.07:.0f}" dy="{letter * 1.3:.1f}">{escape(line)}</tspan>'
        for line in lines
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f"<title>{MARK}</title><desc>{escape(asked.prompt)}</desc>{field}{shapes}"
        f'<text y="{height * 0.1:.0f}" font-family="sans-serif" font-size="{letter}" fill="#fff">{rows}</text>'
        f'<text x="{width * 0.95:.0f}" y="{height * 0.97:.0f}" text-anchor="end" font-family="sans-serif"'
        f' font-size="{height * 0.03:.0f}" fill="#fff">{MARK}</text></svg>'
    )


def _write(pen: ImageDraw.ImageDraw, asked: PicturesAsked, given: Sequence[Image.Image]) -> None:
    """The prompt, large enough to read, above the pictures that were given."""
    room = 0.22 if given else 0.8
    letter, lines = _fit(asked.prompt[:_LONGEST_TEXT], asked.width * 0.86, asked.height * room)
    pen.multiline_text(
        (asked.width * 0.07, asked.height * 0.06),
        "\n".join(lines),
        font=_font(letter),
        fill=_INK,
        spacing=letter * 0.25,
    )


def _mark(pen: ImageDraw.ImageDraw, asked: PicturesAsked, label: str) -> None:
    words = f"{label}  {MARK}".strip()
    letter = max(_LEAST_LETTER, round(min(asked.width, asked.height) * 0.03))
    at = (asked.width * 0.96, asked.height * 0.97)
    pen.text(at, words, font=_font(letter), fill=_INK, anchor="rs")


@lru_cache(maxsize=1024)
def _fit(prompt: str, width: float, height: float) -> tuple[int, list[str]]:
    """A size of letters in pixels, and the prompt in lines that fit; the end is cut when nothing does."""
    text = "".join(sign if sign.isprintable() else " " for sign in prompt)
    letter = max(_LEAST_LETTER, round(width / 12))
    # One measurement serves all sizes: letters grow evenly.
    broad = max(_font(100).getlength(text) / 100 / max(len(text), 1), 0.3) * 1.08
    while True:
        lines = textwrap.wrap(text, max(1, int(width / (broad * letter))))
        room = max(1, int(height / (letter * 1.3)))
        if len(lines) <= room:
            return letter, lines
        if letter <= _LEAST_LETTER:
            return letter, [*lines[: room - 1], "…"]
        letter = max(_LEAST_LETTER, letter * 4 // 5)


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """DejaVu Sans where the system has it, for its many scripts; else the one that Pillow brings."""
    try:
        return ImageFont.truetype("DejaVuSans.ttf", size)
    except OSError:
        return ImageFont.load_default(size)


def _insets(asked: PicturesAsked, count: int) -> list[tuple[int, int, int, int]]:
    """Boxes side by side, in as many rows as a square grid has, below the prompt."""
    columns = max(1, math.ceil(math.sqrt(count)))
    rows = max(1, math.ceil(count / columns))
    left, top = asked.width * 0.07, asked.height * 0.32
    wide, high = asked.width * 0.86 / columns, asked.height * 0.58 / rows
    places = (
        (left + wide * (number % columns), top + high * (number // columns))
        for number in range(count)
    )
    return [
        (round(x) + 4, round(y) + 4, round(x + wide) - 4, round(y + high) - 4) for x, y in places
    ]


def _contained(face: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """The face as RGBA, as large as fits into the box."""
    factor = min((box[2] - box[0]) / face.width, (box[3] - box[1]) / face.height)
    size = max(1, round(face.width * factor)), max(1, round(face.height * factor))
    if face.mode in ("RGB", "L"):
        return face.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0).convert("RGBA")
    return face.convert("RGBA").resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)


def _overlay(inset: Image.Image, asked: PicturesAsked) -> None:
    """Tints what the mask frees, and lays the markup on top."""
    if asked.mask is not None:
        free = ImageOps.invert(asked.mask.getchannel("A")).resize(inset.size)
        inset.paste(palette_of(asked.prompt).shade, mask=free)
    if asked.markup is not None:
        inset.alpha_composite(asked.markup.resize(inset.size))


def _svg_shape(shape: Shape, palette: Palette, width: int, height: int) -> str:
    left, top, right, bottom = shape.box(width, height)
    corner = 0 if shape.square else (right - left) / 2
    fill = _hex(_mix(palette.field, palette.shade, shape.tone / _SHADE))
    return (
        f'<rect x="{left:.0f}" y="{top:.0f}" width="{right - left:.0f}" height="{bottom - top:.0f}"'
        f' rx="{corner:.0f}" fill="{fill}"/>'
    )


def _digest(prompt: str) -> bytes:
    return hashlib.sha256(prompt.encode()).digest()


def _rgb(hue: float, light: float, strength: float) -> Colour:
    red, green, blue = hls_to_rgb(hue % 1.0, light, strength)
    return round(red * 255), round(green * 255), round(blue * 255)


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
