"""The log, with an ear on it: how often each event was said, and the last words about what went wrong."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Self

from watcher.core.log import Log
from watcher.web import Said

_MOST = 20  # that are remembered
# No errors, or told with their job.
_QUIET = frozenset({"drop.waiting", "settings.kept", "item.deferred", "item.failed"})


class Heard:
    """A Log. What passes is counted, also where the log itself leaves it out. For any thread."""

    def __init__(self, log: Log, *, clock: Callable[[], float], ear: _Ear | None = None) -> None:
        """`clock`: seconds since the epoch."""
        self._log = log
        self._clock = clock
        self._ear = ear or _Ear()

    def debug(self, event: str, **keys: object) -> None:
        self._log.debug(event, **keys)

    def info(self, event: str, **keys: object) -> None:
        self._ear.count(event, "info")
        self._log.info(event, **keys)

    def warning(self, event: str, **keys: object) -> None:
        self._hear(event, "warning", keys)
        self._log.warning(event, **keys)

    def error(self, event: str, **keys: object) -> None:
        self._hear(event, "error", keys)
        self._log.error(event, **keys)

    def exception(self, event: str, **keys: object) -> None:
        """As Log.exception."""
        self._hear(event, "error", keys)
        self._log.exception(event, **keys)

    def bind(self, **keys: object) -> Self:
        return type(self)(self._log.bind(**keys), clock=self._clock, ear=self._ear)

    def events(self) -> Mapping[tuple[str, str], int]:
        """How often each (event, level) was said."""
        return self._ear.events()

    def said(self) -> tuple[Said, ...]:
        """What went wrong lately, the newest first; the same again is one, with its times."""
        return self._ear.said()

    def _hear(self, event: str, level: str, keys: Mapping[str, object]) -> None:
        self._ear.count(event, level)
        if event not in _QUIET:
            what = str(keys.get("what") or "A fault of this program; the log has the details.")
            if file := keys.get("file"):
                what = f"{file}: {what}"
            hint = str(keys.get("what_to_do") or "")
            self._ear.remember(Said(at=self._clock(), event=event, what=what, hint=hint))


class _Ear:
    """Shared by a log and those that were bound from it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._last: dict[tuple[str, str], Said] = {}

    def count(self, event: str, level: str) -> None:
        with self._lock:
            self._counts[event, level] += 1

    def remember(self, said: Said) -> None:
        with self._lock:
            before = self._last.pop((said.event, said.what), None)
            times = before.times + 1 if before else 1
            self._last[said.event, said.what] = replace(said, times=times)
            while len(self._last) > _MOST:
                del self._last[next(iter(self._last))]

    def events(self) -> Mapping[tuple[str, str], int]:
        with self._lock:
            return dict(self._counts)

    def said(self) -> tuple[Said, ...]:
        with self._lock:
            return tuple(reversed(self._last.values()))
