"""Calling back who asked for it, once a job's results are out: signed, again and again for days, over restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

import orjson

from watcher.api import Callbacks, NotTaken
from watcher.core.errors import DiskError
from watcher.core.log import Log
from watcher.core.webhooks import headers_of
from watcher.ledger import Ledger, Post

# Seconds before each further try (Standard Webhooks, "deliverability"); then it is given up.
WAITS = (5.0, 30.0, 120.0, 600.0, 1800.0, 7200.0, 18000.0, 36000.0, 86400.0)
_LOOK = 1.0  # seconds between two looks at who is due
_JITTER = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """A task beside the daemon. `about`: what is told of a job; `tokens`: what signs it; `clock` in seconds since the epoch."""

    ledger: Ledger
    callbacks: Callbacks
    about: Callable[[str], Mapping[str, Any] | None]
    tokens: Callable[[], tuple[str, ...]]
    clock: Callable[[], float]
    random: Random
    log: Log

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                try:
                    due = await asyncio.to_thread(self.ledger.posts.due, self.clock())
                    await asyncio.gather(*(self._deliver(post, job) for post, job in due))
                except DiskError as error:
                    self.log.warning("disk.refused", what=error.what, what_to_do=error.hint)
                await asyncio.sleep(_LOOK)
        finally:
            await self.callbacks.aclose()

    async def _deliver(self, post: Post, job_id: str) -> None:
        """At least once: a crash right after the call brings it again, under the same message id."""
        tries = post.tries + 1
        try:
            await self._call(post, job_id)
        except NotTaken as error:
            await self._put_off(post, tries, str(error), final=error.final)
            return
        await self._settle(post, tries, None, "delivered")
        self.log.info("callback.delivered", job=job_id, tries=tries)

    async def _call(self, post: Post, job_id: str) -> None:
        about = await asyncio.to_thread(self.about, job_id)
        now = self.clock()
        moment = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
        body = orjson.dumps({"type": "job.ended", "timestamp": moment, "data": about})
        headers = headers_of(self.tokens(), f"msg_{post.id}", int(now), body)
        await self.callbacks.post(post.callback_url, body, headers)

    async def _put_off(self, post: Post, tries: int, what: str, *, final: bool) -> None:
        if final or tries > len(WAITS):
            hint = "Ask GET /jobs for it, or correct the address and post the job again."
            self.log.warning("callback.given_up", job=post.id, what=what, what_to_do=hint)
            await self._settle(post, tries, None, what)
            return
        wait = WAITS[tries - 1] * self.random.uniform(1 - _JITTER, 1 + _JITTER)
        self.log.info("callback.deferred", job=post.id, what=what, seconds=round(wait))
        await self._settle(post, tries, self.clock() + wait, what)

    async def _settle(self, post: Post, tries: int, next_at: float | None, heard: str) -> None:
        await asyncio.to_thread(
            self.ledger.posts.called, post.id, tries=tries, next_at=next_at, heard=heard
        )
