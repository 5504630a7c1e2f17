"""Slices and their items: handed out, an attempt noted before its call, its outcome in one transaction."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Integer,
    Row,
    String,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from watcher.core.jobs import (
    OPEN_STATES,
    JobState,
    LaneKey,
    OpenItem,
    RowState,
    Settlement,
    Slice,
)
from watcher.core.planning import item_from_json
from watcher.ledger import schema
from watcher.ledger.choices import Redo, queue_again
from watcher.ledger.codec import load, to_micro, to_usd
from watcher.ledger.database import Database
from watcher.ledger.jobs import cancelled_values, end_if_over
from watcher.ledger.orders import GOES_ON
from watcher.ledger.paid import note_paid
from watcher.ledger.settling import OVER, add_pictures, end_attempt, settle_row
from watcher.ledger.verdicts import judging_of, note_verdict

_jobs, _rows, _slices = schema.jobs, schema.rows, schema.slices
_attempts, _pictures = schema.attempts, schema.pictures

_OK = 200

# Built once: these two stand between one call and the next, and building took longer than running.
_BEFORE = select(func.count()).where(
    _attempts.c.job_id == bindparam("job"), _attempts.c.number == bindparam("row")
)
_BEGIN = (
    insert(_attempts)
    .from_select(
        ["job_id", "number", "ordinal", "lane", "model", "n", "reserved", "started_at", "outcome"],
        select(
            _jobs.c.id, bindparam("row", type_=Integer), _BEFORE.scalar_subquery() + 1,
            bindparam("lane", type_=String), bindparam("model", type_=String),
            bindparam("n", type_=Integer), bindparam("reserved", type_=Integer), bindparam("now", type_=Float), literal("sent"),
        ).where(_jobs.c.id == bindparam("job"), *GOES_ON),
    )
    .returning(_attempts.c.id)
)  # fmt: skip
_BEGUN = (
    update(_rows)
    .where(_rows.c.job_id == bindparam("job"), _rows.c.number == bindparam("row"))
    .values(
        state=RowState.RUNNING,
        due_at=None,
        problem=None,
        since=func.coalesce(_rows.c.since, bindparam("now", type_=Float)),
    )
)
_OF_JOB = (_jobs.c.id, _jobs.c.inbox, _jobs.c.folder, _jobs.c.priority, _jobs.c.approved)


class Items:
    """The tables of slices, rows, attempts and pictures, as far as single items go."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take_slices(
        self,
        *,
        now: float,
        most: int,
        without: Collection[str] = (),
        only: str | None = None,
        inboxes: Collection[str] | None = None,
        above: int = 4,
    ) -> list[Slice]:
        """Hand out the first slice that is due of up to `most` jobs, urgent and older jobs first.

        `inboxes`: jobs of these alone; the others wait until their inbox is served again. `above`:
        jobs more urgent than this priority.
        """
        one = _slices.alias()
        due = (
            select(func.min(one.c.ordinal))
            .where(one.c.job_id == _jobs.c.id, one.c.state == "queued", one.c.due_at <= now)
            .correlate(_jobs)
            .scalar_subquery()
        )
        query = (
            select(*_OF_JOB, _slices)
            .select_from(_jobs)
            .join(_slices, (_slices.c.job_id == _jobs.c.id) & (_slices.c.ordinal == due))
            .where(*_workable(without, only, inboxes), _jobs.c.priority < above)
            .order_by(_jobs.c.priority, _jobs.c.id)
            .limit(most)
        )
        if not self._is_any_due(now):
            return []
        with self._database.write() as tx:
            taken = [_slice(line) for line in tx.execute(query)]
            for slice_ in taken:
                _set_slice(tx, slice_, state="running")
        return taken

    def _is_any_due(self, now: float) -> bool:
        due = exists().where(_slices.c.state == "queued", _slices.c.due_at <= now)
        with self._database.read() as view:
            return bool(view.scalar(select(due)))

    def next_due(
        self,
        *,
        without: Collection[str] = (),
        only: str | None = None,
        inboxes: Collection[str] | None = None,
    ) -> float | None:
        """When the next slice that `take_slices` would hand out is due, in seconds since the epoch."""
        query = (
            select(func.min(_slices.c.due_at))
            .join(_jobs, _jobs.c.id == _slices.c.job_id)
            .where(*_workable(without, only, inboxes), _slices.c.state == "queued")
        )
        with self._database.read() as view:
            due: float | None = view.scalar(query)
            return due

    def open_items(self, slice_: Slice) -> list[OpenItem]:
        """The items of a slice that are not final, in row order."""
        delivered = (
            select(func.count())
            .where(_pictures.c.job_id == _rows.c.job_id, _pictures.c.number == _rows.c.number)
            .scalar_subquery()
        )
        mine = (_attempts.c.job_id == _rows.c.job_id) & (_attempts.c.number == _rows.c.number)
        pending, reserved = (
            select(column).where(mine, _attempts.c.outcome == "sent")
            .order_by(_attempts.c.id.desc()).limit(1).scalar_subquery()
            for column in (_attempts.c.id, _attempts.c.reserved)
        )  # fmt: skip
        asked = select(func.count()).where(mine).scalar_subquery()
        query = (
            select(
                _rows,
                delivered.label("delivered"),
                pending.label("pending"),
                reserved.label("reserved"),
                asked.label("asked"),
            )
            .where(_rows.c.job_id == slice_.job_id, _rows.c.state.in_(OPEN_STATES))
            .where(_rows.c.number.between(slice_.first, slice_.last))
            .order_by(_rows.c.number)
        )
        with self._database.read() as view:
            return [_open_item(view, line, slice_) for line in view.execute(query).all()]

    def again(self, item: OpenItem) -> OpenItem | None:
        """A row as it stands after an attempt; None where it is final."""
        here = Slice(
            job_id=item.job_id, inbox=item.inbox, folder=item.folder, ordinal=0,
            first=item.number, last=item.number, approved=item.approved,
        )  # fmt: skip
        return next(iter(self.open_items(here)), None)

    def release(self, slice_: Slice, *, due_at: float, now: float) -> None:
        """Give a slice back: ended when all its rows are final, else due again.

        `due_at` counts for rows that wait for no time of their own that is still to come (their
        lane is halted): else a row that was deferred before the lane halted is due for ever.
        """
        own = case((_rows.c.due_at > now, _rows.c.due_at), else_=due_at)
        open_rows = (
            select(func.min(own))
            .where(_rows.c.job_id == slice_.job_id, _rows.c.state.in_(OPEN_STATES))
            .where(_rows.c.number.between(slice_.first, slice_.last))
        )
        with self._database.write() as tx:
            due = tx.scalar(open_rows)
            if due is None:
                _set_slice(tx, slice_, state="ended")
            else:
                _set_slice(tx, slice_, state="queued", due_at=due)

    def wake(self) -> None:
        """A lane reopened: every slice that waits may be looked at now."""
        with self._database.write() as tx:
            tx.execute(update(_slices).where(_slices.c.state == "queued").values(due_at=0.0))

    def put_off(self, inbox: str, *, until: float) -> None:
        """Nothing of this inbox can be asked for before then: none of its slices need be looked at."""
        mine = _slices.c.job_id.in_(select(_jobs.c.id).where(_jobs.c.inbox == inbox, _is_running()))
        waiting = (_slices.c.state == "queued") & (_slices.c.due_at < until)
        with self._database.write() as tx:
            tx.execute(update(_slices).where(mine, waiting).values(due_at=until))

    def prints(self, job_id: str) -> dict[str, str]:
        """What the pictures of a job look like, by their files, as far as that is known."""
        query = select(_pictures.c.file, _pictures.c.print)
        mine = (_pictures.c.job_id == job_id) & (_pictures.c.print != "")
        with self._database.read() as view:
            return {line.file: line.print for line in view.execute(query.where(mine))}

    def unsettled(self) -> set[int]:
        """The attempts whose outcome is not known: only their replies on disk are still wanted."""
        with self._database.read() as view:
            return set(view.scalars(select(_attempts.c.id).where(_attempts.c.outcome == "sent")))

    def decided(self, item: OpenItem) -> int:
        """How many of a row's attempts were answered or refused for good: what follows is another call."""
        mine = (_attempts.c.job_id == item.job_id) & (_attempts.c.number == item.number)
        was = _attempts.c.outcome.in_(("answered", "never", "mend")) | (_attempts.c.status == _OK)
        with self._database.read() as view:
            return view.scalar(select(func.count()).where(mine, was)) or 0

    def interrupted(self, attempt: int, *, now: float) -> None:
        """The process died during this call, and no reply is on disk: it may have been charged."""
        values = {
            "outcome": "ambiguous",
            "code": "interrupted",
            "paid_maybe": True,
            "ended_at": now,
        }
        with self._database.write() as tx:
            tx.execute(update(_attempts).where(_attempts.c.id == attempt).values(**values))

    def reconcile(self) -> None:
        """At start: nobody works on anything, whatever the tables say."""
        with self._database.write() as tx:
            waiting = _slices.c.state.in_(("running", "queued"))
            tx.execute(update(_slices).where(waiting).values(state="queued", due_at=0.0))

    def begin_attempt(
        self,
        item: OpenItem,
        *,
        lane: LaneKey,
        n: int,
        now: float,
        reserved_usd: Decimal | None = None,
    ) -> int | None:
        """Commit that a call is about to be sent. No durable start mark, no call.

        `reserved_usd`: what it may cost. Returns its id; None where the job was paused, held or
        cancelled meanwhile: nothing may be sent.
        """
        mine = {"job": item.job_id, "row": item.number}
        more = {"lane": str(lane), "model": lane.model, "n": n, "now": now,
                "reserved": to_micro(reserved_usd)}  # fmt: skip
        with self._database.write() as tx:
            attempt: int | None = tx.scalar(_BEGIN, {**mine, **more})
            if attempt is not None:
                tx.execute(_BEGUN, {**mine, "now": now})
            elif _cancel_if_ordered(tx, item, now):
                end_if_over(tx, item.job_id, now)
        return attempt

    def settle(
        self,
        item: OpenItem,
        attempt: int,
        settlement: Settlement,
        *,
        now: float,
        redo: Redo | None = None,
    ) -> bool:
        """Commit the outcome of an attempt; True when the whole job ended with it. `redo`: the row is asked again."""
        with self._database.write() as tx:
            seconds = end_attempt(tx, attempt, settlement, now)
            add_pictures(tx, item, settlement.pictures)
            settle_row(tx, item, settlement, seconds, now)
            if settlement.fingerprint:
                note_paid(tx, settlement.fingerprint, item.job_id, item.number, now)
            if settlement.verdict is not None:
                note_verdict(tx, item.job_id, item.number, settlement.verdict, now)
            if redo is not None and not _is_cancelled(tx, item):
                queue_again(tx, redo)
            over = settlement.state in OVER or _cancel_if_ordered(tx, item, now)
            return over and end_if_over(tx, item.job_id, now)


