"""Whether a picture is what was asked for, as far as a program can tell: values in, findings out.

A finding is told as an adjustment, beside what was mended before the call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from watcher.core.jobs import Adjustment, Item

Rule: TypeAlias = Literal["off", "warn", "redo"]

_BLANK = 2.0  # of 255: how far brightness and opacity stray from their means in an empty picture
_SEEN_THROUGH = 0.001  # of the pixels, at least, where a picture has a transparent part
_BITS = 10  # of 256 in which two prints may differ and look alike
_SHADES = 12  # of 255 in which their colours may
_PRINT_BITS = 256
_FORMATS = {"jpg": "jpeg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRules:
    """What is looked for, and what follows: nothing, a word in the results, or one more try."""

    transparency: Rule = "off"
    size: Rule = "off"
    blank: Rule = "off"
    duplicates: Rule = "off"

    @property
    def any(self) -> bool:
        return {self.transparency, self.size, self.blank, self.duplicates} != {"off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a picture looks like. `clear`: the share of its pixels that can be seen through, 0 to 1.
    `contrast`: how far they stray from their mean, 0 to 128. `print`: 256 bits for where it grows
    darker from left to right, and its mean colour, as hexadecimal digits.
    """

    clear: float
    contrast: float
    print: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One picture: what it claims to be and what it looks like; None where that cannot be told (SVG)."""

    file: str
    format: str
    width: int
    height: int
    look: Look | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`redo`: the inbox wants another picture for it."""

    adjustment: Adjustment
    redo: bool


def findings(
    rules: CheckRules, item: Item, one: Checked, others: Iterable[tuple[str, str]]
) -> tuple[Finding, ...]:
    """What is wrong with a picture. `others`: file and print of the job's other pictures."""
    is_blank = one.look is not None and one.look.contrast < _BLANK
    found = (
        *((rules.transparency, each) for each in _opaque(item, one)),
        *((rules.size, each) for each in _other_shape(item, one)),
        *((rules.blank, each) for each in _blank(one) if is_blank),
        *((rules.duplicates, each) for each in _twins(one, others) if not is_blank),
    )
    return tuple(
        Finding(adjustment=each, redo=rule == "redo") for rule, each in found if rule != "off"
    )


def alike(one: str, other: str) -> bool:
    """Whether two pictures can hardly be told apart, by their prints."""
    digits = _PRINT_BITS // 4
    if len(one) != len(other) or len(one) <= digits:
        return False
    differing = (int(one[:digits], 16) ^ int(other[:digits], 16)).bit_count()
    shades = zip(bytes.fromhex(one[digits:]), bytes.fromhex(other[digits:]), strict=True)
    return differing <= _BITS and all(abs(a - b) <= _SHADES for a, b in shades)


def _opaque(item: Item, one: Checked) -> Iterator[Adjustment]:
    wanted = item.parameters.get("background") == "transparent"
    if wanted and one.look is not None and one.look.clear < _SEEN_THROUGH:
        why = f"{one.file} has no transparent part"
        yield Adjustment(column="background", found="transparent", used="opaque", why=why)


def _other_shape(item: Item, one: Checked) -> Iterator[Adjustment]:
    size, real = str(item.parameters.get("size", "auto")), f"{one.width}x{one.height}"
    if "x" in size and one.width and size != real:
        yield Adjustment(column="size", found=size, used=real, why=f"{one.file} has another size")
    asked = str(item.parameters.get("output_format", one.format))
    if _FORMATS.get(asked, asked) != one.format:
        why = f"{one.file} has another format"
        yield Adjustment(column="output_format", found=asked, used=one.format, why=why)


def _blank(one: Checked) -> Iterator[Adjustment]:
    yield Adjustment(column="picture", found=one.file, used="as it is", why="it is almost blank")


def _twins(one: Checked, others: Iterable[tuple[str, str]]) -> Iterator[Adjustment]:
    if one.look is None:
        return
    for file, known in others:
        if file != one.file and alike(one.look.print, known):
            why = f"it can hardly be told from {file}"
            yield Adjustment(column="picture", found=one.file, used="as it is", why=why)
            return
