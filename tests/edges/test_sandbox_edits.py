"""Edits and texts about pictures: what the sandbox takes, what it refuses, what it gives back."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from watcher.core.catalogue import Catalogue
from watcher.sandbox import SandboxOptions, read_description, running
from watcher.sandbox.forms import Form, parse_multipart
from watcher.sandbox.misbehaving import bomb
from watcher.sandbox.refusals import Refused

FIELDS = {"model": "gpt-image-2.5-sunburst", "prompt": "Make it green", "quality": "low"}
File = tuple[str, tuple[str | None, bytes, str | None]]


def picture(
    output_format: str = "PNG",
    size: tuple[int, int] = (64, 48),
    mode: str = "RGB",
    colour: int = 90,
) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, (colour,) * len(mode)).save(file, output_format)
    return file.getvalue()


def image(name: str = "image", content: bytes | None = None, kind: str = "image/png") -> File:
    return name, ("a.png", picture() if content is None else content, kind)


def mask(size: tuple[int, int] = (64, 48), mode: str = "RGBA") -> File:
    return "mask", ("m.png", picture(size=size, mode=mode, colour=0), "image/png")


def data_url(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with running(SandboxOptions(port=0)) as base_url, httpx.Client(base_url=base_url) as client:
        client.headers["authorization"] = "Bearer sk-any"
        yield client


def edit(client: httpx.Client, *files: File, **fields: str) -> httpx.Response:
    return client.post("/images/edits", data={**FIELDS, **fields}, files=list(files))


def edit_json(client: httpx.Client, **fields: Any) -> httpx.Response:  # noqa: ANN401
    return client.post("/images/edits", json={**FIELDS, **fields})


def refusal(reply: httpx.Response) -> tuple[int, str | None, str | None]:
    error = reply.json().get("error", {})
    return reply.status_code, error.get("code"), error.get("param")


def test_a_form_with_one_picture_becomes_an_edit(client: httpx.Client) -> None:
    """Numbers of a form are texts, and taken as numbers; the given picture is counted in usage."""
    reply = edit(client, image(), n="2", size="1024x1024")
    body = reply.json()
    assert (reply.status_code, len(body["data"])) == (200, 2)
    assert read_description(base64.b64decode(body["data"][0]["b64_json"])) == FIELDS["prompt"]
    assert body["usage"]["input_tokens_details"] == {
        "text_tokens": 4,
        "image_tokens": Catalogue.shipped().models[FIELDS["model"]].reference_tokens[""],
    }


def test_several_pictures_of_three_formats_a_mask_and_a_long_prompt(client: httpx.Client) -> None:
    """Everything that an edit may hold at once, with letters beyond ASCII."""
    files = [
        image("image[]"),
        image("image[]", picture("JPEG"), "image/jpeg"),
        image("image[]", picture("WEBP"), "image/webp"),
        mask(),
    ]
    prompt = "Größer – 更大\r\n--and a line that looks like a boundary\r\n" * 50
    reply = edit(client, *files, prompt=prompt, output_format="webp", background="transparent")
    picture_back = base64.b64decode(reply.json()["data"][0]["b64_json"])
    assert read_description(picture_back) == prompt


def test_auto_size_follows_the_picture_that_was_given(client: httpx.Client) -> None:
    """A tall picture stays tall."""
    reply = edit(client, image(content=picture(size=(40, 80))), size="auto")
    assert reply.json()["size"] == "1024x1536"


def test_json_edits_take_data_urls_and_addresses(client: httpx.Client) -> None:
    """An address is accepted and not visited; a data URL is drawn."""
    reply = edit_json(
        client,
        images=[{"image_url": data_url(picture())}, {"image_url": "https://example.com/a.png"}],
        mask={"image_url": data_url(picture(mode="RGBA"))},
        n=1,
    )
    assert reply.status_code == 200


FORMS: list[tuple[list[File], dict[str, str], tuple[int, str | None, str | None]]] = [
    ([("user", (None, b"u", None))], {}, (400, "missing_required_parameter", "image")),
    ([image(), image()], {}, (400, "duplicate_parameter", "image")),
    ([image("picture")], {}, (400, "unknown_parameter", "picture")),
    ([image(kind="application/octet-stream")], {}, (400, "unsupported_file_mimetype", "image")),
    ([image(kind="image/gif")], {}, (400, "unsupported_file_mimetype", "image")),
    ([image(content=b"no picture")], {}, (400, "invalid_image_file", "image")),
    ([image(content=picture()[:60])], {}, (400, "invalid_image_file", "image")),
    ([image(content=bomb())], {}, (400, "invalid_image_file", "image")),
    ([image("image[]")] * 17, {}, (400, "array_above_max_length", "image")),
    ([image(), mask((10, 10))], {}, (400, "invalid_mask_image_format", "mask")),
    ([image(), mask(mode="RGB")], {}, (400, "invalid_mask_image_format", "mask")),
    ([image(), mask(), mask()], {}, (400, "duplicate_parameter", "mask")),
    ([image()], {"n": "many"}, (400, "invalid_type", "n")),
    ([image()], {"n": "11"}, (400, "integer_above_max_value", "n")),
    ([image()], {"stream": "yes"}, (400, "invalid_type", "stream")),
    ([image()], {"response_format": "url"}, (400, "unknown_parameter", "response_format")),
    ([image()], {"input_fidelity": "high"}, (400, "unsupported_parameter", "input_fidelity")),
    ([image()], {"image": "a.png"}, (400, "invalid_type", "image")),
    ([image()], {"model": "gpt-image-1"}, (404, "model_not_found", None)),
    ([image(), ("markup", mask()[1])], {"model": "gpt-image-2"}, (400, "unsupported_parameter", "markup")),
    ([image(), mask(), ("markup", mask()[1])], {}, (400, "invalid_value", "markup")),
]  # fmt: skip


@pytest.mark.parametrize(("files", "fields", "expected"), FORMS)
def test_a_bad_form_is_refused_by_name(
    client: httpx.Client,
    files: list[File],
    fields: dict[str, str],
    expected: tuple[int, str | None, str | None],
) -> None:
    """The status, code and parameter that the real API gives."""
    assert refusal(edit(client, *files, **fields)) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (400, "missing_required_parameter", "images")),
        ({"images": []}, (400, "empty_array", "images")),
        ({"images": "a.png"}, (400, "invalid_type", "images")),
        ({"images": ["a.png"]}, (400, "invalid_type", "images[0]")),
        ({"images": [{}]}, (400, "invalid_value", "images[0]")),
        ({"images": [{"image_url": "ftp://a"}]}, (400, "invalid_url", "images[0].image_url")),
        ({"images": [{"image_url": 1}]}, (400, "invalid_type", "images[0].image_url")),
        ({"images": [{"file_id": "file-1"}]}, (404, None, "images[0].file_id")),
        ({"images": [{"url": "a"}]}, (400, "unknown_parameter", "images[0].url")),
        ({"image": "a"}, (400, "missing_required_parameter", "images")),
        (
            {"images": [{"image_url": "data:image/png;base64,!!"}]},
            (400, "invalid_base64", "images[0].image_url"),
        ),
        (
            {"images": [{"image_url": data_url(b"x")}]},
            (400, "invalid_image_file", "images[0].image_url"),
        ),
    ],
)
def test_a_bad_json_edit_is_refused_by_name(
    client: httpx.Client, fields: dict[str, Any], expected: tuple[int, str | None, str | None]
) -> None:
    """References are looked at one by one."""
    assert refusal(edit_json(client, **fields)) == expected


@settings(deadline=None)
@given(st.binary(max_size=300) | st.text('-b\r\n:;=name"', max_size=120).map(str.encode))
def test_any_form_is_read_or_refused(body: bytes) -> None:
    """No bytes break the reader of forms."""
    for content in (body, b"--b\r\n" + body + b"\r\n--b--\r\n"):
        assert isinstance(form_of(content), Form | Refused)


def form_of(content: bytes) -> Form | Refused:
    try:
        return parse_multipart(content, b"b")
    except Refused as refused:
        return refused


def seen(*urls: str, chat: bool = False) -> list[dict[str, Any]]:
    """One message of a person, with pictures."""
    if chat:
        parts = [{"type": "image_url", "image_url": {"url": url, "detail": "low"}} for url in urls]
        return [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, *parts]}]
    shown = [{"type": "input_image", "image_url": url, "detail": "low"} for url in urls]
    return [{"role": "user", "content": [{"type": "input_text", "text": "What is it?"}, *shown]}]


def respond(client: httpx.Client, **fields: Any) -> httpx.Response:  # noqa: ANN401
    body = {"model": "gpt-6-luna", "input": seen(data_url(picture())), **fields}
    return client.post("/responses", json=body)


def chat(client: httpx.Client, **fields: Any) -> httpx.Response:  # noqa: ANN401
    messages = seen(data_url(picture()), "https://example.com/a.png", chat=True)
    body = {"model": "gpt-4.1", "messages": messages, **fields}
    return client.post("/chat/completions", json=body)


def test_responses_tells_what_it_saw_and_what_was_asked(client: httpx.Client) -> None:
    """The text names the question and each picture's size; reasoning is part of the tokens."""
    body = respond(client, max_output_tokens=300, reasoning={"effort": "low"}).json()
    assert (
        body["output"][0]["content"][0]["text"]
        == "SANDBOX saw 64x48 png and was asked: What is it?"
    )
    assert (body["status"], body["incomplete_details"]) == ("completed", None)
    assert body["usage"]["output_tokens_details"] == {"reasoning_tokens": 64}
    assert body["usage"]["output_tokens"] == 64 + 12


