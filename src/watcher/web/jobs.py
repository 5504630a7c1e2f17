"""Jobs for programs: as JSON, with the addresses of everything that belongs to one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import Response

from watcher.core.errors import DiskError, WatcherError
from watcher.core.jobs import JobState
from watcher.core.links import PublicLinks
from watcher.core.report import job_json, results_jsonl
from watcher.core.results import JobResult
from watcher.inbox import lies
from watcher.ledger import Post
from watcher.web.access import Access
from watcher.web.orders import find
from watcher.web.problems import Refused, not_found
from watcher.web.reach import Reach
from watcher.web.values import Behind, WebRules

_MOST_JOBS, _MOST_ROWS = 200, 1000
_LEFT_OUT = ("columns", "encoding", "settings", "folder", "version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """What can be asked about jobs over HTTP."""

    behind: Behind
    rules: WebRules
    access: Access
    reach: Reach

    async def all(self, request: Request) -> Response:
        """`GET /jobs`: the newest first."""
        self.access.require_reader(request)
        limit = number_in(request, "limit", 50, 1, _MOST_JOBS)
        state = request.query_params.get("state")
        if state is not None and state not in set(JobState):
            raise bad_query("state", f"one of {', '.join(JobState)}")
        states = () if state is None else (JobState(state),)
        found = await asyncio.to_thread(self.behind.ledger.views.jobs, states=states, most=limit)
        base = self.base_of(request)
        return as_json({"jobs": [self.told(base, job) for job in found]})

    async def one(self, request: Request) -> Response:
        """`GET /jobs/ID`"""
        self.access.require_reader(request)
        return as_json(await self.about(self.base_of(request), request.path_params["job"]))

    async def rows(self, request: Request) -> Response:
        """`GET /jobs/ID/rows`: as in results.jsonl, some at a time."""
        self.access.require_reader(request)
        after = number_in(request, "after", 0, 0, 2**31)
        limit = number_in(request, "limit", 100, 1, _MOST_ROWS)
        return as_json(
            await asyncio.to_thread(
                self._page, self.base_of(request), request.path_params["job"], after, limit
            )
        )

    async def about(self, base: str, job_id: str) -> Mapping[str, Any]:
        """A job, or what was posted and is no job yet. Raises Refused where there is neither."""
        found = await asyncio.to_thread(self._known, job_id)
        if isinstance(found, JobResult):
            return self.told(base, found)
        return {
            "id": found.id,
            "inbox": found.inbox,
            "name": found.path.rpartition(b"/")[2].decode("utf-8", "replace"),
            "state": "accepted" if await self._still_comes(found) else "lost",
            "links": self._links(base, found.id),
        }

    def _known(self, job_id: str) -> JobResult | Post:
        found = self.find(job_id) or self.behind.ledger.posts.find(job_id)
        if found is None:
            raise not_found(f"There is no job {job_id}.", "GET /jobs lists them.")
        return found

    async def _still_comes(self, post: Post) -> bool:
        if (place := self.behind.inboxes.get(post.inbox)) is None:
            return True
        try:
            return await self.reach.into(place.folder.path, lambda: self.is_coming(post))
        except DiskError:  # nothing can be told of the inbox
            return True

    def find(self, job_id: str) -> JobResult | None:
        """By its id, or by that of a drop that repeated it."""
        return find(self.behind.ledger, job_id)

    def is_coming(self, post: Post) -> bool:
        """False: its drop was taken away before it could become a job. In a thread of the inbox: it may hang."""
        place = self.behind.inboxes.get(post.inbox)
        if place is None or self.behind.ledger.claims.find(post.id):
            return True
        try:
            return lies(place.folder, post.path)
        except WatcherError:  # the inbox is away
            return True

    def told(self, base: str, job: JobResult) -> dict[str, Any]:
        """A job as programs get it."""
        whole = job_json(job, version=self.behind.version)
        mine = {name: value for name, value in whole.items() if name not in _LEFT_OUT}
        over = job.state is not JobState.RUNNING and job.published_at is not None
        links = {**self._links(base, job.id), **self._results(base, job)}
        return {**mine, "over": over, "links": links}

    def rows_of(self, base: str, job: JobResult, after: int, limit: int) -> list[Any]:
        """Rows as in results.jsonl, with the addresses of their pictures."""
        rows = islice(self.behind.ledger.views.rows(job.id, after), limit)
        return [*map(orjson.loads, results_jsonl(job, rows, links=self._public(base)))]

    def _page(self, base: str, job_id: str, after: int, limit: int) -> Mapping[str, Any]:
        job = self._known(job_id)
        if isinstance(job, Post):
            return {"rows": [], "next": None}
        rows = self.rows_of(base, job, after, limit)
        last = rows[-1]["result_row"] if len(rows) == limit else None
        here = f"{base}/jobs/{job.id}/rows"
        more = None if last is None else f"{here}?after={last}&limit={limit}"
        return {"rows": rows, "next": more}

    def base_of(self, request: Request) -> str:
        """Where this server is, as its caller knows it; without a slash at the end."""
        return self.rules.public_url.rstrip("/") or f"http://{request.headers['host']}"

    def whole(self, base: str, job_id: str) -> Mapping[str, Any] | None:
        """A job with its first rows, as who waited for it gets it."""
        job = self.find(job_id)
        if job is None:
            return None
        return {**self.told(base, job), "results": self.rows_of(base, job, 0, _MOST_ROWS)}

    def _links(self, base: str, job_id: str) -> dict[str, str]:
        here = f"{base}/jobs/{job_id}"
        return {"self": here, "rows": f"{here}/rows"}

    def _results(self, base: str, job: JobResult) -> dict[str, str]:
        if job.problem:
            return {}
        folder = f"{base}/{quote(job.folder, safe='')}"
        return {"gallery": f"{folder}/index.html", "results": f"{folder}/results.csv"}

    def _public(self, base: str) -> PublicLinks:
        links = self.behind.links()
        return links if links.base else replace(links, base=base)


def as_json(value: Mapping[str, Any], status: int = 200, **headers: str) -> Response:
    return Response(orjson.dumps(value), status, headers, media_type="application/json")


def number_in(request: Request, name: str, default: int, least: int, most: int) -> int:
    """A number of the query. Raises Refused."""
    text = request.query_params.get(name)
    if text is None:
        return default
    good = text.isascii() and text.isdecimal() and len(text) <= len(str(most))
    if not good or not least <= int(text) <= most:
        raise bad_query(name, f"a number from {least} to {most}")
    return int(text)


def bad_query(name: str, allowed: str) -> Refused:
    return Refused(422, "bad_query", f"{name} is not what it may be.", f"It may be {allowed}.")
