"""From drop to job: claimed by one rename, read from a snapshot, accepted with all its rows or not at all.

The order is the promise: intent committed → renamed → copied and hashed → rows planned → accepted.
`recover` takes up after a crash between any two of these, also when the database was lost.
"""

from __future__ import annotations

import posixpath
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath
from typing import Protocol

from watcher.core.catalogue import Catalogue
from watcher.core.errors import DiskError, DropError, InboxError, TornDrop, WatcherError
from watcher.core.estimates import approval
from watcher.core.jobs import JobState, Problem
from watcher.core.log import Log
from watcher.core.naming import job_folder
from watcher.core.report import duplicate_note, waiting_note
from watcher.inbox import (
    AGAIN,
    URGENT,
    Claimed,
    Drop,
    DropBusy,
    DropGone,
    InboxFolder,
    Patience,
    PicturePlaces,
    Snapshot,
    Waiting,
    archive,
    bring_along,
    claim,
    claimed_ids,
    discard,
    disk_in_words,
    fetch_marker,
    find_archived,
    find_claimed,
    flags,
    settle_time,
    sha256_in,
    snapshot,
    unclaim,
    write_note,
)
from watcher.intake.drops import Awaited, Inside, Lacking, Torn, open_drop
from watcher.intake.equal import EqualDrops
from watcher.intake.expected import Expected
from watcher.intake.faults import deadly, our_fault
from watcher.intake.pictures import RowPictures
from watcher.intake.rows import Pricing, new_rows
from watcher.intake.rules import InboxRules, planner_of
from watcher.ledger import Acceptance, Claim, Earlier, Incoming, Ledger, NewJob

_MOST_DEATHS = 3  # of starts, while they took up the same claim: then it is not tried again
_TORN_GRACE = 10  # settle times that a drop which ends in the middle may take to become whole
URGENT_PRIORITY = 0


