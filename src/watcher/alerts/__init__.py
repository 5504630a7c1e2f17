"""People who must know: messages to apprise addresses. The only room that knows apprise.

apprise blocks, takes 40 MB and brings a hundred services along. So it lives in a process of its own
for as long as a message takes: what hangs there is killed, what it says is shown to nobody, and the
address, which is a secret, goes in by standard input.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from contextlib import suppress

from watcher.core.alerting import Message
from watcher.core.jobs import Json

_MOST_SECONDS = 60.0
# What a message to the outside may need of our environment: no key of ours is among them.
_PASSED_ON = (
    "PATH", "HOME", "LANG", "TZ", "TMPDIR", "PYTHONPATH", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
)  # fmt: skip


async def deliver(address: str, message: Message, *, seconds: float = _MOST_SECONDS) -> str:
    """Hand a message over; "" when it was taken, else why not, in a sentence without the address."""
    told: dict[str, Json] = {"title": message.title, "body": message.body, "bad": message.bad}
    return await _ask({"address": address, **told}, seconds)


async def usable(address: str, *, seconds: float = _MOST_SECONDS) -> str:
    """As `deliver`, and nothing is sent: only whether the address can be understood."""
    return await _ask({"address": address}, seconds)


async def _ask(request: Mapping[str, Json], seconds: float) -> str:
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=_environ()
        )
    except OSError as error:
        return f"No process could be started for it ({error.strerror})."
    try:
        async with asyncio.timeout(seconds):
            said, _ = await child.communicate(json.dumps(request).encode())
    except TimeoutError:
        return f"It was not taken within {seconds:g} seconds."
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.communicate()  # until its end is known, and nothing of it is open
    return _answer(said)


def _answer(said: bytes) -> str:
    try:
        return str(json.loads(said)["why"])
    except (ValueError, KeyError, TypeError):
        return "What sends messages ended without an answer."


def _environ() -> dict[str, str]:
    names = {*_PASSED_ON, *map(str.lower, _PASSED_ON)}
    return {name: value for name, value in os.environ.items() if name in names}
