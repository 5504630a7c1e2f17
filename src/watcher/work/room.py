"""Room for what a call will bring, looked at before it is paid for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from watcher.core.errors import DiskError
from watcher.core.jobs import Refusal, Scope
from watcher.outbox import hangs
from watcher.work.settlements import no_room
from watcher.work.values import Place, Space

GOOD_FOR = 1.0  # seconds that a look at the disks counts
_PATIENCE = 30.0  # seconds for a look: a share that hangs must not keep a turn from others


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The disks of the replies and of the outboxes."""

    replies: Path
    places: Mapping[str, Place]
    space: Space
    clock: Callable[[], float]
    patience: float = _PATIENCE
    _seen: dict[str, float] = field(default_factory=dict)

    async def lacking(self, inbox: str, *, good_for: float = GOOD_FOR) -> Refusal | None:
        """Where the answer could not be kept, nothing is paid for. `good_for`: seconds that a look counts."""
        if 0 <= self.clock() - self._seen.get(inbox, 0.0) < good_for:  # clocks jump
            return None
        place = self.places[inbox]

        look = asyncio.get_running_loop().run_in_executor(place.disk, self._look, place)
        try:
            full = await asyncio.wait_for(look, self.patience)
        except TimeoutError:
            full = no_room(hangs(place.outbox.root), "outbox")
        if full is None:
            self._seen[inbox] = self.clock()
        return full

    def _look(self, place: Place) -> Refusal | None:
        scope: Scope = "provider"
        try:
            self.space.require(self.replies, prove=True)
            scope = "outbox"
            place.outbox.require()
            self.space.require(place.outbox.root)
        except DiskError as error:
            return no_room(error, scope)
        return None

    def forget(self) -> None:
        """A disk refused: look again before the next call."""
        self._seen.clear()
