"""The door's routes: pages for people, files, health and figures."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from watcher.core.links import is_signed
from watcher.core.report import job_json
from watcher.web.access import Access
from watcher.web.files import file_answer
from watcher.web.guard import Guard
from watcher.web.health import Ready, healthz
from watcher.web.metrics import Metrics
from watcher.web.orders import ORDERS, give
from watcher.web.pages import Pages, read_form
from watcher.web.problems import Refused, not_found
from watcher.web.rendering import page
from watcher.web.values import Behind, WebRules


def make_app(behind: Behind, rules: WebRules) -> ASGIApp:
    """To be called on the loop that serves it."""
    loop = asyncio.get_running_loop()
    access = Access(rules, monotonic=loop.time)
    metrics = Metrics(behind, access)
    pages = Pages(behind, access)
    shelf = _Shelf(behind, rules, access)
    routes = [
        Route("/", pages.status),
        Route("/live", pages.live),
        Route("/login", pages.log_in, methods=["GET", "POST"]),
        Route("/logout", pages.log_out, methods=["POST"]),
        Route("/cancel/{job}", pages.cancel),
        Route("/jobs/{job}/{order}", _Orders(behind, access).answer, methods=["POST"]),
        Route("/healthz", healthz),
        Route("/readyz", Ready(behind).answer),
        Route("/metrics", metrics.answer),
        Route("/{folder}/index.html", pages.gallery),
        Route("/{folder}/{name:path}", shelf.answer),
    ]
    handlers = {HTTPException: _as_problem, Refused: _said(access)}
    app = ExceptionMiddleware(Router(routes, redirect_slashes=False), handlers)
    return Guard(app, rules=rules, log=behind.log, count=metrics.count)


class _Orders:
    """`POST /jobs/ID/pause` and its like: a form of the page, or a program with the token."""

    def __init__(self, behind: Behind, access: Access) -> None:
        self._behind, self._access = behind, access

    async def answer(self, request: Request) -> Response:
        job_id, order = request.path_params["job"], request.path_params["order"]
        if order not in ORDERS:
            raise not_found(f"There is no order {order}.", f"There are: {', '.join(ORDERS)}.")
        form = await read_form(request)
        self._access.require_order(request, form)
        job = await asyncio.to_thread(give, self._behind, job_id, order)
        self._behind.log.info("order.given", job=job.id, order=order)
        self._behind.ordered(job.id)
        if form:
            return RedirectResponse(f"../../?did={order}#job-{job.id}", 303)
        return JSONResponse(job_json(job, version=self._behind.version))


class _Shelf:
    """Files of jobs, for readers of the page, or for anybody who has a signed link."""

    def __init__(self, behind: Behind, rules: WebRules, access: Access) -> None:
        self._behind, self._rules, self._access = behind, rules, access

    async def answer(self, request: Request) -> Response:
        folder, name = request.path_params["folder"], request.path_params["name"]
        signed = self._is_signed(request, folder, name)
        if not signed:
            self._access.require_reader(request)
        places = iter(self._behind.inboxes.values())
        public = signed or (bool(self._rules.public_url) and self._rules.reading == "open")
        return await asyncio.to_thread(file_answer, request, places, folder, name, public=public)

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
