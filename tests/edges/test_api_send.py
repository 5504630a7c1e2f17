"""Calls over real connections on loopback: what arrives is on disk and whole, what fails says how."""

from __future__ import annotations

import asyncio
import gzip
import os
import socket
import threading
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import httpx
import openai
import orjson
import pytest
from tests.edges.api_server import (
    Act,
    Server,
    answer,
    drip,
    flood,
    head,
    raw,
    reset,
    serving,
    stall,
)

from watcher.api import Endpoint, ImageApi, load_reply
from watcher.core.errors import DiskError
from watcher.core.jobs import Call, Item, No, Operation, Part, Refusal, Reply
from watcher.core.profiles import load_profiles
from watcher.core.wire import ModelListing, call_for

KEY = "sk-test-0123456789abcdef-canary"
CALL = Call(
    path="images/generations", body={"model": "m", "prompt": "A cat", "n": 1}, patience="low"
)
GOOD = {"data": [{"b64_json": "iVBORw0KGgo="}]}
T = TypeVar("T")


def endpoint(base: str, profile: str = "openai", **more: Any) -> Endpoint:  # noqa: ANN401
    timeouts = {"connect": 2.0, "low": 0.4, "medium": 5.0, "download": 0.6}
    values = {"key": KEY, "timeouts": timeouts, **more}
    return Endpoint(base_url=base, profile=load_profiles()[profile], **values)


async def no_wait(_seconds: float) -> None:
    """Waits between tries take no time in tests."""


def with_api(to: Endpoint, do: Callable[[ImageApi], Awaitable[T]], **more: Any) -> T:  # noqa: ANN401
    async def main() -> T:
        settings = {"margin": 0.4, "sleep": no_wait, "random": Random(7), **more}  # noqa: S311
        api = ImageApi(to, **settings)
        try:
            return await do(api)
        finally:
            await api.aclose()

    return asyncio.run(main())


def send(
    server: Server | str,
    into: Path,
    call: Call = CALL,
    **more: Any,  # noqa: ANN401
) -> Reply | Refusal:
    base = server if isinstance(server, str) else server.base
    return with_api(endpoint(base), lambda api: sent(api, into, call), **more)


async def sent(api: ImageApi, into: Path, call: Call = CALL) -> Reply | Refusal:
    """The reply, read back, or why there is none."""
    refusal = await api.send(call, into)
    reply = load_reply(into)
    assert (refusal is None) != (reply is None)
    return refusal or reply or pytest.fail("neither")


def refused(server: Server | str, into: Path, **more: Any) -> Refusal:  # noqa: ANN401
    said = send(server, into, **more)
    assert isinstance(said, Refusal)
    assert list(into.parent.iterdir()) == []
    return said


def test_a_reply_is_stored_whole_and_read_back(tmp_path: Path) -> None:
    """What arrives is in the file under its name, and an earlier process's file says the same."""
    into = tmp_path / "attempts" / "7.reply"
    act = answer(200, GOOD, X_Request_Id="req_1", Set_Cookie="a=b", X_Ratelimit_Limit_Requests="5")
    with serving(act) as server:
        said = send(server, into)
    assert said == Reply(
        status=200,
        headers={"x-request-id": "req_1", "x-ratelimit-limit-requests": "5"},
        body=orjson.dumps(GOOD),
    )
    assert load_reply(into) == said
    assert list(into.parent.iterdir()) == [into]
    line, _, body = into.read_bytes().partition(b"\n")
    assert orjson.loads(line)["status"] == 200
    assert body == orjson.dumps(GOOD)


def test_what_is_sent(tmp_path: Path) -> None:
    """The key as Bearer, JSON, no packing asked for, nothing else that tells about us."""
    with serving(answer(200, GOOD)) as server:
        to = endpoint(server.base, organization="org-1")
        with_api(to, lambda api: api.send(CALL, tmp_path / "1"))
    request = server.requests[0]
    assert (request.method, request.path) == ("POST", "/v1/images/generations")
    assert orjson.loads(request.body) == CALL.body
    assert request.headers == {
        "host": f"127.0.0.1:{server.port}",
        "accept": "application/json",
        "accept-encoding": "identity",
        "authorization": f"Bearer {KEY}",
        "connection": "keep-alive",
        "content-length": str(len(request.body)),
        "content-type": "application/json",
        "openai-organization": "org-1",
        "user-agent": request.headers["user-agent"],
    }
    assert request.headers["user-agent"].startswith("image-watcher/")


