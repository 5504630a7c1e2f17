"""Settings of one kind of copy: a channel that is known by its name, or one of the operator's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from PIL import ImageColor
from pydantic import AfterValidator, Field, model_validator

from watcher.core.channels import Corner, presets
from watcher.settings.values import Bytes, Count, Section

_LARGEST = 12_000


def _colour(value: str) -> str:
    if value != "transparent":
        try:
            ImageColor.getrgb(value)
        except ValueError:
            raise ValueError("transparent, a colour's name, or one such as #f6f3ec") from None
    return value


ChannelName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=40)]
Colour: TypeAlias = Annotated[str, AfterValidator(_colour)]
Side: TypeAlias = Annotated[Count, Field(le=_LARGEST)]
Share: TypeAlias = Annotated[float, Field(gt=0, le=100)]


class Watermark(Section):
    """A picture that is laid over each copy."""

    file: Path = Field(description="a PNG with transparency")
    corner: Corner = Field(default="bottom-right", description="where it stands")
    width: Share = Field(default=20, description="percent of the copy's width")
    opacity: Share = Field(default=60, description="percent")


class Rendition(Section):
    """One local conversion of every picture."""

    name: ChannelName = Field(
        description=f"the folder below renditions/; {', '.join(presets())} bring what else is said here"
    )
    width: Side = Field(description="pixels")
    height: Side = Field(description="pixels")
    fit: Literal["fit", "pad", "crop"] = Field(
        default="fit",
        description="fit: within the box, never enlarged; pad: the rest of the box is filled; crop: what is over is cut off",
    )
    background: Colour = Field(
        default="white", description="what pads, and lies under transparency"
    )
    format: Literal["jpeg", "png", "webp"] = Field(default="jpeg", description="the file format")
    quality: int = Field(default=90, ge=25, le=100, description="of jpeg and webp, at the most")
    max_bytes: Bytes | None = Field(
        default=None, description="such as 10MB: the quality goes down to 25 for it"
    )
    watermark: Watermark | None = Field(default=None, description="a picture that is laid over")
    tell: Literal["nothing", "source", "prompt"] = Field(
        default="source",
        description="what is written into the copy (XMP): nothing; that a model made it, and which; the prompt too",
    )

    @model_validator(mode="before")
    @classmethod
    def _known_channel(cls, value: object) -> object:
        """What a known channel wants, where the settings do not say otherwise."""
        if not isinstance(value, Mapping):
            return value
        return {**presets().get(str(value.get("name")), {}), **value}
