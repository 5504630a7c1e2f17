"""Every kind of no that an API says, as the table of error codes in docs/why.md has it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.jobs import Answer, No, Operation, Refusal, Reply
from watcher.core.wire import read_reply

PAGE = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>x</body></html>"


def reply(status: int, body: object, **headers: str) -> Reply:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, headers=named, body=content)


def error(
    code: object = None, type_: object = None, message: str = "Words.", **more: object
) -> dict[str, object]:
    return {"error": {"message": message, "type": type_, "code": code, "param": None, **more}}


def refused(
    status: int, body: object, operation: Operation = Operation.GENERATE, **headers: str
) -> Refusal:
    said = read_reply(reply(status, body, **headers), operation)
    assert isinstance(said, Refusal)
    return said


INVALID = "invalid_request_error"
VERIFY = "Your organization must be verified to use the model `gpt-image-2`."
GONE = "The model `gpt-image-1` has been deprecated, learn more here: https://x.example"
CASES: list[tuple[int, Any, No, str, Any]] = [
    # 400
    (400, error("unknown_parameter", INVALID, param="response_format"), No.MEND, "unknown_parameter",
     {"param": "response_format"}),
    (400, error("unsupported_parameter", INVALID, param="reasoning.effort"), No.MEND, "unsupported_parameter",
     {"param": "reasoning"}),
    (400, error("unknown_parameter", INVALID, "Unknown parameter: 'style'."), No.MEND, "unknown_parameter",
     {"param": "style"}),
    (400, error("unknown_parameter", INVALID, param="prompt"), No.NEVER, "unknown_parameter", {}),
    (400, error("unknown_parameter", INVALID), No.NEVER, "unknown_parameter", {}),
    (400, error("400", None, "openai does not support parameters: ['style'], for model=x."), No.MEND,
     "unknown_parameter", {"param": "style"}),
    (400, error(None, None, "Parameter moderation is not supported for model x. Set drop_params=True"),
     No.MEND, "unknown_parameter", {"param": "moderation"}),
    (400, error(None, None, "Unrecognized request argument supplied: seed"), No.MEND, "unknown_parameter",
     {"param": "seed"}),
    (400, error("invalid_value", INVALID, param="size"), No.NEVER, "invalid_value", {}),
    (400, error("invalid_type", INVALID, param="n"), No.NEVER, "invalid_type", {}),
    (400, error("invalid_value", INVALID, "Invalid value for moderation", param="moderation"), No.NEVER,
     "invalid_value", {}),
    (400, error(None, "image_generation_user_error", "Transparent background is not supported for this model."),
     No.MEND, "transparent_background", {"param": "background"}),
    (400, error("moderation_blocked", "image_generation_user_error"), No.NEVER, "moderation", {}),
    (400, error("moderation_blocked", None, moderation_details={"moderation_stage": "output"}), No.NEVER,
     "moderation", {"paid_maybe": True}),
    (400, error("content_policy_violation", INVALID), No.NEVER, "moderation", {}),
    (400, error("content_filter", None), No.NEVER, "moderation", {}),
    (400, error("contentFilter", None, inner_error={"content_filter_results": {"hate": {}}}), No.NEVER,
     "moderation", {}),
    (400, error(None, "image_generation_user_error", "Rejected by the safety system."), No.NEVER,
     "moderation", {}),
    (400, error("unsupported_file_mimetype", INVALID, param="image[0]"), No.NEVER, "bad_input", {}),
    (400, error("invalid_image_file", INVALID), No.NEVER, "bad_input", {}),
    (400, error("billing_hard_limit_reached", INVALID), No.NOBODY, "billing_hard_limit_reached",
     {"scope": "provider"}),
    (400, error(400, None, "API key not valid. Please pass a valid API key."), No.NOBODY,
     "invalid_api_key", {}),
    (400, {"detail": "Model mismatch: got a, serving b"}, No.NOBODY, "model_not_found", {"scope": "model"}),
    # 401, 402, 403
    (401, error("invalid_api_key", INVALID), No.NOBODY, "invalid_api_key", {"scope": "provider"}),
    (401, error(None, INVALID, "You must be a member of an organization"), No.NOBODY, "invalid_api_key", {}),
    (401, b"", No.NOBODY, "invalid_api_key", {}),
    (402, error(402, None, "Insufficient credits"), No.NOBODY, "insufficient_quota", {}),
    (402, PAGE, No.NOBODY, "insufficient_quota", {}),
    (403, error(None, INVALID, VERIFY), No.NOBODY, "organization_not_verified", {"scope": "model"}),
    (403, error("unsupported_country_region_territory", "request_forbidden"), No.NOBODY,
     "unsupported_country_region_territory", {"scope": "provider"}),
    (403, error(None, None, "Your resource has been temporarily blocked"), No.NOBODY, "temporarily_blocked",
     {}),
    (403, error("model_not_found", INVALID, "Project x does not have access to model y"), No.NOBODY,
     "model_not_found", {"scope": "model"}),
    (403, error(403, None, "Flagged", metadata={"reasons": ["x"], "flagged_input": "y"}), No.NEVER,
     "moderation", {}),
    (403, error(None, None), No.NOBODY, "forbidden", {}),
    (403, PAGE, No.LATER, "html", {}),
    (403, b"error code: 1020", No.LATER, "html", {}),
    # 404 and other addresses
    (404, error("model_not_found", INVALID, GONE), No.NOBODY, "model_not_found", {"scope": "model"}),
    (404, error(404, "NotFoundError", "The model `x` does not exist."), No.NOBODY, "model_not_found",
     {"scope": "model"}),
    (400, error(None, "new_api_error", "No available channel for model x"), No.NOBODY, "model_not_found",
     {"scope": "model"}),
    (503, error(None, "new_api_error", "No available channel for model x"), No.NOBODY, "model_not_found",
     {"scope": "model"}),
    (404, error("404", None, "Resource not found"), No.NOBODY, "not_found", {"scope": "provider"}),
    (404, {"error": {"code": "DeploymentNotFound", "message": "The deployment does not exist"}}, No.NOBODY,
     "DeploymentNotFound", {"scope": "provider"}),
    (404, b"404 page not found", No.NOBODY, "not_found", {}),
    (405, {"detail": "Method Not Allowed"}, No.NOBODY, "not_found", {}),
    (307, b"", No.NOBODY, "redirected", {}),
    # 408, 409, 413, 422
    (408, b"", No.LATER, "timeout", {}),
    (409, error(None, "conflict"), No.LATER, "conflict", {}),
    (413, PAGE, No.NEVER, "too_large", {}),
    (422, {"detail": [{"loc": ["body", "size"], "msg": "bad size", "type": "value_error"}]}, No.NEVER,
     "bad_request", {}),
    (422, {"detail": [{"loc": ["body", "style"], "msg": "Extra inputs", "type": "extra_forbidden"}]}, No.MEND,
     "unknown_parameter", {"param": "style"}),
    (422, {"detail": "Blocked by content policy"}, No.NEVER, "moderation", {}),
    # 429
    (429, error("rate_limit_exceeded", "requests"), No.LATER, "rate_limit_exceeded", {}),
    (429, error("rate_limit_exceeded", "tokens"), No.LATER, "rate_limit_exceeded", {}),
    (429, error(None, "rate_limit_error"), No.LATER, "rate_limit_exceeded", {}),
    (429, error("429", None, "litellm.RateLimitError"), No.LATER, "rate_limit_exceeded", {}),
    (429, error("slow_down", "rate_limit_error"), No.LATER, "slow_down", {}),
    (429, error("unknown", "unknown"), No.LATER, "unknown", {}),
    (429, b"", No.LATER, "rate_limit_exceeded", {}),
    (429, PAGE, No.LATER, "rate_limit_exceeded", {}),
    (429, error("429", None, "litellm.RateLimitError: {'code': 'insufficient_quota'}"), No.NOBODY,
     "insufficient_quota", {}),
    (429, error(None, "insufficient_quota"), No.NOBODY, "insufficient_quota", {"scope": "provider"}),
    *[
        (429, error(code, "insufficient_quota"), No.NOBODY, code, {"scope": "provider"})
        for code in ("credit_balance_exhausted", "organization_spend_limit_exceeded",
                     "project_spend_limit_exceeded", "organization_usage_limit_exceeded", "insufficient_quota")
    ],
    (429, error("credit_balance_exhausted", "requests"), No.NOBODY, "credit_balance_exhausted", {}),
    # 5xx
    (500, error("server_error", "server_error"), No.LATER, "server_error", {"paid_maybe": False}),
    (500, {"error": "failed to encode"}, No.LATER, "server_error", {"what": "failed to encode"}),
    (502, PAGE, No.LATER, "server_error", {"paid_maybe": True}),
    (504, b"upstream request timeout", No.LATER, "server_error", {"paid_maybe": True}),
    (503, error("server_is_overloaded", "service_unavailable_error"), No.LATER, "server_is_overloaded", {}),
    (503, b"", No.LATER, "overloaded", {}),
    (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, No.LATER,
     "overloaded", {}),
    *[(status, PAGE, No.AMBIGUOUS, "gateway_timeout", {"paid_maybe": True})
      for status in (520, 521, 522, 523, 524, 529)],
    # 200 that is none
    (200, error(429, None, "Slow"), No.LATER, "rate_limit_exceeded", {}),
    (200, error("402", None, "Credits"), No.NOBODY, "insufficient_quota", {}),
    (200, error("insufficient_quota", None), No.NOBODY, "insufficient_quota", {}),
    (200, error("moderation_blocked", None), No.NEVER, "moderation", {}),
    (200, error("invalid_value", INVALID), No.NEVER, "invalid_value", {}),
    (200, error(None, "server_error"), No.LATER, "server_error", {}),
    (200, error("odd", None), No.AMBIGUOUS, "odd", {"paid_maybe": True}),
    (200, {"error": "text"}, No.AMBIGUOUS, "error", {"what": "text"}),
    (200, PAGE, No.LATER, "html", {}),
    (200, {"data": []}, No.NEVER, "no_image", {"paid_maybe": True}),
    (200, {"data": None}, No.NEVER, "no_image", {}),
    (200, {"data": [{"b64_json": None, "url": None}]}, No.NEVER, "no_image", {}),
    (200, {}, No.NEVER, "no_image", {}),
    (200, b"", No.AMBIGUOUS, "cut_short", {"paid_maybe": True}),
    (204, b"", No.AMBIGUOUS, "cut_short", {}),
    (200, b'{"data": [{"b64_json": "iVBORw0', No.AMBIGUOUS, "cut_short", {}),
    (200, b'{"data": NaN}', No.AMBIGUOUS, "cut_short", {}),
    (200, b"[" * 5000, No.AMBIGUOUS, "cut_short", {}),
    (200, {"data": [{"b64_json": "iVBORw0"}]}, No.AMBIGUOUS, "cut_short", {}),
    (200, {"data": [{"b64_json": "!!!!"}]}, No.AMBIGUOUS, "cut_short", {}),
    (200, {"choices": [{"message": {"content": "I cannot draw."}}]}, No.NEVER, "no_image", {}),
    (200, {"choices": [{"message": {"content": None, "refusal": "No."}}]}, No.NEVER, "moderation", {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "no", "code", "more"),
    CASES,
    ids=[f"{c[0]}-{c[3]}-{n}" for n, c in enumerate(CASES)],
)
def test_every_no_is_told_apart(
    status: int, body: object, no: No, code: str, more: dict[str, object]
) -> None:
    """Status, type, code and words of an error lead to the one kind of no that they mean."""
    said = refused(status, body)
    assert (said.no, said.code, said.status) == (no, code, status)
    assert {name: getattr(said, name) for name in more} == more
    assert said.what
    assert said.hint
    assert (said.param != "") == (no is No.MEND)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "1"}, 1.0),
        ({"retry_after": "2.5"}, 2.5),
        ({"retry_after": "1", "retry_after_ms": "534"}, 0.534),
        ({"retry_after": "Fri, 20 Nov 2026 10:01:00 GMT", "date": "Fri, 20 Nov 2026 10:00:00 GMT"}, 60.0),
        ({"retry_after": "Fri, 20 Nov 2026 10:01:00 GMT"}, 30.0),
        ({"retry_after": "Fri, 20 Nov 2026 09:01:00 GMT"}, None),
        ({"retry_after": "86400"}, 3600.0),
        ({"retry_after": "-5"}, None),
        ({"retry_after": "0"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "inf"}, None),
        ({}, None),
        ({"retry_after": "1", "x_ratelimit_remaining_tokens": "0", "x_ratelimit_reset_tokens": "58.891s"}, 58.891),
        ({"retry_after": "1", "x_ratelimit_remaining_tokens": "5", "x_ratelimit_reset_tokens": "58.891s"}, 1.0),
        ({"x_ratelimit_remaining_input_images": "0", "x_ratelimit_reset_input_images": "1m2.5s"}, 62.5),
    ],
)  # fmt: skip
def test_the_servers_wait_is_read(headers: dict[str, str], seconds: float | None) -> None:
    """Retry-After in every form, junk as silence, a limit that is used up with its reset."""
    now = 1795168830.0  # 2026-11-20 10:00:30 UTC
    body = error("rate_limit_exceeded", "requests")
    said = read_reply(reply(429, body, **headers), Operation.GENERATE, now=now)
    assert isinstance(said, Refusal)
    assert said.retry_after == (None if seconds is None else pytest.approx(seconds))


def test_a_date_without_any_clock_is_no_wait() -> None:
    """A date alone cannot be turned into seconds: nothing is guessed."""
    said = refused(429, error(), retry_after="Fri, 20 Nov 2026 10:01:00 GMT")
    assert said.retry_after is None


def test_the_key_is_not_quoted_back() -> None:
    """Servers quote the refused key, half masked or whole: people never get to read it."""
    for key in (
        "sk-proj-abcdefghijklmnop1234",
        "AbCdEf0123456789AbCdEf0123456789",
        "sk-***********3456",
    ):
        said = refused(
            401, error("invalid_api_key", INVALID, f"Incorrect API key provided: {key}.")
        )
        assert key not in f"{said.what}{said.hint}"


def test_words_are_bounded_and_plain() -> None:
    """What a server says is one line of at most 500 printable characters."""
    said = refused(400, error("invalid_value", INVALID, "a\x1b[31m\nb\u202ec " + "x" * 5000))
    assert len(said.what) == 500
    assert said.what.startswith("a [31m b c xxx")
    assert said.what.isprintable()


def test_moderation_details_are_for_the_operator_only() -> None:
    """People read that it was refused, not which category of harm a classifier saw."""
    words = "Your request was rejected by the safety system. safety_violations=[sexual]."
    said = refused(400, error("moderation_blocked", None, words))
    assert said.what == "Your request was rejected by the safety system."


def test_a_redirect_names_the_address_it_leads_to() -> None:
    """Whoever set the base URL learns where it leads."""
    said = refused(301, b"", location="https://other.example/v1")
    assert "https://other.example/v1" in said.what


def test_a_web_page_is_told_by_its_title() -> None:
    """A proxy's page is quoted by its title, not by its markup."""
    said = refused(502, PAGE)
    assert said.what == "The server answered 502 with a web page: “502 Bad Gateway”."


