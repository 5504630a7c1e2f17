"""Settings → who looks for what people chose, who judges pictures, and how a row is asked again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from watcher.choosing import Chooser, Redoing, RedoRules
from watcher.core.jobs import OpenItem
from watcher.daemon import rooms
from watcher.daemon.serving import Serving
from watcher.daemon.sides import Side
from watcher.daemon.state import clear_inputs
from watcher.ledger import Ledger, Redo
from watcher.settings import Settings
from watcher.work import Judge, JudgeRules, Place

if TYPE_CHECKING:
    from watcher.daemon.daemon import Daemon

_KEPT = 2 * 86_400.0  # seconds that pictures which were sent are kept after their job's end
_TIDY = 3_600.0  # seconds between two looks for older ones


def _today() -> date:
    return datetime.now(UTC).date()


def redo_rules(settings: Settings, inbox: str) -> RedoRules:
    """What an inbox says about rows that are asked again."""
    one = settings.inboxes[inbox]
    rows = rooms.inbox_rules(settings, inbox, _today()).rows
    return RedoRules(limit=one.redo_limit, how=one.redo_as, grace=one.redo_grace, rows=rows)


def make_judge(daemon: Daemon, places: Mapping[str, Place]) -> Judge:
    """Who judges pictures by the checklists of their rows."""
    of = {name: rooms.Rules(lambda: daemon.settings, name, _today) for name in daemon.serving}

    def rules(inbox: str) -> JudgeRules:
        vision = daemon.settings.inboxes[inbox].checks.vision
        return JudgeRules(vision=vision, rows=of[inbox]().rows)

    return Judge(
        ledger=daemon.ledger,
        places=places,
        catalogue=daemon.catalogue,
        rules=rules,
        again=_asked_by_check(daemon),
        clock=time.time,
    )


def _asked_by_check(daemon: Daemon) -> Callable[[OpenItem, Sequence[int], str], Redo]:
    """How a row is asked for others in place of pictures that do not meet its checklist."""
    redoing = _redoing(daemon)

    def again(item: OpenItem, replaced: Sequence[int], note: str) -> Redo:
        chosen = daemon.ledger.choices.pictures(item.job_id).values() if len(replaced) == 1 else ()
        mine = (one for one in chosen if (one.number, one.index) == (item.number, replaced[0]))
        return redoing.wanted(
            daemon.serving[item.inbox].outbox, item.job_id, item.number,
            redo_rules(daemon.settings, item.inbox),
            replaced=replaced, picture=next(mine, None), note=note, by_check=True,
        )  # fmt: skip

    return again


def _redoing(daemon: Daemon) -> Redoing:
    inputs = rooms.inputs_folder(daemon.settings.state_dir)
    return Redoing(ledger=daemon.ledger, inputs=inputs, catalogue=daemon.catalogue, clock=time.time)


def needs_inputs(
    settings: Callable[[], Settings], ledger: Ledger, *, unknown: bool = False
) -> Callable[[str], bool]:
    """Whether the pictures that a job sent may be sent again: rows are open, failed, or asked again.
    `unknown`: whether those of a job are that the ledger does not know (yet).
    """

    def needed(job_id: str) -> bool:
        job = ledger.views.job(job_id)
        if job is None:
            return unknown
        inbox = settings().inboxes.get(job.inbox)
        young = time.time() - (job.ended_at or 0.0) < _KEPT
        return not job.is_settled or (inbox is not None and inbox.redo_limit > 0 and young)

    return needed


class _Tidy:
    """Pictures that were sent go once nobody can want them again, until cancelled."""

    def __init__(self, inputs: Path, needed: Callable[[str], bool]) -> None:
        self._inputs, self._needed = inputs, needed

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_TIDY)
            await asyncio.to_thread(clear_inputs, self._inputs, self._needed)


def make_choosers(daemon: Daemon) -> tuple[Side, ...]:
    """One for each inbox, and one who tidies up after them."""
    inputs = rooms.inputs_folder(daemon.settings.state_dir)
    redoing = _redoing(daemon)

    def of(name: str, one: Serving) -> Chooser:
        return Chooser(
            inbox=name,
            outbox=one.outbox,
            ledger=daemon.ledger,
            redoing=redoing,
            rules=lambda: redo_rules(daemon.settings, name),
            on_change=daemon.news.accepted,
            clock=time.time,
            monotonic=time.monotonic,
            log=daemon.log,
        )

    tidy = _Tidy(inputs, needs_inputs(lambda: daemon.settings, daemon.ledger, unknown=True))
    return (*(of(name, one) for name, one in daemon.serving.items()), tidy)
