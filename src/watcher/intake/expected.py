"""Drops that somebody announced: the claim of each has the id that was promised, so that it can be asked for."""

from __future__ import annotations

import threading


class Expected:
    """By inbox and path, until they are taken. For any thread."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, bytes], str] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._ids)

    def expect(self, inbox: str, path: bytes, claim_id: str) -> bool:
        """Before the drop appears. False: another one of that path is expected."""
        with self._lock:
            return self._ids.setdefault((inbox, path), claim_id) == claim_id

    def claim_id(self, inbox: str, path: bytes) -> str | None:
        """What the claim of this drop is to be called; None: nobody announced it."""
        return self._ids.get((inbox, path))

    def put_back(self, inbox: str, path: bytes, claim_id: str) -> None:
        """Its drop lies there again, perhaps under another name."""
        if self._ids and self._drop(claim_id):
            self.expect(inbox, path, claim_id)

    def settle(self, claim_id: str) -> None:
        """It was taken, or never came."""
        if self._ids:
            self._drop(claim_id)

    def _drop(self, claim_id: str) -> bool:
        with self._lock:
            mine = [key for key, value in self._ids.items() if value == claim_id]
            for key in mine:
                del self._ids[key]
            return bool(mine)
