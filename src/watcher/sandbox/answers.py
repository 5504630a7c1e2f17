"""Bodies of good answers, and what a fault makes of them on their way out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import orjson
import pybase64
from starlette.responses import Response

from watcher.core.jobs import Usage
from watcher.sandbox.asked import PicturesAsked
from watcher.sandbox.faultbook import Struck
from watcher.sandbox.misbehaving import proxy_page
from watcher.sandbox.tokens import usage_body
from watcher.sandbox.wire import Reset, Truncated

# Keeps a picture of a media type, and tells where it can be fetched.
Address = Callable[[bytes, str], str]


def pictures_body(
    asked: PicturesAsked,
    pictures: Sequence[bytes],
    usage: Usage,
    *,
    created: int,
    kind: str,
    address: Address,
) -> dict[str, object]:
    """The body of an images answer. `kind`: the fault that strikes, "" for none."""
    return {
        "created": created,
        "background": "transparent" if asked.transparent else "opaque",
        "data": [_item(content, media_type(asked), kind, address) for content in pictures],
        "output_format": asked.output_format,
        "quality": asked.quality,
        "size": f"{asked.width}x{asked.height}",
        "usage": usage_body(usage),
    }


def media_type(asked: PicturesAsked) -> str:
    return "image/svg+xml" if asked.output_format == "svg" else f"image/{asked.output_format}"


def delivered(body: dict[str, object], struck: Struck) -> Response:
    """The answer as it leaves: whole, without its usage, cut, or not at all."""
    if struck.fault is not None and struck.fault.status:
        return proxy_page(struck.fault)
    if struck.kind == "no_usage":
        del body["usage"]
    if struck.kind == "zero_usage":
        body["usage"] = _zeros(body["usage"])
    answers = {"reset": Reset, "truncated": Truncated}
    return answers.get(struck.kind, Response)(orjson.dumps(body), media_type="application/json")


def _item(content: bytes, kind_of_picture: str, kind: str, address: Address) -> dict[str, object]:
    """One entry of `data`."""
    if kind == "url":
        return {"url": address(content, kind_of_picture)}
    written = pybase64.b64encode(content)
    prefix = f"data:{kind_of_picture};base64,".encode()
    if kind == "data_url":
        return {"url": (prefix + written).decode()}
    if kind == "data_prefix":
        written = prefix + written
    # As a fragment it is not looked through again for signs to escape: base64 has none.
    return {"b64_json": orjson.Fragment(b'"' + written + b'"')}


def _zeros(usage: object) -> object:
    return {name: _zeros(value) for name, value in usage.items()} if isinstance(usage, dict) else 0
