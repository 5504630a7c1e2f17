"""What people choose by moving files: a picture in `approved`, `rejected` or `redo` of its job's folder.

Looked for by name alone, and believed as it lies there; nothing is moved or removed by us. A picture in `redo`
is asked for again; the old one stays.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from watcher.choosing.redoing import Redoing, RedoRules, RowOpen
from watcher.core.errors import DiskError, WatcherError
from watcher.core.jobs import OPEN_STATES
from watcher.core.log import Log
from watcher.ledger import CalmFolder, ChoiceFolder, ChosenPicture, Ledger
from watcher.outbox import Outbox

CHOICES = ("approved", "rejected", "redo")
_LOOK = 5.0  # seconds between two looks, at least
_SHARE = 40  # and as many times as long as the last one took: 2.5 % of the time
_NEWEST = 100  # jobs that every look sees
_SELDOM = 50.0  # seconds between two looks at all of them, at least
_TOGETHER = 500  # calm jobs that are written down in one transaction
_CALM = 2  # looks that a folder is listed for after it changed: clocks of shares are coarse
_MOST_NOTE = 20_000  # bytes of a note that are read


@dataclass(slots=True)
class _Followed:
    """A job that something happened to lately, or with a picture that waits to be asked for.

    `since`, `told`: by the name of a picture in `redo`, when it was seen there first (monotonic), and what
    was told beside it.
    """

    mark: int = 0
    looks: int = 0
    since: dict[str, float] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Chooser:
    """Looks at one outbox for one inbox, until cancelled, on a thread that may hang there.

    Of a job that nothing happened to for some looks its mark is written down and nothing kept in memory: there
    may be as many as years bring, and none is looked through again after a restart.
    """

    inbox: str
    outbox: Outbox
    ledger: Ledger
    redoing: Redoing
    rules: Callable[[], RedoRules]
    on_change: Callable[[str, str], None]
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    log: Log
    _followed: dict[str, _Followed] = field(default_factory=dict)
    _calm: list[CalmFolder] = field(default_factory=list)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(1, f"choices-{self.inbox}")
        all_at = began = loop.time()
        try:
            while True:
                everywhere = began >= all_at
                for job_id in await loop.run_in_executor(thread, self.look, everywhere):
                    self.on_change(job_id, self.inbox)
                wait = _SHARE * (loop.time() - began)
                if everywhere:
                    all_at, wait = loop.time() + max(_SELDOM, wait), 0.0
                await asyncio.sleep(max(_LOOK, wait))
                began = loop.time()
        finally:
            thread.shutdown(wait=False, cancel_futures=True)

    def look(self, everywhere: bool) -> list[str]:  # noqa: FBT001 - for an executor
        """The jobs of which something changed: of the newest ones, or of all."""
        changed: dict[str, None] = {}
        try:
            for one in self._everywhere() if everywhere else islice(self._folders(), _NEWEST):
                self._look_at(one, changed)
            self._write_down()
        except DiskError as error:
            self._tell_unseen(error)
        return list(changed)

    def _folders(self) -> Iterator[ChoiceFolder]:
        return self.ledger.choices.folders(self.inbox)

    def _everywhere(self) -> Iterator[ChoiceFolder]:
        """All of them; of jobs that were removed nothing is kept."""
        gone = set(self._followed)
        for one in self._folders():
            gone.discard(one.job_id)
            yield one
        for job_id in gone:
            del self._followed[job_id]

    def _look_at(self, one: ChoiceFolder, changed: dict[str, None]) -> None:
        """What is wrong with one job hides no other."""
        mark = _mark(self.outbox.root / one.folder)
        if not mark or (mark == one.mark and one.job_id not in self._followed):
            return
        try:
            self._follow(one, mark, changed)
        except DiskError as error:
            self._tell_unseen(error, one.job_id)

    def _tell_unseen(self, error: DiskError, job_id: str = "") -> None:
        self.log.warning(
            "choices.unseen", inbox=self.inbox, job=job_id, what=error.what, what_to_do=error.hint
        )

    def _follow(self, one: ChoiceFolder, mark: int, changed: dict[str, None]) -> None:
        followed = self._followed.setdefault(one.job_id, _Followed())
        pictures = self.ledger.choices.pictures(one.job_id)
        waits = self._sort(one, followed, pictures, changed)
        followed.looks = followed.looks + 1 if mark == followed.mark and not waits else 0
        followed.mark = mark
        if followed.looks < _CALM:
            return
        del self._followed[one.job_id]
        self._calm.append(CalmFolder(job=one.job_id, mark=mark, pictures=len(pictures)))
        if len(self._calm) == _TOGETHER:
            self._write_down()

    def _write_down(self) -> None:
        calm, self._calm = self._calm, []
        if calm:
            self.ledger.choices.calm(calm)

    def _sort(
        self, one: ChoiceFolder, followed: _Followed, pictures: Mapping[str, ChosenPicture],
        changed: dict[str, None],
    ) -> bool:  # fmt: skip
        """Note where each picture lies, and ask for those in `redo`; True: one of them waits for that."""
        names = {choice: self.outbox.names(one.folder, choice) for choice in CHOICES}
        lies = {name: choice for choice in CHOICES for name in names[choice]}
        waits = False
        for name, known in pictures.items():
            choice = lies.get(name, "")
            picture = self._noted(one, known, choice, name)
            if picture is not known:
                changed[one.job_id] = None
            if choice != "redo" or picture.asked_again:
                followed.since.pop(name, None)
                continue
            waits = True
            if self._redo(one, followed, name, picture, lies):
                changed[one.job_id] = None
        return waits

    def _noted(
        self, one: ChoiceFolder, picture: ChosenPicture, choice: str, name: str
    ) -> ChosenPicture:
        """The picture where it lies. One that lies nowhere keeps what was last known of it."""
        file = f"{choice}/{name}" if choice else picture.original
        lies = self.outbox.root / one.folder / file
        if choice == picture.choice or not os.path.isfile(lies):  # noqa: PTH113 - nor where it cannot be told
            return picture
        self.ledger.choices.note(one.job_id, picture, choice, file, now=self.clock())
        self.log.info(
            "picture.chosen", job=one.job_id, row=picture.number, file=file, choice=choice or "none"
        )
        return replace(picture, file=file, choice=choice)

    def _redo(
        self, one: ChoiceFolder, followed: _Followed, name: str, picture: ChosenPicture,
        lies: Mapping[str, str],
    ) -> bool:  # fmt: skip
        """True: its row is asked again. Else it waits, for its note or for its row, or why not is told beside it."""
        note = next((found for found in _notes(name) if lies.get(found) == "redo"), "")
        now, rules = self.monotonic(), self.rules()
        since = followed.since.setdefault(name, now)
        if picture.row_state in OPEN_STATES:
            return False
        if now - since < (min(_LOOK, rules.grace) if note else rules.grace):
            return False
        try:
            self.redoing.redo(
                self.outbox, one.job_id, picture.number, rules,
                picture=picture, note=self._read(one, note),
            )  # fmt: skip
        except RowOpen:
            return False
        except WatcherError as error:
            self._tell_refused(one, followed, name, picture, error)
            return False
        followed.told.pop(name, None)
        self.outbox.remove(one.folder, _refusal(name))
        self.log.info("row.asked_again", job=one.job_id, row=picture.number, file=picture.file)
        return True

    def _read(self, one: ChoiceFolder, note: str) -> str:
        """Raises DiskError where it cannot be read."""
        if not note:
            return ""
        return self.outbox.read(one.folder, f"redo/{note}")[:_MOST_NOTE].decode(errors="replace")

    def _tell_refused(
        self, one: ChoiceFolder, followed: _Followed, name: str, picture: ChosenPicture,
        error: WatcherError,
    ) -> None:  # fmt: skip
        """Once; it is tried again at every look, since what stands in the way may go away."""
        text = f"not asked again\n{error.what}\n{error.hint}\n"
        if followed.told.get(name) == text:
            return
        self.outbox.write_text(one.folder, _refusal(name), [text])
        followed.told[name] = text
        self.log.warning(
            "redo.refused", job=one.job_id, row=picture.number, file=picture.file,
            what=error.what, what_to_do=error.hint,
        )  # fmt: skip


def _notes(name: str) -> Iterator[str]:
    yield f"{name}.txt"
    yield f"{name.rpartition('.')[0]}.txt"


def _refusal(name: str) -> str:
    return f"redo/{name}.STATUS.txt"


def _mark(folder: Path) -> int:
    """What tells whether something changed in the folders of choices; 0: nothing is there to look at."""
    stamps = tuple(_stamp(f"{folder}/{name}") for name in CHOICES)
    return hash(stamps) if any(stamps) else 0


def _stamp(folder: str) -> int:
    """When something in it last changed; 0: nothing is there to look at."""
    with suppress(OSError):
        return os.stat(folder, follow_symlinks=False).st_mtime_ns  # noqa: PTH116 - Path takes twice as long
    return 0
