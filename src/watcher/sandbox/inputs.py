"""The pictures that come with a call, as files or data URLs: looked at as strictly as the API does."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import pybase64
from PIL import Image

from watcher.core.catalogue import Model
from watcher.sandbox.asked import Shown
from watcher.sandbox.forms import Form, Upload, duplicate
from watcher.sandbox.refusals import (
    Refused,
    invalid_type,
    invalid_value,
    missing_parameter,
    unknown_parameter,
    unsupported_parameter,
)

MAX_DATA_URL = 20_971_520  # characters; openapi 2026-08-21, ImageRefParam
MAX_PIXELS = 80_000_000
# What Pillow raises for files that are torn, forged or far too large.
_NO_PICTURE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
_TRANSPARENT_MODES = ("LA", "RGBA", "PA")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The pictures of an edit."""

    shown: tuple[Shown, ...]
    mask: Image.Image | None = None
    markup: Image.Image | None = None


def from_files(form: Form, model: Model) -> Inputs:
    """The pictures of a multipart edit. Raises Refused."""
    _check_names(form, model)
    images = [file for file in form.files if file.name in ("image", "image[]")]
    if sum(file.name == "image" for file in images) > 1:
        raise invalid_value("image", duplicate("image"), code="duplicate_parameter")
    if not images:
        raise missing_parameter("image")
    _check_count("image", len(images), model)
    shown = tuple(_shown_file(file, model) for file in images)
    return _with_overlays(shown, _one(form, "mask", model), _one(form, "markup", model))


def from_references(form: Form, model: Model) -> Inputs:
    """The pictures of a JSON edit: `images`, `mask` and `markup` as references. Raises Refused."""
    body = form.fields
    references = body.get("images")
    if references is None:
        raise missing_parameter("images")
    if not isinstance(references, list):
        raise invalid_type("images", "an array of objects", references)
    if not references:
        raise invalid_value("images", "Invalid 'images': empty array.", code="empty_array")
    _check_count("images", len(references), model)
    shown = tuple(
        _shown_reference(one, f"images[{number}]", model) for number, one in enumerate(references)
    )
    mask, markup = (
        None if body.get(name) is None else _shown_reference(body[name], name, model)
        for name in ("mask", "markup")
    )
    if markup and not model.markup:
        raise unsupported_parameter("markup")
    return _with_overlays(shown, mask, markup)


def from_url(url: object, param: str, formats: Sequence[str], max_bytes: int) -> Shown:
    """The picture that an address names. Nothing is fetched: http(s) addresses are only named."""
    if not isinstance(url, str):
        raise invalid_type(param, "a string", url)
    if url.startswith(("http://", "https://")):
        return Shown(name=url[:200])
    kind, comma, data = url.partition(",")
    if not kind.startswith("data:image/") or not kind.endswith(";base64") or not comma:
        raise invalid_value(
            param,
            f"Invalid '{param}'. Expected a valid URL or a base64-encoded data URL of an image.",
            code="invalid_url",
        )
    if len(url) > MAX_DATA_URL:
        raise invalid_value(
            param,
            f"Invalid '{param}': string too long. Expected a string with maximum length {MAX_DATA_URL}.",
            code="string_above_max_length",
        )
    try:
        content = pybase64.b64decode(data, validate=True)
    except ValueError as error:
        raise invalid_value(
            param, f"Invalid base64 in '{param}'.", code="invalid_base64"
        ) from error
    return look(content, param, formats, max_bytes)


def look(content: bytes, param: str, formats: Sequence[str], max_bytes: int) -> Shown:
    """A picture that can be read to its end. Raises Refused."""
    if max_bytes and len(content) > max_bytes:
        raise invalid_value(
            param,
            f"Invalid image '{param}': larger than {max_bytes} bytes.",
            code="image_too_large",
        )
    try:
        picture = Image.open(io.BytesIO(content), formats=[name.upper() for name in formats])
        if picture.width * picture.height > MAX_PIXELS:
            raise _unreadable(param)
        picture.load()
    except _NO_PICTURE as error:
        raise _unreadable(param) from error
    return Shown(name=param, picture=picture, format=(picture.format or "").lower())