def test_other_ways_to_show_the_key(tmp_path: Path) -> None:
    """Azure's header where the profile says so, none where there is no key."""
    with serving(answer(200, GOOD)) as server:
        with_api(endpoint(server.base, "azure"), lambda api: api.send(CALL, tmp_path / "1"))
        with_api(endpoint(server.base, key=""), lambda api: api.send(CALL, tmp_path / "2"))
    azure, none = (request.headers for request in server.requests)
    assert azure["api-key"] == KEY
    assert "authorization" not in azure
    assert not {"api-key", "authorization"} & set(none)


def test_an_idempotency_key_only_where_it_is_honoured(tmp_path: Path) -> None:
    """Nobody is told our attempt's name for nothing."""
    profile = load_profiles()["generic"]
    honours = type(profile)(name="generic", honours_idempotency_key=True)
    with serving(answer(200, GOOD)) as server:
        for used in (profile, honours):
            to = Endpoint(base_url=server.base, key=KEY, profile=used)
            with_api(to, lambda api: api.send(CALL, tmp_path / "1", idempotency_key="a-1"))
    assert [r.headers.get("idempotency-key") for r in server.requests] == [None, "a-1"]


def test_multipart_has_the_form_of_the_official_package(tmp_path: Path) -> None:
    """An edit of ours and one of the `openai` package differ in nothing but the boundary."""
    cat = Part(name="", content=b"cat", filename="cat.png", content_type="image/png")
    dog = Part(name="", content=b"dog\r\n", filename="dog.jpg", content_type="image/jpeg")
    item = Item(operation=Operation.EDIT, model="m", prompt="Más", parameters={"quality": "low"})
    with serving(answer(200, GOOD)) as server:
        call = call_for(item, load_profiles()["openai"], images=(cat, dog), mask=cat)
        send(server, tmp_path / "1", call)
        with openai.OpenAI(base_url=server.base, api_key=KEY, max_retries=0) as client:
            client.images.edit(
                model="m",
                prompt="Más",
                n=1,
                quality="low",
                image=[(p.filename, p.content, p.content_type) for p in (cat, dog)],
                mask=(cat.filename, cat.content, cat.content_type),
            )
    ours, theirs = (_form(r.headers["content-type"], r.body) for r in server.requests)
    assert sorted(ours) == sorted(theirs)
    assert server.requests[0].headers["content-length"] == str(len(server.requests[0].body))


def _form(kind: str, body: bytes) -> list[tuple[tuple[str, ...], bytes]]:
    boundary = b"--" + kind.partition("boundary=")[2].encode()
    parts = []
    for part in body.split(boundary)[1:-1]:
        heads, _, content = part.strip(b"\r\n").partition(b"\r\n\r\n")
        parts.append((tuple(sorted(heads.decode().split("\r\n"))), content))
    return parts


@pytest.mark.parametrize("status", [400, 401, 429, 500, 307])
def test_any_status_is_a_reply(status: int, tmp_path: Path) -> None:
    """What a refusal means is for the wire to say; here it is stored like any reply."""
    act = answer(
        status, {"error": {"message": "no"}}, Retry_After="3", Location="https://x.example/?s=1"
    )
    with serving(act) as server:
        said = send(server, tmp_path / "1")
    assert isinstance(said, Reply)
    assert said.status == status
    assert said.headers == {"retry-after": "3", "location": "https://x.example/"}
    assert len(server.requests) == 1


def test_the_key_never_reaches_the_disk(tmp_path: Path) -> None:
    """A server that echoes the key, in body and headers, finds it starred out in our files."""
    body = f'{{"error": "bad key {KEY} given"}}'.encode()
    act = answer(401, body, X_Request_Id=KEY, Set_Cookie=KEY)
    with serving(act) as server:
        said = send(server, tmp_path / "1")
    assert isinstance(said, Reply)
    assert KEY not in repr(said)
    assert KEY.encode() not in (tmp_path / "1").read_bytes()


def test_an_endless_error_page_is_cut(tmp_path: Path) -> None:
    """Of an error a mebibyte is enough."""
    with serving(flood(head(500, None, Content_Type="text/html"), b"<html>" * 5000)) as server:
        said = send(server, tmp_path / "1", Call(path="x", patience="medium"))
    assert isinstance(said, Reply)
    assert len(said.body) == 1 << 20


