"""What people chose among the pictures: where each lies now, and which rows are asked again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)

from watcher.core.jobs import RowState
from watcher.ledger import schema
from watcher.ledger.codec import dump, load
from watcher.ledger.database import Database
from watcher.ledger.jobs import reopen, wake_slices

_jobs, _rows, _pictures = schema.jobs, schema.rows, schema.pictures
_choices, _redos = schema.choices, schema.redos

FINAL = (RowState.DONE, RowState.PARTIAL, RowState.FAILED)
HERE = (
    (_choices.c.job_id == _pictures.c.job_id)
    & (_choices.c.number == _pictures.c.number)
    & (_choices.c.index == _pictures.c.index)
)

_PAGE = 100
# Built once: it is asked every few seconds.
_FOLDERS = (
    select(_jobs.c.id, _jobs.c.folder, _jobs.c.choices_mark)
    .where(_jobs.c.inbox == bindparam("inbox"))
    .where(_jobs.c.accepted_at.is_not(None), exists().where(_pictures.c.job_id == _jobs.c.id))
    .where(_jobs.c.id < bindparam("before"))
    .order_by(_jobs.c.id.desc())
    .limit(_PAGE)
)
# Not of a job that got another picture meanwhile: where that lies is not known yet.
_CALM = (
    update(_jobs)
    .where(_jobs.c.id == bindparam("job"))
    .where(
        select(func.count(_pictures.c.file.distinct()))
        .where(_pictures.c.job_id == _jobs.c.id)
        .scalar_subquery()
        == bindparam("pictures", type_=Integer)
    )
    .values(choices_mark=bindparam("mark", type_=Integer))
)
_BEHIND_ALL = "~"  # no id of a job comes behind it


def where_now() -> ColumnElement[str]:
    """The file of a picture, for a query that joins `choices` by `HERE`, from outside."""
    return func.coalesce(_choices.c.file, _pictures.c.file)


def is_replaced() -> ColumnElement[bool]:
    """Whether a picture was asked for again, and the new one came."""
    new = _pictures.alias()
    came = exists().where(
        new.c.job_id == _redos.c.job_id,
        new.c.number == _redos.c.number,
        new.c.index == _redos.c.made,
    )
    return exists().where(
        and_(_redos.c.job_id == _pictures.c.job_id, _redos.c.number == _pictures.c.number),
        _redos.c.replaced == _pictures.c.index, came,
    ).correlate(_pictures)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ChoiceFolder:
    """`mark`: of its folders of choices when all in them was known; None: it is not."""

    job_id: str
    folder: str
    mark: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalmFolder:
    """A job of which all is known that lies in its folders of choices, with their `mark`, of so many pictures."""

    job: str
    mark: int
    pictures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenPicture:
    """A picture with what people did to it. `file`: where it lies; `choice`: approved, rejected, redo or ""."""

    number: int
    index: int
    file: str
    original: str
    format: str
    sha256: str
    choice: str
    row_state: RowState
    asked_again: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RedoRow:
    """A row as it stands before it is asked again. `notes`: by picture, those that led to it."""

    folder: str
    inbox: str
    state: RowState
    base: Mapping[str, Any]
    stems: str
    delivered: int
    live: int
    asked: int
    notes: Mapping[int, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Redo:
    """One row asked again: `replaced` are the pictures that others are wanted for, `by_check` or by a person."""

    job_id: str
    number: int
    replaced: Sequence[int]
    notes: Sequence[str]
    item: str
    stems: str
    first_new: int
    at: float
    by_check: bool = False


class Choices:
    """The tables of choices and redos."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def folders(self, inbox: str) -> Iterator[ChoiceFolder]:
        """Those of the jobs of an inbox that have pictures, the newest first, a hundred at a time."""
        before = _BEHIND_ALL
        while page := self._folders(inbox, before):
            yield from page
            before = page[-1].job_id

    def _folders(self, inbox: str, before: str) -> list[ChoiceFolder]:
        with self._database.read() as view:
            lines = view.execute(_FOLDERS, {"inbox": inbox, "before": before})
            return [ChoiceFolder(*line) for line in lines]

    def calm(self, folders: Sequence[CalmFolder]) -> None:
        """Nothing is to be looked for in these until their mark, or the number of their pictures, changes."""
        with self._database.write() as tx:
            tx.execute(_CALM, [asdict(one) for one in folders])

    def pictures(self, job_id: str) -> dict[str, ChosenPicture]:
        """Every picture of a job, by the name of its file without folders."""
        asked = exists().where(
            and_(_redos.c.job_id == _pictures.c.job_id, _redos.c.number == _pictures.c.number),
            _redos.c.replaced == _pictures.c.index,
        )  # fmt: skip
        query = (
            select(_pictures, _rows.c.state, _choices.c.choice, where_now().label("now"),
                   asked.correlate(_pictures).label("asked"))
            .join(_rows, (_rows.c.job_id == _pictures.c.job_id) & (_rows.c.number == _pictures.c.number))
            .join(_choices, HERE, isouter=True)
            .where(_pictures.c.job_id == job_id)
        )  # fmt: skip
        with self._database.read() as view:
            lines = [dict(line) for line in view.execute(query).mappings()]
        return {line["file"].rpartition("/")[2]: _chosen(line) for line in lines}

    def note(
        self, job_id: str, picture: ChosenPicture, choice: str, file: str, *, now: float
    ) -> None:
        """A picture was moved by a person; `choice` "": back to where it came."""
        mine = {"job_id": job_id, "number": picture.number, "index": picture.index}
        with self._database.write() as tx:
            tx.execute(
                delete(_choices).where(*(_choices.c[name] == one for name, one in mine.items()))
            )
            if choice:
                values = {**mine, "choice": choice, "file": file, "noted_at": now}
                tx.execute(insert(_choices).values(**values))

    def row(self, job_id: str, number: int) -> RedoRow | None:
        """None where there is no such row that could be asked for."""
        mine = (_rows.c.job_id == job_id) & (_rows.c.number == number)
        query = select(_rows, _jobs.c.folder, _jobs.c.inbox).join(
            _jobs, _jobs.c.id == _rows.c.job_id
        )
        with self._database.read() as view:
            line = view.execute(query.where(mine, _rows.c.item.is_not(None))).first()
            if line is None:
                return None
            redos = view.execute(_of(_redos, job_id, number).order_by(_redos.c.id)).all()
            replaced = is_replaced()
            states = view.execute(
                select(replaced).where(_pictures.c.job_id == job_id, _pictures.c.number == number)
            ).scalars().all()  # fmt: skip
        return RedoRow(
            folder=line.folder,
            inbox=line.inbox,
            state=RowState(line.state),
            base=load(redos[0].base if redos else line.item),
            stems=line.stem,
            delivered=len(states),
            live=sum(not gone for gone in states),
            asked=len({one.asked_at for one in redos}),
            notes={one.made: tuple(load(one.notes)) for one in redos},
        )

    def stems(self, job_id: str) -> Iterator[str]:
        """The kept stems of every row."""
        with self._database.read() as view:
            return iter(
                view.execute(select(_rows.c.stem).where(_rows.c.job_id == job_id)).scalars().all()
            )

    def redo(self, redo: Redo) -> bool:
        """Queue the row once more, in one transaction with why; False where it is not final (any more), or
        where others were asked for in place of these pictures meanwhile.
        """
        asked = _of(_redos, redo.job_id, redo.number).with_only_columns(_redos.c.id)
        asked = asked.where(_redos.c.replaced.in_(redo.replaced))
        with self._database.write() as tx:
            return tx.scalar(asked) is None and queue_again(tx, redo)


