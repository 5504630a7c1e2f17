"""Rows that people want other pictures of: what is asked for then, by the way that every row goes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from watcher.core.catalogue import Catalogue
from watcher.core.errors import WatcherError
from watcher.core.jobs import OPEN_STATES, Item, Problem
from watcher.core.pictures import KeptPicture, kept_picture
from watcher.core.planning import RowRules, item_from_json, item_to_json
from watcher.core.planning.redoing import as_edit, asked_anew, asking, clean_note
from watcher.ledger import ChosenPicture, Ledger, Redo, RedoRow
from watcher.ledger.choices import FINAL
from watcher.outbox import Outbox, told


@dataclass(frozen=True, slots=True, kw_only=True)
class RedoRules:
    """SETTINGS of one inbox. `grace`: seconds that a note may come after its picture; `how`: again or edit."""

    limit: int
    how: str
    grace: float
    rows: RowRules


class RowOpen(WatcherError):  # noqa: N818 - no error: it is asked for once it is over
    """A row cannot be asked again yet."""


class Redoing:
    """Asks rows again. Raises WatcherError with a sentence where one cannot be, RowOpen where not yet."""

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
        if row.state in OPEN_STATES:
            raise RowOpen(f"Row {number} is {row.state}.", "Wait until it is over.")
        if row.state not in FINAL:
            raise WatcherError(f"Row {number} was {row.state}.", "Drop it anew.")
        chosen = self._ledger.choices.pictures(job_id).values()
        replaced = [one.index for one in chosen if one.number == number and not one.asked_again]
        if picture is not None:
            replaced = [picture.index]
        redo = self.wanted(outbox, job_id, number, rules,
                           replaced=sorted(replaced), picture=picture, note=note)  # fmt: skip
        if not self._ledger.choices.redo(redo):
            raise RowOpen(f"Row {number} is being worked on.", "Wait until it is over.")

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
        with told(into):
            into.mkdir(parents=True, exist_ok=True, mode=0o700)
            part = into / f"{kept.file}.part"
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(into / kept.file)
        return kept
