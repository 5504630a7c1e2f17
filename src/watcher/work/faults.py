"""Faults of our own: a row may meet some, and is given up before it pays for ever."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from watcher.core.jobs import OpenItem
from watcher.core.log import Log
from watcher.ledger import Ledger
from watcher.work.judging import lost
from watcher.work.keeping import OnDisk
from watcher.work.settlements import BROKEN
from watcher.work.values import Failed

_MOST = 3  # that one row may meet
_NONE = 0  # the id of no attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Counted by row, in this life of the process."""

    ledger: Ledger
    on_disk: OnDisk
    clock: Callable[[], float]
    log: Log
    _met: dict[tuple[str, int], int] = field(default_factory=dict)

    async def met(self, item: OpenItem) -> Failed | None:
        """Called while one is handled. The third one fails the row."""
        self.log.exception("item.broken", job=item.job_id, row=item.number)  # noqa: LOG004 - called while it is handled
        row = (item.job_id, item.number)
        self._met[row] = self._met.get(row, 0) + 1
        if self._met[row] < _MOST:
            return None
        del self._met[row]
        settle = self.ledger.items.settle
        over = await self.on_disk(
            lambda: self.ledger.call(settle, item, _NONE, lost(item), now=self.clock())
        )
        return Failed(item=item, problem=BROKEN, job_over=over, by_server=False, sent=False)
