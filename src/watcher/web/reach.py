"""Looking into folders that may lie on a share: one that hangs holds up no page, and nothing of the daemon's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from watcher.core.errors import DiskError

_THREADS = 3  # a folder: what hangs there takes these and no others
_PATIENCE = 5.0  # seconds

T = TypeVar("T")


class Reach:
    """Threads for each folder."""

    def __init__(self, patience: float = _PATIENCE) -> None:
        self._patience = patience
        self._threads: dict[Path, ThreadPoolExecutor] = {}
        self._hung: set[Path] = set()

    def hangs(self, folder: Path) -> bool:
        """The last look did not end in time."""
        return folder in self._hung

    async def into(self, folder: Path, act: Callable[[], T]) -> T:
        """What `act` does there. Raises DiskError where the folder does not answer in time; a look that waits
        behind others that hang is never begun.
        """
        try:
            found = await asyncio.wait_for(self._begin(folder, act), self._patience)
        except TimeoutError:
            self._hung.add(folder)
            what, hint = f"The folder does not answer: {folder}.", "Look at its disk or share."
            raise DiskError(what, hint, code="disk_away") from None
        self._hung.discard(folder)
        return found

    async def throughout(self, folder: Path, act: Callable[[], T]) -> T:
        """As `into`, but to its end, however long that takes: it must not be left half done."""
        return await self._begin(folder, act)

    def _begin(self, folder: Path, act: Callable[[], T]) -> asyncio.Future[T]:
        if folder not in self._threads:
            self._threads[folder] = ThreadPoolExecutor(_THREADS, f"reach-{folder.name}")
        return asyncio.get_running_loop().run_in_executor(self._threads[folder], act)
