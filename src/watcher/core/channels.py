"""Renditions: which copies of a picture are made, and what the channels that have a name of their own want."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, TypeAlias

import yaml

Fit: TypeAlias = Literal["fit", "pad", "crop", "stretch"]
Corner: TypeAlias = Literal["top-left", "top-right", "bottom-left", "bottom-right", "centre"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """A picture that is laid over: `file` by its path, `width` in percent of the copy's, `opacity` in percent."""

    file: str
    corner: Corner = "bottom-right"
    width: float = 20.0
    opacity: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one copy is made. Sizes in pixels, `max_bytes` 0: as large as it gets.

    `fit`: "fit" makes it no larger than the box and never enlarges; "pad" fills the box with `background`;
    "crop" cuts the middle out; "stretch" takes the box's proportions. `format` "": the picture's own.
    `tell`: what is written into the copy: nothing, that a model made it, or the prompt too.
    """

    name: str
    width: int
    height: int
    fit: Fit = "fit"
    background: str = "white"
    format: str = "jpeg"
    quality: int = 90
    max_bytes: int = 0
    watermark: Watermark | None = None
    tell: Literal["nothing", "source", "prompt"] = "source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a copy may tell of how its picture came to be. `edited`: from a picture of somebody's."""

    model: str
    prompt: str
    edited: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """A copy that was made, or the `problem` why not. `file` is relative to the job's folder; `quality` 0:
    the format has none. `remark`: what the copy lacks that its picture has.
    """

    channel: str
    file: str = ""
    width: int = 0
    height: int = 0
    bytes: int = 0
    quality: int = 0
    remark: str = ""
    problem: str = ""


def size_recipe(size: str) -> Recipe:
    """The copy for a row that asked for a size ("512x512") which is no longer made."""
    width, height = map(int, size.split("x"))
    return Recipe(name=size, width=width, height=height, fit="stretch", format="", quality=92,
                  tell="nothing")  # fmt: skip


@cache
def presets() -> Mapping[str, Mapping[str, Any]]:
    """What `channels.yaml` says, by channel."""
    text = files("watcher.core.data").joinpath("channels.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return found
