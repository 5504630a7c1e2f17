"""Which sizes a model makes, in pixels, as a rule or a list; says in words which rule a size breaks.

The rules are somebody else's (developers.openai.com, guide "image generation"); their figures are
data and stand in data/catalogue.yaml.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

from pydantic import ConfigDict


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeRule:
    """Either a list (`values`, "1024x1024") or, when that is empty, a rule on width and height."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    values: tuple[str, ...] = ()
    auto: bool = True  # whether the word "auto" is a size
    multiple_of: int = 16
    max_edge: int = 3840
    max_ratio: float = 3.0
    min_pixels: int = 655_360
    max_pixels: int = 8_294_400
    experimental_above_pixels: int = 0  # 0: nothing is experimental
    presets: tuple[str, ...] = ()  # what a person may choose from; any legal size goes

    def problem(self, width: int, height: int) -> str:
        """The rule that width×height breaks, as a sentence; "" when it breaks none."""
        if self.values:
            return "" if f"{width}x{height}" in self.values else f"Only {self.allowed()} are made."
        return self._broken_rule(width, height)

    def allowed(self) -> str:
        """What is allowed, in words that fit into a sentence."""
        if self.values:
            return ", ".join((*self.values, "auto") if self.auto else self.values)
        return (
            f"WIDTHxHEIGHT with both edges multiples of {self.multiple_of} and at most {self.max_edge}, "
            f"no longer than {self.max_ratio:g}:1, {self.min_pixels:,} to {self.max_pixels:,} pixels"
            + (", or auto" if self.auto else "")
        )

    def nearest(self, width: int, height: int) -> str:
        """The legal size that comes closest in shape, then in pixels: a suggestion for people."""
        wanted = (math.log(max(width, 1) / max(height, 1)), max(width, 1) * max(height, 1))
        return min(self._candidates(width, height), key=lambda size: _distance(size, wanted))

    def _broken_rule(self, width: int, height: int) -> str:
        step, pixels = self.multiple_of, width * height
        rules = (
            (width < 1 or height < 1, "Width and height must be at least 1 pixel."),
            (width % step or height % step, f"Width and height must be multiples of {step}."),
            (
                max(width, height) > self.max_edge,
                f"No edge may be longer than {self.max_edge} pixels.",
            ),
            (
                max(width, height) > self.max_ratio * min(width, height),
                f"The long edge may be at most {self.max_ratio:g} times the short one.",
            ),
            (
                pixels < self.min_pixels,
                f"{pixels:,} pixels are too few: at least {self.min_pixels:,}.",
            ),
            (
                pixels > self.max_pixels,
                f"{pixels:,} pixels are too many: at most {self.max_pixels:,}.",
            ),
        )
        return next((sentence for broken, sentence in rules if broken), "")

    def _candidates(self, width: int, height: int) -> list[str]:
        """Legal sizes to suggest: those of the list, the presets, and the given one scaled."""
        if self.values:
            return list(self.values)
        return [*self.presets, *self._scaled(width, height)] or ["1024x1024"]

    def _scaled(self, width: int, height: int) -> list[str]:
        """Legal sizes around the given shape, brought between the limits."""
        short = max(min(width, height), 1)
        longest = short * self.max_ratio
        wide, high = (min(max(edge, 1), longest) for edge in (width, height))
        pixels = min(max(wide * high, self.min_pixels), self.max_pixels)
        factor = min(math.sqrt(pixels / (wide * high)), self.max_edge / max(wide, high))
        steps = [_steps(edge * factor, self.multiple_of) for edge in (wide, high)]
        pairs = itertools.product(*steps)
        return [f"{w}x{h}" for w, h in pairs if not self._broken_rule(w, h)]


@dataclass(frozen=True, slots=True, kw_only=True)
class GifRule:
    """Moving pictures: the frames lie on one sheet, and the sheet obeys the size limits.

    Inferred: OpenAI prints no figures; this reproduces every published measurement.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    frames_min: int = 2
    frames_max: int = 16
    frames_default: int = 9
    duration_step_ms: int = 10
    duration_max_ms: int = 655_350
    # (most frames, columns, rows) of a sheet, by rising number of frames
    sheets: tuple[tuple[int, int, int], ...] = ((8, 4, 2), (9, 3, 3), (12, 4, 3), (16, 4, 4))
    # What the whole sheet obeys; its shape is free.
    sheet_rule: SizeRule = field(default_factory=lambda: SizeRule(max_ratio=math.inf))

    def sheet(self, frames: int) -> tuple[int, int]:
        """Columns and rows of the sheet that `frames` frames lie on."""
        grids = [(columns, rows) for most, columns, rows in self.sheets if frames <= most]
        return grids[0] if grids else self.sheets[-1][1:]

    def problem(self, width: int, height: int, frames: int) -> str:
        """The rule that frames of width×height break, as a sentence; "" when they break none."""
        step = self.sheet_rule.multiple_of
        if width < 1 or height < 1 or width % step or height % step:
            return f"Width and height must be multiples of {step}."
        columns, rows = self.sheet(frames)
        broken = self.sheet_rule.problem(width * columns, height * rows)
        return broken and f"{frames} frames lie on one sheet of {columns} by {rows}. {broken}"

    def largest(self, width: int, height: int, frames: int) -> str:
        """The largest legal frame of about that shape that is no larger: "960x960"."""
        rule, (columns, rows) = self.sheet_rule, self.sheet(frames)
        wide, high = width * columns, height * rows
        factor = min(
            1.0, rule.max_edge / max(wide, high), math.sqrt(rule.max_pixels / (wide * high))
        )
        return "x".join(str(_floor(edge * factor, rule.multiple_of)) for edge in (width, height))


def edges(size: str) -> tuple[int, int]:
    """Width and height of a written size: "1024x768" → (1024, 768). ValueError for anything else."""
    width, _, height = size.partition("x")
    return int(width), int(height)


def _floor(edge: float, step: int) -> int:
    # The small sum forgives the last digit of a square root.
    return max(step, math.floor(edge / step + 1e-9) * step)


def _steps(edge: float, step: int) -> tuple[int, int]:
    return math.floor(edge / step) * step, math.ceil(edge / step) * step


def _distance(size: str, wanted: tuple[float, int]) -> tuple[float, float]:
    width, height = edges(size)
    return (
        round(abs(math.log(width / height) - wanted[0]) / 0.03),  # shapes that look the same
        abs(math.log(width * height / wanted[1])),
    )
