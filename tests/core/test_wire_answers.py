"""What good replies mean: pictures, text and usage, in every shape that servers send."""

from __future__ import annotations

import base64
from datetime import date

import orjson
import pytest

from watcher.core.jobs import Answer, Given, No, Operation, Refusal, Reply, Usage
from watcher.core.wire import Limit, ModelListing, read_limits, read_models, read_reply

PNG = b"\x89PNG\r\n\x1a\n not much of a picture, but bytes"
JPEG = b"\xff\xd8\xff\xe0 its base64 begins with a slash, as paths do"
CODED = base64.b64encode(PNG).decode()


def answer(body: object, operation: Operation = Operation.GENERATE) -> Answer:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    said = read_reply(Reply(status=200, headers={"x-request-id": "req_7"}, body=content), operation)
    assert isinstance(said, Answer), said
    return said


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"b64_json": CODED}, Given(content=PNG)),
        ({"b64_json": base64.b64encode(JPEG).decode()}, Given(content=JPEG)),
        ({"b64_json": f"data:image/png;base64,{CODED}"}, Given(content=PNG)),
        ({"b64_json": f"\n {CODED[:8]}\r\n{CODED[8:]} \n"}, Given(content=PNG)),
        ({"b64_json": CODED, "url": "https://x.example/1.png"}, Given(content=PNG)),
        ({"b64_json": "", "url": "https://x.example/1.png"}, Given(url="https://x.example/1.png")),
        ({"url": "/v1/images/7/content?variant=0"}, Given(url="/v1/images/7/content?variant=0")),
        ({"url": f"data:image/png;base64,{CODED}"}, Given(content=PNG)),
        ({"url": "data:image/svg+xml,%3Csvg%2F%3E"}, Given(content=b"<svg/>")),
    ],
)
def test_one_picture(entry: dict[str, str], expected: Given) -> None:
    """Base64 before addresses; data URLs, white space and line breaks are taken off."""
    assert answer({"data": [entry]}).pictures == (expected,)


def test_pictures_keep_their_order_and_the_damaged_one_is_missing() -> None:
    """Fewer pictures than asked for are an answer with fewer pictures."""
    entries = [{"b64_json": CODED}, {"b64_json": "!!"}, None, {"url": "https://x.example/2"}]
    assert answer({"data": entries}).pictures == (
        Given(content=PNG),
        Given(url="https://x.example/2"),
    )


@pytest.mark.parametrize(
    "message",
    [
        {"content": "", "images": [{"image_url": {"url": f"data:image/png;base64,{CODED}"}}]},
        {
            "content": [
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{CODED}"}}
            ]
        },
        {"content": f"Here: ![cat](data:image/png;base64,{CODED}) you are"},
    ],
)
def test_pictures_from_a_chat(message: dict[str, object]) -> None:
    """Servers that make pictures by chat hide them in three places."""
    assert answer({"choices": [{"message": message}]}).pictures == (Given(content=PNG),)


def test_the_body_counts_whatever_its_label_says() -> None:
    """A right body under a wrong content type is right."""
    content = orjson.dumps({"data": [{"b64_json": CODED}], "data2": 1})
    said = read_reply(
        Reply(status=201, headers={"content-type": "text/html"}, body=content), Operation.EDIT
    )
    assert isinstance(said, Answer)


def test_a_revised_prompt_and_the_request_id_are_kept() -> None:
    """Both come back in the results."""
    said = answer({"data": [{"b64_json": CODED, "revised_prompt": "A cat."}]})
    assert (said.revised_prompt, said.request_id) == ("A cat.", "req_7")


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        ({"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}, None),
        ({"input_tokens": "12", "output_tokens": -3}, None),
        (
            {"input_tokens": 18, "output_tokens": 272, "input_tokens_details": {"text_tokens": 18, "image_tokens": 0}},
            Usage(text_in=18, image_out=272),
        ),
        (
            {"input_tokens": 818, "output_tokens": 300,
             "input_tokens_details": {"text_tokens": 18, "image_tokens": 800},
             "output_tokens_details": {"image_tokens": 272, "text_tokens": 28}},
            Usage(text_in=18, image_in=800, image_out=272, text_out=28),
        ),
        (
            {"prompt_tokens": 9, "completion_tokens": 1300, "completion_tokens_details": {"image_tokens": 1290}},
            Usage(text_in=9, image_out=1290, text_out=10),
        ),
    ],
)  # fmt: skip
def test_usage_of_pictures(usage: object, expected: Usage | None) -> None:
    """Tokens by kind; nothing counted is unknown, which is not nothing."""
    assert answer({"data": [{"b64_json": CODED}], "usage": usage}).usage == expected


RESPONSE = {
    "status": "completed",
    "error": None,
    "output": [
        {"type": "reasoning", "summary": []},
        {
            "type": "message",
            "content": [
                {"type": "output_text", "text": "A red "},
                {"type": "output_text", "text": "bicycle."},
            ],
        },
    ],
    "usage": {"input_tokens": 900, "output_tokens": 40, "total_tokens": 940},
}