class Space(Protocol):
    """Room on the disks."""

    def require(self, folder: Path) -> None:
        """Raises DiskError where too little is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """The intake of one inbox; called by the threads that serve it."""

    folder: InboxFolder
    rules: Callable[[], InboxRules]
    ledger: Ledger
    catalogue: Catalogue
    blobs: Path
    inputs: Path
    space: Space
    outbox: str
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    new_id: Callable[[], str]
    month: Callable[[], str]
    log: Log
    on_job: Callable[[str], None]
    expected: Expected = field(default_factory=Expected)
    _torn: Torn = field(default_factory=Torn)
    _lacking: Lacking = field(default_factory=Lacking)
    _patience: Patience = field(default_factory=Patience)
    _equal: EqualDrops = field(default_factory=EqualDrops)

    def take(self, drop: Drop) -> float | None:
        """Make a job of a drop; returns seconds to put it off when it ends in the middle.

        Raises DropGone, DropBusy, InboxError or DiskError; the drop is then where it was, or, where
        the inbox is away, claimed and taken up by `recover`.
        """
        if (wait := self._torn.wait(drop, self._torn_grace, self.monotonic())) > 0:
            return wait
        if (wait := self._lacking.wait(drop, lambda: self.rules().grace, self.monotonic())) > 0:
            return wait
        self.space.require(self.blobs)
        self.space.require(self.folder.path)
        claim_id = self.expected.claim_id(self.folder.name, drop.path) or self.new_id()
        self.ledger.claims.intend(
            claim_id, inbox=self.folder.name, path=drop.path, now=self.clock()
        )
        try:
            claimed = claim(self.folder, drop, claim_id)
        except BaseException:
            if find_claimed(self.folder, claim_id) is None:
                self.ledger.claims.drop(claim_id)
            raise
        put_off = self._take_claimed(claimed, drop)
        if put_off is None:
            self.expected.settle(claim_id)
        return put_off

    def recover(self) -> None:
        """Take up every claim that an earlier process left, known to the ledger or not."""
        known = {found.id: found for found in self.ledger.claims.open(self.folder.name)}
        lying = dict(claimed_ids(self.folder))
        for claim_id in sorted(lying.keys() | known.keys()):
            try:
                if claim_id in known:
                    self._resume(known[claim_id], lies=claim_id in lying)
                else:
                    self._adopt(claim_id, lying[claim_id])
            except (InboxError, DiskError):
                raise  # all of it is tried again
            except Exception:
                self.log.exception("claim.broken", inbox=self.folder.name, claim=claim_id)

    def tell_waiting(self, waiting: Waiting) -> None:
        """The note beside a drop that is not taken yet."""
        why = f"{waiting.reason} {waiting.hint}".strip()
        self.log.info("drop.waiting", inbox=self.folder.name, file=waiting.drop.name, what=why)
        if waiting.unfinished:
            self.log.warning("drop.unfinished", inbox=self.folder.name, file=waiting.drop.name,
                             what=waiting.reason, what_to_do=waiting.hint)  # fmt: skip
        write_note(self.folder, waiting.drop.path, waiting_note(waiting.drop.name, why))

    def _resume(self, found: Claim, *, lies: bool) -> None:
        if found.state == "intended" and not lies:
            self.ledger.claims.drop(found.id)  # the rename never happened
        elif found.state == "intended":
            self._take_found(found.id)
        elif found.job_id != found.id:
            # The repeat of a job; a job's own original is archived at its end.
            self._archive(found.id, self._repeated(found.job_id))

    def _adopt(self, claim_id: str, path: bytes) -> None:
        if self.ledger.claims.find(claim_id) is not None:
            # It was archived before, and came back with a copy of the inbox: it is not paid again.
            self._archive(claim_id)
            return
        self.ledger.claims.intend(claim_id, inbox=self.folder.name, path=path, now=self.clock())
        self._take_found(claim_id)

    def _take_found(self, claim_id: str) -> None:
        """Counted before it is read: what ends the process each time must not do so for ever."""
        claimed = find_claimed(self.folder, claim_id)
        if claimed is None:
            return
        fetch_marker(claimed)
        with self.ledger.claims.taken_up(claim_id) as deaths:
            try:
                if deaths >= _MOST_DEATHS:
                    self._refuse(claimed, None, deadly(claimed.name, deaths + 1))
                else:
                    self._take_claimed(claimed, None)
            except (DropBusy, DropGone):
                return  # it is back in the inbox, and seen there
        self.expected.settle(claim_id)

    def _take_claimed(self, claimed: Claimed, drop: Drop | None) -> float | None:
        own = self.blobs / claimed.claim_id  # not shared: an equal drop may be taken at this moment
        try:
            taken = snapshot(claimed, own)
            with self._equal.one_at_a_time(taken.sha256):
                return self._accept(claimed, taken, drop)
        except DropBusy:
            self._put_back(claimed)
            raise
        except DropError as error:
            self._refuse(claimed, None, error)
            return None
        except DiskError:
            self._give_back(claimed.claim_id)
            raise
        finally:
            discard(own)

    def _accept(self, claimed: Claimed, taken: Snapshot, drop: Drop | None) -> float | None:
        rules = self.rules()
        if not _is_anew(claimed):
            earlier = self.ledger.jobs.earlier(
                sha256=taken.sha256, inbox=self.folder.name, rules=rules.fingerprint
            )
            if earlier and earlier.reusable and not self._has_new_pictures(earlier, claimed):
                self._repeat(claimed, earlier)
                return None
        job = self._new_job(claimed, taken, rules)
        incoming = self.ledger.incoming(job)
        try:
            acceptance = self._read(job, incoming, claimed, taken, rules)
        except Awaited as awaited:
            incoming.forget()
            self._put_back(claimed)
            write_note(self.folder, claimed.path, waiting_note(claimed.name, awaited.why))
            return awaited.wait
        except TornDrop as error:
            incoming.forget()
            return self._wait_or_refuse(claimed, taken, drop, error)
        except DropError as error:
            self._refuse(claimed, taken, error)
            return None
        except WatcherError:
            raise
        except Exception:
            self.log.exception("drop.broken", inbox=job.inbox, file=job.name)
            self._refuse(claimed, taken, our_fault(job.name))
            return None
        incoming.accept(acceptance, claim_id=claimed.claim_id, now=self.clock())
        self._torn.forget(claimed)
        self.log.info("job.accepted", inbox=job.inbox, job=job.id, file=job.name)
        self.on_job(job.id)
        return None

    def _new_job(self, claimed: Claimed, taken: Snapshot | None, rules: InboxRules) -> NewJob:
        urgent = URGENT in flags(claimed.path)
        return NewJob(
            id=claimed.claim_id,
            inbox=self.folder.name,
            name=claimed.name,
            path=claimed.path,
            folder=job_folder(PurePath(claimed.name).stem, claimed.claim_id),
            sha256=taken.sha256 if taken else "",
            rules=rules.fingerprint,
            settings=rules.settings,
            created_at=self.clock(),
            priority=URGENT_PRIORITY if urgent else rules.priority,
        )

    def _read(
        self, job: NewJob, incoming: Incoming, claimed: Claimed, taken: Snapshot, rules: InboxRules
    ) -> Acceptance:
        """Parse, plan and write down every row, keep its pictures. Raises DropError, or Awaited."""
        try:
            with disk_in_words(taken.path or self.blobs), taken.open() as stream:
                parsed, inside = open_drop(
                    job.name, stream, rules.limits, rules.picture_row, sheet=rules.sheet
                )
                planner = planner_of(job.name, parsed, rules, self.catalogue)
                pictures = self._pictures(claimed, rules, inside)
                pricing = Pricing(self.catalogue, rules.server, rules.rows)
                rows = new_rows(
                    parsed, planner, pictures, rules.filename, pricing, anew=_is_anew(claimed)
                )
                incoming.add(rows)
            now = self.monotonic()
            self._lacking.expect(claimed, pictures.places, pictures.absent, rules.grace, now)
            pictures.finish()
            pricing.count_reused(partial(self._paid, rules))
        except BaseException:
            shutil.rmtree(self.inputs / job.id, ignore_errors=True)
            raise
        return Acceptance(
            columns=parsed.columns,
            encoding=parsed.encoding,
            delimiter=parsed.delimiter,
            notes=(*parsed.notes, *pricing.sum.sentences()),
            estimate_usd=pricing.sum.whole_usd,
            hold=approval(pricing.sum, rules.approve_above_usd),
        )

    def _paid(self, rules: InboxRules, asked: Collection[str]) -> Collection[str]:
        """What will be reused, as far as that can be told before pictures are fetched."""
        if rules.reuse_days <= 0 or not asked:
            return ()
        return self.ledger.paid.known(asked, since=rules.paid_since(self.clock()))

    def _pictures(self, claimed: Claimed, rules: InboxRules, inside: Inside) -> RowPictures:
        places = PicturePlaces(
            folder=self.folder,
            drop=claimed.path,
            assets=rules.assets,
            inside=inside,
            patience=self._patience,
        )
        return RowPictures(
            places,
            rules.rows,
            hosts=rules.hosts,
            job=claimed.claim_id,
            into=self.inputs / claimed.claim_id,
            catalogue=self.catalogue,
            ledger=self.ledger,
        )

    def _has_new_pictures(self, earlier: Earlier, claimed: Claimed) -> bool:
        """Whether beside an equal drop, here or in another folder, lie other pictures under the same names."""
        before = posixpath.dirname(self.ledger.views.path(earlier.id))
        here = posixpath.dirname(claimed.path)
        return any(
            sha256_in(self.folder, place) not in {None, sha256}
            for path, sha256 in self.ledger.companions.contents(earlier.id)
            for place in {path, _moved(path, before, here)}
        )

    def _repeat(self, claimed: Claimed, earlier: Earlier) -> None:
        """The same bytes again: what is done is not paid again, what failed runs once more."""
        job = self.ledger.views.job(earlier.id)
        if job is not None:
            note = duplicate_note(claimed.name, job, outbox=self.outbox)
            write_note(self.folder, claimed.path, note)
        again = self.ledger.jobs.run_again(earlier.id) if earlier.failed else 0
        self.log.info("drop.repeated", inbox=self.folder.name, file=claimed.name, job=earlier.id,
                      rows_again=again)  # fmt: skip
        self.ledger.claims.conclude(claimed.claim_id, job_id=earlier.id)
        over = earlier.state is not JobState.RUNNING
        self._archive(claimed.claim_id, self._companions(earlier.id) if over else ())
        self.on_job(earlier.id)

    def _repeated(self, job_id: str | None) -> Sequence[bytes]:
        """The pictures that the repeat of a job takes along now; those of one that runs stay for it."""
        job = self.ledger.views.job(job_id) if job_id else None
        over = job is not None and job.state is not JobState.RUNNING
        return self._companions(job.id) if job and over else ()

    def _companions(self, job_id: str) -> Sequence[bytes]:
        return self.ledger.companions.to_archive(job_id, also_failed=True)

    def _refuse(self, claimed: Claimed, taken: Snapshot | None, error: DropError) -> None:
        """It cannot be read as a whole: a job without rows, so that everybody is told of it."""
        job = self._new_job(claimed, taken, self.rules())
        problem = Problem(code=error.code, what=error.what, hint=error.hint)
        incoming = self.ledger.incoming(job)
        incoming.forget()  # what came in before it was known
        acceptance = Acceptance(columns=(), problem=problem)
        incoming.accept(acceptance, claim_id=claimed.claim_id, now=self.clock())
        self.log.warning("drop.refused", inbox=job.inbox, job=job.id, file=job.name,
                         code=error.code, what=error.what, what_to_do=error.hint)  # fmt: skip
        self.on_job(job.id)

    def _wait_or_refuse(
        self, claimed: Claimed, taken: Snapshot, drop: Drop | None, error: TornDrop
    ) -> float | None:
        left = self._torn.left(claimed, self._torn_grace, self.monotonic())
        if drop is None or not left:
            self._torn.forget(claimed)
            self._refuse(claimed, taken, error)
            return None
        self._put_back(claimed)
        write_note(self.folder, claimed.path, waiting_note(claimed.name, error.what))
        return left

    def _torn_grace(self) -> float:
        return _TORN_GRACE * settle_time(self.folder)

    def _give_back(self, claim_id: str) -> None:
        """A disk refused: the drop lies where people see it until there is room, unless it is a job already."""
        found, claimed = self.ledger.claims.find(claim_id), find_claimed(self.folder, claim_id)
        if found is not None and found.state == "intended" and claimed is not None:
            self._put_back(claimed)

    def _put_back(self, claimed: Claimed) -> None:
        path = unclaim(claimed)
        self.expected.put_back(self.folder.name, path, claimed.claim_id)
        self.ledger.claims.drop(claimed.claim_id)

    def _archive(self, claim_id: str, companions: Sequence[bytes] = ()) -> None:
        claimed = find_claimed(self.folder, claim_id)
        if claimed is not None:
            archive(claimed, where="done", month=self.month(), job=claim_id)
        if companions and (archived := find_archived(self.folder, claim_id)):
            bring_along(self.folder, archived, companions)
        self.ledger.claims.archived(claim_id)


def _is_anew(claimed: Claimed) -> bool:
    """It was dropped into `again/`: everything is made, and paid, once more."""
    return AGAIN in flags(claimed.path)


def _moved(path: bytes, before: bytes, here: bytes) -> bytes:
    """Where a picture lies beside a drop that came into the folder `here` instead of `before`."""
    return posixpath.join(here, posixpath.relpath(path, before or b"."))