def test_chat_tells_what_it_saw_and_what_was_asked(client: httpx.Client) -> None:
    """A picture that is only an address is named by it."""
    choice = chat(client, max_tokens=300).json()["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["content"] == (
        "SANDBOX saw 64x48 png, a picture at https://example.com/a.png and was asked: What is it?"
    )


def test_three_hundred_tokens_are_used_up_by_thinking(client: httpx.Client) -> None:
    """The trap of the real models: an answer with status 200 and no word in it."""
    body = respond(client, max_output_tokens=300).json()
    assert (
        body["status"],
        body["incomplete_details"],
    ) == ("incomplete", {"reason": "max_output_tokens"})
    assert (body["output"], body["usage"]["output_tokens"]) == ([], 300)


def test_a_limit_on_tokens_cuts_the_text(client: httpx.Client) -> None:
    """No more than was asked for, and told."""
    body = chat(client, max_tokens=2).json()
    assert body["choices"][0]["message"]["content"] == "SANDBOX "
    assert (
        body["choices"][0]["finish_reason"],
        body["usage"]["completion_tokens"],
    ) == ("length", 2)


def test_incomplete_can_be_provoked(client: httpx.Client) -> None:
    """A question can ask for an answer that is cut short once."""
    messages = [{"role": "user", "content": "[fault:incompletex1] Tell all"}]
    reasons = [
        chat(client, messages=messages).json()["choices"][0]["finish_reason"] for _ in range(2)
    ]
    assert reasons == ["length", "stop"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"max_tokens": 300}, (400, "unknown_parameter", "max_tokens")),
        ({"max_output_tokens": 5}, (400, "integer_below_min_value", "max_output_tokens")),
        ({"max_output_tokens": "300"}, (400, "invalid_type", "max_output_tokens")),
        ({"temperature": 1}, (400, "unsupported_parameter", "temperature")),
        ({"reasoning": {"effort": "none"}}, (400, "unsupported_value", "reasoning.effort")),
        ({"reasoning": "low"}, (400, "invalid_type", "reasoning")),
        ({"input": []}, (400, "empty_array", "input")),
        ({"input": None}, (400, "invalid_type", "input")),
        ({"input": [{"role": "pirate", "content": "x"}]}, (400, "invalid_value", "input[0].role")),
        ({"input": seen("nothing")}, (400, "invalid_url", "input[0].content[1].image_url")),
        ({"input": seen(chat=True)}, (400, "invalid_value", "input[0].content[0].type")),
        ({"model": "gpt-image-2"}, (400, "invalid_value", "model")),
        ({"model": "gpt-4-turbo"}, (404, "model_not_found", None)),
    ],
)
def test_a_bad_question_is_refused_by_name(
    client: httpx.Client, fields: dict[str, Any], expected: tuple[int, str | None, str | None]
) -> None:
    """The status, code and parameter that the real API gives."""
    assert refusal(respond(client, **fields)) == expected


def test_reasoning_models_want_the_new_name_of_the_limit_in_chat(client: httpx.Client) -> None:
    """`max_tokens` is refused, and the sentence says what to use."""
    reply = chat(client, model="gpt-6-luna", max_tokens=300)
    assert refusal(reply) == (400, "unsupported_parameter", "max_tokens")
    assert "max_completion_tokens" in reply.text
    assert chat(client, model="gpt-6-luna", max_completion_tokens=3000).status_code == 200
