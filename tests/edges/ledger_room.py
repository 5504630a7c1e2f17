"""A ledger in a folder of its own for a test, with jobs in it, and a log that remembers."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from string import ascii_lowercase
from typing import Self

from watcher.core.jobs import (
    Item,
    Json,
    LaneKey,
    OpenItem,
    Operation,
    Picture,
    Problem,
    RowState,
    Settlement,
    Slice,
)
from watcher.core.planning import item_to_json
from watcher.ledger import Acceptance, Ledger, NewJob, NewRow, dump

LANE = LaneKey(account="api.example#1", model="gpt-image-2.5-flare")
NOW = 1_790_000_000.0
BAD_ROW = Problem(code="no_prompt", what="The row has no prompt.", hint="Write one.")
REFUSED = Problem(code="moderation_blocked", what="The API refused this prompt.")


class Notes:
    """A log that remembers the names of the events."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def _note(self, event: str, **_: object) -> None:
        self.events.append(event)

    debug = info = warning = error = exception = _note

    def bind(self, **_: object) -> Self:
        return self


def item(prompt: str = "a cat", n: int = 1) -> Item:
    return Item(operation=Operation.GENERATE, model=LANE.model, prompt=prompt, n=n)


def new_job(job_id: str, *, inbox: str = "products", priority: int = 1, sha256: str = "") -> NewJob:
    return NewJob(
        id=job_id,
        inbox=inbox,
        name="drop.csv",
        path=b"drop.csv",
        folder=f"drop--{job_id}",
        sha256=sha256 or f"sha of {job_id}",
        rules="rules",
        settings={"model": LANE.model},
        created_at=NOW,
        priority=priority,
    )


def new_row(number: int, *, usable: bool = True, n: int = 1) -> NewRow:
    values: Sequence[Json] = [f"prompt {number}"]
    if not usable:
        return NewRow(number=number, values=values, item=None, problem=BAD_ROW)
    text = dump(item_to_json(item(f"prompt {number}", n)))
    return NewRow(number=number, values=values, item=text, stem=f"{number}")


def accept(
    ledger: Ledger,
    job_id: str,
    rows: int | Sequence[NewRow],
    *,
    inbox: str = "products",
    priority: int = 1,
    sha256: str = "",
) -> str:
    """A job as intake leaves it: claimed, its rows in, accepted."""
    given = [new_row(number + 1) for number in range(rows)] if isinstance(rows, int) else rows
    ledger.claims.intend(job_id, inbox=inbox, path=b"drop.csv", now=NOW)
    ledger.jobs.begin(new_job(job_id, inbox=inbox, priority=priority, sha256=sha256))
    ledger.jobs.add_rows(job_id, given)
    ledger.jobs.accept(job_id, Acceptance(columns=["prompt"]), claim_id=job_id, now=NOW)
    return job_id


def take(ledger: Ledger, *, now: float = NOW, most: int = 64) -> list[Slice]:
    return ledger.items.take_slices(now=now, most=most)


def open_items(ledger: Ledger, *, now: float = NOW) -> list[OpenItem]:
    """The items of everything that is due."""
    return [found for slice_ in take(ledger, now=now) for found in ledger.items.open_items(slice_)]


def begin(ledger: Ledger, one: OpenItem, *, now: float = NOW) -> int:
    attempt = ledger.items.begin_attempt(one, lane=LANE, n=1, now=now)
    assert attempt is not None
    return attempt


def picture(index: int = 1, stem: str = "1") -> Picture:
    return Picture(
        index=index,
        file=f"images/{stem}-{index}.png",
        format="png",
        width=64,
        height=64,
        bytes=100,
        sha256="ab" * 32,
    )


def settlement(state: RowState, **changes: object) -> Settlement:
    good = state is RowState.DONE
    values: dict[str, object] = {
        "state": state,
        "outcome": "answered" if good else "never",
        "pictures": (picture(),) if good else (),
        "problem": None if good else REFUSED,
        **changes,
    }
    return Settlement(**values)  # type: ignore[arg-type]


def settle(ledger: Ledger, one: OpenItem, state: RowState, *, now: float = NOW) -> bool:
    """One attempt of an item, begun and settled; True when its job ended with it."""
    return ledger.items.settle(one, begin(ledger, one), settlement(state), now=now)


def reopened(ledger: Ledger, folder: Path) -> Ledger:
    """As after kill -9 and a new start."""
    ledger.close()
    fresh = Ledger(folder)
    fresh.jobs.clear_unaccepted()
    fresh.items.reconcile()
    return fresh


def grow(file: Path, times: int) -> None:
    """Double a ledger so many times: as many jobs again, each a copy of one that is there."""
    told_apart = {
        "jobs": ("id", "folder"), "claims": ("id", "job_id"), "slices": ("job_id",), "rows": ("job_id",),
        "pictures": ("job_id",), "attempts": ("job_id",),
    }  # fmt: skip
    with closing(sqlite3.connect(file)) as database, database:
        for suffix in ascii_lowercase[:times]:
            for table, apart in told_apart.items():
                found = [line[1] for line in database.execute(f"pragma table_info({table})")]
                names = [name for name in found if name in apart or name != "id"]
                values = [
                    f"{name} || '{suffix}'" if name in apart else f'"{name}"' for name in names
                ]
                into = ", ".join(f'"{name}"' for name in names)
                copies = f"select {', '.join(values)} from {table}"  # noqa: S608 - names of ours
                database.execute(f"insert into {table} ({into}) {copies}")
