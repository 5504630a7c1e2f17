"""The door's routes: pages for people, files, health and figures."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from importlib.resources import files
from random import Random
from typing import Any, TypeAlias

import orjson
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from watcher.api import Callbacks
from watcher.core.links import is_signed
from watcher.web.access import Access
from watcher.web.deliveries import Deliveries
from watcher.web.files import file_answer
from watcher.web.guard import Guard
from watcher.web.health import Ready, healthz
from watcher.web.jobs import Jobs, as_json
from watcher.web.metrics import Metrics
from watcher.web.orders import ORDERS, give
from watcher.web.pages import Pages, read_form
from watcher.web.problems import Refused, not_found
from watcher.web.reach import Reach
from watcher.web.rendering import page
from watcher.web.taking import Taking
from watcher.web.values import Behind, WebRules

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


def make_app(behind: Behind, rules: WebRules) -> tuple[ASGIApp, Deliveries]:
    """What is served, and who calls back. To be called on the loop that serves it."""
    loop = asyncio.get_running_loop()
    callbacks = Callbacks(rules.callback_hosts)
    access = Access(rules, monotonic=loop.time)
    reach = Reach()
    metrics = Metrics(behind, access, reach)
    pages = Pages(behind, access)
    jobs = Jobs(behind=behind, rules=rules, access=access, reach=reach)
    taking = Taking(
        behind=behind, rules=rules, access=access, jobs=jobs, callbacks=callbacks, reach=reach
    )
    taking.expect_untaken()
    shelf = _Shelf(behind, rules, access, reach)
    routes = [
        Route("/", pages.status),
        Route("/live", pages.live),
        Route("/login", pages.log_in, methods=["GET", "POST"]),
        Route("/logout", pages.log_out, methods=["POST"]),
        Route("/cancel/{job}", pages.cancel),
        Route("/openapi.json", _document(behind.inboxes)),
        Route("/jobs", _either(jobs.all, taking.post), methods=["GET", "POST"]),
        Route("/jobs/{job}", jobs.one),
        Route("/jobs/{job}/rows", jobs.rows),
        Route("/jobs/{job}/{order}", _Orders(behind, access, jobs, pages).answer, methods=["POST"]),
        Route("/healthz", healthz),
        Route("/readyz", Ready(behind).answer),
        Route("/metrics", metrics.answer),
        Route("/{folder:job}/index.html", pages.gallery),
        Route("/{folder:job}/{name:path}", shelf.answer),
    ]
    handlers = {HTTPException: _as_problem, Refused: _said(access)}
    app = ExceptionMiddleware(Router(routes, redirect_slashes=False), handlers)
    base = rules.public_url.rstrip("/") or f"http://{rules.host}:{rules.port}"
    deliveries = Deliveries(
        ledger=behind.ledger,
        callbacks=callbacks,
        about=lambda job: jobs.whole(base, job),
        tokens=rules.tokens,
        clock=behind.clock,
        random=Random(),  # noqa: S311 - it spreads waits, and keeps no secret
        log=behind.log,
    )
    return Guard(app, rules=rules, log=behind.log, count=metrics.count), deliveries


def _either(get: Endpoint, post: Endpoint) -> Endpoint:
    """One route, so that a wrong method is told of both."""

    async def either(request: Request) -> Response:
        return await (post if request.method == "POST" else get)(request)

    return either


class _Folder(Convertor[str]):
    """The name of a job's folder in a path; nothing else looks like one."""

    regex = r"[^/]+--[0-9b-df-hj-np-tv-z]{13}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("job", _Folder())


def _document(inboxes: Iterable[str]) -> Endpoint:
    """What programs may ask, with the inboxes that there are."""
    document = orjson.loads(files(__package__).joinpath("openapi.json").read_bytes())
    for parameter in document["paths"]["/jobs"]["post"]["parameters"]:
        if parameter["name"] == "inbox":
            parameter["schema"]["enum"] = list(inboxes)

    async def openapi(_: Request) -> Response:
        return as_json(document)

    return openapi


class _Orders:
    """`POST /jobs/ID/pause` and its like: a form of the page, or a program with the token."""

    def __init__(self, behind: Behind, access: Access, jobs: Jobs, pages: Pages) -> None:
        self._behind, self._access, self._jobs, self._pages = behind, access, jobs, pages

    async def answer(self, request: Request) -> Response:
        job_id, order = request.path_params["job"], request.path_params["order"]
        if order not in ORDERS:
            raise not_found(f"There is no order {order}.", f"There are: {', '.join(ORDERS)}.")
        form = await read_form(request)
        self._access.require_order(request, form)
        job = await asyncio.to_thread(give, self._behind, job_id, order)
        self._behind.log.info("order.given", job=job.id, order=order)
        self._behind.ordered(job.id)
        self._pages.ordered()
        if form:
            return RedirectResponse(f"../../?did={order}#job-{job.id}", 303)
        return as_json(self._jobs.told(self._jobs.base_of(request), job))


class _Shelf:
    """Files of jobs, for readers of the page, or for anybody who has a signed link."""

    def __init__(self, behind: Behind, rules: WebRules, access: Access, reach: Reach) -> None:
        self._behind, self._rules, self._access, self._reach = behind, rules, access, reach

    async def answer(self, request: Request) -> Response:
        folder, name = request.path_params["folder"], request.path_params["name"]
        signed = self._is_signed(request, folder, name)
        if not signed:
            self._access.require_reader(request)
        public = signed or (bool(self._rules.public_url) and self._rules.reading == "open")
        outboxes = {one.outbox.root: one.outbox for one in self._behind.inboxes.values()}.values()
        return await file_answer(request, outboxes, self._reach, folder, name, public=public)

    def _is_signed(self, request: Request, folder: str, name: str) -> bool:
        query = request.query_params
        return is_signed(
            self._behind.link_key, folder, name, expires=query.get("expires", ""),
            signed=query.get("signature", ""), now=self._behind.clock(),
        )  # fmt: skip


async def _as_problem(request: Request, error: Exception) -> Response:
    """Starlette's own: no such path, no such method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    if error.status_code == 405:  # noqa: PLR2004 - method not allowed
        what = f"{request.method} is not done here."
        headers: Mapping[str, str] = error.headers or {}
        return Refused(405, "method", what, headers=headers).answer()
    refused = not_found() if error.status_code == 404 else Refused(  # noqa: PLR2004
        error.status_code, "refused", error.detail
    )  # fmt: skip
    return refused.answer()


def _said(access: Access) -> Any:  # noqa: ANN401 - Starlette's type for handlers
    async def said(request: Request, refused: Exception) -> Response:
        """In a browser as a page, else as problem+json."""
        assert isinstance(refused, Refused)  # noqa: S101 - registered for it
        if not request.headers.get("accept", "").startswith("text/html"):
            return refused.answer()
        up = "../" * max(0, request.url.path.count("/") - 1) or "./"
        answer = page(
            "refused.html", up=up, status_code=refused.status, title=refused.what, what=refused.what,
            hint=refused.hint, has_token=access.has_token,
        )  # fmt: skip
        answer.headers.update(refused.headers)
        return answer

    return said
