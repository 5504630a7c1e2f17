"""A request for pictures becomes what is asked, or is refused the way the real API refuses it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from PIL import Image

from watcher.core.catalogue import Catalogue, Model
from watcher.core.jobs import Operation
from watcher.sandbox.asked import PicturesAsked, Shown, faces
from watcher.sandbox.parameters import check_parameters
from watcher.sandbox.refusals import (
    Refused,
    invalid_type,
    invalid_value,
    missing_parameter,
    model_not_found,
    unsupported_parameter,
)

# Whose shutdown dates count: the sandbox stands in for OpenAI.
PROVIDER = "openai"
_USER_ERROR = "image_generation_user_error"
_SIZE = re.compile(r"([1-9][0-9]{1,3})x([1-9][0-9]{1,3})")
_WIDE = 1.2  # from this ratio on, "auto" follows the shape of the first picture given


def find_model(
    body: Mapping[str, object], operation: Operation, catalogue: Catalogue, today: date
) -> Model:
    """The live model that `body` names, by its exact id or snapshot. Raises Refused."""
    if "model" not in body:
        raise missing_parameter("model")
    name = body["model"]
    if not isinstance(name, str):
        raise invalid_type("model", "a string", name)
    model = catalogue.find(name)
    if model is None or name not in (model.id, *model.snapshots):
        raise model_not_found(name, retired=False)
    if model.state_on(today, PROVIDER) == "retired":
        raise model_not_found(name, retired=True)
    if not model.takes(operation):
        raise Refused(
            f"The model `{name}` is not supported with this endpoint.",
            param="model",
            code="invalid_value",
        )
    return model


def check_pictures(
    body: Mapping[str, object],
    *,
    model: Model,
    operation: Operation,
    shown: tuple[Shown, ...] = (),
    mask: Image.Image | None = None,
    markup: Image.Image | None = None,
) -> PicturesAsked:
    """What `body` asks for. `shown`, `mask` and `markup` are the pictures that came with it."""
    check_parameters(body, model, operation)
    output_format = _text(body, "output_format", "png")
    gif = model.gif if output_format == "gif" else None
    frames = _number(body, "frame_count", gif.frames_default) if gif else 1
    width, height = _size(body, model, faces(shown), frames)
    _check_together(body, output_format, has_mask=mask is not None)
    return PicturesAsked(
        operation=operation,
        model=model,
        model_name=str(body["model"]),
        prompt=str(body["prompt"]),
        parameters=frozenset(body),
        shown=shown,
        n=_number(body, "n", 1),
        width=width,
        height=height,
        quality=_quality(body),
        output_format=output_format,
        compression=_number(body, "output_compression", 100),
        transparent=_transparent(body, model, output_format),
        fidelity=_text(body, "input_fidelity", ""),
        frames=frames,
        frame_ms=_number(body, "frame_duration_ms", 200),
        mask=mask,
        markup=markup,
    )


def _text(body: Mapping[str, object], name: str, default: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else default


def _number(body: Mapping[str, object], name: str, default: int) -> int:
    value = body.get(name)
    return value if isinstance(value, int) else default


def _quality(body: Mapping[str, object]) -> str:
    quality = _text(body, "quality", "auto")
    return "medium" if quality == "auto" else quality


def _size(
    body: Mapping[str, object], model: Model, given: list[Image.Image], frames: int
) -> tuple[int, int]:
    size = _text(body, "size", "auto" if model.size.auto else "1024x1024")
    if size == "auto" and model.size.auto:
        return (720, 720) if frames > 1 else _size_like(given)
    written = _SIZE.fullmatch(size)
    if written is None:
        raise invalid_value("size", f"Invalid size '{size}'. {model.size.allowed()}.")
    width, height = int(written[1]), int(written[2])
    problem = (
        model.gif.problem(width, height, frames)
        if frames > 1 and model.gif
        else model.size.problem(width, height)
    )
    if problem:
        raise invalid_value("size", f"Invalid size '{size}'. {problem}")
    return width, height


def _size_like(given: list[Image.Image]) -> tuple[int, int]:
    """What "auto" chooses: the standard size whose shape is closest to the first picture."""
    ratio = given[0].width / given[0].height if given else 1.0
    if ratio >= _WIDE:
        return 1536, 1024
    return (1024, 1536) if ratio <= 1 / _WIDE else (1024, 1024)


def _transparent(body: Mapping[str, object], model: Model, output_format: str) -> bool:
    if _text(body, "background", "auto") != "transparent":
        return False
    why = ""
    if "transparent" not in model.backgrounds:
        why = "Transparent background is not supported for this model."
    elif output_format == "jpeg":
        why = "Transparent background is not supported for JPEG output format."
    if why:
        raise invalid_value("background", why, code=None, kind=_USER_ERROR)
    return True


def _check_together(body: Mapping[str, object], output_format: str, *, has_mask: bool) -> None:
    """Rules on two parameters at once."""
    if output_format != "gif":
        for name in ("frame_count", "frame_duration_ms"):
            if name in body:
                raise invalid_value(name, f"'{name}' is only supported with output_format 'gif'.")
    if output_format not in ("jpeg", "webp") and _number(body, "output_compression", 100) < 100:  # noqa: PLR2004 - per cent
        raise invalid_value(
            "output_compression",
            f"Compression less than 100 is not supported for {output_format.upper()} output format.",
        )
    if output_format == "gif" and has_mask:
        raise invalid_value("mask", "A mask is not supported with output_format 'gif'.")
    if output_format == "svg" and _number(body, "n", 1) != 1:
        raise invalid_value("n", "Only n=1 is supported with output_format 'svg'.")
    if "svg" in body:
        # The sandbox is a project without a choice of author models, where the object must be left out.
        raise unsupported_parameter("svg")
    if body.get("stream"):
        raise invalid_value("stream", "The sandbox answers in one piece: leave 'stream' out.")
    if body.get("partial_images") is not None:
        raise invalid_value("partial_images", "'partial_images' needs 'stream': true.")
