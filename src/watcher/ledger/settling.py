"""What the outcome of an attempt changes: its own line, the pictures that it brought, and its row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, func, insert, select, update

from watcher.core.jobs import Adjustment, OpenItem, Picture, RowState, Settlement, Usage
from watcher.ledger import schema
from watcher.ledger.codec import dump, dump_problem, dump_usage, load, load_usage, to_micro
from watcher.ledger.renditions import note_due

_jobs, _rows = schema.jobs, schema.rows
_attempts, _pictures = schema.attempts, schema.pictures

OVER = (RowState.DONE, RowState.PARTIAL, RowState.FAILED, RowState.CANCELLED)


def end_attempt(tx: Connection, attempt: int, settlement: Settlement, now: float) -> float:
    """Returns how long the attempt took, in seconds."""
    mine = _attempts.c.id == attempt
    started = tx.scalar(select(_attempts.c.started_at).where(mine)) or now
    tx.execute(
        update(_attempts)
        .where(mine)
        .values(
            ended_at=now, outcome=settlement.outcome, status=settlement.status,
            code=settlement.code, request_id=settlement.request_id,
            paid_maybe=settlement.paid_maybe, cost=to_micro(settlement.cost_usd),
            usage=dump_usage(settlement.usage),
        )
    )  # fmt: skip
    return max(0.0, now - started)


def add_pictures(tx: Connection, item: OpenItem, pictures: Sequence[Picture]) -> None:
    if pictures:  # people may have moved them before they are known
        seen = (_jobs.c.id == item.job_id) & _jobs.c.choices_mark.is_not(None)
        tx.execute(update(_jobs).where(seen).values(choices_mark=None))
    for picture in pictures:
        tx.execute(
            insert(_pictures).prefix_with("OR REPLACE").values(
                job_id=item.job_id, number=item.number, index=picture.index, file=picture.file,
                format=picture.format, width=picture.width, height=picture.height,
                bytes=picture.bytes, sha256=picture.sha256,
                print=picture.print,
            )
        )  # fmt: skip
        note_due(tx, item.job_id, item.number, picture.index)


def settle_row(
    tx: Connection, item: OpenItem, settlement: Settlement, seconds: float, now: float
) -> None:
    cost = to_micro(settlement.cost_usd)
    values: dict[str, object] = {
        "state": settlement.state,
        "problem": dump_problem(settlement.problem),
        "due_at": settlement.due_at,
        "tries": settlement.tries,
        "doubts": settlement.doubts,
        "asked_again": settlement.asked_again,
        "judging": settlement.judging,
        "seconds": func.coalesce(_rows.c.seconds, 0.0) + seconds,
        "ended_at": now if settlement.state in OVER else None,
    }
    if cost is not None:
        values["cost"] = func.coalesce(_rows.c.cost, 0) + cost
    if item.judging is None:
        values |= _of_its_pictures(tx, item, settlement)
    if settlement.judging and (item.judging is None or settlement.verdict is not None):
        values |= {"tries": 0, "doubts": 0, "since": None}  # the next question has its own
    if settlement.found:
        values["found"] = _more_found(tx, item, settlement.found)
    if settlement.outcome == "nobody":
        values["since"] = None  # its day begins anew when its lane reopens
    mine = (_rows.c.job_id == item.job_id) & (_rows.c.number == item.number)
    tx.execute(update(_rows).where(mine).values(**values))


def _of_its_pictures(tx: Connection, item: OpenItem, settlement: Settlement) -> dict[str, object]:
    """What a row tells of the call that it was taken for, and not of questions about what came."""
    values: dict[str, object] = {"dropped": dump(list(settlement.dropped))}
    if settlement.outcome in ("answered", "reused"):
        source = "api" if settlement.outcome == "answered" else "cache"
        values |= {"text": settlement.text, "source": source}
        values["saved"] = to_micro(settlement.saved_usd)
    if settlement.usage is not None:
        values["usage"] = dump_usage(_more_used(tx, item, settlement.usage))
    if settlement.request_id:
        values["request_id"] = settlement.request_id
    return values


def _more_found(tx: Connection, item: OpenItem, found: Sequence[Adjustment]) -> str:
    """Beside what was found in an earlier attempt."""
    mine = (_rows.c.job_id == item.job_id) & (_rows.c.number == item.number)
    before = load(tx.scalar(select(_rows.c.found).where(mine)) or "[]")
    return dump([*before, *map(asdict, found)])


def _more_used(tx: Connection, item: OpenItem, usage: Usage) -> Usage:
    """Besides what earlier attempts took, as with the cost."""
    mine = (_rows.c.job_id == item.job_id) & (_rows.c.number == item.number)
    before = load_usage(tx.scalar(select(_rows.c.usage).where(mine)))
    return usage + (before or Usage())
