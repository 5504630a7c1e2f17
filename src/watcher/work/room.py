"""Room for what a call will bring, looked at before it is paid for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from watcher.core.errors import DiskError
from watcher.core.jobs import Refusal
from watcher.work.settlements import no_room
from watcher.work.values import Place, Space

GOOD_FOR = 1.0  # seconds that a look at the disks counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The disks of the replies and of the outboxes."""

    replies: Path
    places: Mapping[str, Place]
    space: Space
    clock: Callable[[], float]
    _seen: dict[str, float] = field(default_factory=dict)

    async def lacking(self, inbox: str, *, good_for: float = GOOD_FOR) -> Refusal | None:
        """Where the answer could not be kept, nothing is paid for. `good_for`: seconds that a look counts."""
        if 0 <= self.clock() - self._seen.get(inbox, 0.0) < good_for:  # clocks jump
            return None
        place = self.places[inbox]

        def look() -> None:
            self.space.require(self.replies, prove=True)
            place.outbox.require()
            self.space.require(place.outbox.root)

        try:
            await asyncio.get_running_loop().run_in_executor(place.disk, look)
        except DiskError as error:
            return no_room(error)
        self._seen[inbox] = self.clock()
        return None

    def forget(self) -> None:
        """A disk refused: look again before the next call."""
        self._seen.clear()
