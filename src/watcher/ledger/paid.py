"""What was paid for, by what was asked: rows that ask for the same need not pay again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Connection, bindparam, func, insert, or_, select

from watcher.core.jobs import Picture, RowState
from watcher.ledger import schema
from watcher.ledger.choices import HERE, is_replaced, where_now
from watcher.ledger.codec import dump, to_usd
from watcher.ledger.database import Database

_choices = schema.choices
_paid, _rows, _jobs, _pictures = schema.paid, schema.rows, schema.jobs, schema.pictures

# Built once: it stands before every call.
_FIND = (
    select(
        _rows.c.job_id, _rows.c.number, _rows.c.text, _rows.c.cost, _jobs.c.inbox, _jobs.c.folder
    )
    .select_from(_paid)
    .join(_rows, (_rows.c.job_id == _paid.c.job_id) & (_rows.c.number == _paid.c.number))
    .join(_jobs, _jobs.c.id == _paid.c.job_id)
    .where(
        _paid.c.fingerprint == bindparam("same"),
        _paid.c.paid_at >= bindparam("since"),
        or_(_rows.c.state == RowState.DONE, _rows.c.judging),
    )
)
# One text however many are asked about: a list of values would be a new statement for each length.
_ASKED = func.json_each(bindparam("asked")).table_valued("value")
_KNOWN = select(_paid.c.fingerprint).where(
    _paid.c.fingerprint.in_(select(_ASKED.c.value)), _paid.c.paid_at >= bindparam("since")
)
_PICTURES = (  # but those that a person wanted others for
    select(*(one for one in _pictures.columns if one.name != "file"), where_now().label("file"))
    .join(_choices, HERE, isouter=True)
    .where(_pictures.c.job_id == bindparam("job"), _pictures.c.number == bindparam("row"))
    .where(~is_replaced())
    .order_by(_pictures.c.index)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidRow:
    """A row that is done, and what it gave. `folder`: its job's, in the outbox of `inbox`."""

    job_id: str
    number: int
    inbox: str
    folder: str
    pictures: tuple[Picture, ...]
    text: str
    cost_usd: Decimal | None


class Paid:
    """The table of what was paid for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, fingerprint: str, *, since: float) -> PaidRow | None:
        """The newest row that asked for the same and was done at `since` (seconds since the epoch) or later."""
        with self._database.read() as view:
            line = view.execute(_FIND, {"same": fingerprint, "since": since}).first()
            if line is None:
                return None
            mine = {"job": line.job_id, "row": line.number}
            pictures = tuple(
                Picture(
                    index=one["index"], file=one["file"], format=one["format"], width=one["width"],
                    height=one["height"], bytes=one["bytes"], sha256=one["sha256"],
                    print=one["print"],
                )
                for one in view.execute(_PICTURES, mine).mappings()
            )  # fmt: skip
        return PaidRow(
            job_id=line.job_id, number=line.number, inbox=line.inbox, folder=line.folder,
            pictures=pictures, text=line.text, cost_usd=to_usd(line.cost),
        )  # fmt: skip

    def known(self, fingerprints: Collection[str], *, since: float) -> set[str]:
        """Which of these were paid for at `since` or later."""
        asked = dump(list(fingerprints))
        with self._database.read() as view:
            return set(view.scalars(_KNOWN, {"asked": asked, "since": since}))


def note_paid(tx: Connection, fingerprint: str, job_id: str, number: int, now: float) -> None:
    """In the transaction that makes the row done; the newest is the one that is found."""
    tx.execute(
        insert(_paid)
        .prefix_with("OR REPLACE")
        .values(fingerprint=fingerprint, job_id=job_id, number=number, paid_at=now)
    )