def test_text_of_responses() -> None:
    """All text of the answer, none of the reasoning."""
    said = answer(RESPONSE, Operation.ANALYZE)
    assert (said.text, said.usage) == ("A red bicycle.", Usage(text_in=900, text_out=40))


@pytest.mark.parametrize("content", ["A bicycle.", [{"type": "text", "text": "A bicycle."}]])
def test_text_of_chat(content: object) -> None:
    """A text, or a list of parts."""
    body = {"choices": [{"finish_reason": "stop", "message": {"content": content}}]}
    assert answer(body, Operation.ANALYZE).text == "A bicycle."


@pytest.mark.parametrize(
    ("body", "no", "code", "param"),
    [
        ({**RESPONSE, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
         No.MEND, "text_cut", "max_output_tokens"),
        ({"choices": [{"finish_reason": "length", "message": {"content": ""}}]}, No.MEND, "text_cut", "max_tokens"),
        ({"choices": [{"finish_reason": "stop", "message": {"content": "", "refusal": "No."}}]},
         No.NEVER, "moderation", ""),
        ({"choices": [{"finish_reason": "content_filter", "message": {"content": "A"}}]}, No.NEVER, "moderation", ""),
        ({"output": [], "incomplete_details": {"reason": "content_filter"}}, No.NEVER, "moderation", ""),
        ({"choices": [{"finish_reason": "stop", "message": {"content": " "}}]}, No.NEVER, "no_text", ""),
        ({"status": "failed", "output": [], "error": {"code": "server_error", "message": "x"}},
         No.LATER, "server_error", ""),
        ({"choices": []}, No.NEVER, "no_text", ""),
    ],
)  # fmt: skip
def test_texts_that_are_none(body: object, no: No, code: str, param: str) -> None:
    """A text cut at its cap is asked for once without it; a refusal is one; nothing is said so."""
    said = read_reply(Reply(status=200, headers={}, body=orjson.dumps(body)), Operation.ANALYZE)
    assert isinstance(said, Refusal)
    assert (said.no, said.code, said.param) == (no, code, param)


@pytest.mark.parametrize(
    ("body", "operation", "expected"),
    [
        ({"data": [], "usage": {"input_tokens": 9, "output_tokens": 4}}, Operation.GENERATE,
         Usage(text_in=9, image_out=4)),
        ({**RESPONSE, "incomplete_details": {"reason": "max_output_tokens"},
          "usage": {"input_tokens": 9, "output_tokens": 4}}, Operation.ANALYZE, Usage(text_in=9, text_out=4)),
        ({"data": []}, Operation.GENERATE, None),
    ],
)  # fmt: skip
def test_a_no_tells_what_it_took(body: object, operation: Operation, expected: object) -> None:
    """A call that brought nothing of use may have its tokens counted: they are paid for."""
    said = read_reply(Reply(status=200, headers={}, body=orjson.dumps(body)), operation)
    assert isinstance(said, Refusal)
    assert said.usage == expected


def test_limits_of_any_dimension() -> None:
    """Every dimension that a server names is read, with its reset in seconds."""
    headers = {
        "x-ratelimit-limit-input-images": "250",
        "x-ratelimit-remaining-input-images": "0",
        "x-ratelimit-reset-input-images": "1m2.5s",
        "x-ratelimit-limit-requests": "50",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-reset-odd": "1795168830",
        "x-other": "1",
    }
    assert read_limits(headers) == (
        Limit(dimension="input-images", limit=250, remaining=0, reset=62.5),
        Limit(dimension="odd"),
        Limit(dimension="requests", limit=50, reset=0.12),
    )


def test_the_list_of_models() -> None:
    """Ids in the server's order, with the day of their shutdown where it is a day."""
    body = {
        "object": "list",
        "data": [
            {"id": "gpt-image-2", "shutdown_date": None},
            {"id": "gpt-image-1.5", "shutdown_date": "2026-12-01"},
            {"id": "odd", "shutdown_date": "soon"},
            {"no": "id"},
        ],
    }
    listed = read_models(Reply(status=200, headers={}, body=orjson.dumps(body)))
    assert listed == (
        ModelListing(id="gpt-image-2"),
        ModelListing(id="gpt-image-1.5", shutdown_date=date(2026, 12, 1)),
        ModelListing(id="odd"),
    )


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, b"", "invalid_api_key"),
        (200, b"<html>", "no_model_list"),
        (200, b"{}", "no_model_list"),
    ],
)
def test_no_list_of_models(status: int, body: bytes, code: str) -> None:
    """Why there is no list."""
    said = read_models(Reply(status=status, headers={}, body=body))
    assert isinstance(said, Refusal)
    assert said.code == code
