"""What the ledger tells about jobs and rows: values for results, notes and the status."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from sqlalchemy import BindParameter, Connection, Integer, Row, bindparam, case, func, select

from watcher.core.jobs import (
    OPEN_STATES,
    Adjustment,
    Item,
    JobState,
    Operation,
    Picture,
    RowState,
)
from watcher.core.planning import item_from_json
from watcher.core.results import AttemptRecord, JobResult, RowResult
from watcher.ledger import schema
from watcher.ledger.choices import HERE, is_replaced, where_now
from watcher.ledger.codec import load, load_problem, load_usage, to_usd
from watcher.ledger.database import Database

_jobs, _rows, _claims = schema.jobs, schema.rows, schema.claims
_attempts, _pictures = schema.attempts, schema.pictures
_choices = schema.choices
_PAGE_ROWS = 500  # rows read at once: memory does not grow with the job

# Built once: each job is told of many times, and building a statement takes longer than running it.
_THIS: BindParameter[object] = bindparam("job")
_JOB = select(_jobs).where(_jobs.c.id == _THIS, _jobs.c.accepted_at.is_not(None))
_INBOX = select(_jobs.c.inbox).where(_jobs.c.id == _THIS)
_PATH = select(_jobs.c.path).where(_jobs.c.id == _THIS)
_COUNTS = (
    select(_rows.c.state, func.count(), func.sum(_rows.c.cost))
    .where(_rows.c.job_id == _THIS)
    .group_by(_rows.c.state)
)
_ASKED = select(
    func.count(),
    func.sum(_attempts.c.paid_maybe, type_=Integer),  # else the sum of booleans is one
    func.sum((_attempts.c.outcome == "answered") & _attempts.c.cost.is_(None), type_=Integer),
    func.sum(case((_attempts.c.paid_maybe & _attempts.c.cost.is_(None), _attempts.c.reserved))),
).where(_attempts.c.job_id == _THIS)
_PAUSED = select(schema.paused.c.inbox).where(schema.paused.c.inbox == bindparam("inbox"))
_MADE = select(func.count()).where(_pictures.c.job_id == _THIS)
_PAGE = (
    select(_rows)
    .where(_rows.c.job_id == _THIS, _rows.c.number > bindparam("after"))
    .order_by(_rows.c.number)
    .limit(_PAGE_ROWS)
)
_SPAN: tuple[BindParameter[object], BindParameter[object]] = (bindparam("first"), bindparam("last"))
_AS_SEEN = (
    *(column for column in _pictures.columns if column.name != "file"),
    where_now().label("file"),
    _choices.c.choice,
    is_replaced().label("is_replaced"),
)
_ITS_PICTURES = (
    select(*_AS_SEEN)
    .join(_choices, HERE, isouter=True)
    .where(_pictures.c.job_id == _THIS, _pictures.c.number.between(*_SPAN))
    .order_by(_pictures.c.number, _pictures.c.index)
)
_FIRST_PICTURES = (
    select(*_AS_SEEN)
    .join(_choices, HERE, isouter=True)
    .where(_pictures.c.job_id == _THIS, ~is_replaced())
    .order_by(_pictures.c.number, _pictures.c.index)
    .limit(bindparam("most", type_=Integer))
)
_ITS_ATTEMPTS = (
    select(_attempts)
    .where(_attempts.c.job_id == _THIS, _attempts.c.number.between(*_SPAN))
    .order_by(_attempts.c.id)
)


class Views:
    """Reading only; safe beside a running daemon."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def job(self, job_id: str) -> JobResult | None:
        with self._database.read() as view:
            line = view.execute(_JOB, {"job": job_id}).first()
            return None if line is None else _job(view, line)

    def jobs(
        self,
        *,
        states: Sequence[JobState] = (),
        inboxes: Collection[str] | None = None,
        most: int = 100,
    ) -> list[JobResult]:
        """The newest first; of these inboxes only, where some are named."""
        query = select(_jobs).where(_jobs.c.accepted_at.is_not(None))
        if states:
            query = query.where(_jobs.c.state.in_(states))
        if inboxes is not None:
            query = query.where(_jobs.c.inbox.in_(inboxes))
        with self._database.read() as view:
            lines = view.execute(query.order_by(_jobs.c.id.desc()).limit(most)).all()
            return [_job(view, line) for line in lines]

    def ended_unpublished(self) -> list[str]:
        """Jobs that are over and whose final results are not known to be in the outbox."""
        query = select(_jobs.c.id).where(
            _jobs.c.published_at.is_(None), _jobs.c.state != JobState.RUNNING
        )
        with self._database.read() as view:
            return list(view.scalars(query.where(_jobs.c.accepted_at.is_not(None))))

    def unpublished(self, inboxes: Collection[str] | None = None) -> list[str]:
        """Jobs (of these inboxes) whose final results are not known to be in the outbox."""
        query = select(_jobs.c.id).where(
            _jobs.c.accepted_at.is_not(None), _jobs.c.published_at.is_(None)
        )
        if inboxes is not None:
            query = query.where(_jobs.c.inbox.in_(inboxes))
        with self._database.read() as view:
            return list(view.scalars(query.order_by(_jobs.c.id)))

    def job_of_drop(self, inbox: str, path: bytes, since: float) -> JobResult | None:
        """The job that a drop became, or repeats; `path` in the inbox, claimed at `since` or later."""
        mine = (_claims.c.inbox == inbox) & (_claims.c.path == path)
        query = select(_claims.c.job_id).where(mine, _claims.c.created_at >= since)
        with self._database.read() as view:
            job_id = view.scalar(query.order_by(_claims.c.id.desc()).limit(1))
        return None if job_id is None else self.job(job_id)

    def running_of_drop(self, inbox: str, path: bytes) -> list[str]:
        """The jobs that are running of drops of that path, relative to the inbox."""
        mine = (_jobs.c.inbox == inbox) & (_jobs.c.path == path)
        query = select(_jobs.c.id).where(
            mine, _jobs.c.state == JobState.RUNNING, _jobs.c.accepted_at.is_not(None)
        )
        with self._database.read() as view:
            return list(view.scalars(query))

    def priorities(self, job_ids: Collection[str]) -> dict[str, int]:
        """Of these jobs, as they are now."""
        with self._database.read() as view:
            query = select(_jobs.c.id, _jobs.c.priority).where(_jobs.c.id.in_(job_ids))
            return {line.id: line.priority for line in view.execute(query)}

    def inbox(self, job_id: str) -> str:
        """The inbox that a job came from; "" where there is no such job."""
        with self._database.read() as view:
            return view.scalar(_INBOX, {"job": job_id}) or ""

    def path(self, job_id: str) -> bytes:
        """Where its drop lay, relative to the inbox."""
        with self._database.read() as view:
            return view.scalar(_PATH, {"job": job_id}) or b""

    def rows(self, job_id: str, after: int = 0) -> Iterator[RowResult]:
        """Every row behind row `after` in row order, some hundred at a time."""
        while page := self._page(job_id, after):
            yield from page
            if len(page) < _PAGE_ROWS:
                return
            after = page[-1].number

    def first_pictures(self, job_id: str, most: int) -> list[Picture]:
        """The first pictures of a job, in row order, but those that a person wanted others for."""
        with self._database.read() as view:
            lines = view.execute(_FIRST_PICTURES, {"job": job_id, "most": most})
            return list(map(_picture, lines))

    def open_models(self) -> list[tuple[str, Operation]]:
        """Which models the rows that are not final ask for, and what for."""
        asked = [func.json_extract(_rows.c.item, f"$.{name}") for name in ("model", "operation")]
        query = (
            select(*asked)
            .distinct()
            .join(_jobs, _jobs.c.id == _rows.c.job_id)
            .where(_jobs.c.state == JobState.RUNNING, _jobs.c.accepted_at.is_not(None))
            .where(_rows.c.state.in_(OPEN_STATES), _rows.c.item.is_not(None))
        )
        with self._database.read() as view:
            return sorted((model, Operation(operation)) for model, operation in view.execute(query))

    def _page(self, job_id: str, after: int) -> list[RowResult]:
        with self._database.read() as view:
            lines = view.execute(_PAGE, {"job": job_id, "after": after}).all()
            if not lines:
                return []
            these = {"job": job_id, "first": lines[0].number, "last": lines[-1].number}
            pictures = _pictures_of(view, these)
            attempts = _attempts_of(view, these)
        return [_row(line, pictures[line.number], attempts[line.number]) for line in lines]


