"""The sandbox as an application: the API's addresses below /v1, and its own below /sandbox.

GET  /sandbox/stats    calls, what was paid, by status and by prompt
POST /sandbox/reset    all counts at nothing, faults with a count as if new; answers with the counts until then
GET  /sandbox/faults   the faults in force, as a list of texts
POST /sandbox/faults   a list of texts: these faults from now on, instead of all others
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from watcher.core.catalogue import Model
from watcher.core.errors import SettingsError
from watcher.sandbox.checks import PROVIDER
from watcher.sandbox.desk import Clocks, Desk
from watcher.sandbox.faults import parse_fault
from watcher.sandbox.forms import read_body
from watcher.sandbox.options import SandboxOptions
from watcher.sandbox.refusals import Refused, model_not_found

Handler = Callable[[Request], Awaitable[Response]]


def create_app(options: SandboxOptions, clocks: Clocks | None = None) -> Starlette:
    """The application. Faults below HTTP (reset, truncated) need the server of `serve` around it."""
    desk = Desk(options, clocks or Clocks())
    api = _Api(desk, options.key)
    own = _Own(desk)
    return Starlette(
        routes=[Mount("/v1", routes=api.routes()), Mount("/sandbox", routes=own.routes())],
        middleware=[Middleware(_Counted, desk=desk)],
        exception_handlers={HTTPException: _no_such_address, Refused: _refused},
    )


class _Api:
    """The addresses of the API."""

    def __init__(self, desk: Desk, key: str | None) -> None:
        self._desk = desk
        self._key = key

    def routes(self) -> list[Route]:
        desk = self._desk
        calls = {
            "/images/generations": desk.generate,
            "/images/edits": desk.edit,
            "/responses": desk.respond,
            "/chat/completions": desk.chat,
        }
        return [
            *(
                Route(path, self._called(answer), methods=["POST"])
                for path, answer in calls.items()
            ),
            Route("/models", self._with_key(self._models)),
            Route("/models/{id}", self._with_key(self._model)),
            Route("/images/{id}/content", self._picture, name="picture"),
        ]

    def _with_key(self, answer: Handler) -> Handler:
        async def keyed(request: Request) -> Response:
            self._check_key(request)
            return await answer(request)

        return keyed

    def _called(self, answer: Handler) -> Handler:
        """A call that costs: needs a key, and is counted as refused when it is."""

        async def called(request: Request) -> Response:
            try:
                self._check_key(request)
                return await answer(request)
            except Refused:
                self._desk.counts.refuse()
                raise

        return called

    def _check_key(self, request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer" or not key:
            raise Refused(
                "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
                status=401,
            )
        if self._key not in (None, key):
            raise Refused(
                f"Incorrect API key provided: {key[:3]}***.", status=401, code="invalid_api_key"
            )

    async def _models(self, _: Request) -> Response:
        models = [
            _model_body(model, name)
            for model in self._desk.catalogue.models.values()
            if self._lives(model)
            for name in (model.id, *model.snapshots)
        ]
        return JSONResponse({"object": "list", "data": models})

    async def _model(self, request: Request) -> Response:
        name = request.path_params["id"]
        model = self._desk.catalogue.find(name)
        if model is None or not self._lives(model):
            raise model_not_found(name, retired=model is not None)
        return JSONResponse(_model_body(model, name))

    async def _picture(self, request: Request) -> Response:
        found = self._desk.shelf.get(request.path_params["id"])
        if found is None:
            raise Refused("There is no such picture.", status=404)
        await asyncio.sleep(found.lag)
        return Response(found.content, media_type=found.media_type)

    def _lives(self, model: Model) -> bool:
        return model.state_on(self._desk.today, PROVIDER) != "retired"


class _Own:
    """The sandbox's own addresses: to look at its counts and to change its ways while it runs."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        return [
            Route("/stats", self._stats),
            Route("/reset", self._reset, methods=["POST"]),
            Route("/faults", self._faults),
            Route("/faults", self._set_faults, methods=["POST"]),
        ]

    async def _stats(self, _: Request) -> Response:
        struck = dict(self._desk.faults.struck)
        return JSONResponse({**self._desk.counts.snapshot(), "by_fault": struck})

    async def _reset(self, _: Request) -> Response:
        before = self._desk.counts.snapshot()
        self._desk.counts.reset()
        self._desk.faults.forget()
        self._desk.limits.refill()
        return JSONResponse(before)

    async def _faults(self, _: Request) -> Response:
        return JSONResponse([str(rule) for rule in self._desk.faults.rules])

    async def _set_faults(self, request: Request) -> Response:
        try:
            texts = orjson.loads(await read_body(request))
            rules = [parse_fault(str(text)) for text in texts]
        except (orjson.JSONDecodeError, TypeError) as error:
            raise Refused('Send a JSON list of faults, such as ["429:2", "slow=5"].') from error
        except SettingsError as error:
            raise Refused(str(error), code="sandbox_fault") from error
        self._desk.faults.replace(rules)
        return await self._faults(request)


class _Counted:
    """Around everything: an id for each answer, and the count of calls that could cost something."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self._app = app
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        request_id = f"req_{self._desk.new_id()}"
        scope.setdefault("state", {})["request_id"] = request_id
        counted = scope["method"] == "POST" and scope["path"].startswith("/v1/")
        status = "cut"

        async def send_with_id(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
                spent = f"{(time.perf_counter() - started) * 1000:.0f}"
                headers = {"x-request-id": request_id, "openai-processing-ms": spent}
                if counted:
                    headers |= self._desk.limit_headers(scope["state"].get("model", ""))
                message["headers"] = [*message["headers"], *_raw(headers)]
            await send(message)

        if counted:
            self._desk.counts.begin(scope["path"])
        try:
            await self._app(scope, receive, send_with_id)
        except (asyncio.CancelledError, ClientDisconnect):
            # The server stops, or the client is gone: nobody waits for this answer any more.
            return
        finally:
            if counted:
                self._desk.counts.end(status)


async def _refused(_: Request, refused: Exception) -> Response:
    assert isinstance(refused, Refused)  # noqa: S101 - registered for this class only
    return JSONResponse(refused.body(), refused.status, refused.headers)


async def _no_such_address(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = (
        f"Not allowed to {request.method} on {request.url.path}."
        if status == 405  # noqa: PLR2004 - the status
        else f"Invalid URL ({request.method} {request.url.path})"
    )
    return JSONResponse(Refused(message).body(), status)


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def _model_body(model: Model, name: str) -> dict[str, object]:
    gone = model.shutdown_on(PROVIDER)
    return {
        "id": name,
        "object": "model",
        "created": int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()),
        "owned_by": "system",
        "shutdown_date": gone.isoformat() if gone else None,
    }
