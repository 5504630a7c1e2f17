"""Settings and ledger → outboxes: new ones are made, those that were here before are told by their markers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

from watcher.core.errors import DiskError
from watcher.core.log import Log
from watcher.ledger import Ledger
from watcher.outbox import Marker, Outbox

_LOOKED_FOR = 20  # folders of the newest jobs, one of which an outbox is expected to have still


class Outboxes:
    """Each once, however many inboxes it is of."""

    def __init__(self, ledger: Ledger, *, new_id: Callable[[], str], log: Log) -> None:
        self._ledger = ledger
        self._new_id = new_id
        self._log = log
        self._made: dict[Path, Outbox] = {}
        # Else the ledger is new, or was kept by a version that made no markers.
        self._has_markers = ledger.folders.has("outbox")

    def of(self, inbox: str, path: Path) -> Outbox:
        """Raises DiskError where it cannot be made. One that is away is waited for when it is needed."""
        if path not in self._made:
            self._made[path] = self._make(inbox, path)
        return self._made[path]

    def _make(self, inbox: str, path: Path) -> Outbox:
        outbox, known = Outbox(path), self._ledger.folders.known("outbox", path)
        marker = Marker(
            root=path,
            id=known or "",
            new_id=self._new_id,
            remember=partial(self._ledger.folders.remember, "outbox", path),
        )
        if not self._has_markers and _has_lost_its_jobs(path, inbox, self._ledger):
            marker.id = self._new_id()  # which no marker has
        if marker.id:
            outbox.expect(marker)
        else:
            self._create(outbox, marker)
        return outbox

    def _create(self, outbox: Outbox, marker: Marker) -> None:
        try:
            outbox.create(marker)
        except DiskError as error:
            if not outbox.root.is_dir():
                raise
            # Full, or read-only: its own inboxes wait for it. The next start tries again.
            self._log.warning("disk.refused", what=error.what, what_to_do=error.hint)


def _has_lost_its_jobs(path: Path, inbox: str, ledger: Ledger) -> bool:
    """Nothing is there of what was put there: its disk may be away at this very start."""
    folders = [folder for _, folder in islice(ledger.choices.folders(inbox), _LOOKED_FOR)]
    return bool(folders) and not any((path / folder).is_dir() for folder in folders)


def outbox_away(path: Path, ledger: Ledger) -> DiskError | None:
    """Why an outbox that was here before is not; nothing is changed."""
    known = ledger.folders.known("outbox", path)
    marker = Marker(root=path, id=known or "", new_id=str, remember=lambda _: None)
    return marker.missing() if known else None