PART = b'{"data": [{"b64_json": "iVBOR'
LOST = "connection_lost"
DOUBTS: dict[str, tuple[Act, str]] = {
    "closed without a word": (raw(), LOST),
    "reset without a word": (reset(), LOST),
    "body shorter than it says": (raw(head(200, 5000), PART), LOST),
    "reset in the body": (reset(head(200, 5000), PART), LOST),
    "chunks cut short": (raw(head(200, None, Transfer_Encoding="chunked"), b"40\r\nabc"), LOST),
    "no HTTP": (raw(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), "protocol_error"),
    "headers without end": (flood(b"HTTP/1.1 200 OK\r\n", b"x-a: b\r\n" * 500), "protocol_error"),
    "broken chunks": (raw(head(200, None, Transfer_Encoding="chunked"), b"zz\r\n"), "protocol_error"),
    "packed and broken": (answer(200, b"no gzip", Content_Encoding="gzip"), "protocol_error"),
    "packed and cut": (answer(200, gzip.compress(b"x" * 999)[:-9], Content_Encoding="gzip"), "protocol_error"),
    "packed in a way of its own": (answer(200, b"..", Content_Encoding="br"), "protocol_error"),
    "no headers": (stall(), "timeout"),
    "no body": (stall(head(200, 5000)), "timeout"),
    "half a body": (stall(head(200, 5000), PART), "timeout"),
    "headers byte by byte": (drip(b"HTTP/1.1 200 OK\r\nx: ", 0.05), "timeout"),
    "body byte by byte": (drip(head(200, 5000), 0.05), "timeout"),
}  # fmt: skip


@pytest.mark.parametrize("how", DOUBTS)
def test_a_call_that_was_sent_and_not_answered_may_have_been_paid(how: str, tmp_path: Path) -> None:
    """Once: never sent again from here. In bounded time, and nothing remains on the disk."""
    act, code = DOUBTS[how]
    with serving(act) as server:
        said = refused(server, tmp_path / "1")
    assert (said.no, said.code, said.paid_maybe) == (No.AMBIGUOUS, code, True)
    assert len(server.requests) == 1
    assert KEY not in repr(said)


def test_a_bomb_is_cut_off(tmp_path: Path) -> None:
    """256 MiB is the end, whatever a few kilobytes unpack to, and memory does not grow with it."""
    bomb = gzip.compress(bytes(257 << 20), compresslevel=1)
    with serving(answer(200, bomb, Content_Encoding="gzip")) as server:

        async def do(api: ImageApi) -> tuple[Reply | Refusal, int]:
            tracemalloc.start()
            said = await sent(api, tmp_path / "1", Call(path="x", patience="analyze"))
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return said, peak

        said, peak = with_api(endpoint(server.base), do, margin=60)
    assert isinstance(said, Refusal)
    assert (said.no, said.code) == (No.AMBIGUOUS, "too_large")
    assert peak < 12 << 20


def test_an_answer_packed_unasked_is_unpacked(tmp_path: Path) -> None:
    """Some proxies pack whatever they are asked."""
    packed = gzip.compress(orjson.dumps(GOOD))
    with serving(answer(200, packed, Content_Encoding="gzip")) as server:
        said = send(server, tmp_path / "1")
    assert isinstance(said, Reply)
    assert orjson.loads(said.body) == GOOD


def test_a_refused_connection_is_tried_again_at_once_and_costs_nothing(tmp_path: Path) -> None:
    """Nothing was sent: later, in words that name the host."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    said = refused(f"http://127.0.0.1:{port}/v1", tmp_path / "1", sleep=sleep)
    assert (said.no, said.code, said.paid_maybe) == (No.LATER, "connection", False)
    assert said.what == f"127.0.0.1:{port} refused the connection."
    assert len(waits) == 2
    assert all(0 <= wait <= 1 for wait in waits)


def test_a_name_that_does_not_exist(tmp_path: Path) -> None:
    """Said as such: the hint speaks of names and networks."""
    said = refused("http://no-such-host.invalid/v1", tmp_path / "1")
    assert (said.no, said.code) == (No.LATER, "connection")
    assert "no-such-host.invalid" in said.what
    assert "name" in said.what


def test_a_server_that_takes_no_connection_in_time(tmp_path: Path) -> None:
    """A full backlog: nothing was sent, whichever clock runs out first."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [_knock(port) for _ in range(4)]
        said = refused(f"http://127.0.0.1:{port}/v1", tmp_path / "1")
        for filler in fillers:
            filler.close()
    assert (said.no, said.code) == (No.LATER, "connection")


def _knock(port: int) -> socket.socket:
    knocker = socket.socket()
    knocker.setblocking(False)
    knocker.connect_ex(("127.0.0.1", port))
    return knocker


def test_https_to_a_server_that_speaks_http(tmp_path: Path) -> None:
    """Said as such, once; the hint asks for http://."""
    with serving(answer(200, GOOD)) as server:
        said = refused(server.base.replace("http:", "https:"), tmp_path / "1")
    assert (said.no, said.code) == (No.LATER, "connection")
    assert "http://" in said.hint


