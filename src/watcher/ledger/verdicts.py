"""What was said of pictures by the checklists of their rows, and which of them are to be judged yet."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection, and_, exists, insert, select

from watcher.core.jobs import Item, Judging, Picture, Unmet, Verdict
from watcher.ledger import schema
from watcher.ledger.choices import HERE, is_replaced, where_now
from watcher.ledger.codec import dump, load
from watcher.ledger.database import Database

_choices, _redos = schema.choices, schema.redos
_pictures, _verdicts = schema.pictures, schema.verdicts

_SAID = (
    (_verdicts.c.job_id == _pictures.c.job_id)
    & (_verdicts.c.number == _pictures.c.number)
    & (_verdicts.c.index == _pictures.c.index)
)


class Verdicts:
    """The table of verdicts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, question: str, *, since: float) -> Verdict | None:
        """What was answered to an equal question at `since` (seconds since the epoch) or later."""
        query = select(_verdicts).where(
            _verdicts.c.question == question, _verdicts.c.said_at >= since
        )
        with self._database.read() as view:
            line = view.execute(query.limit(1)).mappings().first()
        return None if line is None else _verdict(dict(line))


def judging_of(view: Connection, job_id: str, number: int, item: Item) -> Judging:
    """The first picture that is not judged yet of a row that is being judged."""
    wanted_anew = exists().where(
        and_(_redos.c.job_id == _pictures.c.job_id, _redos.c.number == _pictures.c.number),
        _redos.c.replaced == _pictures.c.index,
    ).correlate(_pictures)  # fmt: skip
    query = (
        select(*(one for one in _pictures.columns if one.name != "file"), where_now().label("file"),
               _verdicts.c.question, _verdicts.c.unmet, _verdicts.c.problem, wanted_anew.label("wanted_anew"))
        .join(_choices, HERE, isouter=True)
        .join(_verdicts, _SAID, isouter=True)
        .where(_pictures.c.job_id == job_id, _pictures.c.number == number, ~is_replaced())
        .order_by(_pictures.c.index)
    )  # fmt: skip
    lines = [dict(line) for line in view.execute(query).mappings()]
    open_ = [_picture(line) for line in lines if line["question"] is None] or [_picture(lines[-1])]
    said = [one for one in lines if one["question"] is not None and not one["wanted_anew"]]
    verdicts = tuple(map(_verdict, said))
    return Judging(item=item, picture=open_[0], left=len(open_) - 1, verdicts=verdicts)


def note_verdict(tx: Connection, job_id: str, number: int, verdict: Verdict, now: float) -> None:
    """In the transaction that settles the attempt which brought it."""
    tx.execute(
        insert(_verdicts).prefix_with("OR REPLACE").values(
            job_id=job_id, number=number, index=verdict.index, question=verdict.question,
            unmet=dump(list(map(asdict, verdict.unmet))), problem=verdict.problem, said_at=now,
        )
    )  # fmt: skip


def _verdict(line: dict[str, object]) -> Verdict:
    return Verdict(
        index=int(str(line["index"])), question=str(line["question"]), problem=str(line["problem"]),
        unmet=tuple(Unmet(**one) for one in load(str(line["unmet"]))),
    )  # fmt: skip


def _picture(line: dict[str, object]) -> Picture:
    return Picture(**{name: line[name] for name in _PICTURE})  # type: ignore[arg-type]


_PICTURE = ("index", "file", "format", "width", "height", "bytes", "sha256", "print")
