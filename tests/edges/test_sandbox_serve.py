"""The sandbox as a process: where it listens, how it stops, and that the official client believes it."""

from __future__ import annotations

import base64
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import openai
import pytest
from PIL import Image

import watcher
from watcher.core.errors import SettingsError
from watcher.sandbox import SandboxOptions, read_description, running, serve

PROGRAM = """
from watcher.sandbox import SandboxOptions, serve
serve(SandboxOptions(port=0, latency=30), lambda url: print(url, flush=True))
print("stopped", flush=True)
"""


@contextmanager
def process() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A sandbox in a process of its own, and its base URL."""
    source = str(Path(watcher.__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": source},
    ) as child:
        assert child.stdout is not None
        try:
            yield child, child.stdout.readline().strip()
        finally:
            child.kill()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_at_once_and_quietly(sign: signal.Signals) -> None:
    """A call of 30 seconds in flight is cut off; exit 0, not a word of complaint."""
    with process() as (child, base_url):
        root = base_url.removesuffix("/v1")
        failed = threading.Event()

        def ask() -> None:
            try:
                body = {"model": "gpt-image-2", "prompt": "A fox"}
                key = {"authorization": "Bearer x"}
                httpx.post(f"{base_url}/images/generations", json=body, headers=key)
            except httpx.TransportError:
                failed.set()

        caller = threading.Thread(target=ask)
        caller.start()
        end = time.monotonic() + 10
        while not httpx.get(f"{root}/sandbox/stats").json()["in_flight"]:
            assert time.monotonic() < end
        child.send_signal(sign)
        out, err = child.communicate(timeout=5)
        caller.join(5)
    assert (child.returncode, out, err, failed.is_set()) == (0, "stopped\n", "", True)


def test_a_port_in_use_is_told_in_a_sentence() -> None:
    """Which port, and what to do; no traceback of a server."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"cannot listen on port {port}") as caught:
            serve(SandboxOptions(port=port), lambda _: None)
    assert "--port" in caught.value.hint


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "example.com", ""])  # noqa: S104
def test_it_serves_this_machine_only(host: str) -> None:
    """No address that others can reach is listened on."""
    with pytest.raises(SettingsError, match="this machine only"):
        serve(SandboxOptions(host=host, port=0), lambda _: None)


def test_the_base_url_is_that_of_the_api() -> None:
    """What is told can be given to any client as it is."""
    with running(SandboxOptions(port=0)) as base_url:
        assert base_url.startswith("http://127.0.0.1:")
        assert base_url.endswith("/v1")
        reply = httpx.get(f"{base_url}/models", headers={"authorization": "Bearer x"})
    assert reply.status_code == 200


def test_pictures_can_be_made_as_large_as_real_ones() -> None:
    """picture_bytes holds for every picture that is sent."""
    with running(SandboxOptions(port=0, picture_bytes=1_500_000)) as base_url:
        client = openai.OpenAI(base_url=base_url, api_key="sk-any", max_retries=0)
        with client:
            answer = client.images.generate(model="gpt-image-2", prompt="A fox", size="1024x1024")
    content = base64.b64decode((answer.data or [])[0].b64_json or "")
    assert 1_350_000 < len(content) < 1_650_000


def png(size: tuple[int, int] = (64, 64), mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def client() -> Iterator[openai.OpenAI]:
    with (
        running(SandboxOptions(port=0)) as base_url,
        openai.OpenAI(base_url=base_url, api_key="sk-any", max_retries=0) as client,
    ):
        yield client


def test_the_official_client_generates(client: openai.OpenAI) -> None:
    """Everything that it reads out of an answer is there."""
    answer = client.images.generate(
        model="gpt-image-2.5-flare", prompt="A fox", n=2, size="1536x1024", output_format="webp"
    )
    assert answer.data is not None
    assert answer.usage is not None
    contents = [base64.b64decode(one.b64_json or "") for one in answer.data]
    assert [read_description(content) for content in contents] == ["A fox", "A fox"]
    assert Image.open(io.BytesIO(contents[0])).size == (1536, 1024)
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    assert (answer.size, answer.output_format) == ("1536x1024", "webp")


def test_the_official_client_edits(client: openai.OpenAI) -> None:
    """One picture and several, with a mask, as it sends them."""
    for image in (("a.png", png()), [("a.png", png()), ("b.png", png())]):
        answer = client.images.edit(
            model="gpt-image-2.5-sunburst",
            image=image,
            mask=("m.png", png(mode="RGBA")),
            prompt="Greener",
            n=1,
        )
        assert answer.data is not None
        assert read_description(base64.b64decode(answer.data[0].b64_json or "")) == "Greener"


def test_the_official_client_lists_models(client: openai.OpenAI) -> None:
    """Ids and last days, as it reads them."""
    models = {model.id: model for model in client.models.list()}
    assert models["gpt-image-2.5-flare"].object == "model"
    assert client.models.retrieve("gpt-image-2").id == "gpt-image-2"


def test_the_official_client_asks_about_pictures(client: openai.OpenAI) -> None:
    """Both ways of asking give it a text."""
    url = f"data:image/png;base64,{base64.b64encode(png()).decode()}"
    response = client.responses.create(
        model="gpt-6-luna",
        input=[
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What?"},
                    {"type": "input_image", "image_url": url, "detail": "low"},
                ],
            }
        ],
    )
    chat = client.chat.completions.create(
        model="gpt-4.1",
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What?"},
                    {"type": "image_url", "image_url": {"url": url}},
                ],
            }
        ],
    )
    texts = (response.output_text, chat.choices[0].message.content)
    assert texts == ("SANDBOX saw 64x64 png and was asked: What?",) * 2


def test_the_official_client_knows_its_errors(client: openai.OpenAI) -> None:
    """Each no is raised as what the client calls it."""
    for model, kind in (
        ("gpt-image-1", openai.NotFoundError),
        ("gpt-6-luna", openai.BadRequestError),
    ):
        with pytest.raises(kind):
            client.images.generate(model=model, prompt="A fox")
    for fault, expected in (
        ("429", openai.RateLimitError),
        ("401", openai.AuthenticationError),
        ("403", openai.PermissionDeniedError),
        ("500", openai.InternalServerError),
        ("reset", openai.APIConnectionError),
    ):
        with pytest.raises(expected):
            client.images.generate(model="gpt-image-2", prompt=f"[fault:{fault}]")
