"""Idempotency keys, where the settings say that the server honours them."""

from __future__ import annotations

import socket
from base64 import b64encode
from io import BytesIO
from pathlib import Path

from PIL import Image
from tests.edges.api_server import Act, Request, Server, answer, reset, serving, stall
from tests.system.house import house, prompts_csv, wait_for


def _picture() -> Act:
    sink = BytesIO()
    Image.new("RGB", (1024, 1024), "teal").save(sink, "png")
    return answer(200, {"created": 1, "data": [{"b64_json": b64encode(sink.getvalue()).decode()}]})


def _in_turn(*acts: Act) -> Act:
    """One act a POST, the last for all further ones; nothing else is known here."""
    asked = iter(acts)
    last = acts[-1]

    def act(connection: socket.socket, request: Request, server: Server) -> None:
        chosen = next(asked, last) if request.method == "POST" else answer(404, {})
        chosen(connection, request, server)

    return act


def _keys(server: Server) -> list[str | None]:
    posts = [request for request in server.requests if request.method == "POST"]
    return [request.headers.get("idempotency-key") for request in posts]


def test_a_call_and_its_resends_carry_one_key_and_every_other_call_its_own(tmp_path: Path) -> None:
    """Reset, then sent away, then answered: one key. What asks for the rest has another, and so has another row."""
    refused = answer(429, {"error": {"code": "rate_limit_exceeded"}}, Retry_After="1")
    script = _in_turn(reset(b"HTTP/1.1 200 OK\r\n"), refused, _picture())
    settings = {"api": {"idempotency_key": True, "profile": "generic"}}
    with serving(script) as server, house(tmp_path, server.base, settings) as home:
        home.drop("cat.csv", "prompt,n\na cat,2\n")
        assert home.wait_over("cat.csv").statuses == ["done"]
        home.drop("dog.csv", prompts_csv(["a dog"]))
        assert home.wait_over("dog.csv").statuses == ["done"]
        cat, again, sent_away, rest, dog = _keys(server)
        assert cat == again == sent_away
        assert len({cat, rest, dog, None}) == 4


def test_a_call_that_a_crash_interrupted_is_resent_with_its_key(tmp_path: Path) -> None:
    """Who kills the process between call and answer pays once, where the server keeps its word."""
    settings = {"api": {"idempotency_key": True, "profile": "generic"}}
    script = _in_turn(stall(), _picture())
    with serving(script) as server, house(tmp_path, server.base, settings) as home:
        home.drop("a.csv", prompts_csv(["a cat"]))
        wait_for(lambda: _keys(server), 30, "the call arrived")
        home.restart()
        assert home.wait_over("a.csv").statuses == ["done"]
        first, second = _keys(server)
        assert first
        assert first == second


def test_no_key_is_sent_unless_it_is_asked_for(tmp_path: Path) -> None:
    """A server that does not know the header hears nothing of our jobs."""
    settings = {"api": {"profile": "generic"}}
    with serving(_in_turn(_picture())) as server, house(tmp_path, server.base, settings) as home:
        home.drop("a.csv", prompts_csv(["a cat"]))
        assert home.wait_over("a.csv").statuses == ["done"]
        assert _keys(server) == [None]
