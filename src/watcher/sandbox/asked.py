"""What a checked call asks for: values that the rest of the sandbox can trust."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from watcher.core.catalogue import Model
from watcher.core.jobs import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One picture that came with a call. `picture` is None when it is only an address."""

    name: str
    picture: Image.Image | None = None
    format: str = ""

    def __str__(self) -> str:
        if self.picture is None:
            return f"a picture at {self.name}"
        return f"{self.picture.width}x{self.picture.height} {self.format}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call that may be answered. `parameters`: the names of everything that was sent."""

    operation: Operation
    model: Model
    model_name: str
    prompt: str
    parameters: frozenset[str]
    shown: tuple[Shown, ...] = ()
    n: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturesAsked(Asked):
    """Pictures to draw. Sizes in pixels; `frames` above 1: a moving picture."""

    width: int = 1024
    height: int = 1024
    quality: str = "medium"
    output_format: str = "png"
    compression: int = 100
    transparent: bool = False
    fidelity: str = ""
    frames: int = 1
    frame_ms: int = 200
    mask: Image.Image | None = None
    markup: Image.Image | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WordsAsked(Asked):
    """A text about pictures. `max_tokens` 0: as many as it takes, `reasoning` ones included."""

    max_tokens: int = 0
    reasoning: int = 0


def faces(shown: Sequence[Shown]) -> list[Image.Image]:
    """The pictures that can be looked at."""
    return [one.picture for one in shown if one.picture is not None]
