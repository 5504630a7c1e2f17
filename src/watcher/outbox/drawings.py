"""SVG: whether bytes are a whole drawing, and how large it says it is. Nothing in it is run or fetched."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count
from xml.parsers import expat

_MAX_BYTES = 16_000_000
_START = re.compile(
    rb"\s*(?:<\?xml[^>]{0,200}\?>\s*)?(?:(?:<!--.{0,4000}?-->|<!DOCTYPE\s+svg[^>]{0,2000}>)\s*)*"
    rb"<(?:[a-z]+:)?svg[\s>/]",
    re.DOTALL,
)
_LENGTH = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:px)?\s*")
_BOX = 4  # numbers of a viewBox


def is_drawing(content: bytes) -> bool:
    """Whether the text begins as SVG does."""
    return bool(_START.match(content[:8192].removeprefix(b"\xef\xbb\xbf")))


def size_of_drawing(content: bytes) -> tuple[int, int]:
    """Width and height in pixels, 0 where the drawing does not say.

    Raises ValueError with a sentence: cut short, no XML, too large, or with entities of its own.
    """
    if len(content) > _MAX_BYTES:
        raise ValueError("The SVG drawing is larger than 16 MB.")
    root: dict[str, str] = {}
    parser = expat.ParserCreate()
    parser.StartElementHandler = _taking_first(root)
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise ValueError("The SVG drawing is damaged or cut short.") from error
    return _size(root)


def _taking_first(root: dict[str, str]) -> Callable[[str, dict[str, str]], None]:
    """Remembers the attributes of the first element, of many."""
    elements = count()

    def begun(_name: str, attributes: dict[str, str]) -> None:
        if next(elements) == 0:
            root.update(attributes)

    return begun


def _refuse(*_declared: object) -> None:
    """An entity can make a small file endless, or fetch another."""
    raise ValueError("The SVG drawing declares entities of its own, which is not opened here.")


def _size(attributes: dict[str, str]) -> tuple[int, int]:
    lengths = [_LENGTH.fullmatch(attributes.get(name, "")) for name in ("width", "height")]
    if all(lengths):
        width, height = (round(float(length[1])) for length in lengths if length)
        return width, height
    box = re.split(r"[\s,]+", attributes.get("viewBox", "").strip())
    if len(box) == _BOX and all(map(_LENGTH.fullmatch, box[2:])):
        return round(float(box[2])), round(float(box[3]))
    return 0, 0
