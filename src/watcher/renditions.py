"""Pictures → copies for the channels that an inbox names: after the paid picture is safe, here, for nothing.

No row waits for a copy and none fails by one. What a crash left out is made at the next start.
"""

from __future__ import annotations

import asyncio
import csv
import io
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from watcher.core.channels import Recipe, Rendition
from watcher.core.errors import DiskError
from watcher.core.log import Log
from watcher.ledger import DuePicture, Ledger
from watcher.outbox import Outbox, hangs
from watcher.outbox.rendering import answered, order

LIST = "renditions/renditions.csv"
_TOGETHER = 64  # pictures taken from the ledger at once
_LOOK = 60.0  # seconds between two looks that nothing asked for
_AGAIN = 30.0  # seconds until a disk that refused is asked again
_LONGEST = 120.0  # seconds that one picture may take
_PATIENCE = 15.0  # seconds for the outbox to answer
_LINE = 1 << 20  # bytes of an answer
_BROKEN = Rendition(channel="", problem="The copies of this picture could not be made.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Copier:
    """A pool of processes for one inbox. They live while there is something to do. `thread`: may hang in the outbox."""

    outbox: Outbox
    processes: int = max(1, (os.cpu_count() or 1) // 2)
    thread: Executor = field(default_factory=lambda: ThreadPoolExecutor(1, "copies"))

    async def copy(
        self,
        pictures: Sequence[DuePicture],
        recipes: Sequence[Recipe],
        done: Callable[[DuePicture, Sequence[Rendition]], object],
    ) -> None:
        """Every picture once; `done` is called as each is. Raises DiskError where the outbox is away."""
        left = iter(pictures)
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(min(self.processes, len(pictures))):
                    workers.create_task(self._work(left, recipes, done))
        except* DiskError as errors:
            raise errors.exceptions[0] from None

    async def _work(
        self,
        left: Iterator[DuePicture],
        recipes: Sequence[Recipe],
        done: Callable[[DuePicture, Sequence[Rendition]], object],
    ) -> None:
        """A process that dies takes one picture with it; the next one goes on with a new process."""
        for picture in left:
            async with _process() as process:
                one: DuePicture | None = picture
                while one is not None:
                    made = await self._ask(process, one, recipes)
                    done(one, made or [_BROKEN])
                    if made is None:
                        break
                    one = next(left, None)

    async def _ask(
        self, process: asyncio.subprocess.Process, picture: DuePicture, recipes: Sequence[Recipe]
    ) -> list[Rendition] | None:
        assert process.stdin is not None  # noqa: S101 - it was made with pipes
        assert process.stdout is not None  # noqa: S101
        line = order(self.outbox.root, picture, recipes)
        try:
            process.stdin.write(line.encode() + b"\n")
            await process.stdin.drain()
            answer = await asyncio.wait_for(process.stdout.readline(), _LONGEST)
        except ConnectionError:
            return None
        except TimeoutError:
            await self._require_outbox()
            return None
        if not answer:
            return None
        made, refused = answered(answer.decode())
        if refused:
            raise DiskError(refused)
        return made

    async def _require_outbox(self) -> None:
        """Raises DiskError where it was not the picture that took so long."""
        try:
            look = asyncio.get_running_loop().run_in_executor(self.thread, self.outbox.require)
            await asyncio.wait_for(look, _PATIENCE)
        except TimeoutError:
            raise hangs(self.outbox.root) from None


@asynccontextmanager
async def _process() -> AsyncIterator[asyncio.subprocess.Process]:
    """It gets no key: of our environment only what starts it."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "watcher.outbox.rendering",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=kept, limit=_LINE,
    )  # fmt: skip
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


class Renderer:
    """Makes what is due, of one inbox, until cancelled."""

    def __init__(
        self,
        *,
        inbox: str,
        ledger: Ledger,
        copier: Copier,
        recipes: Callable[[], Sequence[Recipe]],
        log: Log,
    ) -> None:
        """`recipes`: what the inbox asks for now."""
        self._inbox = inbox
        self._ledger = ledger
        self._copier = copier
        self._recipes = recipes
        self._log = log
        self._news = asyncio.Event()

    def wake(self) -> None:
        """There are new pictures."""
        self._news.set()

    async def run(self) -> None:
        while True:
            self._news.clear()
            try:
                busy = await self._some()
            except DiskError as error:
                self._log.warning("renditions.refused", inbox=self._inbox, what=str(error))
                await asyncio.sleep(_AGAIN)
                continue
            if not busy:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), _LOOK)

    async def _some(self) -> bool:
        due = await self._ledger.insist(self._ledger.renditions.due, self._inbox, most=_TOGETHER)
        if not due:
            return False
        over: set[str] = set()
        made: list[tuple[DuePicture, Sequence[Rendition]]] = []
        recipes = self._recipes()
        if recipes:
            await self._copier.copy(due, recipes, lambda *one: made.append(one))
        else:
            made = [(picture, ()) for picture in due]
        for picture, copies in made:
            if await self._ledger.insist(self._ledger.renditions.done, picture, copies):
                over.add(picture.job_id)
            report(self._log, picture, copies)
        for job_id in over:
            folder = next(one.folder for one in due if one.job_id == job_id)
            await asyncio.get_running_loop().run_in_executor(
                self._copier.thread, write_list, self._ledger, self._copier.outbox, job_id, folder
            )
        return True


def report(log: Log, picture: DuePicture, copies: Sequence[Rendition]) -> None:
    """What cannot be seen of the copies themselves."""
    for one in copies:
        if one.problem:
            log.warning("rendition.refused", job=picture.job_id, row=picture.number,
                        file=picture.file, channel=one.channel, what=one.problem)  # fmt: skip
        elif one.remark:
            log.info("rendition.without_credentials", job=picture.job_id, row=picture.number,
                     file=one.file, what=one.remark)  # fmt: skip


def write_list(ledger: Ledger, outbox: Outbox, job_id: str, folder: str) -> None:
    """`renditions.csv`: every copy of a job, with what it lacks, or why there is none. Raises DiskError."""
    sink = io.StringIO(newline="")
    names = ("channel", "file", "width", "height", "bytes", "quality", "remark", "problem")
    writer = csv.writer(sink)
    writer.writerow(("picture", *names))
    for picture, one in ledger.renditions.of(job_id):
        writer.writerow((picture, *(getattr(one, name) or "" for name in names)))
    outbox.make_folder(folder, "renditions")
    outbox.write_text(folder, LIST, ["\ufeff", sink.getvalue()])
