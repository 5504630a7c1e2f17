"""`image-watcher check`: everything that must be right before the first drop, each in one line."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer

from watcher.cli.common import open_ledger
from watcher.cli.words import Exit
from watcher.core.catalogue import Catalogue
from watcher.core.errors import DiskError, WatcherError
from watcher.core.jobs import Refusal
from watcher.daemon import account
from watcher.daemon.outboxes import outbox_away
from watcher.daemon.rooms import inbox_folder
from watcher.inbox import allow, closed_folders, is_network, kind_of, require_room, who, within
from watcher.settings import Api, Disk, Inbox, Settings

_PATIENCE = 15.0  # seconds for one folder
_MARKS = {True: "ok  ", False: "NOT ", None: "?   "}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`ok` None: could not be told, and need not be wrong."""

    ok: bool | None
    what: str


def tell(findings: Iterable[Finding], *, as_json: bool = False) -> None:
    """Each in one line as it is found, or all as JSON; exit code 1 where something is not right."""
    found = []
    for one in findings:
        found.append(one)
        if not as_json:
            typer.echo(f"{_MARKS[one.ok]} {one.what}")
    if as_json:
        typer.echo(json.dumps([{"ok": one.ok, "what": one.what} for one in found], indent=2))
    if any(one.ok is False for one in found):
        raise typer.Exit(Exit.ROWS_OPEN_OR_FAILED)


def check(settings: Settings, keys: Mapping[str, str], *, offline: bool) -> Iterator[Finding]:
    """Every finding in turn; the slow ones (the APIs) come last. `keys`: by inbox, "": the common one."""
    state = settings.state_dir
    yield from _answered(state, "state_dir", lambda: _folder(state, "state_dir", settings.disk))
    yield from on_share(state, kind_of(state))
    for name, inbox in settings.inboxes.items():
        yield from _inbox(name, inbox, settings)
    own = [name for name in settings.inboxes if settings.api_for(name) != settings.api]
    apis = {name: settings.api_for(name) for name in own}
    if len(own) < len(settings.inboxes):
        apis = {"": settings.api, **apis}
    for name, api in apis.items():
        yield _key(settings, api, name, keys.get(name, ""))
    if not offline:
        for name, api in apis.items():
            yield from asyncio.run(_api(settings, api, keys.get(name, "")))


def on_share(state_dir: Path, kind: str) -> Iterator[Finding]:
    """SQLite shares memory between processes beside its file (WAL): over a network it cannot. https://sqlite.org/wal.html"""
    if is_network(kind):
        what = f"state_dir: {state_dir} lies on a share ({kind}), where the database can be damaged. Set state_dir to a folder on a local disk."
        yield Finding(ok=False, what=what)


