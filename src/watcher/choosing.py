"""What people choose by moving files: a picture in `approved`, `rejected` or `redo` of its job's folder.

Looked for by name alone, and believed as it lies there; nothing is moved or removed by us. A picture in `redo`
is asked for again, by the way that every row goes; the old one stays.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import orjson

from watcher.core.catalogue import Catalogue
from watcher.core.errors import DiskError, WatcherError
from watcher.core.jobs import Item, Problem
from watcher.core.log import Log
from watcher.core.pictures import KeptPicture, kept_picture
from watcher.core.planning import RowRules, item_from_json, item_to_json
from watcher.core.planning.redoing import as_edit, asked_anew, asking, clean_note
from watcher.ledger import ChoiceFolder, ChosenPicture, Ledger, Redo, RedoRow
from watcher.ledger.choices import FINAL
from watcher.outbox import Outbox

CHOICES = ("approved", "rejected", "redo")
_LOOK = 5.0  # seconds between two looks, at least
_SHARE = 40  # and as many times as long as the last one took: 2.5 % of the time
_NEWEST = 100  # jobs that every look sees
_SELDOM = 50.0  # seconds between two looks at all of them, at least
_TOGETHER = 500  # jobs that nothing happens to, written down in one transaction
_CALM = 2  # looks that a folder is listed for after it changed: clocks of shares are coarse
_MOST_NOTE = 20_000  # bytes of a note that are read


@dataclass(frozen=True, slots=True, kw_only=True)
class RedoRules:
    """SETTINGS of one inbox. `grace`: seconds that a note may come after its picture; `how`: again or edit."""

    limit: int
    how: str
    grace: float
    rows: RowRules


class Redoing:
    """Asks rows again. Raises WatcherError with a sentence where one cannot be."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        inputs: Path,
        catalogue: Catalogue,
        clock: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._inputs = inputs
        self._catalogue = catalogue
        self._clock = clock

    def redo(
        self, outbox: Outbox, job_id: str, number: int, rules: RedoRules, *,
        picture: ChosenPicture | None, note: str,
    ) -> None:  # fmt: skip
        """`picture`: the one that another is wanted for; None: for all that the row has."""
        row = self._row(job_id, number)
        if row.state not in FINAL:
            raise WatcherError(f"Row {number} is {row.state}.", "Wait until it is over.")
        chosen = self._ledger.choices.pictures(job_id).values()
        replaced = [one.index for one in chosen if one.number == number and not one.asked_again]
        if picture is not None:
            replaced = [picture.index]
        redo = self.wanted(outbox, job_id, number, rules,
                           replaced=sorted(replaced), picture=picture, note=note)  # fmt: skip
        if not self._ledger.choices.redo(redo):
            raise WatcherError(f"Row {number} is being worked on.", "Wait until it is over.")

    def wanted(
        self, outbox: Outbox, job_id: str, number: int, rules: RedoRules, *,
        replaced: Sequence[int], picture: ChosenPicture | None, note: str, by_check: bool = False,
    ) -> Redo:  # fmt: skip
        """How a row is asked for others in place of the pictures `replaced`; an edit, where the inbox says
        so, of the one `picture`.
        """
        row = self._row(job_id, number)
        if row.asked >= rules.limit:
            raise WatcherError(
                f"Row {number} was asked again {row.asked} times already, and redo_limit is {rules.limit}.",
                "Drop the row anew with a better prompt, or raise redo_limit.",
            )
        led = row.notes.get(replaced[0], ()) if replaced else ()
        notes = (*led, *filter(None, (clean_note(note),)))
        wanted = asking(
            row.stems, number, wanted=item_from_json(row.base).n, delivered=row.delivered,
            live=row.live, replaced=len(replaced), others=self._ledger.choices.stems(job_id),
        )  # fmt: skip
        item = self._item(
            outbox, job_id, row, rules=rules, picture=picture, notes=notes, n=wanted.n
        )
        return Redo(
            job_id=job_id, number=number, replaced=replaced, notes=notes,
            item=orjson.dumps(item_to_json(item)).decode(), stems="/".join(wanted.stems),
            first_new=row.delivered + 1, at=self._clock(), by_check=by_check,
        )  # fmt: skip

    def _row(self, job_id: str, number: int) -> RedoRow:
        row = self._ledger.choices.row(job_id, number)
        if row is None:
            raise WatcherError(
                f"Job {job_id} has no row {number} that could be asked for.",
                "Rows are counted from 1; correct one that could not be read in failed.csv.",
            )
        return row

    def _item(
        self, outbox: Outbox, job_id: str, row: RedoRow, *, rules: RedoRules,
        picture: ChosenPicture | None, notes: Sequence[str], n: int,
    ) -> Item:  # fmt: skip
        base = item_from_json(row.base)
        if rules.how == "edit" and picture is not None:
            content = outbox.read(row.folder, picture.file)
            kept = self._keep(job_id, picture, content)
            edit = as_edit(base, kept, notes, n=n, rules=rules.rows, catalogue=self._catalogue)
            if isinstance(edit, Problem):
                raise WatcherError(edit.what, edit.hint)
            return edit
        for reference in (*base.images, base.mask, base.markup):
            kept_one = kept_picture(reference) if reference else None
            if kept_one and not (self._inputs / job_id / kept_one.file).exists():
                raise WatcherError(
                    f"The copy of {kept_one.name} that was sent with this row is kept no longer.",
                    "Drop the row and its picture again.",
                )
        return asked_anew(base, notes, n)

    def _keep(self, job_id: str, picture: ChosenPicture, content: bytes) -> KeptPicture:
        name = picture.original.rpartition("/")[2]
        sha256 = hashlib.sha256(content).hexdigest()
        kept = KeptPicture(sha256=sha256, format=picture.format, name=name)
        into = self._inputs / job_id
        into.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = into / f"{kept.file}.part"
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(into / kept.file)
        return kept


