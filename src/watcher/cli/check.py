"""`image-watcher check`: everything that must be right before the first drop, each in one line."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from watcher.core.catalogue import Catalogue
from watcher.core.errors import WatcherError
from watcher.core.jobs import Refusal
from watcher.daemon import account
from watcher.inbox import closed_folders, free_bytes, reserve_bytes
from watcher.settings import Inbox, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`ok` None: could not be told, and need not be wrong."""

    ok: bool | None
    what: str


def check(settings: Settings, key: str, *, offline: bool) -> Iterator[Finding]:
    """Every finding in turn; the slow ones (the API) come last."""
    yield from _folder(settings.state_dir, "state_dir")
    for name, inbox in settings.inboxes.items():
        yield from _inbox(name, inbox)
    yield _key(settings, key)
    if not offline:
        yield from asyncio.run(_api(settings, key))


def _inbox(name: str, inbox: Inbox) -> Iterator[Finding]:
    yield from _folder(inbox.path, f"inbox {name}")
    yield from _folder(inbox.outbox_folder, f"outbox of {name}")
    if inbox.path.is_dir():
        from watcher.daemon.rooms import inbox_folder  # noqa: PLC0415 - only this check needs it

        for sentence in closed_folders(inbox_folder(name, inbox)):
            yield Finding(ok=False, what=sentence)


def _folder(path: Path, role: str) -> Iterator[Finding]:
    """Whether files can be made, moved and removed there, on one file system, with room left."""
    home = next(parent for parent in (path, *path.parents) if parent.exists())
    if not home.is_dir():
        yield Finding(ok=False, what=f"{role}: {home} is no folder.")
        return
    if not path.exists():
        able = os.access(home, os.W_OK | os.X_OK)
        made = "will be made at the first start" if able else f"cannot be made in {home}"
        yield Finding(ok=able, what=f"{role}: {path} is not there; it {made}.")
        return
    try:
        _try_out(path)
        free, reserve = free_bytes(path), reserve_bytes(path)
    except (OSError, WatcherError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        yield Finding(
            ok=False,
            what=f"{role}: {path} cannot be written ({reason}). Run: chown -R {os.getuid()} {path}",
        )
        return
    yield Finding(ok=True, what=f"{role}: {path} can be written.")
    if free < reserve:
        yield Finding(
            ok=False,
            what=f"{role}: {path} has {free / 1e9:.1f} GB left; below {reserve / 1e9:.1f} GB nothing is taken.",
        )


def _try_out(path: Path) -> None:
    probe, moved = path / ".image-watcher-check", path / ".image-watcher-check-2"
    probe.write_bytes(b"")
    probe.rename(moved)
    moved.unlink()


def _key(settings: Settings, key: str) -> Finding:
    if key:
        return Finding(ok=True, what="API key: there is one.")
    if not account(settings, key).has_key:
        return Finding(
            ok=False, what="API key: none. Name its file in api.key_file, or set OPENAI_API_KEY."
        )
    return Finding(ok=True, what=f"API key: none, and {settings.api.profile} needs none.")


async def _api(settings: Settings, key: str) -> list[Finding]:
    one = account(settings, key)
    try:
        listed = await one.api.models()
    finally:
        await one.api.aclose()
    if isinstance(listed, Refusal):
        return [
            Finding(
                ok=_sure(listed),
                what=f"API {settings.api.base_url}: {listed.what} {listed.hint}".rstrip(),
            )
        ]
    reached = Finding(
        ok=True, what=f"API {settings.api.base_url}: reached, {len(listed)} models listed."
    )
    catalogue = Catalogue.shipped(settings.api.models)
    names = {model.id for model in listed}
    return [reached, *(_model(name, names, catalogue) for name in _models(settings))]


def _sure(refusal: Refusal) -> bool | None:
    """Not every server lists its models: only a refused key or an unreachable server is a fault."""
    return False if refusal.status in (0, 401, 402, 403) else None


def _models(settings: Settings) -> list[str]:
    return sorted({settings.api.model, settings.api.edit_model, settings.api.analyze_model})


def _model(name: str, listed: set[str], catalogue: Catalogue) -> Finding:
    known = catalogue.find(name) is not None
    if name in listed:
        return Finding(
            ok=True,
            what=f"model {name}: listed by the API{'' if known else ', not in our catalogue'}.",
        )
    return Finding(
        ok=None, what=f"model {name}: not listed by the API; calls for it may be refused."
    )