def _is_running() -> ColumnElement[bool]:
    return (_jobs.c.state == JobState.RUNNING) & _jobs.c.accepted_at.is_not(None)


def _workable(
    without: Collection[str], only: str | None, inboxes: Collection[str] | None
) -> list[ColumnElement[bool]]:
    """Which jobs may be worked on."""
    wanted = [
        _is_running(),
        _jobs.c.paused.is_(False),
        _jobs.c.hold.is_(None),
        _jobs.c.inbox.not_in(select(schema.paused.c.inbox)),
        _jobs.c.id.not_in(without),
    ]
    if only is not None:
        wanted.append(_jobs.c.id == only)
    if inboxes is not None:
        wanted.append(_jobs.c.inbox.in_(inboxes))
    return wanted


def _slice(line: Row[tuple[object, ...]]) -> Slice:
    return Slice(
        job_id=line.id, inbox=line.inbox, folder=line.folder,
        ordinal=line.ordinal, first=line.first, last=line.last, approved=line.approved,
        priority=line.priority,
    )  # fmt: skip


def _open_item(view: Connection, line: Row[tuple[object, ...]], slice_: Slice) -> OpenItem:
    item = item_from_json(load(line.item))
    return OpenItem(
        job_id=line.job_id, number=line.number, item=item,
        stem=line.stem, folder=slice_.folder, inbox=slice_.inbox, delivered=line.delivered,
        tries=line.tries, doubts=line.doubts, dropped=tuple(load(line.dropped)),
        asked_again=line.asked_again, pending=line.pending, due_at=line.due_at or 0.0,
        since=line.since or 0.0, asked=line.asked, reserved_usd=to_usd(line.reserved),
        approved=slice_.approved,
        judging=judging_of(view, line.job_id, line.number, item) if line.judging else None,
    )  # fmt: skip


def _set_slice(tx: Connection, slice_: Slice, **values: object) -> None:
    mine = (_slices.c.job_id == slice_.job_id) & (_slices.c.ordinal == slice_.ordinal)
    tx.execute(update(_slices).where(mine).values(**values))


def _cancel_if_ordered(tx: Connection, item: OpenItem, now: float) -> bool:
    """A row that would be asked for again is not, once its job is cancelled; the order may have ended it before."""
    cancelled = _is_cancelled(tx, item)
    if cancelled:
        mine = (_rows.c.job_id == item.job_id) & (_rows.c.number == item.number)
        still_open = _rows.c.state.in_(OPEN_STATES)
        tx.execute(update(_rows).where(mine, still_open).values(**cancelled_values(now)))
    return cancelled


def _is_cancelled(tx: Connection, item: OpenItem) -> bool:
    return bool(tx.scalar(select(_jobs.c.cancelled).where(_jobs.c.id == item.job_id)))
