"""What a call will cost, from estimates, and what it did cost, from the tokens that the API counted.

Unknown is None, never nothing: a model without a price, an answer without usage.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal

from watcher.core.catalogue import Catalogue, Model, Price
from watcher.core.jobs import Item, Operation, Usage
from watcher.core.sizes import edges

_PER_TOKEN = Decimal("0.000001")  # prices are for a million tokens
_BYTES_PER_TOKEN = 4  # of a prompt: a rule of thumb for Latin script, and fair for others
_BASE_SIZE = "1024x1024"
# What "auto" may turn out to be: the API decides, so the dearest counts.
_AUTO_SIZES = (_BASE_SIZE, "1536x1024", "1024x1536")
_AUTO_QUALITY = "high"


def cost_usd(usage: Usage | None, model: str, catalogue: Catalogue) -> Decimal | None:
    """US dollars of one answered call; None when its usage or the model's price is unknown."""
    known = catalogue.find(model)
    if usage is None or known is None or known.price is None:
        return None
    return _dollars(usage, known.price)


def estimate_usd(item: Item, catalogue: Catalogue) -> Decimal | None:
    """US dollars that asking for the item once will cost, all its pictures; None when unknown."""
    model = catalogue.find(item.model)
    usage = estimate_usage(item, catalogue)
    if usage is None or model is None or model.price is None:
        return None
    return _dollars(usage, model.price)


def estimate_usage(item: Item, catalogue: Catalogue) -> Usage | None:
    """Tokens that asking for the item once will take, all its pictures; None when unknown."""
    model = catalogue.find(item.model)
    if model is None:
        return None
    pictures_in, out = _reference_tokens(item, model), _answer_tokens(item, model)
    if pictures_in is None or out is None:
        return None
    text = math.ceil(len(item.prompt.encode("utf-8", "replace")) / _BYTES_PER_TOKEN)
    analyze = item.operation is Operation.ANALYZE
    return Usage(
        text_in=text,
        image_in=pictures_in,
        image_out=0 if analyze else out,
        text_out=out if analyze else 0,
    )


def _dollars(usage: Usage, price: Price) -> Decimal:
    return _PER_TOKEN * (
        usage.text_in * price.text_in
        + usage.image_in * price.image_in
        + usage.image_out * price.image_out
        + usage.text_out * price.text_out
    )


def _reference_tokens(item: Item, model: Model) -> int | None:
    """Tokens of the pictures that are given; a mask is not counted as one."""
    count = len(item.images) + bool(item.markup)
    if not count:
        return 0
    fidelity = str(item.parameters.get("input_fidelity", ""))
    each = model.reference_tokens.get(fidelity, model.reference_tokens.get(""))
    return None if each is None else count * each


def _answer_tokens(item: Item, model: Model) -> int | None:
    """Tokens of what is made: text up to its limit, or n pictures."""
    if item.operation is Operation.ANALYZE:
        limit = item.parameters.get("max_tokens")
        return limit if isinstance(limit, int) else None
    if item.parameters.get("output_format") == "svg":
        return None  # adds the tokens of a text model that are not known before
    quality = str(item.parameters.get("quality", "auto"))
    table = model.output_tokens.get(_AUTO_QUALITY if quality == "auto" else quality)
    each = _picture_tokens(_sheet(item, model), table or {})
    return None if each is None else item.n * each


def _sheet(item: Item, model: Model) -> str:
    """The size of what is really drawn: for moving pictures the sheet of all frames."""
    size = str(item.parameters.get("size", "auto"))
    if item.parameters.get("output_format") != "gif" or model.gif is None or size == "auto":
        return size
    frames = item.parameters.get("frame_count", model.gif.frames_default)
    columns, rows = model.gif.sheet(frames if isinstance(frames, int) else 0)
    width, height = edges(size)
    return f"{width * columns}x{height * rows}"


def _picture_tokens(size: str, table: Mapping[str, int]) -> int | None:
    if size in table:
        return table[size]
    if size == "auto":
        return max((table[each] for each in _AUTO_SIZES if each in table), default=None)
    if _BASE_SIZE not in table:
        return None
    # Published figures grow with the edge, not with the area: 2048x2048 takes twice 1024x1024.
    width, height = edges(size)
    base_width, base_height = edges(_BASE_SIZE)
    growth = math.sqrt(width * height / (base_width * base_height))
    return math.ceil(table[_BASE_SIZE] * growth)
