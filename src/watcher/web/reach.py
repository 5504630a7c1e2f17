"""Looking into folders that may lie on a share: one that hangs holds up no page, and nothing of the daemon's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from watcher.core.errors import DiskError

_THREADS = 3  # a folder: what hangs there takes these and no others
_PATIENCE = 5.0  # seconds without any answer of the folder
_LONGEST = 60.0  # seconds for one look

T = TypeVar("T")


class Reach:
    """Threads for each folder."""

    def __init__(self, patience: float = _PATIENCE) -> None:
        self._patience = patience
        self._threads: dict[Path, _Threads] = {}

    def hangs(self, folder: Path) -> bool:
        """It did not answer in time, and no later look has ended."""
        return self._of(folder).hang

    async def into(self, folder: Path, act: Callable[[], T]) -> T:
        """What `act` does there. Raises DiskError where the folder does not answer in time; a look that waits
        behind others that hang is never begun.
        """
        threads, now = self._of(folder), asyncio.get_running_loop().time
        if threads.hang and threads.busy >= _THREADS:
            raise _silent(folder)
        doing, begun = threads.begin(act), now()
        try:
            while not (await asyncio.wait({doing}, timeout=self._patience))[0]:
                if now() - max(begun, threads.heard) >= self._patience or now() - begun > _LONGEST:
                    threads.hang = True
                    raise _silent(folder)
        finally:
            doing.cancel()
        return doing.result()

    async def throughout(self, folder: Path, act: Callable[[], T]) -> T:
        """As `into`, but to its end, however long that takes: it must not be left half done."""
        return await self._of(folder).begin(act)

    def later(self, folder: Path, act: Callable[[], object]) -> None:
        """Nobody waits for it."""
        self._of(folder).submit(act)

    def _of(self, folder: Path) -> _Threads:
        if folder not in self._threads:
            self._threads[folder] = _Threads(folder.name)
        return self._threads[folder]


class _Threads:
    """`heard`: when the folder last answered, on the loop's clock."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, f"reach-{name}")
        self._open: set[Future[object]] = set()
        self.heard = 0.0
        self.hang = False

    @property
    def busy(self) -> int:
        """How many acts are begun or wait to be."""
        return len(self._open)

    def begin(self, act: Callable[[], T]) -> asyncio.Future[T]:
        doing = asyncio.wrap_future(self.submit(act))
        doing.add_done_callback(self._ended)
        return doing

    def submit(self, act: Callable[[], T]) -> Future[T]:
        future = self._pool.submit(act)
        self._open.add(future)  # type: ignore[arg-type]
        future.add_done_callback(self._open.discard)
        return future

    def _ended(self, doing: asyncio.Future[T]) -> None:
        if not doing.cancelled():
            self.heard, self.hang = asyncio.get_running_loop().time(), False


def _silent(folder: Path) -> DiskError:
    what, hint = f"The folder does not answer: {folder}.", "Look at its disk or share."
    return DiskError(what, hint, code="disk_away")
