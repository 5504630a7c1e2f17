"""The sandbox checks requests as strictly as the real API, and says no in its words."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.core.catalogue import Catalogue
from watcher.core.jobs import Operation
from watcher.sandbox import Clocks, SandboxOptions, create_app, read_description, running
from watcher.sandbox.asked import PicturesAsked
from watcher.sandbox.checks import check_pictures
from watcher.sandbox.refusals import Refused

KEY = {"authorization": "Bearer sk-any"}
BODY = {
    "model": "gpt-image-2.5-flare",
    "prompt": "A red fox",
    "size": "1024x1024",
    "quality": "low",
}
TOKENS = Catalogue.shipped().models["gpt-image-2.5-flare"].output_tokens["low"]["1024x1024"]
NOON = 1_795_262_400.0  # 2026-11-21 12:00 UTC
DAY = 86_400.0


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with running(SandboxOptions(port=0)) as base_url, httpx.Client(base_url=base_url) as client:
        client.headers.update(KEY)
        yield client


def generate(client: httpx.Client, **fields: Any) -> httpx.Response:  # noqa: ANN401
    body = {name: value for name, value in {**BODY, **fields}.items() if value is not ...}
    return client.post("/images/generations", json=body)


def error_of(reply: httpx.Response) -> dict[str, Any]:
    body: dict[str, dict[str, Any]] = reply.json()
    assert list(body) == ["error"]
    assert {"message", "type", "param", "code"} <= set(body["error"])
    return body["error"]


def test_a_good_request_is_answered_in_the_apis_shape(client: httpx.Client) -> None:
    """Created, sizes, usage and the picture itself, with an id in the headers."""
    reply = generate(client)
    body = reply.json()
    picture = base64.b64decode(body["data"][0].pop("b64_json"))
    assert read_description(picture) == BODY["prompt"]
    assert body.pop("created") > NOON - DAY
    assert body == {
        "background": "opaque",
        "data": [{}],
        "output_format": "png",
        "quality": "low",
        "size": "1024x1024",
        "usage": {
            "total_tokens": 3 + TOKENS,
            "input_tokens": 3,
            "output_tokens": TOKENS,
            "input_tokens_details": {"text_tokens": 3, "image_tokens": 0},
            "output_tokens_details": {"image_tokens": TOKENS, "text_tokens": 0},
        },
    }
    assert reply.headers["x-request-id"].startswith("req_")
    assert "x-ratelimit-remaining-requests" in reply.headers


def test_several_pictures_are_all_different_and_all_counted(client: httpx.Client) -> None:
    """n pictures, n times the tokens."""
    body = generate(client, n=3).json()
    assert len({one["b64_json"] for one in body["data"]}) == 3
    assert body["usage"]["output_tokens"] == 3 * TOKENS


def test_parameters_of_old_and_null_ones_are_taken(client: httpx.Client) -> None:
    """What the API takes is taken."""
    extra = {"n": None, "background": None, "moderation": "low", "user": "u", "stream": False}
    reply = generate(client, **extra, safety_identifier="s", size="auto", quality="auto")
    assert (
        reply.status_code,
        reply.json()["size"],
        reply.json()["quality"],
    ) == (200, "1024x1024", "medium")


REFUSED: list[tuple[dict[str, Any], int, str | None, str | None]] = [
    ({"model": ...}, 400, "missing_required_parameter", "model"),
    ({"prompt": ...}, 400, "missing_required_parameter", "prompt"),
    ({"prompt": ""}, 400, "empty_string", "prompt"),
    ({"prompt": 5}, 400, "invalid_type", "prompt"),
    ({"prompt": "x" * 32_001}, 400, "string_above_max_length", "prompt"),
    ({"n": "1"}, 400, "invalid_type", "n"),
    ({"n": 1.0}, 400, "invalid_type", "n"),
    ({"n": True}, 400, "invalid_type", "n"),
    ({"n": 0}, 400, "integer_below_min_value", "n"),
    ({"n": 11}, 400, "integer_above_max_value", "n"),
    ({"size": "512x512"}, 400, "invalid_value", "size"),
    ({"size": "1000x1000"}, 400, "invalid_value", "size"),
    ({"size": "large"}, 400, "invalid_value", "size"),
    ({"size": None}, 400, "invalid_type", "size"),
    ({"quality": "hd"}, 400, "invalid_value", "quality"),
    ({"output_format": "jpg"}, 400, "invalid_value", "output_format"),
    ({"output_format": "gif"}, 400, "invalid_value", "output_format"),
    ({"output_compression": 50}, 400, "invalid_value", "output_compression"),
    ({"output_compression": "50"}, 400, "invalid_type", "output_compression"),
    ({"response_format": "b64_json"}, 400, "unknown_parameter", "response_format"),
    ({"style": "vivid"}, 400, "unknown_parameter", "style"),
    ({"temperature": 1}, 400, "unknown_parameter", "temperature"),
    ({"seed": 7}, 400, "unknown_parameter", "seed"),
    ({"complexity": "low"}, 400, "unsupported_parameter", "complexity"),
    ({"input_fidelity": "high"}, 400, "unsupported_parameter", "input_fidelity"),
    ({"frame_count": 4}, 400, "unsupported_parameter", "frame_count"),
    ({"model": "gpt-image-2", "background": "transparent"}, 400, None, "background"),
    ({"background": "transparent", "output_format": "jpeg"}, 400, None, "background"),
    ({"model": "gpt-image-2.6-flare", "frame_count": 4}, 400, "invalid_value", "frame_count"),
    ({"model": "gpt-image-2.6-flare", "output_format": "svg", "n": 2}, 400, "invalid_value", "n"),
    ({"model": "gpt-image-2.6-flare", "output_format": "gif"}, 400, "invalid_value", "size"),
    ({"model": "gpt-image-1"}, 404, "model_not_found", None),
    ({"model": "dall-e-3"}, 404, "model_not_found", None),
    ({"model": "gpt-image-2.5"}, 404, "model_not_found", None),
    ({"model": "GPT-Image-2.5-Flare"}, 404, "model_not_found", None),
    ({"model": "gpt-6-luna"}, 400, "invalid_value", "model"),
    ({"model": 7}, 400, "invalid_type", "model"),
    ({"stream": True}, 400, "invalid_value", "stream"),
]


@pytest.mark.parametrize(("change", "status", "code", "param"), REFUSED)
def test_a_bad_value_is_refused_by_name(
    client: httpx.Client, change: dict[str, Any], status: int, code: str | None, param: str | None
) -> None:
    """The status, code and parameter that the real API gives."""
    reply = generate(client, **change)
    error = error_of(reply)
    assert (status, code, param) == (reply.status_code, error["code"], error["param"])


def test_the_words_of_a_wrong_type_are_the_apis(client: httpx.Client) -> None:
    """People look such sentences up."""
    assert (
        error_of(generate(client, n="1"))["message"]
        == "Invalid type for 'n': expected an integer, but got a string instead."
    )


def test_a_refused_request_is_counted_and_not_paid() -> None:
    """One call, no picture."""
    with running(SandboxOptions(port=0)) as base_url, httpx.Client(headers=KEY) as client:
        client.post(f"{base_url}/images/generations", json={**BODY, "n": "1"})
        stats = client.get(base_url.replace("/v1", "/sandbox/stats")).json()
    assert (stats["calls"], stats["refused"], stats["paid"]) == (1, 1, 0)


@pytest.mark.parametrize(
    ("header", "code"),
    [({}, None), ({"authorization": "Bearer"}, None), ({"authorization": "sk-right"}, None),
     ({"authorization": "Bearer sk-wrong"}, "invalid_api_key")],
)  # fmt: skip
def test_a_missing_or_wrong_key_is_401(header: dict[str, str], code: str | None) -> None:
    """Nobody gets in without the key; which one was sent is not repeated."""
    with running(SandboxOptions(port=0, key="sk-right")) as base_url:
        reply = httpx.post(f"{base_url}/images/generations", json=BODY, headers=header)
        listed = httpx.get(f"{base_url}/models", headers=header)
    assert (reply.status_code, listed.status_code) == (401, 401)
    assert error_of(reply)["code"] == code
    assert "sk-wrong" not in reply.text


def test_the_right_key_is_let_in() -> None:
    """A key that was set is the one that works."""
    with running(SandboxOptions(port=0, key="sk-right")) as base_url:
        header = {"authorization": "Bearer sk-right"}
        assert httpx.get(f"{base_url}/models", headers=header).status_code == 200


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"{", "application/json"), (b"[]", "application/json"), (b"", "application/json"),
     (b'{"a":1}', "text/plain"), (b"--x", "multipart/form-data; boundary=x"), (b"\xff", "multipart/form-data")],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/images/generations", "/images/edits", "/responses"])
def test_a_body_that_cannot_be_read_is_400(
    client: httpx.Client, path: str, body: bytes, kind: str
) -> None:
    """Torn, empty or of the wrong kind: refused, never a crash."""
    reply = client.post(path, content=body, headers={"content-type": kind})
    assert reply.status_code == 400
    assert error_of(reply)["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/images/variations", 404), ("GET", "/nothing", 404), ("GET", "/images/generations", 405)],
)  # fmt: skip
def test_an_address_that_is_none_is_told_in_the_apis_shape(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    """Wrong addresses get an error object like everything else."""
    reply = client.request(method, path)
    assert status == reply.status_code
    assert error_of(reply)["type"] == "invalid_request_error"


def test_models_are_listed_with_their_last_day(client: httpx.Client) -> None:
    """Live ones with snapshots, retired ones not at all."""
    dates = {model["id"]: model["shutdown_date"] for model in client.get("/models").json()["data"]}
    assert {"gpt-image-2.5-flare", "gpt-image-2.5-flare-2026-09-08", "gpt-6-luna"} <= set(dates)
    assert not {"gpt-image-1", "dall-e-3"} & set(dates)
    assert (dates["gpt-4o"], dates["gpt-image-2"]) == ("2027-01-14", None)
    assert client.get("/models/gpt-image-2").json()["id"] == "gpt-image-2"
    assert client.get("/models/gpt-image-1").status_code == 404


class Time:
    """A clock that is set by hand, for the day and for the seconds."""

    def __init__(self) -> None:
        self.now = NOON
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def clocks(self) -> Clocks:
        return Clocks(now=lambda: self.now, monotonic=lambda: self.now, sleep=self.sleep)


async def ask_app(
    options: SandboxOptions, time: Time, talk: Callable[[httpx.AsyncClient], Awaitable[None]]
) -> None:
    transport = httpx.ASGITransport(create_app(options, time.clocks()))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://sandbox/v1", headers=KEY
    ) as client:
        await talk(client)


def test_a_model_is_gone_from_its_last_day_on() -> None:
    """Shutdown dates are kept to the day."""
    time = Time()
    statuses = []

    async def talk(client: httpx.AsyncClient) -> None:
        for days in (9, 10):  # 2026-11-30, 2026-12-01
            time.now = NOON + days * DAY
            reply = await client.post(
                "/images/generations", json={**BODY, "model": "gpt-image-1.5"}
            )
            statuses.append(reply.status_code)

    asyncio.run(ask_app(SandboxOptions(), time, talk))
    assert statuses == [200, 404]


def test_images_a_minute_are_limited_and_the_wait_that_is_told_is_enough() -> None:
    """n counts as n; whoever waits as long as told gets through, whoever does not is refused."""
    time = Time()
    statuses, headers = [], []

    async def talk(client: httpx.AsyncClient) -> None:
        for n, wait in ((4, 0.0), (2, 0.0), (2, 0.0), (2, 19.9), (2, 0.1)):
            time.now += wait
            reply = await client.post("/images/generations", json={**BODY, "n": n})
            statuses.append(reply.status_code)
            headers.append(reply.headers)

    asyncio.run(ask_app(SandboxOptions(images_per_minute=6), time, talk))
    assert statuses == [200, 200, 429, 429, 200]
    assert (headers[2]["retry-after"], headers[2]["retry-after-ms"]) == ("20", "20000")
    assert tuple(
        headers[0][f"x-ratelimit-{kind}-input-images"] for kind in ("limit", "remaining", "reset")
    ) == ("6", "2", "40s")


def test_latency_is_drawn_from_its_range_and_covers_the_drawing() -> None:
    """A call takes as long as was set, not longer by what drawing costs."""
    time = Time()

    async def talk(client: httpx.AsyncClient) -> None:
        for _ in range(5):
            await client.post("/images/generations", json=BODY)

    asyncio.run(ask_app(SandboxOptions(latency=(0.5, 2.0), seed=1), time, talk))
    assert len(set(time.slept)) == 5
    assert all(0.5 <= seconds <= 2.0 for seconds in time.slept)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5000) | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip
NAMES = ["n", "size", "quality", "background", "output_format", "output_compression", "style",
         "svg", "stream", "frame_count", "moderation", "user", "markup", "images", "x"]  # fmt: skip
WORDS = st.sampled_from(
    ["auto", "low", "1024x1024", "8000x16", "gif", "svg", "jpeg", "transparent"]
)


@settings(deadline=None)
@given(
    st.sampled_from(["gpt-image-2.6-flare", "gpt-image-2", "gpt-image-1", "dall-e-2"]),
    st.dictionaries(st.sampled_from(NAMES), JSON | WORDS, max_size=5),
)
def test_any_request_is_understood_or_refused(model: str, fields: dict[str, object]) -> None:
    """Nothing that can be written in JSON makes the check fail in another way."""
    body = {"model": model, "prompt": "A fox", **fields}
    outcome = outcome_of(body)
    if isinstance(outcome, Refused):
        assert 400 <= outcome.status < 500
        assert orjson.dumps(outcome.body())
    else:
        assert min(outcome.n, outcome.width, outcome.height) >= 1


def outcome_of(body: dict[str, object]) -> PicturesAsked | Refused:
    model = Catalogue.shipped().models[str(body["model"])]
    try:
        return check_pictures(body, model=model, operation=Operation.GENERATE)
    except Refused as refused:
        return refused


async def _endless() -> AsyncIterator[bytes]:
    while True:
        yield bytes(2**20)


def test_an_endless_body_is_cut_off() -> None:
    """No request fills the memory."""
    time = Time()

    async def talk(client: httpx.AsyncClient) -> None:
        kind = {"content-type": "application/json"}
        reply = await client.post("/images/generations", content=_endless(), headers=kind)
        assert reply.status_code == 413

    asyncio.run(ask_app(SandboxOptions(), time, talk))