def _check_names(form: Form, model: Model) -> None:
    for file in form.files:
        if file.name not in ("image", "image[]", "mask", "markup"):
            raise unknown_parameter(file.name)
        if file.name == "markup" and not model.markup:
            raise unsupported_parameter("markup")
    for name in ("image", "image[]", "mask", "markup"):
        if name in form.fields:
            raise invalid_type(name, "a file", form.fields[name])


def _check_count(param: str, count: int, model: Model) -> None:
    most = model.images.max_count if model.images else 1
    if count > most:
        raise invalid_value(
            param,
            f"Invalid '{param}': array too long. Expected an array with maximum length {most}, but got an array with length {count} instead.",
            code="array_above_max_length",
        )


def _shown_file(file: Upload, model: Model, formats: Sequence[str] = ()) -> Shown:
    limits = model.images
    formats = formats or (limits.formats if limits else ("png",))
    types = [f"image/{name}" for name in formats]
    if file.content_type not in types:
        listed = ", ".join(f"'{one}'" for one in types)
        raise invalid_value(
            file.name,
            f"Invalid file '{file.name}': unsupported mimetype ('{file.content_type}'). Supported file formats are {listed}.",
            code="unsupported_file_mimetype",
        )
    return look(file.content, file.name, formats, limits.max_bytes if limits else 0)


def _one(form: Form, name: str, model: Model) -> Shown | None:
    files = [file for file in form.files if file.name == name]
    if len(files) > 1:
        raise invalid_value(name, duplicate(name), code="duplicate_parameter")
    return _shown_file(files[0], model, ("png",)) if files else None


def _shown_reference(reference: object, param: str, model: Model) -> Shown:
    if not isinstance(reference, dict):
        raise invalid_type(param, "an object", reference)
    for name in reference:
        if name not in ("image_url", "file_id"):
            raise unknown_parameter(f"{param}.{name}")
    if len(reference) != 1:
        raise invalid_value(
            param, f"Provide exactly one of 'image_url' and 'file_id' in '{param}'."
        )
    if "file_id" in reference:
        raise Refused(
            f"No such File object: {reference['file_id']}", status=404, param=f"{param}.file_id"
        )
    formats = (
        ("png",) if param in ("mask", "markup") else model.images.formats if model.images else ()
    )
    return from_url(
        reference["image_url"],
        f"{param}.image_url",
        formats,
        model.images.max_bytes if model.images else 0,
    )


def _with_overlays(shown: tuple[Shown, ...], mask: Shown | None, markup: Shown | None) -> Inputs:
    if mask and markup:
        raise invalid_value("markup", "'markup' cannot be combined with 'mask'.")
    return Inputs(
        shown=shown,
        mask=_overlay("mask", mask, shown[0]),
        markup=_overlay("markup", markup, shown[0]),
    )


def _overlay(name: str, overlay: Shown | None, first: Shown) -> Image.Image | None:
    """A mask or markup: transparent somewhere in principle, and as large as the first picture."""
    if overlay is None or overlay.picture is None:
        return None
    picture = overlay.picture
    if picture.mode not in _TRANSPARENT_MODES and "transparency" not in picture.info:
        raise _unfit(name, f"{name} must have an alpha channel.")
    if first.picture is not None and picture.size != first.picture.size:
        raise _unfit(name, f"{name} size does not match image size.")
    return picture.convert("RGBA")


def _unfit(name: str, why: str) -> Refused:
    return invalid_value(
        name, f"Invalid {name} image format - {why}", code=f"invalid_{name}_image_format"
    )


def _unreadable(param: str) -> Refused:
    return invalid_value(
        param,
        f"Invalid image file or mode for '{param}', please check your image file.",
        code="invalid_image_file",
    )