def test_replies_are_handled_without_copies(tmp_path: Path) -> None:
    """A picture of 4 MB in base64: the stream is not held, the reply is read back once."""
    size = 4 << 20
    body = b'{"data":[{"b64_json":"' + b"A" * size + b'"}]}'
    with serving(answer(200, body)) as server:
        send(server, tmp_path / "warm")

        async def do(api: ImageApi) -> int:
            tracemalloc.start()
            said = await sent(api, tmp_path / "1")
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert isinstance(said, Reply)
            assert said.body == body
            return peak

        assert with_api(endpoint(server.base), do) < 2.5 * size


def test_a_disk_that_cannot_be_written_is_a_fault_of_the_disk(tmp_path: Path) -> None:
    """Not of the row: DiskError, in words that name the folder."""
    (tmp_path / "state").write_bytes(b"a file where the folder should be")
    with serving(answer(200, GOOD)) as server, pytest.raises(DiskError) as caught:
        send(server, tmp_path / "state" / "1")
    assert str(tmp_path / "state") in str(caught.value)


def test_a_full_disk(tmp_path: Path) -> None:
    """No space left: told as such, and the half-written part is gone."""
    into = tmp_path / "1"
    (tmp_path / "1.part").symlink_to("/dev/full")
    with serving(answer(200, b"x" * (3 << 20))) as server, pytest.raises(DiskError) as caught:
        send(server, into)
    assert caught.value.code == "disk_full"
    assert not os.path.lexists(tmp_path / "1.part")
    assert not into.exists()


def test_cancelled_calls_leave_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    """A stop in the middle of a body ends the call at once."""
    with serving(stall(head(200, 5000), PART), answer(200, GOOD)) as server:

        async def do(api: ImageApi) -> Reply | Refusal:
            task = asyncio.create_task(api.send(CALL, tmp_path / "1"))
            await asyncio.to_thread(server.wait_for, 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert os.listdir(tmp_path) == []  # noqa: PTH208 - not a Path's while a loop runs
            return await sent(api, tmp_path / "2")

        assert isinstance(with_api(endpoint(server.base), do), Reply)


def test_more_calls_than_places_wait_their_turn_without_running_out_of_time(tmp_path: Path) -> None:
    """One client has eight places; sixteen calls of 0.2 s each are all answered."""
    gate = threading.Barrier(8, timeout=10)

    def together(connection: socket.socket, _request: object, _server: object) -> None:
        gate.wait()
        connection.sendall(head(200, 2) + b"{}")

    with serving(together) as server:

        async def do(api: ImageApi) -> list[Reply | Refusal]:
            return await asyncio.gather(*(sent(api, tmp_path / str(n)) for n in range(16)))

        said = with_api(endpoint(server.base), do, clients=1, margin=10)
    assert [type(reply) for reply in said] == [Reply] * 16
    assert server.connections == 8


def test_connections_are_kept_and_used_again(tmp_path: Path) -> None:
    """Calls one after the other share a connection."""
    with serving(answer(200, GOOD)) as server:

        async def do(api: ImageApi) -> None:
            for n in range(3):
                assert isinstance(await sent(api, tmp_path / str(n)), Reply)

        with_api(endpoint(server.base), do, clients=1)
    assert (len(server.requests), server.connections) == (3, 1)


def test_a_transport_of_ones_own_is_used(tmp_path: Path) -> None:
    """The one seam towards the network."""

    async def path_of(request: httpx.Request) -> AsyncIterator[bytes]:
        yield request.url.raw_path

    transport = httpx.MockTransport(lambda r: httpx.Response(200, content=path_of(r)))
    said = send("http://api.example/v1", tmp_path / "1", transport=transport)
    assert isinstance(said, Reply)
    assert said.body == b"/v1/images/generations"


def test_models(tmp_path: Path) -> None:
    """The list as values, or why there is none."""
    listed = {"data": [{"id": "a", "shutdown_date": "2026-12-01"}, {"id": "b"}]}
    with serving(answer(200, listed), answer(401), stall()) as server:

        async def do(api: ImageApi) -> list[object]:
            return [await api.models(), await api.models()]

        good, bad = with_api(endpoint(server.base), do)
    assert isinstance(good, tuple)
    assert [model.id for model in good] == ["a", "b"]
    assert isinstance(good[0], ModelListing)
    assert isinstance(bad, Refusal)
    assert (bad.no, bad.code) == (No.NOBODY, "invalid_api_key")
    assert [(r.method, r.path) for r in server.requests] == [("GET", "/v1/models")] * 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", [None, b"", b"{", b'{"status": 200', b'{"status": "x"}\nbody', b"[]\n", b"\xff\n"]
)
def test_what_is_no_stored_reply_is_none(content: bytes | None, tmp_path: Path) -> None:
    """Not there, empty or torn: the attempt has no answer on disk."""
    if content is not None:
        (tmp_path / "1").write_bytes(content)
    assert load_reply(tmp_path / "1") is None
