"""Whom the settings tell of alerts: whether the addresses can be understood, and a test message to all."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from watcher.alerts import deliver, usable
from watcher.cli.check import Finding
from watcher.core.alerting import Message
from watcher.core.masking import mask_address
from watcher.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class _Address:
    key: str
    url: str

    @property
    def shown(self) -> str:
        """Its path holds tokens: only the kind is shown."""
        return f"alerts: {mask_address(self.url)} ({self.key})"


def understood(settings: Settings) -> Iterator[Finding]:
    """One finding an address; nothing is sent."""
    for one, why in _all(settings, usable):
        yield _finding(one, why, good="can be understood")


def tell_all(settings: Settings) -> Iterator[Finding]:
    """One finding an address, after a test message to it."""
    text = f"This is a test from image-watcher on {socket.gethostname()}. Nothing is to be done."
    message = Message(title="A test message", body=text, bad=False)
    found = _all(settings, lambda url: deliver(url, message))
    for one, why in found:
        yield _finding(one, why, good="took a test message")
    if not found:
        yield Finding(ok=None, what="alerts: nobody is told; name addresses in notify.urls.")


def _finding(one: _Address, why: str, *, good: str) -> Finding:
    return Finding(ok=not why, what=f"{one.shown}: {why}" if why else f"{one.shown} {good}.")


def _all(
    settings: Settings, ask: Callable[[str], Awaitable[str]]
) -> Sequence[tuple[_Address, str]]:
    async def together() -> Sequence[str]:
        return await asyncio.gather(*(ask(one.url) for one in found))

    found = list(_addresses(settings))
    return list(zip(found, asyncio.run(together()), strict=True)) if found else []


def _addresses(settings: Settings) -> Iterator[_Address]:
    for url in settings.notify.urls:
        yield _Address(key="notify.urls", url=url.get_secret_value())
    for name, inbox in settings.inboxes.items():
        for url in inbox.notify:
            yield _Address(key=f"inboxes.{name}.notify", url=url.get_secret_value())