@dataclass(slots=True, kw_only=True)
class Chooser:
    """Looks at one outbox for one inbox, until cancelled, on a thread that may hang there."""

    inbox: str
    outbox: Outbox
    ledger: Ledger
    redoing: Redoing
    rules: Callable[[], RedoRules]
    on_change: Callable[[str, str], None]
    clock: Callable[[], float]
    log: Log
    _restless: dict[str, tuple[int, int]] = field(
        default_factory=dict
    )  # by job: its mark, and the looks since that changed
    _calm: dict[str, int] = field(default_factory=dict)  # by job: its mark, to be written down
    _waiting: dict[tuple[str, str], float] = field(
        default_factory=dict
    )  # since when, by the monotonic clock
    _told: dict[tuple[str, str], int] = field(default_factory=dict)  # and the limit that it met

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
        changed: list[str] = []
        try:
            folders = self._everywhere() if everywhere else islice(self._folders(), _NEWEST)
            changed.extend(one.job_id for one in folders if self._look_at(one))
            self._write_down()
        except DiskError as error:
            self.log.warning(
                "choices.unseen", inbox=self.inbox, what=error.what, what_to_do=error.hint
            )
        return changed

    def _folders(self) -> Iterator[ChoiceFolder]:
        return self.ledger.choices.folders(self.inbox)

    def _everywhere(self) -> Iterator[ChoiceFolder]:
        """All of them; of jobs that were removed nothing is kept."""
        known = {*self._restless, *(job for job, _ in (*self._waiting, *self._told))}
        for one in self._folders():
            known.discard(one.job_id)
            yield one
        for gone in known:
            self._restless.pop(gone, None)
        self._waiting = {key: since for key, since in self._waiting.items() if key[0] not in known}
        self._told = {key: limit for key, limit in self._told.items() if key[0] not in known}

    def _look_at(self, one: ChoiceFolder) -> bool:
        mark = _mark(self.outbox.root / one.folder)
        if not mark or (mark == one.mark and one.job_id not in self._restless):
            return False
        changed, waits = self._sort(one.job_id, one.folder)
        self._rest(one.job_id, mark, waits=waits)
        return changed

    def _rest(self, job_id: str, mark: int, *, waits: bool) -> None:
        """Of a job that nothing happened to for some looks its mark is written down, and nothing kept in memory:
        there may be as many as years bring, and none is looked through again after a restart.
        """
        before, looks = self._restless.pop(job_id, (0, 0))
        looks = looks + 1 if mark == before and not waits else 0
        if looks < _CALM:
            self._restless[job_id] = mark, looks
            return
        self._calm[job_id] = mark
        if len(self._calm) == _TOGETHER:
            self._write_down()

    def _write_down(self) -> None:
        calm, self._calm = self._calm, {}
        if calm:
            self.ledger.choices.looked(calm)

    def _sort(self, job_id: str, folder: str) -> tuple[bool, bool]:
        """Every picture of the job is where it lies. Whether that is new, and whether one waits to be asked for."""
        pictures = self.ledger.choices.pictures(job_id)
        lies = {name: choice for choice in CHOICES for name in self.outbox.names(folder, choice)}
        changed = waits = False
        for name, picture in pictures.items():
            choice = lies.get(name, "")
            file = f"{choice}/{name}" if choice else picture.original
            if choice != picture.choice and self._is_there(folder, file):
                self.ledger.choices.note(job_id, picture, choice, file, now=self.clock())
                self.log.info("picture.chosen", job=job_id, row=picture.number, file=file,
                              choice=choice or "none")  # fmt: skip
                picture, changed = replace(picture, file=file, choice=choice), True  # noqa: PLW2901
            if choice == "redo" and not picture.asked_again:
                waits = True
                changed |= self._redo(job_id, folder, name, picture, lies)
        return changed, waits

    def _is_there(self, folder: str, file: str) -> bool:
        """A picture that lies nowhere keeps what was last known of it."""
        return (self.outbox.root / folder / file).is_file()

    def _redo(
        self, job_id: str, folder: str, name: str, picture: ChosenPicture, lies: Mapping[str, str]
    ) -> bool:
        key, now, rules = (job_id, name), time.monotonic(), self.rules()
        if picture.row_state not in FINAL or self._told.get(key) == rules.limit:
            return False
        note_name = next((one for one in _notes(name) if lies.get(one) == "redo"), "")
        since = self._waiting.setdefault(key, now)
        if now - since < (min(_LOOK, rules.grace) if note_name else rules.grace):
            return False
        del self._waiting[key]
        try:
            note = self.outbox.read(folder, f"redo/{note_name}")[:_MOST_NOTE] if note_name else b""
            text = note.decode(errors="replace")
            self.redoing.redo(
                self.outbox, job_id, picture.number, rules, picture=picture, note=text
            )
        except DiskError:
            raise
        except WatcherError as error:
            self._told[key] = rules.limit
            self.log.warning("redo.refused", job=job_id, row=picture.number, file=picture.file,
                             what=error.what, what_to_do=error.hint)  # fmt: skip
            self.outbox.write_text(
                folder,
                f"redo/{name}.STATUS.txt",
                [f"not asked again\n{error.what}\n{error.hint}\n"],
            )
            return False
        self.log.info("row.asked_again", job=job_id, row=picture.number, file=picture.file)
        return True


def _notes(name: str) -> Iterator[str]:
    yield f"{name}.txt"
    yield f"{name.rpartition('.')[0]}.txt"


def _mark(folder: Path) -> int:
    """What tells whether something changed in the folders of choices; 0: nothing is there to look at."""
    stamps = tuple(_stamp(f"{folder}/{name}") for name in CHOICES)
    return hash(stamps) if any(stamps) else 0


def _stamp(folder: str) -> int:
    """When something in it last changed; 0: nothing is there to look at."""
    with suppress(OSError):
        return os.stat(folder, follow_symlinks=False).st_mtime_ns  # noqa: PTH116 - Path takes twice as long
    return 0
