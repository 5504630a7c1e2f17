"""An error body, in any of the shapes that servers send, as one value: what was said."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from http import HTTPStatus

import orjson

from watcher.core.jobs import Reply
from watcher.core.masking import mask

_LONGEST = 500  # characters of the provider's words that people get to read
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
# Which rule of the safety system fired is for the operator, who has the stored reply.
_VIOLATIONS = re.compile(r"\s*safety_violations=\[[^\]]*\]\.?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a server said in an error, as far as it said it.

    `status` is the one that counts: a number in `code` stands in for HTTP's 200 (OpenRouter).
    `form`: json, page (HTML), text or empty. `stage` of moderation: input, output or unknown.
    """

    status: int
    form: str
    message: str = ""
    type: str = ""
    code: str = ""
    param: str = ""
    stage: str = ""

    @property
    def words(self) -> str:
        """The provider's own words, fit to be shown; else a sentence with the status."""
        words = clean(_VIOLATIONS.sub("", self.message))
        if self.form == "page":
            page = f"a web page: “{words}”" if words else "a web page"
            return f"The server answered {self.status} with {page}."
        return words or f"The server answered {_named(self.status)} and no reason."


def hear(reply: Reply) -> Said:
    """What a reply that is not a success says. Takes any bytes."""
    try:
        data = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return _no_json(reply)
    return find_error(data, reply.status) or Said(status=reply.status, form="json")


def find_error(data: object, status: int) -> Said | None:
    """The error in a decoded body; None when there is nothing in it that looks like one."""
    if isinstance(data, list):
        data = next((entry for entry in data if isinstance(entry, dict)), None)
    if isinstance(data, str) and data:
        return Said(status=status, form="text", message=data)
    if not isinstance(data, dict):
        return None
    for key in ("error", "detail", "errors"):
        if said := _from(data.get(key), status):
            return said
    is_error = status >= HTTPStatus.BAD_REQUEST or data.get("object") == "error"
    return _from_object(data, status) if is_error else None


def looks_like_page(body: bytes) -> bool:
    start = body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head", b"<!--")) or (
        start.startswith(b"<") and b"<html" in start
    )


def clean(text: str) -> str:
    """One line of printable text without secrets, at most 500 characters."""
    shown = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text[: 8 * _LONGEST])
    line = mask(" ".join(shown.split()))
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _named(status: int) -> str:
    try:
        return f"{status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return str(status)


def _no_json(reply: Reply) -> Said:
    if looks_like_page(reply.body):
        title = _TITLE.search(reply.body[:65536])
        words = title[1].decode("utf-8", "replace") if title else ""
        return Said(status=reply.status, form="page", message=words)
    text = reply.body[:8192].decode("utf-8", "replace").strip()
    return Said(status=reply.status, form="text" if text else "empty", message=text)


def _from(value: object, status: int) -> Said | None:
    """What stands under `error`, `detail` or `errors`."""
    if isinstance(value, str) and value:
        return Said(status=status, form="json", message=value)
    if isinstance(value, dict) and value:
        inner = value.get("error")
        return _from(inner, status) if isinstance(inner, dict) else _from_object(value, status)
    if isinstance(value, list) and value:
        return _from_list(value, status)
    return None


def _from_list(entries: list[object], status: int) -> Said | None:
    """FastAPI: `[{"loc": ["body", "size"], "msg": "…", "type": "…"}]`; elsewhere a list of errors."""
    first = entries[0]
    if not isinstance(first, dict) or "msg" not in first:
        return _from(first, status)
    where = first.get("loc")
    place = str(where[-1]) if isinstance(where, list) and where else ""
    stranger = first.get("type") == "extra_forbidden"
    message = f"{place}: {first['msg']}" if place else str(first["msg"])
    code = "unknown_parameter" if stranger else ""
    return Said(status=status, form="json", message=message, code=code, param=place)


def _from_object(error: dict[str, object], status: int) -> Said:
    code, number = _code(error.get("code"))
    details = error.get("moderation_details")
    stage = details.get("moderation_stage") if isinstance(details, dict) else None
    return Said(
        status=number if number and status < HTTPStatus.BAD_REQUEST else status,
        form="json",
        message=_message(error),
        type=_text(error.get("type")),
        code="content_filter" if _flagged(error) else code,
        param=_text(error.get("param")),
        stage=_text(stage),
    )


def _flagged(error: dict[str, object]) -> bool:
    """OpenRouter's moderation is a 403 with the reasons beside the message; Azure's has its results."""
    metadata, inner = error.get("metadata"), error.get("inner_error") or error.get("innererror")
    openrouter = isinstance(metadata, dict) and (
        "flagged_input" in metadata or "reasons" in metadata
    )
    return openrouter or (isinstance(inner, dict) and "content_filter_results" in inner)


def _message(error: dict[str, object]) -> str:
    keys = ("message", "msg", "error_message", "error", "detail", "title")
    return next((value for key in keys if isinstance(value := error.get(key), str) and value), "")


def _code(value: object) -> tuple[str, int]:
    """(a code by name, a status by number): gateways put either into `code`, as number or text."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value)
    if not text.isdecimal():
        return text, 0
    status = int(text) if len(text) == len("404") else 0
    return "", status if status >= HTTPStatus.BAD_REQUEST else 0


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