def queue_again(tx: Connection, redo: Redo) -> bool:
    """Queue a row once more, with why; False where it is not final."""
    mine = (_rows.c.job_id == redo.job_id) & (_rows.c.number == redo.number)
    again = {
        "state": RowState.QUEUED, "item": redo.item, "stem": redo.stems, "problem": None,
        "due_at": None, "tries": 0, "doubts": 0, "asked_again": redo.by_check, "since": None,
        "ended_at": None,
    }  # fmt: skip
    base = tx.scalar(
        _of(_redos, redo.job_id, redo.number).with_only_columns(func.min(_redos.c.base))
    )
    base = base or tx.scalar(select(_rows.c.item).where(mine))
    found = tx.execute(update(_rows).where(mine, _rows.c.state.in_(FINAL)).values(**again))
    if not found.rowcount:
        return False
    never_came = _of(_redos, redo.job_id, redo.number).with_only_columns(_redos.c.id)
    never_came = never_came.where(_redos.c.made >= redo.first_new)
    tx.execute(update(_redos).where(_redos.c.id.in_(never_came)).values(made=0))
    _add(tx, redo, base)
    reopen(tx, redo.job_id)
    wake_slices(tx, redo.job_id)
    return True


def _add(tx: Connection, redo: Redo, base: str | None) -> None:
    """One line for each picture that is replaced; a row without one has a line of its own."""
    for at, index in enumerate(redo.replaced or (0,)):
        tx.execute(
            insert(_redos).values(
                job_id=redo.job_id, number=redo.number, replaced=index, made=redo.first_new + at,
                notes=dump(list(redo.notes)), base=base, asked_at=redo.at,
            )
        )  # fmt: skip


def _of(table: Any, job_id: str, number: int) -> Any:  # noqa: ANN401 - SQL expressions
    return select(table).where(table.c.job_id == job_id, table.c.number == number)


def _chosen(line: Mapping[str, Any]) -> ChosenPicture:
    return ChosenPicture(
        number=line["number"],
        index=line["index"],
        file=line["now"],
        original=line["file"],
        format=line["format"],
        sha256=line["sha256"],
        choice=line["choice"] or "",
        row_state=RowState(line["state"]),
        asked_again=bool(line["asked"]),
    )