def _job(view: Connection, line: Row[tuple[object, ...]]) -> JobResult:
    this = {"job": line.id}
    groups = view.execute(_COUNTS, this).all()
    costs = [cost for _, _, cost in groups if cost is not None]
    asked = view.execute(_ASKED, this).one()
    made = view.scalar(_MADE, this)
    return JobResult(
        id=line.id,
        inbox=line.inbox,
        name=line.name,
        folder=line.folder,
        path=line.path,
        state=JobState(line.state),
        columns=tuple(load(line.columns)),
        created_at=line.created_at,
        ended_at=line.ended_at,
        published_at=line.published_at,
        encoding=line.encoding,
        delimiter=line.delimiter,
        notes=tuple(load(line.notes)),
        problem=load_problem(line.problem),
        paused=_why_paused(view, line),
        hold=load_problem(line.hold),
        counts={RowState(state): count for state, count, _ in groups},
        attempts=asked[0],
        pictures=made or 0,
        cost_usd=to_usd(sum(costs)) if costs else None,
        possibly_charged=asked[1] or 0,
        possibly_usd=to_usd(asked[3]),
        unpriced=asked[2] or 0,
        estimate_usd=to_usd(line.estimate),
        settings=load(line.settings),
    )


def _why_paused(view: Connection, line: Row[tuple[object, ...]]) -> str:
    if line.paused:
        return "paused by hand"
    if (hold := load_problem(line.hold)) is not None:
        return f"{hold.what} {hold.hint}".strip()
    by_hand = view.scalar(_PAUSED, {"inbox": line.inbox})
    return f"the inbox {line.inbox} is paused by hand" if by_hand else ""