def _answered(path: Path, role: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What `look` finds there. A share that hangs is told, and its thread left behind."""
    try:
        yield from within(_PATIENCE, lambda: [*look()])
    except TimeoutError:
        yield Finding(ok=False, what=f"{role}: {path} does not answer. Look at its disk or share.")


def _inbox(name: str, inbox: Inbox, settings: Settings) -> Iterator[Finding]:
    role = f"inbox {name}"
    yield from _answered(inbox.path, role, lambda: _taken_from(name, inbox, settings))
    role = f"outbox of {name}"
    yield from _answered(inbox.outbox_folder, role, lambda: _outbox(inbox, role, settings))
    for folder in inbox.assets:
        role = f"assets of {name}"
        yield from _answered(folder, role, partial(_assets, folder, role))


def _taken_from(name: str, inbox: Inbox, settings: Settings) -> Iterator[Finding]:
    yield from _folder(inbox.path, f"inbox {name}", settings.disk)
    with suppress(WatcherError):  # it is not there, or closed as a whole: that is said already
        for sentence in closed_folders(inbox_folder(name, inbox)):
            yield Finding(ok=False, what=sentence)


def _outbox(inbox: Inbox, role: str, settings: Settings) -> Iterator[Finding]:
    if (away := _away(inbox.outbox_folder, settings)) is not None:
        yield Finding(ok=False, what=f"{role}: {away}")
    else:
        yield from _folder(inbox.outbox_folder, role, settings.disk)


def _away(outbox: Path, settings: Settings) -> DiskError | None:
    # There is none before the first start, or it is closed to us: that is told apart.
    with suppress(WatcherError, OSError), open_ledger(settings) as ledger:
        return outbox_away(outbox, ledger)
    return None


def _folder(path: Path, role: str, disk: Disk) -> Iterator[Finding]:
    """Whether files can be made, moved, synced and removed there, with room left."""
    try:
        path.lstat()
        _try_out(path)
        require_room(path, least=disk.least_bytes, share=disk.least_percent / 100)
    except FileNotFoundError:
        yield _missing(path, role)
    except OSError as error:
        yield Finding(
            ok=False,
            what=f"{role}: {path} cannot be used ({error.strerror}), by {who()}. {_command(path, error)}",
        )
    except DiskError as error:
        yield Finding(ok=False, what=f"{role}: {error.what} {error.hint}")
    else:
        yield Finding(ok=True, what=f"{role}: {path} can be written.")


def _assets(path: Path, role: str) -> Iterator[Finding]:
    """Whether pictures can be found and read there; nothing is ever written."""
    closed = next((above for above in reversed(path.parents) if not _passable(above)), None)
    if closed is None and not path.is_dir():
        is_file = "is no folder" if _is_there(path) else "is not there"
        what = f"{path} {is_file}. Mount it, or name another folder in the settings."
    elif closed is not None:
        what = f"{path} cannot be reached by {who()}. Run: {_let_pass(closed)}"
    elif os.access(path, os.R_OK | os.X_OK):
        yield Finding(ok=True, what=f"{role}: {path} can be read.")
        return
    else:
        command = f"sudo chmod -R o+rX {shlex.quote(str(path))}"
        what = f"{path} may not be read by {who()}. Run: {command}"
    yield Finding(ok=False, what=f"{role}: {what}")


def _missing(path: Path, role: str) -> Finding:
    home = next(parent for parent in path.parents if _is_there(parent))
    if not home.is_dir():
        return Finding(
            ok=False, what=f"{role}: {home} is no folder. Name another one in the settings."
        )
    if os.access(home, os.W_OK | os.X_OK):
        return Finding(
            ok=True, what=f"{role}: {path} is not there; it will be made at the first start."
        )
    owner = f"-o {os.geteuid()} -g {os.getegid()}"
    made = f"sudo install -d {owner} -m 2770 {shlex.quote(str(path))}"
    return Finding(
        ok=False, what=f"{role}: {path} is not there and cannot be made by {who()}. Run: {made}"
    )


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return False


def _try_out(path: Path) -> None:
    """All that a claim and a result do: list, make, sync, move, sync the folder, remove."""
    probe, moved = (
        path / f".image-watcher-check-{os.getpid()}",
        path / f".image-watcher-check-{os.getpid()}-2",
    )
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with os.scandir(folder):
            pass
        with probe.open("xb") as file:
            os.fsync(file.fileno())
        probe.rename(moved)
        with suppress(OSError):  # some shares know no such call
            os.fsync(folder)
        moved.unlink()
    finally:
        os.close(folder)


def _command(path: Path, error: OSError) -> str:
    """What to run; where a folder above is closed, for that one."""
    if error.errno not in {errno.EACCES, errno.EPERM}:
        return (
            "Mount it again, or look at the file server."
            if error.errno != errno.ENOTDIR
            else "Name a folder in the settings."
        )
    closed = next((above for above in reversed(path.parents) if not _passable(above)), None)
    if closed is not None:
        return f"Run: {_let_pass(closed)}"
    return allow(path)


def _let_pass(folder: Path) -> str:
    return f"sudo setfacl -m u:{os.geteuid()}:x {shlex.quote(str(folder))}"


def _passable(folder: Path) -> bool:
    return os.access(folder, os.X_OK)


def _key(settings: Settings, api: Api, inbox: str, key: str) -> Finding:
    whose = f"API key of {inbox}" if inbox else "API key"
    if key:
        return Finding(ok=True, what=f"{whose}: there is one.")
    if not account(settings, api, key).has_key:
        place = f"inboxes.{inbox}.api.key_file" if inbox else "api.key_file, or set OPENAI_API_KEY"
        return Finding(ok=False, what=f"{whose}: none. Name its file in {place}.")
    return Finding(ok=True, what=f"{whose}: none, and {api.profile} needs none.")


async def _api(settings: Settings, api: Api, key: str) -> list[Finding]:
    one = account(settings, api, key)
    try:
        listed = await one.api.models()
    finally:
        await one.api.aclose()
    if isinstance(listed, Refusal):
        return [
            Finding(
                ok=_sure(listed),
                what=f"API {api.base_url}: {listed.what} {listed.hint}".rstrip(),
            )
        ]
    reached = Finding(ok=True, what=f"API {api.base_url}: reached, {len(listed)} models listed.")
    catalogue = Catalogue.shipped(api.models)
    names = {model.id for model in listed}
    return [reached, *(_model(name, names, catalogue) for name in _models(api))]


def _sure(refusal: Refusal) -> bool | None:
    """Not every server lists its models: only a refused key or an unreachable server is a fault."""
    return False if refusal.status in (0, 401, 402, 403) else None


def _models(api: Api) -> list[str]:
    return sorted({api.model, api.edit_model, api.analyze_model})


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
