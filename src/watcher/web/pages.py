"""The status page and the forms on it, for people: whole without script, live with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from watcher.core.jobs import JobState
from watcher.core.report import gallery_html
from watcher.core.report.times import counted
from watcher.web.access import Access
from watcher.web.orders import TOLD
from watcher.web.problems import Refused, not_found
from watcher.web.rendering import page, rendered
from watcher.web.status import Gathering, Status
from watcher.web.values import Behind

_FRESH = 1.0  # seconds that one look serves all who look
_HEARTBEAT = 15.0  # seconds after which a silent connection hears something
_MOST_LIVE = 64
_FORM_BYTES, _FIELDS = 16 * 1024, 10


@dataclass(slots=True)
class Pages:
    """`status` at the root; `live`: its news; `login`, `cancel`: forms; `gallery`: all pictures of a job."""

    behind: Behind
    access: Access
    _gathering: Gathering = field(init=False)
    _seen: tuple[float, Status] | None = None
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _live: int = 0

    def __post_init__(self) -> None:
        self._gathering = Gathering(self.behind)

    def ordered(self) -> None:
        """An order was given: who gave it sees what came of it, and not what was a second ago."""
        self._seen = None

    async def status(self, request: Request) -> Response:
        if self._must_log_in(request):
            return self._login_page()
        return page(
            "status.html",
            **self._values(request, await self._look()),
            told=TOLD.get(request.query_params.get("did", ""), ""),
            version=self.behind.version,
        )

    async def live(self, request: Request) -> Response:
        self.access.require_reader(request)
        if self._live >= _MOST_LIVE:
            raise Refused(503, "too_many_readers", "Too many pages are open.", "Close some.")
        headers = {"x-accel-buffering": "no"}
        return StreamingResponse(
            self._news(request), headers=headers, media_type="text/event-stream"
        )

    async def log_in(self, request: Request) -> Response:
        if request.method != "POST":
            return self._login_page()
        form = await read_form(request)
        self.access.require_own_page(request)
        try:
            return self.access.log_in(request, form.get("token", "").strip())
        except Refused as refused:
            return self._login_page(f"{refused.what} {refused.hint}", refused.status)

    async def log_out(self, request: Request) -> Response:
        self.access.require_order(request, await read_form(request))
        return self.access.log_out(request)

    async def cancel(self, request: Request) -> Response:
        """What would be lost, before it is; works without script."""
        session = self.access.session(request)
        if session is None:
            raise self.access.refusal("Orders need the token.", "Log in on the status page.")
        views = self.behind.ledger.views
        job = await asyncio.to_thread(views.job, request.path_params["job"])
        if job is None or job.state is not JobState.RUNNING:
            raise not_found("There is no such job, or it is over.")
        left = counted(job.rows - job.ended, "row")
        values: dict[str, Any] = {
            "name": job.name,
            "id": job.id,
            "open": left,
            "csrf": session.csrf,
        }
        return page("cancel.html", up="../", **values)

    async def gallery(self, request: Request) -> Response:
        """Made anew from the ledger: a page on a share is anybody's to write."""
        self.access.require_reader(request)
        folder = request.path_params["folder"]
        views = self.behind.ledger.views
        job = await asyncio.to_thread(views.job, folder.rpartition("--")[2])
        if job is None or job.folder != folder:
            raise not_found("There is no such job.", "The status page names them.")
        pieces = gallery_html(job, lambda: views.rows(job.id), now=self.behind.clock())
        first = await asyncio.to_thread(next, pieces)
        return StreamingResponse(
            _then(first, pieces), headers={"content-security-policy": _own_policy(first)},
            media_type="text/html",
        )  # fmt: skip

    async def _look(self) -> Status:
        now = asyncio.get_running_loop().time
        async with self._looking:
            if self._seen is None or now() - self._seen[0] >= _FRESH:
                found = await asyncio.to_thread(self._gathering.look)
                self._seen = (now(), found)
            return self._seen[1]

    async def _news(self, request: Request) -> AsyncIterator[str]:
        """The page's inner part as JSON text, whenever it has changed."""
        self._live += 1
        try:
            told, silent = "", 0.0
            while True:
                values = self._values(request, await self._look())
                text = orjson.dumps(rendered("live.html", **values)).decode()
                if text != told:
                    told, silent = text, 0.0
                    yield f"data: {text}\n\n"
                elif silent >= _HEARTBEAT:
                    silent = 0.0
                    yield ": still here\n\n"
                silent += _FRESH
                await asyncio.sleep(_FRESH)
        finally:
            self._live -= 1

    def _values(self, request: Request, status: Status) -> dict[str, Any]:
        session = self.access.session(request)
        csrf = session.csrf if session else ""
        return {"status": status, "csrf": csrf, "has_token": self.access.has_token}

    def _must_log_in(self, request: Request) -> bool:
        try:
            self.access.require_reader(request)
        except Refused:
            return True
        return False

    @staticmethod
    def _login_page(wrong: str = "", status: int = 200) -> HTMLResponse:
        return page("login.html", wrong=wrong, status_code=status)


async def read_form(request: Request) -> dict[str, str]:
    """A small form. Raises Refused."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {}
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _FORM_BYTES:
            raise Refused(413, "too_large", "The form is too large.")
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=_FIELDS))
    except ValueError:
        raise Refused(400, "form", "The form has too many fields.") from None


def _then(first: str, pieces: Iterator[str]) -> Iterator[str]:
    yield first
    yield from pieces


def _own_policy(first: str) -> str:
    """What the gallery says of itself in its head, as a header too."""
    _, _, rest = first.partition('http-equiv="Content-Security-Policy" content="')
    found = rest.partition('"')[0].replace("&#39;", "'")
    return f"{found}; frame-ancestors 'none'" if found else "default-src 'none'"
