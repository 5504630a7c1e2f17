"""Item → call: the one place that knows how each operation is written for each kind of server.

Promise: nothing that the profile drops is sent, nothing that is None is sent, and the caller's
item is sent as it is otherwise; it was made valid before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pybase64

from watcher.core.jobs import Call, Item, Json, Operation, Part
from watcher.core.profiles import Profile
from watcher.core.wire.chat import picture_body, text_body

_LONG_QUALITIES = frozenset({"high", "xhigh", "max", "hd"})
_LONG_FORMATS = frozenset({"gif", "svg"})
_LARGE_PIXELS = 2560 * 1440  # above it OpenAI calls a size experimental, and minutes are usual


def call_for(
    item: Item,
    profile: Profile,
    *,
    n: int | None = None,
    images: Sequence[Part] = (),
    mask: Part | None = None,
    markup: Part | None = None,
) -> Call:
    """The call that asks for `item`.

    `n` overrides the item's (asking for the rest). `images`, `mask` and `markup` are the pictures of
    the row, read already; their part names are chosen here. A picture that the server fetches itself
    (`left_to_server`) has no part. What a server refused to take is told by adding its name to
    `profile.drops`.
    """
    wanted = _fields(item, profile, n)
    urls = () if _inlines(item, profile) else _addresses(item, profile, images)
    if item.operation is Operation.ANALYZE:
        path = "responses" if profile.analyze_api == "responses" else "chat/completions"
        return Call(path=path, body=text_body(item, profile, wanted, urls), patience="analyze")
    patience = _patience(item)
    if profile.picture_api == "chat":
        body = picture_body(item, wanted, urls)
        return Call(path="chat/completions", body=body, patience=patience)
    if item.operation is Operation.GENERATE:
        return Call(path="images/generations", body=wanted, patience=patience)
    overlays = _overlays(profile, mask, markup)
    if profile.edit_transport == "json":
        body = {**wanted, **_references(urls, overlays)}
        return Call(path="images/edits", body=body, patience=patience)
    door = "inpainting" if profile.edit_transport == "inpainting" else "edits"
    parts = (*_form(wanted), *_files(profile, images, overlays))
    return Call(path=f"images/{door}", parts=parts, patience=patience)


def sent_fields(item: Item, profile: Profile, *, n: int | None = None) -> Mapping[str, Json]:
    """What a call tells besides its pictures, under the names this server uses."""
    return _fields(item, profile, n)


def left_to_server(item: Item, profile: Profile) -> tuple[str, ...]:
    """The picture addresses of a row that the server fetches itself; the others come as parts."""
    if not profile.takes_urls or _inlines(item, profile):
        return ()
    return tuple(ref for ref in item.images if ref.startswith(("http://", "https://")))


def _inlines(item: Item, profile: Profile) -> bool:
    """A multipart body holds bytes, never addresses."""
    by_form = profile.picture_api == "images" and profile.edit_transport != "json"
    return item.operation is Operation.EDIT and by_form


def _fields(item: Item, profile: Profile, n: int | None) -> dict[str, Json]:
    """Everything of the item that is no picture, under the names this server uses."""
    fields: dict[str, Json] = {"model": item.model or None, "prompt": item.prompt}
    fields["n"] = None if item.operation is Operation.ANALYZE else (n or item.n)
    fields.update(item.parameters)
    fields.update(item.extra)
    user = fields.pop("safety_identifier", None) or fields.pop("user", None)
    fields.pop("user", None)
    fields[profile.user_field] = user
    asked = None if profile.response_format == "omit" else profile.response_format
    fields["response_format"] = None if item.operation is Operation.ANALYZE else asked
    return {
        name: value
        for name, value in fields.items()
        if value is not None and name not in profile.drops
    }


def _patience(item: Item) -> str:
    quality = item.parameters.get("quality")
    large = _pixels(item.parameters.get("size")) > _LARGE_PIXELS
    if large or quality in _LONG_QUALITIES:
        return "high"
    if item.parameters.get("output_format") in _LONG_FORMATS:
        return "high"
    return "low" if quality == "low" else "medium"


def _pixels(size: Json) -> int:
    width, _, height = str(size).partition("x")
    return int(width) * int(height) if width.isdecimal() and height.isdecimal() else 0


def _addresses(item: Item, profile: Profile, images: Sequence[Part]) -> tuple[str, ...]:
    """The row's pictures in its own order: addresses where the server fetches, else data URLs."""
    inline = iter(images)
    left = set(left_to_server(item, profile)) if len(images) < len(item.images) else set()
    mixed = [ref if ref in left else _next_url(inline) for ref in item.images]
    return (*(url for url in mixed if url), *(_data_url(part) for part in inline))


def _next_url(parts: Iterator[Part]) -> str:
    part = next(parts, None)
    return _data_url(part) if part else ""


def _data_url(part: Part) -> str:
    kind = part.content_type or "image/png"
    return f"data:{kind};base64,{pybase64.b64encode_as_string(part.content)}"


def _overlays(profile: Profile, mask: Part | None, markup: Part | None) -> dict[str, Part]:
    """What is laid over the first picture, under the names this server uses."""
    takes_mask = profile.drops.isdisjoint(("mask", profile.mask_field))
    found = {
        profile.mask_field: mask if takes_mask else None,
        "markup": markup if "markup" not in profile.drops else None,
    }
    return {name: part for name, part in found.items() if part}


def _references(urls: Sequence[str], overlays: Mapping[str, Part]) -> dict[str, Json]:
    """Pictures of a JSON edit (OpenAPI `EditImageBodyJsonParam`)."""
    references: dict[str, Json] = {"images": [{"image_url": url} for url in urls]}
    for name, part in overlays.items():
        references[name] = {"image_url": _data_url(part)}
    return references


def _files(
    profile: Profile, images: Sequence[Part], overlays: Mapping[str, Part]
) -> Iterator[Part]:
    name = profile.image_field
    if name == "auto":
        name = "image" if len(images) == 1 else "image[]"
    for number, part in enumerate(images, start=1):
        yield _file(part, name, f"image-{number}")
    for field, part in overlays.items():
        yield _file(part, field, "mask" if field == profile.mask_field else field)


def _file(part: Part, name: str, stem: str) -> Part:
    """A file without a type is refused (400 unsupported_file_mimetype), one without a name is no file."""
    kind = part.content_type or "image/png"
    filename = part.filename or f"{stem}.{kind.rpartition('/')[2]}"
    return Part(name=name, content=part.content, filename=filename, content_type=kind)


def _form(fields: Mapping[str, Json]) -> Iterator[Part]:
    """Plain fields of a multipart body; nested values as `svg[model]`, lists as `name[]`."""
    for name, value in fields.items():
        if isinstance(value, Mapping):
            nested = {f"{name}[{key}]": inner for key, inner in value.items() if inner is not None}
            yield from _form(nested)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            for inner in value:
                yield from _form({f"{name}[]": inner})
        else:
            yield Part(name=name, content=_plain(value).encode())


def _plain(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
