"""What was said → which kind of no: the table of codes, words and statuses.

Codes are asked first (a gateway may send them under any status, even 200), then tell-tale words,
then the status. Sources: the error pages and threads named in docs/why.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus

from watcher.core.jobs import No, Refusal, Reply, Scope
from watcher.core.wire import sentences as say
from watcher.core.wire.errors import Said
from watcher.core.wire.headers import retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """`code` replaces the server's own, `fallback` stands in where it gave none."""

    no: No
    hint: str
    code: str = ""
    fallback: str = ""
    scope: Scope = "provider"
    paid_maybe: bool = False


_MONEY = _Rule(no=No.NOBODY, hint=say.MONEY, fallback="insufficient_quota")
_KEY = _Rule(no=No.NOBODY, hint=say.KEY, fallback="invalid_api_key")
_MODERATION = _Rule(no=No.NEVER, hint=say.MODERATION, code="moderation")
_BAD_INPUT = _Rule(no=No.NEVER, hint=say.BAD_INPUT, code="bad_input")
_MODEL = _Rule(no=No.NOBODY, hint=say.MODEL, code="model_not_found", scope="model")
_MEND = _Rule(no=No.MEND, hint=say.MEND, fallback="unknown_parameter")
_RATE = _Rule(no=No.LATER, hint=say.WAITS, fallback="rate_limit_exceeded")
_SERVER = _Rule(no=No.LATER, hint=say.WAITS, fallback="server_error")
_PAGE = _Rule(no=No.LATER, hint=say.PAGE, code="html")
_TRANSPARENT = _Rule(no=No.MEND, hint=say.MEND, code="transparent_background")
_VERIFY = _Rule(no=No.NOBODY, hint=say.VERIFY, code="organization_not_verified", scope="model")
_BLOCKED = _Rule(no=No.NOBODY, hint=say.BLOCKED, code="temporarily_blocked")
_FORBIDDEN = _Rule(no=No.NOBODY, hint=say.FORBIDDEN, fallback="forbidden")
_ADDRESS = _Rule(no=No.NOBODY, hint=say.ADDRESS, fallback="not_found")
_REDIRECT = _Rule(no=No.NOBODY, hint=say.REDIRECT, code="redirected")
_TOO_LARGE = _Rule(no=No.NEVER, hint=say.TOO_LARGE, fallback="too_large")
_BAD = _Rule(no=No.NEVER, hint=say.BAD_VALUE, fallback="bad_request")
_GONE_ON = _Rule(no=No.AMBIGUOUS, hint=say.DOUBT, code="gateway_timeout", paid_maybe=True)
_DOUBT = _Rule(no=No.AMBIGUOUS, hint=say.DOUBT, fallback="error", paid_maybe=True)

_MONEY_CODES = frozenset({
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "billing_hard_limit_reached",
    "billing_not_active",
    "insufficient_user_quota",
})  # fmt: skip
# In this order: a moderation refusal may have any type, an invalid key any code.
_BY_CODE = (
    (_MODERATION, frozenset({
        "moderation_blocked", "content_policy_violation", "content_filter", "responsibleaipolicyviolation",
    })),
    (_MONEY, _MONEY_CODES),
    (_MEND, frozenset({"unknown_parameter", "unsupported_parameter"})),
    (_BAD_INPUT, frozenset({"unsupported_file_mimetype", "invalid_image_file", "invalid_image"})),
    (_MODEL, frozenset({"model_not_found"})),
    (_KEY, frozenset({"invalid_api_key", "account_deactivated", "authentication_error"})),
    (_RATE, frozenset({"rate_limit_exceeded", "slow_down", "rate_limit_error", "too_many_requests"})),
    (_SERVER, frozenset({
        "server_error", "internal_error", "internal_server_error", "server_is_overloaded", "overloaded",
        "overloaded_error", "service_unavailable_error", "timeout",
    })),
)  # fmt: skip

_NO_MODEL = re.compile(
    r"no available channel|invalid model name|model mismatch|does not have access to model"
    r"|\bmodel\b.{0,120}(does not exist|not found|has been deprecated|(was|has been) shut down)",
    re.IGNORECASE | re.DOTALL,
)
_NO_KEY = re.compile(r"\bapi.?key\b.{0,20}\b(not valid|invalid|missing|expired)", re.IGNORECASE)
_SAFETY = re.compile(
    r"safety_violations|safety system|content[ _](policy|management)|\bflagged\b"
    r"|\bmoderation (system|filter|policy)|\bby (our |the )?(content )?moderation",
    re.IGNORECASE,
)
_NAMED = r"['\"`\[{( ]*(?P<param>[A-Za-z_][\w.\[\]]*)"
_STRANGER = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:unknown|unsupported|unrecognized) parameters?:?{_NAMED}",
        rf"unrecognized request arguments? supplied:?{_NAMED}",
        rf"\bparameter{_NAMED}['\"`]? (?:is|are) not (?:supported|allowed)",
        rf"does not support parameters:?{_NAMED}",
        rf"unexpected keyword argument:?{_NAMED}",
    )
)
_NO_TRANSPARENCY = re.compile(r"transparent background is not supported", re.IGNORECASE)
# Without these a call asks for something else, or nothing.
_ESSENTIAL = frozenset({"model", "prompt", "image", "images", "mask", "messages", "input"})
# 429 in words of a server's own is the same 429; these differ in what the caller does.
_KINDS_OF_RATE = frozenset({"rate_limit_exceeded", "slow_down", "too_many_requests", "unknown"})