def _pictures_of(view: Connection, these: Mapping[str, object]) -> dict[int, list[Picture]]:
    found: dict[int, list[Picture]] = defaultdict(list)
    for line in view.execute(_ITS_PICTURES, these):
        found[line.number].append(_picture(line))
    return found


def _picture(line: Row[tuple[object, ...]]) -> Picture:
    return Picture(
        index=line._mapping["index"],  # noqa: SLF001 - "index" alone is a method of tuples
        file=line.file, format=line.format, width=line.width,
        height=line.height, bytes=line.bytes, sha256=line.sha256,
        choice="replaced" if line.is_replaced else line.choice or "",
    )  # fmt: skip


def _attempts_of(view: Connection, these: Mapping[str, object]) -> dict[int, list[AttemptRecord]]:
    found: dict[int, list[AttemptRecord]] = defaultdict(list)
    for line in view.execute(_ITS_ATTEMPTS, these):
        ended = line.ended_at
        found[line.number].append(
            AttemptRecord(
                number=line.ordinal, started_at=line.started_at,
                seconds=None if ended is None else ended - line.started_at,
                outcome=line.outcome, model=line.model, status=line.status, code=line.code,
                request_id=line.request_id, paid_maybe=line.paid_maybe,
            )
        )  # fmt: skip
    return found


def _row(
    line: Row[tuple[object, ...]], pictures: list[Picture], attempts: list[AttemptRecord]
) -> RowResult:
    item = None if line.item is None else item_from_json(load(line.item))
    return RowResult(
        number=line.number,
        values=tuple(load(line.values)),
        state=RowState(line.state),
        operation=item.operation if item else None,
        model=item.model if item else "",
        prompt=item.prompt if item else "",
        parameters=item.parameters if item else {},
        problem=load_problem(line.problem),
        due_at=line.due_at,
        adjustments=_adjustments(item, line.dropped, line.found) if item else (),
        pictures=tuple(pictures),
        text=line.text,
        attempts=tuple(attempts),
        cost_usd=to_usd(line.cost),
        usage=load_usage(line.usage),
        seconds=line.seconds,
        request_id=line.request_id,
        source=line.source,
    )


def _adjustments(item: Item, dropped: str, found: str) -> tuple[Adjustment, ...]:
    """What was mended before, during and after the calls."""
    after = (Adjustment(**one) for one in load(found))
    return (*item.adjustments, *_left_out(item, dropped), *after)


def _left_out(item: Item, dropped: str) -> tuple[Adjustment, ...]:
    """What the row says and the server does not take, so that it was asked without."""
    said = {**item.parameters, **item.extra, "n": item.n if item.n > 1 else None}
    return tuple(
        Adjustment(
            column=name, found=str(said[name]), used="left out", why="this server does not take it"
        )
        for name in load(dropped)
        if said.get(name) is not None
    )
