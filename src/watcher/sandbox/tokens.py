"""What a call is said to have used: tokens by the catalogue's estimates, in the API's own shape."""

from __future__ import annotations

import math

from watcher.core.catalogue import Model
from watcher.core.jobs import Usage
from watcher.core.sizes import edges
from watcher.sandbox.asked import PicturesAsked

_BASE = "1024x1024"
_BYTES_PER_TOKEN = 4


def text_tokens(text: str) -> int:
    """About four bytes a token, and one at least."""
    return max(1, math.ceil(len(text.encode()) / _BYTES_PER_TOKEN))


def usage_of(asked: PicturesAsked, pictures: int) -> Usage:
    """The tokens of `pictures` pictures drawn for what was asked."""
    each = asked.model.reference_tokens
    reference = each.get(asked.fidelity, each.get("", 0))
    count = len(asked.shown) + (asked.markup is not None)
    return Usage(
        text_in=text_tokens(asked.prompt),
        image_in=count * reference,
        image_out=pictures * _tokens_of_one(asked),
    )


def usage_body(usage: Usage) -> dict[str, object]:
    """`usage` of an images answer."""
    return {
        "total_tokens": usage.text_in + usage.image_in + usage.image_out,
        "input_tokens": usage.text_in + usage.image_in,
        "output_tokens": usage.image_out,
        "input_tokens_details": {"text_tokens": usage.text_in, "image_tokens": usage.image_in},
        "output_tokens_details": {"image_tokens": usage.image_out, "text_tokens": 0},
    }


def words_usage(usage: Usage, *, reasoning: int, chat: bool) -> dict[str, object]:
    """`usage` of a text answer, in the words of /responses or of /chat/completions."""
    given, made = ("prompt", "completion") if chat else ("input", "output")
    tokens_in = usage.text_in + usage.image_in
    return {
        f"{given}_tokens": tokens_in,
        f"{given}_tokens_details": {"cached_tokens": 0},
        f"{made}_tokens": usage.text_out,
        f"{made}_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": tokens_in + usage.text_out,
    }


def _tokens_of_one(asked: PicturesAsked) -> int:
    table = asked.model.output_tokens.get(asked.quality, {})
    width, height = _sheet(asked, asked.model)
    known = table.get(f"{width}x{height}")
    if known is not None:
        return known
    # Published figures grow with the edge, not with the area.
    base_width, base_height = edges(_BASE)
    growth = math.sqrt(width * height / (base_width * base_height))
    return math.ceil(table.get(_BASE, 0) * growth)


def _sheet(asked: PicturesAsked, model: Model) -> tuple[int, int]:
    """What is really drawn: for a moving picture the sheet of all its frames."""
    if asked.frames <= 1 or model.gif is None:
        return asked.width, asked.height
    columns, rows = model.gif.sheet(asked.frames)
    return asked.width * columns, asked.height * rows
