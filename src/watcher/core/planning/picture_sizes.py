"""The size of the pictures of a row: read, checked against the model's rule, mended or refused."""

from __future__ import annotations

from watcher.core.catalogue import Model
from watcher.core.jobs import Operation
from watcher.core.planning.draft import Draft, wrong_type
from watcher.core.planning.rules import Refused, Said
from watcher.core.planning.values import as_integer, as_size, as_word, shown
from watcher.core.sizes import GifRule, edges

DEFAULT_SIZE = "1024x1024"
_NEARER = {"row": 0, "drop": 1, "inbox": 2}  # who is heard first


def settle_size(draft: Draft) -> None:
    """Always said, as `size`; an edit without one keeps the shape of its picture.

    What an unknown model makes of "auto" is not known either: nothing is said then.
    """
    said = _said_size(draft)
    model = draft.model
    if said is None:
        if draft.operation is Operation.GENERATE or model is not None:
            draft.put("size", _default_size(draft))
        return
    size = as_size(said.value)
    if size is None:
        raise wrong_type(said, "a size such as 1024x1024")
    used = size if model is None else _legal(draft, said, size, model)
    if used == size and as_word(said.value) != size:
        draft.adjust(said, size, "the API's way to write it")
    draft.put("size", used, said)


def _said_size(draft: Draft) -> Said | None:
    """`size`, or width and height together."""
    said = draft.said.get("size")
    width, height = draft.said.get("width"), draft.said.get("height")
    if width is None or height is None:
        lone = width or height
        if lone is not None and said is None:
            draft.leave_out(lone, "width and height are wanted together")
        return said
    if said is not None and _NEARER[said.by] <= min(_NEARER[width.by], _NEARER[height.by]):
        return said
    pair = [as_integer(each.value) for each in (width, height)]
    for each, number in zip((width, height), pair, strict=True):
        if number is None or number < 1:
            raise wrong_type(each, "a whole number of pixels")
    return Said(
        column=f"{width.column}, {height.column}", value=f"{pair[0]}x{pair[1]}", by=width.by
    )


def _default_size(draft: Draft) -> str:
    model = draft.model
    gif = _gif(draft)
    if gif:
        return gif.largest(*edges(DEFAULT_SIZE), _frames(draft, gif))
    if draft.operation is Operation.EDIT and model is not None and model.size.auto:
        return "auto"
    return DEFAULT_SIZE


def _legal(draft: Draft, said: Said, size: str, model: Model) -> str:
    """The size itself, or the one it is mended to. Raises Refused when there is none."""
    if size == "auto":
        return _legal_auto(draft, said, model)
    gif = _gif(draft)
    broken = (
        gif.problem(*edges(size), _frames(draft, gif)) if gif else model.size.problem(*edges(size))
    )
    if not broken:
        return size
    if gif:
        return _smaller_frames(draft, said, size, gif)
    used = draft.catalogue.legacy.size.get(size, "")
    if not used or model.size.problem(*edges(used)):
        nearest = model.size.nearest(*edges(size))
        raise Refused(
            "size_not_allowed",
            f"{said.column}: {shown(said.value)} is not made by {draft.model_name}. {broken}",
            f"Allowed: {model.size.allowed()}; {nearest} comes closest.",
            said.column,
        )
    return _mended(draft, said, size, used)


def _mended(draft: Draft, said: Said, size: str, used: str) -> str:
    """An old size: a smaller one of the same shape is made from the larger picture here."""
    (width, height), (new_width, new_height) = edges(size), edges(used)
    if width * new_height == height * new_width:
        draft.resize_to = size
        draft.adjust(
            said, used, f"{draft.model_name} makes no {size}; a copy of that size is made here"
        )
    else:
        draft.adjust(said, used, f"{draft.model_name} makes no {size}; this comes closest")
    return used


def _legal_auto(draft: Draft, said: Said, model: Model) -> str:
    if model.size.auto:
        return "auto"
    draft.adjust(said, DEFAULT_SIZE, f"{draft.model_name} chooses no size itself")
    return DEFAULT_SIZE


def _smaller_frames(draft: Draft, said: Said, size: str, gif: GifRule) -> str:
    frames = _frames(draft, gif)
    width, height = edges(size)
    used = gif.largest(width, height, frames) if width and height else size
    if gif.problem(*edges(used), frames):
        raise Refused(
            "size_not_allowed",
            f"{said.column}: {shown(said.value)} is not made as gif. {gif.problem(width, height, frames)}",
            f"{gif.largest(*edges(DEFAULT_SIZE), frames)} is possible.",
            said.column,
        )
    draft.adjust(said, used, f"{frames} frames share one sheet")
    return used


def _gif(draft: Draft) -> GifRule | None:
    is_gif = draft.parameters.get("output_format") == "gif"
    return draft.model.gif if draft.model and is_gif else None


def _frames(draft: Draft, gif: GifRule) -> int:
    frames = draft.parameters.get("frame_count")
    return frames if isinstance(frames, int) else gif.frames_default
