"""Settings and ledger → outboxes: new ones are made, those that were here before are told by their markers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path

from watcher.core.errors import DiskError
from watcher.core.log import Log
from watcher.inbox import within
from watcher.ledger import Ledger
from watcher.outbox import Marker, Outbox, hangs

_PATIENCE = 5.0  # seconds for a new one: the start waits
_LOOKED_FOR = 20  # folders of the newest jobs, one of which an outbox is expected to have still


class Outboxes:
    """Each once, however many inboxes it is of."""

    def __init__(
        self, paths: Mapping[str, Path], ledger: Ledger, *, new_id: Callable[[], str], log: Log
    ) -> None:
        """`paths`: of each inbox the outbox."""
        self._paths = paths
        self._ledger = ledger
        self._new_id = new_id
        self._log = log
        self._made: dict[Path, Outbox] = {}
        # Else the ledger is new, or was kept by a version that made no markers.
        self._has_markers = ledger.folders.has("outbox")

    def of(self, inbox: str) -> Outbox:
        """Raises DiskError where it cannot be made. One that is away is waited for when it is needed."""
        path = self._paths[inbox]
        if path not in self._made:
            self._made[path] = self._make(path)
        return self._made[path]

    def _make(self, path: Path) -> Outbox:
        outbox = Outbox(path)
        marker = Marker(
            root=path,
            id=self._ledger.folders.known("outbox", path) or "",
            new_id=self._new_id,
            remember=partial(self._ledger.folders.remember, "outbox", path),
        )
        if not (marker.id or self._has_markers) and self._has_lost_its_jobs(path):
            marker.id = self._new_id()  # which no marker has
            marker.remember(marker.id)
        if marker.id:
            outbox.expect(marker)
        else:
            self._create(outbox, marker)
        return outbox

    def _create(self, outbox: Outbox, marker: Marker) -> None:
        try:
            within(_PATIENCE, partial(outbox.create, marker))
        except TimeoutError:
            silent = hangs(outbox.root)
            self._log.warning("disk.refused", what=silent.what, what_to_do=silent.hint)
        except DiskError as error:
            if not os.path.isdir(outbox.root):  # noqa: PTH112 - also where it cannot be told
                raise
            # Full, or read-only: its own inboxes wait for it.
            self._log.warning("disk.refused", what=error.what, what_to_do=error.hint)

    def _has_lost_its_jobs(self, path: Path) -> bool:
        """Nothing is there of what was put there: its disk may be away at this very start."""
        folders = [
            one.folder
            for inbox, outbox in self._paths.items()
            if outbox == path
            for one in islice(self._ledger.choices.folders(inbox), _LOOKED_FOR)
        ]
        look = lambda: any(os.path.isdir(path / one) for one in folders)  # noqa: E731, PTH112
        with suppress(TimeoutError):
            return bool(folders) and not within(_PATIENCE, look)
        return False  # it hangs: nothing is said of what it holds


def outbox_away(path: Path, ledger: Ledger) -> DiskError | None:
    """Why an outbox that was here before is not; nothing is changed."""
    known = ledger.folders.known("outbox", path)
    marker = Marker(root=path, id=known or "", new_id=str, remember=lambda _: None)
    return marker.missing() if known else None