def test_money_is_spoken_of_where_money_is_missing() -> None:
    """No credit: the hint says so, because waiting does not help."""
    assert "credit" in refused(429, error("insufficient_quota", "insufficient_quota")).hint


def test_the_request_id_is_kept() -> None:
    """The provider's support asks for it."""
    assert refused(500, b"", x_request_id="req_1").request_id == "req_1"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["data", "error", "message", "code", "type", "param", "detail", "choices", "b64_json", "url",
             "usage", "output", "content", "text", "images", "image_url", "metadata", "loc", "msg",
             "input_tokens", "incomplete_details", "reason", "moderation_details", "refusal"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(
    status=st.integers(100, 599),
    body=st.one_of(st.binary(max_size=200), JSON.map(orjson.dumps)),
    operation=st.sampled_from(Operation),
    headers=st.dictionaries(
        st.sampled_from(["retry-after", "retry-after-ms", "date", "x-ratelimit-reset-x"]), st.text()
    ),
)
def test_any_reply_is_an_answer_or_a_refusal(
    status: int, body: bytes, operation: Operation, headers: dict[str, str]
) -> None:
    """Whatever bytes arrive, they mean something, and a refusal says what and what to do."""
    said = read_reply(Reply(status=status, headers=headers, body=body), operation, now=1.0)
    if isinstance(said, Answer):
        assert said.pictures or said.text
        assert 200 <= status < 300
    else:
        assert said.what
        assert said.hint
        assert said.code
        assert len(said.what) <= 600
