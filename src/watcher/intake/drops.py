"""What a drop holds, whatever it is packed in: rows, and the pictures that lie inside it; and the drops
that still wait for pictures.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import PurePath
from typing import BinaryIO, TypeAlias

from watcher.core.jobs import Json, SourceRow
from watcher.core.parsing import Limits, Parsed, kind_of, parse
from watcher.core.parsing.bundle import open_bundle
from watcher.core.planning.values import as_references, shown
from watcher.inbox import Claimed, Drop, PicturePlaces

_MOST_NAMED = 10  # pictures that a note names
_MOST_LOOKED_FOR = 100
_AFTER = 5.0  # seconds until a large workbook is tried again that met another one
_large = threading.Lock()  # of the process: its memory is what is scarce

Inside: TypeAlias = Callable[[str], bytes | None]


def open_drop(
    name: str,
    stream: BinaryIO,
    limits: Limits,
    picture_row: Mapping[str, str],
    *,
    sheet: str | None = None,
) -> tuple[Parsed, Inside]:
    """The rows of a drop of that name, whose bytes `stream` gives, and what gives the pictures inside it.

    `picture_row`: the columns of the one row that a dropped picture is, besides its name; empty
    where pictures are no drops. `sheet`: of a workbook, None: the first one. Raises DropError or TornDrop, also while rows are iterated.
    """
    kind = kind_of(name)
    if kind == "zip":
        bundle = open_bundle(stream, kind_of=kind_of, max_bytes=limits.max_bytes)
        rows = BytesIO(bundle.rows())
        parsed = parse(bundle.table, rows, limits=limits, sheet=sheet, large=large_turn)
        return replace(parsed, notes=(*bundle.notes, *parsed.notes)), bundle.picture
    if kind == "picture" and picture_row:
        return _one_row(name, picture_row), lambda _name: _all(stream)
    return parse(name, stream, limits=limits, sheet=sheet, large=large_turn), _nothing


def _one_row(name: str, picture_row: Mapping[str, str]) -> Parsed:
    # As a list where the name holds what parts names in a cell.
    image: Json = name if as_references(name) == (name,) else [name]
    columns = ["image", "name", *picture_row]
    values = (image, PurePath(name).stem, *picture_row.values())
    return Parsed(columns=columns, rows=iter([SourceRow(number=1, values=values)]))


def _all(stream: BinaryIO) -> bytes:
    stream.seek(0)
    return stream.read()


def _nothing(_name: str) -> None:
    return None


class Awaited(Exception):  # noqa: N818 - a state, not a fault
    """A drop is to be put back for `wait` seconds: `why` says which pictures are not there yet."""

    def __init__(self, why: str, wait: float) -> None:
        super().__init__(why)
        self.why = why
        self.wait = wait


@contextmanager
def large_turn() -> Iterator[None]:
    """One large workbook at a time in this process: 10,000,000 cells, the most there may be, take 800 MB.

    Who comes second is put back, so that no hand waits. Raises Awaited.
    """
    if not _large.acquire(blocking=False):
        raise Awaited("Another large workbook is being read; this one comes after it.", _AFTER)
    try:
        yield
    finally:
        _large.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lacking:
    signature: tuple[int, ...]
    since: float
    places: PicturePlaces
    absent: Sequence[str]


@dataclass(frozen=True, slots=True)
class Lacking:
    """Drops that were put back because pictures are not there yet; remembered while they lie there.

    `grace`: seconds from the first look that a picture is waited for; `now`: on a monotonic clock.
    """

    _drops: dict[bytes, _Lacking] = field(default_factory=dict)

    def wait(self, drop: Drop, grace: Callable[[], float], now: float) -> float:
        """Seconds for which the drop need not be taken: what it lacks has not come. 0: take it."""
        found = self._drops.get(drop.path)
        if found is None or found.signature != drop.signature[:4]:
            return 0.0
        left = found.since + grace() - now
        if left <= 0 or all(map(found.places.has, found.absent[:_MOST_LOOKED_FOR])):
            return 0.0
        return min(left, _soon(found.places))

    def expect(
        self,
        claimed: Claimed,
        places: PicturePlaces,
        absent: Sequence[str],
        grace: float,
        now: float,
    ) -> None:
        """Raises Awaited while pictures are absent and the grace is not over."""
        before = self._drops.pop(claimed.path, None)
        if not absent:
            return
        signature = claimed.signature[:4]
        since = before.since if before and before.signature == signature else now
        left = since + grace - now
        if left <= 0:
            return
        self._drops[claimed.path] = _Lacking(
            signature=signature,
            since=since,
            places=replace(places, inside=_nothing),
            absent=tuple(absent),
        )
        raise Awaited(_words(absent, grace), min(left, _soon(places)))


@dataclass(frozen=True, slots=True)
class Torn:
    """Drops that ended in the middle and were put back: they may become whole for `grace()` seconds.

    `now` is on a monotonic clock.
    """

    _since: dict[bytes, tuple[tuple[int, ...], float]] = field(default_factory=dict)

    def wait(self, drop: Drop, grace: Callable[[], float], now: float) -> float:
        """Seconds for which the drop need not be taken: it has not changed since. 0: take it."""
        signature, since = self._since.get(drop.path, ((), 0.0))
        return max(since + grace() - now, 0.0) if signature == drop.signature[:4] else 0.0

    def left(self, claimed: Claimed, grace: Callable[[], float], now: float) -> float:
        """Seconds that this drop, found torn now, is still given; 0: no more, and it is forgotten."""
        signature, since = self._since.get(claimed.path, ((), 0.0))
        if signature != claimed.signature[:4]:
            since = now
            self._since[claimed.path] = (claimed.signature[:4], since)
        if (left := since + grace() - now) <= 0:
            self.forget(claimed)
        return max(left, 0.0)

    def forget(self, claimed: Claimed) -> None:
        self._since.pop(claimed.path, None)


def _soon(places: PicturePlaces) -> float:
    return max(places.folder.settle, 0.1)


def _words(absent: Sequence[str], grace: float) -> str:
    """What is waited for, in two sentences."""
    names = list(dict.fromkeys(map(shown, absent)))
    listed = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
    if len(names) == 1:
        what = f"A picture that its rows name is not there yet: {listed}."
    else:
        what = f"{len(names):,} pictures that its rows name are not there yet: {listed}."
    return (
        f"{what} Rows whose picture has not come {grace:g} seconds after the first look fail alone."
    )