_BY_STATUS = {
    400: _BAD, 401: _KEY, 402: _MONEY, 403: _FORBIDDEN, 404: _ADDRESS, 405: _ADDRESS, 408: _SERVER,
    409: _SERVER, 410: _ADDRESS, 413: _TOO_LARGE, 421: _SERVER, 425: _SERVER, 429: _RATE, 501: _ADDRESS,
    520: _GONE_ON, 521: _GONE_ON, 522: _GONE_ON, 523: _GONE_ON, 524: _GONE_ON, 529: _GONE_ON,
}  # fmt: skip
_STATUS_CODES = {408: "timeout", 409: "conflict", 503: "overloaded", 529: "overloaded"}
_UNCERTAIN = frozenset({500, 502, 504})


def refuse(said: Said, reply: Reply, now: float | None = None) -> Refusal:
    """The refusal that an error means. `now`: seconds since the epoch, for HTTP dates in headers."""
    rule, param, found = _judge(said)
    return Refusal(
        no=rule.no,
        code=_code(rule, said, found),
        what=_what(rule, said, reply),
        hint=rule.hint,
        status=reply.status,
        retry_after=retry_after(reply.headers, now),
        param=param,
        request_id=reply.request_id,
        scope=rule.scope,
        paid_maybe=rule.paid_maybe or _may_be_paid(said),
    )


def _judge(said: Said) -> tuple[_Rule, str, str]:
    """(rule, the parameter to leave out, the code that decided)."""
    for rule, codes in _BY_CODE:
        if found := next((code for code in (said.code, said.type) if code.lower() in codes), ""):
            return (*_mended(rule, said), found)
    if said.form in ("json", "text"):
        for rule, found in _by_words(said):
            return (*_mended(rule, said), found)
    return _by_status(said), "", ""


def _by_words(said: Said) -> Iterator[tuple[_Rule, str]]:
    words, refused = said.message, said.status < HTTPStatus.INTERNAL_SERVER_ERROR
    named = next((code for code in sorted(_MONEY_CODES) if code in words), "")
    if named:  # LiteLLM wraps the upstream error into its message
        yield _MONEY, named
    if refused and _SAFETY.search(words):
        yield _MODERATION, ""
    if "must be verified to use the model" in words:
        yield _VERIFY, ""
    if "temporarily blocked" in words:
        yield _BLOCKED, ""
    if _NO_MODEL.search(words):
        yield _MODEL, ""
    if refused and _NO_KEY.search(words):  # Gemini says it with a 400
        yield _KEY, ""
    if _NO_TRANSPARENCY.search(words):
        yield _TRANSPARENT, ""
    if _stranger(said):
        yield _MEND, ""


def _mended(rule: _Rule, said: Said) -> tuple[_Rule, str]:
    """A parameter can only be left out when it is known, and the call means the same without it."""
    if rule is _TRANSPARENT:
        return rule, "background"
    if rule is not _MEND:
        return rule, ""
    param = (said.param or _stranger(said)).partition(".")[0].partition("[")[0]
    return (_BAD, "") if not param or param in _ESSENTIAL else (rule, param)


def _stranger(said: Said) -> str:
    matches = (pattern.search(said.message) for pattern in _STRANGER)
    return next((match["param"] for match in matches if match), "")


def _by_status(said: Said) -> _Rule:
    status = said.status
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return _REDIRECT
    if status == HTTPStatus.FORBIDDEN and said.form in ("page", "text"):
        return _PAGE  # a challenge of a proxy, not an answer of the API
    if status < HTTPStatus.BAD_REQUEST:
        bad = said.type in ("invalid_request_error", "image_generation_user_error")
        return _BAD if bad else _DOUBT
    return _BY_STATUS.get(status, _SERVER if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _BAD)


def _code(rule: _Rule, said: Said, found: str) -> str:
    if rule is _RATE:
        given = said.code or said.type
        return given if given in _KINDS_OF_RATE else rule.fallback
    if rule.code:
        return rule.code
    if rule is _SERVER and not said.code:
        return _STATUS_CODES.get(said.status, rule.fallback)
    return said.code or (found if rule is _MONEY else "") or rule.fallback


def _what(rule: _Rule, said: Said, reply: Reply) -> str:
    if rule is _REDIRECT:
        return f"The server sends us on to {reply.headers.get('location') or 'another address'}."
    if rule is _KEY:
        return say.without_keys(said.words)
    return said.words


def _may_be_paid(said: Said) -> bool:
    """Work may be behind a picture that moderation held back, and behind a proxy that gave up waiting."""
    return said.stage == "output" or (said.status in _UNCERTAIN and said.form != "json")
