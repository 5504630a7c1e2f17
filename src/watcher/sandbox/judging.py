"""A judge for pictures: says yes or no to what it can see of a point, its shape and size, and yes to the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from PIL import Image

_LIST = re.compile(r"^====\n(.*?)\n====$", re.DOTALL | re.MULTILINE)
_POINT = re.compile(r"^\d+\. (.+)$", re.MULTILINE)
_SIZE = re.compile(r"\b(\d{2,5}) ?[x×] ?(\d{2,5})\b")

_SHAPES: dict[str, Callable[[Image.Image], bool]] = {
    "square": lambda one: one.width == one.height,
    "landscape": lambda one: one.width > one.height,
    "portrait": lambda one: one.height > one.width,
    "transparent": lambda one: "A" in one.getbands() and one.getchannel("A").getextrema()[0] == 0,
}


def points_in(prompt: str) -> list[str]:
    """The points between two lines of equals signs."""
    found = _LIST.search(prompt)
    return _POINT.findall(found[1]) if found else []


def judged(points: Sequence[str], seen: Sequence[Image.Image], *, unmet: bool) -> str:
    """A line for each point, about the first picture."""
    return "\n".join(
        f"{number}: {_said(point, seen, unmet=unmet)}" for number, point in enumerate(points, 1)
    )


def _said(point: str, seen: Sequence[Image.Image], *, unmet: bool) -> str:
    if unmet or not seen:
        return "no - SANDBOX was told so" if unmet else "no - there is no picture"
    why = _wrong(point.casefold(), seen[0])
    return f"no - {why}" if why else "yes"


def _wrong(point: str, picture: Image.Image) -> str:
    """What is to be seen instead; "" where nothing speaks against it."""
    size = _SIZE.search(point)
    if size and (int(size[1]), int(size[2])) != picture.size:
        return f"it is {picture.width}x{picture.height}"
    for shape, fits in _SHAPES.items():
        if shape in point and not fits(picture):
            return f"it is {picture.width}x{picture.height}"
    return ""
