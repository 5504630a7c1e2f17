"""Lines of the log: one an event, on a terminal for people, else JSON; the same for every library.

The last thing before a line is written is the scrubber: no secret and no control character gets out.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TextIO
from urllib.parse import quote

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from watcher.core.log import Log
from watcher.core.masking import MASK, mask
from watcher.logs.journal import JournalHandler

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "console", "json"]

# Libraries whose INFO is about themselves (httpx names every address with its query).
_QUIET = ("httpx", "httpcore", "watchdog", "uvicorn.access", "asyncio", "PIL")
_OWN_HANDLERS = ("uvicorn", "uvicorn.error", "uvicorn.access")
_SHORTEST_SECRET = 4
_DEEPEST = 6
# What makes two lines the same fault; how many of one there are in a minute, and are remembered.
_FAULT = ("event", "inbox", "job", "what", "side", "schedule")
_A_MINUTE, _MINUTE, _MOST_FAULTS = 5, 60.0, 256


class _Secrets:
    """What must be masked, longest first: one tuple, replaced as a whole, since threads log meanwhile."""

    known: tuple[str, ...] = ()


def register_secret(text: str) -> None:
    """From now on `text` is masked wherever it turns up, also quoted or percent-encoded.

    Up to three characters are too little to be a secret, and too much to lose from every line.
    """
    text = text.strip()
    if len(text) >= _SHORTEST_SECRET:
        forms = {text, quote(text, safe=""), json.dumps(text)[1:-1], repr(text)[1:-1]}
        _Secrets.known = tuple(sorted(forms.union(_Secrets.known), key=len, reverse=True))


def forget_secrets() -> None:
    """As if nothing had been registered."""
    _Secrets.known = ()


def scrub(text: str) -> str:
    """The text without registered secrets and without what looks like one."""
    for secret in _Secrets.known:
        text = text.replace(secret, MASK)
    return mask(text)


def get_logger() -> Log:
    """The log; `configure` may be called before or after."""
    log: Log = structlog.get_logger()
    return log


def configure(
    *,
    level: Level,
    format: Format,  # noqa: A002 - the setting's name
    stream: TextIO,
    is_tty: bool,
    journal: Path | None = None,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Send everything that is logged, here and in libraries, to `stream`.

    `auto` is console when `is_tty`, else json; json goes to the socket `journal`, where there is one. Can be called again, also while logs are in use.
    `clock` gives seconds since the epoch, `monotonic` seconds. A fault that repeats itself has
    five lines a minute; the next one after that tells how many were left out (`repeated`).
    """
    console = format == "console" or (format == "auto" and is_tty)
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        _stamp(clock),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            _Repeats(monotonic),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        # structlog's own names each logger after the caller's module, and looks through the stack for it.
        logger_factory=lambda *_: logging.getLogger(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, _name_library],
        processors=[
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _Scrubber(escape=console),
            _console(colours=is_tty) if console else _json_line,
        ],
    )
    handler: logging.Handler = logging.StreamHandler(stream)
    if journal is not None and not console:
        handler = JournalHandler(stream, journal)
    handler.setFormatter(formatter)
    _take_over(logging.getLevelNamesMapping()[level.upper()], handler)


def _take_over(level: int, handler: logging.Handler) -> None:
    """The root logger writes to `handler`, and nothing writes beside it."""
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(old)
            old.close()
    root.addHandler(handler)
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    for name in _OWN_HANDLERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def _stamp(clock: Callable[[], float]) -> Processor:
    def stamp(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        now = datetime.fromtimestamp(clock(), UTC)
        event["time"] = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return event

    return stamp


def _name_library(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A library's line says which one it is."""
    event["logger"] = event["_record"].name
    return event


class _Repeats:
    """Leaves out what a fault says again and again; a row's own lines are never left out."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._seen: dict[tuple[str, ...], tuple[float, int]] = {}  # since when, how often

    def __call__(self, _: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if method in {"debug", "info"} or "row" in event:
            return event
        key = tuple(str(event.get(name, "")) for name in _FAULT)
        now = self._monotonic()
        since, count = self._seen.get(key, (now, 0))
        if now - since >= _MINUTE:
            if count > _A_MINUTE:
                event["repeated"] = count - _A_MINUTE
            since, count = now, 0
        self._remember(key, (since, count + 1))
        if count >= _A_MINUTE:
            raise structlog.DropEvent
        return event

    def _remember(self, key: tuple[str, ...], seen: tuple[float, int]) -> None:
        if key not in self._seen and len(self._seen) >= _MOST_FAULTS:
            self._seen.pop(next(iter(self._seen)), None)
        self._seen[key] = seen


class _Scrubber:
    """Masks every text of an event, however deep, and with `escape` makes it safe for a terminal."""

    def __init__(self, *, escape: bool) -> None:
        self._escape = escape

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        traceback = event.pop("exception", None)
        clean: dict[str, Any] = {
            self._text(key): self._clean(value) for key, value in event.items()
        }
        if traceback is not None:
            # The one text that keeps its lines.
            clean["exception"] = "\n".join(map(self._text, scrub(str(traceback)).split("\n")))
        return clean

    def _clean(self, value: object, depth: int = 0) -> object:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return value if scrub(str(value)) == str(value) else MASK
        if depth < _DEEPEST and isinstance(value, Mapping):
            return {
                self._text(str(key)): self._clean(inner, depth + 1) for key, inner in value.items()
            }
        if depth < _DEEPEST and isinstance(value, list | tuple | set | frozenset):
            return [self._clean(inner, depth + 1) for inner in value]
        return self._text(value if isinstance(value, str) else str(value))

    def _text(self, text: str) -> str:
        return escaped(scrub(text)) if self._escape else scrub(text)


def escaped(text: str) -> str:
    """The text with everything that is no visible character written out, so that a terminal shows it."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def _json_line(_: WrappedLogger, __: str, event: MutableMapping[str, Any]) -> str:
    """One line of ASCII: nothing in it can move a terminal's cursor or end the line."""
    first = {key: event.pop(key) for key in ("time", "level", "event") if key in event}
    return json.dumps({**first, **event})


def _console(*, colours: bool) -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=colours,
        timestamp_key="time",
        pad_event_to=24,
        sort_keys=False,
        exception_formatter=structlog.dev.plain_traceback,
    )
