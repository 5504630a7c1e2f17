"""Request bodies, bounded: JSON objects and multipart forms, as fields and files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser

import orjson
from starlette.requests import Request

from watcher.sandbox.refusals import Refused, invalid_type, invalid_value

MAX_BODY = 256 * 2**20
MAX_PARTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file of a form."""

    name: str
    content: bytes
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A body: fields by name, and files in their order. `multipart`: all fields are texts."""

    fields: dict[str, object]
    files: Sequence[Upload] = ()
    multipart: bool = False


async def read_form(request: Request) -> Form:
    """The body as JSON or as a form, by its Content-Type. Raises Refused."""
    header = Message()
    header["content-type"] = request.headers.get("content-type", "")
    kind = header.get_content_type()
    if kind == "multipart/form-data":
        boundary = header.get_param("boundary", "")
        return parse_multipart(await read_body(request), str(boundary).encode())
    if kind != "application/json":
        raise Refused(
            f"Unsupported content type: '{kind}'. This API method only accepts 'application/json' or 'multipart/form-data' requests.",
            code="unsupported_content_type",
        )
    return Form(fields=parse_json(await read_body(request)))


async def read_json(request: Request) -> dict[str, object]:
    """The body as a JSON object. Raises Refused."""
    form = await read_form(request)
    if form.multipart:
        raise Refused("This API method only accepts 'application/json' requests.")
    return form.fields


async def read_body(request: Request) -> bytes:
    """All bytes of the body. Raises Refused (413) when they are too many."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Refused("The request is too large.", status=413, code="request_too_large")
    return bytes(body)


def parse_json(body: bytes) -> dict[str, object]:
    """A JSON object. Raises Refused for anything else."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(
            f"We could not parse the JSON body of your request: {error}. Send a JSON object with Content-Type 'application/json'."
        ) from error
    if not isinstance(found, dict):
        raise Refused("Invalid body: expected a JSON object.")
    return found


def parse_multipart(body: bytes, boundary: bytes) -> Form:
    """The fields and files of a form (RFC 7578). Raises Refused when it cannot be read."""
    mark = b"--" + boundary
    first, *parts = (b"\r\n" + body).split(b"\r\n" + mark)
    if not boundary or first.strip() or not parts or not parts[-1].startswith(b"--"):
        raise Refused("We could not parse the multipart body of your request.")
    if len(parts) > MAX_PARTS:
        raise Refused(f"Too many parts: at most {MAX_PARTS} are read.")
    fields: dict[str, object] = {}
    files = []
    for part in parts[:-1]:
        head, found, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = BytesHeaderParser().parsebytes(head)
        name = headers.get_param("name", header="content-disposition")
        if not found or not isinstance(name, str):
            raise Refused("A part of the multipart body has no name.")
        if headers.get_filename() is not None:
            files.append(Upload(name=name, content=content, content_type=_content_type(headers)))
        else:
            _add_field(fields, name, content)
    return Form(fields=fields, files=files, multipart=True)


def typed(
    fields: Mapping[str, object], integers: Sequence[str], booleans: Sequence[str]
) -> dict[str, object]:
    """The fields of a form, with the numbers and truth values that forms can only write as text."""
    truths = {"true": True, "false": False}
    return {
        name: _integer(value)
        if name in integers
        else truths.get(str(value), value)
        if name in booleans
        else value
        for name, value in fields.items()
    }


def _integer(value: object) -> object:
    text = str(value)
    return int(text) if re.fullmatch(r"-?\d{1,9}", text, re.ASCII) else value


def _content_type(headers: Message) -> str:
    return headers.get_content_type() if "content-type" in headers else "application/octet-stream"


def _add_field(fields: dict[str, object], name: str, content: bytes) -> None:
    if name in fields:
        raise invalid_value(name, duplicate(name), code="duplicate_parameter")
    try:
        fields[name] = content.decode()
    except UnicodeDecodeError as error:
        raise invalid_type(name, "a string", content) from error


def duplicate(name: str) -> str:
    """What the API says to a name that came twice."""
    return (
        f"Duplicate parameter: '{name}'. You provided multiple values for this parameter, whereas only one is allowed. "
        f"If you are trying to provide a list of values, use the array syntax instead e.g. '{name}[]=<value>'."
    )
