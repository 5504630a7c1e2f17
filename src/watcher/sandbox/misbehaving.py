"""What a fault makes of an answer: errors as the API and its proxies word them, and spoiled pictures."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from email.utils import formatdate
from functools import cache
from http import HTTPStatus

from starlette.responses import HTMLResponse, JSONResponse, Response

from watcher.sandbox.asked import Asked
from watcher.sandbox.faults import FaultRule
from watcher.sandbox.grain import png
from watcher.sandbox.refusals import INVALID, Refused

NOT_AN_IMAGE = b"This is a sentence where a picture should be."
BOMB_EDGE = 60_000

# type, code and message by status, after the errors that callers of the real API report.
_BY_STATUS: Mapping[int, tuple[str, str | None, str]] = {
    400: (INVALID, "invalid_value", "Invalid value."),
    401: (INVALID, "invalid_api_key", "Incorrect API key provided: sk-***."),
    402: ("insufficient_quota", "insufficient_quota", "Insufficient credits."),
    403: (INVALID, None, "Your organization must be verified to use the model `{model}`."),
    404: (
        INVALID,
        "model_not_found",
        "The model `{model}` does not exist or you do not have access to it.",
    ),
    408: ("server_error", None, "The request timed out."),
    409: ("server_error", None, "The request conflicts with another one."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for `{model}` on images per min."),
    503: (
        "service_unavailable_error",
        "server_is_overloaded",
        "Our servers are currently overloaded.",
    ),
}
_CLIENT_ERROR = (INVALID, None, "The request was refused.")
_SERVER_ERROR = (
    "server_error",
    "server_error",
    "The server had an error while processing your request.",
)
_BY_NAME: Mapping[str, Refused] = {
    "quota": Refused(
        "You exceeded your current quota, please check your plan and billing details.",
        status=429,
        kind="insufficient_quota",
        code="credit_balance_exhausted",
    ),
    "slow_down": Refused("Slow down.", status=429, kind="rate_limit_error", code="slow_down"),
    "moderation": Refused(
        "Your request was rejected by the safety system. safety_violations=[violence].",
        kind="image_generation_user_error",
        code="moderation_blocked",
        more={"moderation_details": {"moderation_stage": "input", "categories": ["violence"]}},
    ),
}
_PAGE = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1><p>A proxy stands in the way.</p></body></html>"


def refusing_answer(fault: FaultRule, asked: Asked, now: float) -> Response:
    """The answer of a fault that refuses. `now`: seconds since the epoch, for dates."""
    if fault.kind == "html":
        return HTMLResponse(_PAGE.format("Please wait"))
    if fault.kind == "empty":
        return JSONResponse({"created": int(now), "data": []})
    refused = _refused(fault, asked)
    if fault.kind == "error_in_200":
        return JSONResponse(refused.body())
    return _shaped(fault.settings.get("shape", ""), refused, _waits(fault, now))


def proxy_page(fault: FaultRule) -> Response:
    """The page of a proxy that gave up waiting."""
    return HTMLResponse(_PAGE.format(f"Error {fault.status}"), fault.status)


def spoiled(kind: str, content: bytes) -> bytes:
    """What a fault of that kind makes of a picture's bytes."""
    if kind == "not_an_image":
        return NOT_AN_IMAGE
    return bomb() if kind == "bomb" else content


@cache
def bomb() -> bytes:
    """A whole PNG of some 440 kB that needs gigabytes to unpack."""
    row = bytes(1 + BOMB_EDGE // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(BOMB_EDGE)) + packer.flush()
    return png((BOMB_EDGE, BOMB_EDGE), depth=1, colour=0, packed=packed)


def _refused(fault: FaultRule, asked: Asked) -> Refused:
    settings = fault.settings
    if fault.kind in _BY_NAME:
        return _with_settings(_BY_NAME[fault.kind], settings)
    if fault.kind == "unknown_parameter":
        param = settings.get("param", "")
        return Refused(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")
    status = fault.status or HTTPStatus.INTERNAL_SERVER_ERROR
    default = _CLIENT_ERROR if status < HTTPStatus.INTERNAL_SERVER_ERROR else _SERVER_ERROR
    kind, code, message = _BY_STATUS.get(status, default)
    message = message.format(model=asked.model_name)
    return _with_settings(Refused(message, status=status, kind=kind, code=code), settings)


def _with_settings(refused: Refused, settings: Mapping[str, str]) -> Refused:
    code = settings.get("code", refused.code)
    return Refused(
        refused.message,
        status=refused.status,
        kind=settings.get("type", refused.kind),
        param=settings.get("param", refused.param),
        code=None if code == "none" else code,
        more=refused.more,
    )


def _waits(fault: FaultRule, now: float) -> dict[str, str]:
    """Headers that say how long to wait."""
    settings, headers = fault.settings, {}
    if "retry_after_ms" in settings:
        headers["retry-after-ms"] = settings["retry_after_ms"]
    if "retry_date" in settings:
        # Dates know whole seconds only: rounded up, so that nobody comes too early.
        headers["retry-after"] = formatdate(
            math.ceil(now + float(settings["retry_date"])), usegmt=True
        )
    if "retry_after" in settings:
        headers["retry-after"] = settings["retry_after"]
    return headers


def _shaped(shape: str, refused: Refused, headers: Mapping[str, str]) -> Response:
    """The error as this kind of server writes it."""
    if shape == "html":
        return HTMLResponse(_PAGE.format(f"Error {refused.status}"), refused.status, headers)
    bodies: Mapping[str, object] = {
        "text": {"error": refused.message},
        "detail": {"detail": [{"loc": ["body"], "msg": refused.message, "type": refused.code}]},
    }
    return JSONResponse(bodies.get(shape, refused.body()), refused.status, headers)
