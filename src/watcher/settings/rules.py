"""Combinations that cannot work, each refused in words. Paths are absolute when they get here."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from watcher.core.catalogue import Catalogue, CatalogueError
from watcher.core.jobs import Operation
from watcher.core.naming import safe_stem
from watcher.core.parsing import KINDS, kind_of
from watcher.core.profiles import load_profiles
from watcher.inbox import within
from watcher.settings.findings import Finding
from watcher.settings.inbox import Inbox
from watcher.settings.leaves import KeyPath, dotted
from watcher.settings.models import Settings
from watcher.settings.not_yet import not_yet
from watcher.settings.values import is_loopback, listen_parts

_PATIENCE = 1.0  # seconds for all folders: the daemon's main loop waits for it
_POSTGRESQL = "postgresql+psycopg://"


def broken(settings: Settings, wrong: Collection[KeyPath] = ()) -> list[Finding]:
    """Every rule that the settings break. `wrong`: keys that were already found wrong."""
    return [
        finding
        for rule in _RULES
        for finding in rule(settings)
        if not any(
            path in (finding.path[: len(path)], finding.other[: len(path)]) for path in wrong
        )
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    path: KeyPath
    folder: Path  # without links, so that two names of one folder are seen to be one

    @property
    def key(self) -> str:
        return dotted(self.path)


def _enabled(settings: Settings) -> Iterator[tuple[KeyPath, Inbox]]:
    for name, inbox in settings.inboxes.items():
        if inbox.enabled:
            yield ("inboxes", name), inbox


def _some_inbox(settings: Settings) -> Iterator[Finding]:
    if not settings.inboxes:
        yield Finding(path=("inboxes",), text="found none; allowed: at least one inbox")


def _folders_apart(settings: Settings) -> Iterator[Finding]:
    said = [((*path, "path"), inbox.path) for path, inbox in _enabled(settings)]
    count = len(said)
    said += [
        ((*path, "outbox"), Path(inbox.outbox))
        for path, inbox in _enabled(settings)
        if "://" not in inbox.outbox
    ]
    said.append((("state_dir",), settings.state_dir))
    real = _without_links([folder for _, folder in said])
    places = [
        _Place(path=path, folder=folder) for (path, _), folder in zip(said, real, strict=True)
    ]
    inboxes, others = places[:count], places[count:]
    for place in others:
        yield from (_inside(place, inbox) for inbox in inboxes if _contains(inbox, place))
    for inbox in inboxes:
        yield from (_inside(inbox, other) for other in inboxes if _nested(other, inbox, inboxes))


def _without_links(folders: Sequence[Path]) -> list[Path]:
    """After a share that hangs all are judged by the names that were given."""
    found: list[Path] = []

    def look() -> None:
        found.extend(Path(os.path.realpath(folder)) for folder in folders)

    with suppress(TimeoutError):
        within(_PATIENCE, look)
    done = found[:]
    return [*done, *folders[len(done) :]]


def _contains(outer: _Place, inner: _Place) -> bool:
    return inner.folder.is_relative_to(outer.folder)


def _nested(outer: _Place, inner: _Place, order: list[_Place]) -> bool:
    """Two inboxes in one folder are told once, at the later of the two."""
    if outer.folder == inner.folder:
        return order.index(outer) < order.index(inner)
    return _contains(outer, inner)


def _inside(inner: _Place, outer: _Place) -> Finding:
    how = "the same folder as" if inner.folder == outer.folder else "inside"
    text = f"found {str(inner.folder)!r}, which is {how} `{outer.key}` ({str(outer.folder)!r}); allowed: a folder outside every other inbox"
    return Finding(path=inner.path, text=text, other=outer.path)


def _database(settings: Settings) -> Iterator[Finding]:
    url = settings.database_url
    if url is not None and not url.get_secret_value().startswith(_POSTGRESQL):
        text = (
            f"found a value that is not shown; allowed: an address that begins with {_POSTGRESQL}"
        )
        yield Finding(path=("database_url",), text=text)
    if url is None and settings.engine == "procrastinate":
        text = f"found 'procrastinate' without a database; allowed: `database_url` with {_POSTGRESQL}… as well"
        yield Finding(path=("engine",), text=text)


def _public_page(settings: Settings) -> Iterator[Finding]:
    web = settings.web
    host, _ = listen_parts(web.listen)
    if web.enabled and web.token_file is None and not is_loopback(host):
        text = f"found the public address '{web.listen}' without a token; allowed: 127.0.0.1, or `web.token_file` as well"
        yield Finding(path=("web", "listen"), text=text)


def _token_needed(settings: Settings) -> Iterator[Finding]:
    web = settings.web
    for name, wanted in (("intake", web.intake), ("reading", web.reading == "token")):
        if web.enabled and wanted and web.token_file is None:
            value = getattr(web, name)
            text = f"found {value!r} without a token; allowed: `web.token_file` as well"
            yield Finding(path=("web", name), text=text)


def _waits(settings: Settings) -> Iterator[Finding]:
    retry = settings.api.retry
    if retry.longest < retry.base:
        text = f"found {retry.longest:g}; allowed: `api.retry.base` ({retry.base:g}) or more"
        yield Finding(path=("api", "retry", "longest"), text=text)


def _addresses(settings: Settings) -> Iterator[Finding]:
    """Some kinds of server have no address that could be guessed."""
    if not settings.api.base_url:
        text = f"found nothing; the profile '{settings.api.profile}' needs its server's address"
        yield Finding(path=("api", "base_url"), text=text)
    for name, inbox in settings.inboxes.items():
        if inbox.api.profile and settings.api.base_url and not settings.api_for(name).base_url:
            text = f"found nothing; the profile '{inbox.api.profile}' needs its server's address"
            yield Finding(path=("inboxes", name, "api", "base_url"), text=text)


def _models(settings: Settings) -> Iterator[Finding]:
    """Entries over the shipped catalogue, judged as the daemon will read them."""
    try:
        Catalogue.shipped(settings.api.models)
    except CatalogueError as error:
        for line in str(error).splitlines():
            place, _, text = line.removeprefix("models.").partition(": ")
            names = sorted(filter(place.startswith, settings.api.models), key=len)
            below = (names[-1], place.removeprefix(names[-1]).strip(".")) if names else (place,)
            yield Finding(path=("api", "models", *filter(None, below)), text=text)


def _judges(settings: Settings) -> Iterator[Finding]:
    """Pictures can be judged only by a server that looks at them."""
    for (_, name), inbox in _enabled(settings):
        profile = load_profiles()[settings.api_for(name).profile]
        if inbox.checks.vision != "off" and Operation.ANALYZE.value not in profile.operations:
            text = f"found '{inbox.checks.vision}', and the profile '{profile.name}' does not look at pictures; allowed: off"
            yield Finding(path=("inboxes", name, "checks", "vision"), text=text)


def _schedules(settings: Settings) -> Iterator[Finding]:
    seen: set[str] = set()
    for at, schedule in enumerate(settings.schedules):
        path = ("schedules", str(at))
        if schedule.inbox not in settings.inboxes:
            allowed = ", ".join(settings.inboxes)
            text = f"found '{schedule.inbox}', which is no inbox; allowed: {allowed}"
            yield Finding(path=(*path, "inbox"), text=text)
        stem = safe_stem(schedule.name, fallback="schedule").casefold()  # as its drops are called
        if stem in seen:
            text = "found a name that another schedule has; allowed: a name of its own"
            yield Finding(path=(*path, "name"), text=text)
        seen.add(stem)
        if kind_of(schedule.file.name) is None:
            kinds = ", ".join(sorted(KINDS))
            text = f"found '{schedule.file.name}'; allowed: a file that ends in {kinds}"
            yield Finding(path=(*path, "file"), text=text)


_RULES: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _some_inbox,
    _folders_apart,
    _database,
    _public_page,
    _token_needed,
    _waits,
    _addresses,
    _models,
    _judges,
    _schedules,
    not_yet,
)
