"""Copies that are still to be made, and those that were: what a crash left out is made after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Integer, String, bindparam, delete, func, insert, select

from watcher.core.channels import Origin, Rendition
from watcher.core.jobs import Operation
from watcher.core.planning import item_from_json
from watcher.ledger import schema
from watcher.ledger.choices import HERE, where_now
from watcher.ledger.codec import load
from watcher.ledger.database import Database

_choices = schema.choices
_due, _made = schema.renditions_due, schema.renditions
_jobs, _rows, _pictures = schema.jobs, schema.rows, schema.pictures

# Built once: it stands between one row and the next.
_NOTE = (
    insert(_due)
    .prefix_with("OR IGNORE")
    .from_select(
        ["job_id", "number", "index"],
        select(_jobs.c.id, bindparam("row", type_=Integer), bindparam("at", type_=Integer)).where(
            _jobs.c.id == bindparam("job", type_=String),
            func.json_extract(_jobs.c.settings, "$.renditions").is_not(None),
        ),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DuePicture:
    """A picture whose copies are to be made; `file` is relative to the job's `folder`."""

    job_id: str
    folder: str
    number: int
    index: int
    file: str
    format: str
    origin: Origin


class Renditions:
    """The tables of copies."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due(self, inbox: str, *, most: int) -> list[DuePicture]:
        """The oldest first."""
        # With its limit the list of what is due comes first, and not all pictures that ever were made. Each
        # of its lines has a picture: they come and go in the same transactions.
        some = (
            select(*_due.primary_key)
            .join(_jobs, _jobs.c.id == _due.c.job_id)
            .where(_jobs.c.inbox == inbox)
            .order_by(*_due.primary_key)
            .limit(most)
            .subquery()
        )
        return self._read(
            _wanted().join(
                some,
                (some.c.job_id == _pictures.c.job_id)
                & (some.c.number == _pictures.c.number)
                & (some.c.index == _pictures.c.index),
            )
        )

    def pictures(self, job_id: str) -> list[DuePicture]:
        """Every picture of a job."""
        return self._read(_wanted().where(_jobs.c.id == job_id))

    def done(self, picture: DuePicture, made: Sequence[Rendition]) -> bool:
        """These copies are there, or never will be; True: none of this job is due any more."""
        mine = {"job_id": picture.job_id, "number": picture.number, "index": picture.index}
        with self._database.write() as tx:
            for one in made:
                tx.execute(insert(_made).prefix_with("OR REPLACE"), {**mine, **asdict(one)})
            tx.execute(delete(_due).where(*(_due.c[name] == value for name, value in mine.items())))
            left = select(func.count()).where(_due.c.job_id == picture.job_id)
            return not tx.scalar(left)

    def of(self, job_id: str) -> Iterator[tuple[str, Rendition]]:
        """Every copy of a job that is known of, with its picture's file."""
        query = (
            select(where_now().label("picture"), _made)
            .select_from(_pictures)
            .join(_choices, HERE, isouter=True)
            .join(
                _made,
                (_made.c.job_id == _pictures.c.job_id)
                & (_made.c.number == _pictures.c.number)
                & (_made.c.index == _pictures.c.index),
            )
            .where(_pictures.c.job_id == job_id)
            .order_by(_made.c.number, _made.c.index, _made.c.channel)
        )
        with self._database.read() as view:
            lines = view.execute(query).mappings().all()
        names = Rendition.__dataclass_fields__
        return (
            (line["picture"], Rendition(**{name: line[name] for name in names})) for line in lines
        )

    def _read(self, query: Any) -> list[DuePicture]:  # noqa: ANN401 - an SQL expression
        ordered = query.order_by(_pictures.c.job_id, _pictures.c.number, _pictures.c.index)
        with self._database.read() as view:
            return [_due_picture(dict(line)) for line in view.execute(ordered).mappings()]


def note_due(tx: Connection, job_id: str, number: int, index: int) -> None:
    """In the transaction that tells of the picture; nothing where its job asks for no copies."""
    tx.execute(_NOTE, {"job": job_id, "row": number, "at": index})


def _wanted() -> Any:  # noqa: ANN401 - an SQL expression
    columns = (_pictures.c.job_id, _pictures.c.number, _pictures.c.index, where_now().label("file"),
               _pictures.c.format, _jobs.c.folder, _rows.c.item)  # fmt: skip
    same_row = (_rows.c.job_id == _pictures.c.job_id) & (_rows.c.number == _pictures.c.number)
    return (
        select(*columns)
        .join(_choices, HERE, isouter=True)
        .join(_jobs, _jobs.c.id == _pictures.c.job_id)
        .join(_rows, same_row)
    )


def _due_picture(line: dict[str, str | int]) -> DuePicture:
    item = item_from_json(load(str(line.pop("item"))))
    edited = item.operation is not Operation.GENERATE
    origin = Origin(model=item.model, prompt=item.prompt, edited=edited)
    return DuePicture(origin=origin, **line)  # type: ignore[arg-type]
