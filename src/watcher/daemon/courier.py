"""Letters on their way: each address has a line of its own, so that a dead one holds up nobody."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from watcher.core.alerting import Letter, Message
from watcher.core.errors import DiskError
from watcher.core.log import Log
from watcher.core.masking import mask_address
from watcher.ledger import Ledger

_WAITS = (10.0, 60.0, 300.0, 900.0, 3600.0)  # seconds before each further try; the last one repeats
_AT_ONCE = 4  # messages on their way: each is a process
_OLD = 86400.0  # seconds after which a letter is news no more
_LONGEST = 50  # letters that wait for one address


@dataclass(slots=True, eq=False)
class _Line:
    letters: deque[Letter] = field(default_factory=deque)
    tries: int = 0
    due: float = 0.0  # on the loop's clock
    task: asyncio.Task[None] | None = None


class Courier:
    """`send` may be called at any time, on the loop. A letter that is in the ledger outlives the process."""

    def __init__(
        self,
        *,
        addresses: Callable[[], Mapping[str, str]],
        deliver: Callable[[str, Message], Awaitable[str]],
        ledger: Ledger,
        clock: Callable[[], float],
        log: Log,
    ) -> None:
        """`addresses` by what letters call them; `deliver` tells why not, "" when it was taken."""
        self._addresses = addresses
        self._deliver = deliver
        self._ledger = ledger
        self._clock = clock
        self._log = log
        self._now = asyncio.get_running_loop().time
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._lines: dict[str, _Line] = {}
        self._news = asyncio.Event()
        self._began = False

    async def begin(self) -> None:
        """Take up what an earlier process left; before the first `send`."""
        if not self._began:
            self.send(await self._ledger.insist(self._ledger.alerts.letters))
            self._began = True

    async def run(self) -> None:
        """Until cancelled; what is on its way then goes on, see `flush`."""
        while True:
            self._news.clear()
            self._start_due()
            waits = [line.due - self._now() for line in self._lines.values() if line.task is None]
            with suppress(TimeoutError):
                async with asyncio.timeout(max(min(waits), 0.0) if waits else None):
                    await self._news.wait()

    def send(self, letters: Iterable[Letter]) -> None:
        for letter in letters:
            line = self._lines.setdefault(letter.to, _Line())
            line.letters.append(letter)
        self._news.set()

    async def flush(self) -> None:
        """One try for everything that waits."""
        for line in self._lines.values():
            line.due = 0.0
        self._start_due()
        if tasks := [line.task for line in self._lines.values() if line.task]:
            await asyncio.wait(tasks)

    def _start_due(self) -> None:
        for to, line in self._lines.items():
            if line.task is None and line.due <= self._now():
                line.task = asyncio.create_task(self._work_off(to, line))

    async def _work_off(self, to: str, line: _Line) -> None:
        """Every letter of a line, until one is not taken."""
        try:
            while line.letters:
                if not await self._hand_over(to, line, line.letters[0]):
                    break
                line.letters.popleft()
        except Exception:  # noqa: BLE001 - the border of one line's task: it stops no other
            self._log.exception("alert.broken", title=line.letters[0].message.title)
            line.due = self._now() + _WAITS[-1]
        finally:
            line.task = None
            if not line.letters:
                self._lines.pop(to, None)
            self._news.set()

    async def _hand_over(self, to: str, line: _Line, letter: Letter) -> bool:
        """True where there is nothing more to be done for this letter."""
        address = self._addresses().get(to)
        if address is None:  # it was taken out of the settings
            await self._done(letter)
            return True
        async with self._at_once:
            why = await self._deliver(address, letter.message)
        told = {"address": mask_address(address), "title": letter.message.title}
        if not why:
            line.tries = 0
            await self._done(letter)
            self._log.info("alert.sent", **told)
            return True
        wait = _WAITS[min(line.tries, len(_WAITS) - 1)]
        line.tries, line.due = line.tries + 1, self._now() + wait
        if self._clock() - letter.written_at > _OLD or len(line.letters) > _LONGEST:
            await self._done(letter)
            self._log.warning("alert.given_up", what=why, tries=line.tries, **told)
            return True
        self._log.warning("alert.refused", what=why, tries=line.tries, **told)
        return False

    async def _done(self, letter: Letter) -> None:
        with suppress(DiskError):  # then it comes twice after a restart, which beats never
            await self._ledger.call(self._ledger.alerts.done, letter.id)
