"""The HTTP door as the daemon opens it: settings → what the room web wants to know."""

from __future__ import annotations

import math
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from watcher import __version__
from watcher.core.errors import LedgerError
from watcher.core.jobs import Json
from watcher.core.links import PublicLinks
from watcher.core.log import Log
from watcher.core.parsing import Limits
from watcher.daemon.heard import Heard
from watcher.daemon.serving import Serving
from watcher.daemon.space import Space
from watcher.intake import Expected
from watcher.ledger import HaltedLane, Ledger
from watcher.logs import register_secret
from watcher.settings.models import Web
from watcher.settings.values import is_loopback, listen_parts
from watcher.web import Behind, InboxPlace, WebRules

if TYPE_CHECKING:
    from watcher.web.server import WebServer

_SHORTEST, _LONGEST = 16, 1024  # characters of a token
_MOST = 2  # tokens: a new one, and the old one until everybody has the new one
_DAY = 86400


class Tokens:
    """What the token's file holds now: one, or two while it is changed; none where they cannot be used, which is said once."""

    def __init__(self, file: Path | None, log: Log) -> None:
        self._file = file
        self._log = log
        self._stamp: tuple[int, int] | None = None
        self._tokens: tuple[str, ...] = ()
        self._told = ""

    def __call__(self) -> tuple[str, ...]:
        if self._file is None:
            return ()
        try:
            about = self._file.stat()
            if (stamp := (about.st_mtime_ns, about.st_ino)) != self._stamp:
                self._take(self._file.read_bytes()[: 2 * _LONGEST + 1])
                self._stamp = stamp
        except OSError as error:
            self._tokens, self._stamp = (), None
            self._tell(f"The file of web.token_file cannot be read: {error.strerror}.")
        return self._tokens

    def _take(self, content: bytes) -> None:
        lines = content.decode("ascii", "replace").split("\n")
        tokens = tuple(line.strip() for line in lines if line.strip())
        good = 0 < len(tokens) <= _MOST and all(map(_is_token, tokens))
        self._tokens = tokens if good else ()
        if good:
            for token in tokens:
                register_secret(token)
            self._told = ""
        else:
            self._tell(
                f"The file of web.token_file does not hold {_SHORTEST} to {_LONGEST} characters in one line, or in two."
            )

    def _tell(self, what: str) -> None:
        if what != self._told:
            hint = "Make one: openssl rand -hex 24, and let this service read it."
            self._log.warning("token.refused", what=what, what_to_do=hint)
        self._told = what


def _is_token(text: str) -> bool:
    return _SHORTEST <= len(text) <= _LONGEST and text.isascii() and text.isprintable()


def make_page(
    web: Web,
    *,
    ledger: Ledger,
    serving: Mapping[str, Serving],
    about: Callable[[], Mapping[str, Json]],
    halted: Callable[[], Sequence[HaltedLane]],
    ordered: Callable[[str], None],
    space: Space,
    new_id: Callable[[], str],
    link_key: bytes,
    expected: Expected,
    bodies: Path,
    log: Heard,
) -> WebServer:
    """The door, shut. See `web.Behind` for what is passed through."""
    from watcher.web.app import make_app  # noqa: PLC0415 - a daemon without a door goes without these
    from watcher.web.server import WebServer  # noqa: PLC0415

    tokens = Tokens(web.token_file, log)
    rules = _rules(web, tokens)
    behind = Behind(
        ledger=ledger,
        inboxes={
            name: InboxPlace(folder=one.folder, outbox=one.outbox, limits=_limits(one))
            for name, one in serving.items()
        },
        about=about,
        halted=halted,
        said=log.said,
        events=log.events,
        ordered=ordered,
        require_room=space.require,
        new_id=new_id,
        clock=time.time,
        version=__version__,
        link_key=link_key,
        links=lambda: public_links(web, link_key, time.time()),
        expected=expected,
        bodies=bodies,
        log=log,
    )
    app, deliveries = make_app(behind, rules)
    return WebServer(
        app,
        host=rules.host,
        port=rules.port,
        why_closed=_why_closed(web, tokens),
        beside=deliveries.run,
        log=log,
    )


def _limits(one: Serving) -> Callable[[], Limits]:
    return lambda: one.intake.rules().limits


def _rules(web: Web, tokens: Callable[[], tuple[str, ...]]) -> WebRules:
    host, port = listen_parts(web.listen)
    return WebRules(
        host=host,
        port=int(port),
        tokens=tokens,
        hosts=web.hosts,
        reading=web.reading,
        public_url=web.public_url or "",
        intake=web.intake,
        posts_per_minute=web.posts_per_minute,
        callback_hosts=web.callback_hosts,
    )


def _why_closed(web: Web, tokens: Callable[[], tuple[str, ...]]) -> Callable[[], str]:
    """Why the door stays shut now, in words; "" when it may be opened."""
    host, _ = listen_parts(web.listen)

    def why() -> str:
        if is_loopback(host) or tokens():
            return ""
        return "The status page is not opened at a public address while its token cannot be read. Look at web.token_file."

    return why


def link_key(state_dir: Path) -> bytes:
    """What signs links: made once, and kept, so that links outlive a restart. Raises LedgerError."""
    file = state_dir / "link-key"
    try:
        if not file.exists():
            part = file.with_suffix(".part")
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as sink:
                sink.write(secrets.token_hex(32))
            part.replace(file)
        return file.read_bytes()
    except OSError as error:
        raise LedgerError(
            f"The key that signs links cannot be kept in {state_dir} ({error.strerror}).",
            "Look at the rights of that folder.",
        ) from None


def public_links(web: Web, key: bytes, now: float) -> PublicLinks:
    """How pictures are reached from outside now. An end that moves with the day: links stay the same for one."""
    if not web.public_url:
        return PublicLinks()
    if not web.links_days:
        return PublicLinks(base=web.public_url)
    expires = (math.floor(now / _DAY) + 1) * _DAY + round(web.links_days * _DAY)
    return PublicLinks(base=web.public_url, key=key, expires=expires)
