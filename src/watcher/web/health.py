"""Whether the process is alive, and whether it can do what it is for."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from watcher.web.problems import Refused
from watcher.web.values import Behind


async def healthz(_: Request) -> Response:
    """Alive: the one loop that does everything answers."""
    return JSONResponse({"status": "alive"})


class Ready:
    """The ledger can be read, and at least one inbox is served."""

    def __init__(self, behind: Behind) -> None:
        self._behind = behind

    async def answer(self, _: Request) -> Response:
        await asyncio.to_thread(self._behind.ledger.lanes.halted)
        inboxes: dict[str, Any] = dict(self._behind.about()["inboxes"])  # type: ignore[arg-type]
        states = {name: one["state"] for name, one in inboxes.items()}
        if "online" not in states.values():
            said = ", ".join(f"{name}: {state}" for name, state in states.items())
            raise Refused(
                503, "no_inbox", f"No inbox is served ({said}).", "Look at the status page."
            )
        return JSONResponse({"status": "ready", "inboxes": states})
