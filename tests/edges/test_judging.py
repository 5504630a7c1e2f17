"""A row that is being judged, when faults of our own come between: it keeps what it has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from tests.core.test_checklist import RULES
from tests.edges.ledger_room import (
    LANE,
    NOW,
    accept,
    begin,
    new_row,
    open_items,
    picture,
    settlement,
)

from watcher.core.catalogue import Catalogue
from watcher.core.jobs import (
    Item,
    Judging,
    OpenItem,
    Operation,
    Picture,
    Refusal,
    RowState,
    Verdict,
)
from watcher.core.profiles import load_profiles
from watcher.ledger import Ledger
from watcher.outbox import Outbox
from watcher.work import Account, Judge, JudgeRules, Place
from watcher.work.judging import lost

if TYPE_CHECKING:
    from watcher.api import ImageApi

ROW = Item(operation=Operation.GENERATE, model="m", prompt="a cup", checklist=("one cup",))
PICTURE = Picture(
    index=1, file="images/1-1.png", format="png", width=1, height=1, bytes=1, sha256=""
)
JUDGED = OpenItem(
    job_id="j", number=1, item=ROW, stem="1-1", folder="f", inbox="main",
    judging=Judging(item=ROW, picture=PICTURE),
)  # fmt: skip


def test_a_fault_of_ours_loses_no_picture() -> None:
    """After several of them the row is done, and says that its picture was not judged; one without pictures fails."""
    one = OpenItem(job_id="j", number=1, item=ROW, stem="1-1", folder="f", inbox="main")
    assert lost(one).state is RowState.FAILED
    settlement = lost(JUDGED)
    assert (settlement.state, settlement.problem) == (RowState.DONE, None)
    assert not settlement.judging
    (words,) = settlement.found
    assert str(words).startswith(
        "checklist: images/1-1.png → could not be judged (This program met"
    )


def _never(*_: object) -> None:
    raise AssertionError


@pytest.mark.parametrize(
    "spoil",
    [Path.touch, Path.mkdir, lambda file: file.symlink_to("/etc/passwd"), lambda _: None],
    ids=["no picture", "a folder", "a link", "nothing"],
)
def test_a_picture_that_cannot_be_read_is_waited_for_by_nobody(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    """Whatever people put in its place: that is one picture without a verdict, and no disk that refuses."""
    outbox, ledger = Outbox(tmp_path / "out"), Ledger(tmp_path)
    outbox.create()
    outbox.prepare("f")
    spoil(outbox.root / "f" / PICTURE.file)
    account = Account(
        name="a", server="s", api=cast("ImageApi", None), has_key=True,
        profile=load_profiles()["openai"],
    )  # fmt: skip
    with ThreadPoolExecutor(1) as disk:
        judge = Judge(
            ledger=ledger, places={"main": Place(outbox=outbox, disk=disk)}, clock=lambda: 0.0,
            catalogue=Catalogue.shipped(), rules=_never, again=_never,  # type: ignore[arg-type]
        )  # fmt: skip
        assert isinstance(asyncio.run(judge.load(JUDGED, account)), Refusal)
    ledger.close()


def test_every_question_has_its_own_tries(tmp_path: Path) -> None:
    """After one that nobody answered for a day, with all its tries, the next one is asked as if it were the first."""
    ledger = Ledger(tmp_path)
    judge = Judge(
        ledger=ledger, places={}, clock=lambda: NOW, catalogue=Catalogue.shipped(),
        rules=lambda _: JudgeRules(vision="warn", rows=RULES), again=_never,  # type: ignore[arg-type]
    )  # fmt: skip
    accept(ledger, "a", [new_row(1, n=2)])
    (row,) = open_items(ledger)
    pictures = (picture(1), picture(2))
    have = settlement(
        RowState.WAITING, outcome="answered", problem=None, pictures=pictures, judging=True
    )
    none = settlement(
        RowState.WAITING, judging=True, tries=4, verdict=Verdict(index=1, problem="It is off.")
    )
    for told in (have, none):
        ledger.items.settle(row, begin(ledger, row), told, now=NOW)
        found = ledger.items.again(row)
        assert found is not None
        row = judge.step(found)
        assert (row.since, row.tries, row.asked) == (0.0, 0, 0)
    assert row.judging is not None
    assert row.judging.picture.index == 2
    ledger.close()


def test_a_row_that_was_cancelled_on_its_way_to_a_question_is_done(tmp_path: Path) -> None:
    """The order has made it done, with its pictures; that it finds so when its turn comes makes it nothing else."""
    ledger = Ledger(tmp_path)
    accept(ledger, "a", 1)
    (row,) = open_items(ledger)
    have = settlement(
        RowState.WAITING, outcome="answered", problem=None, pictures=(picture(),), judging=True
    )
    ledger.items.settle(row, begin(ledger, row), have, now=NOW)
    asked = ledger.items.again(row)
    assert asked is not None
    ledger.orders.cancel("a", now=NOW)
    assert ledger.items.begin_attempt(asked, lane=LANE, n=1, now=NOW) is None
    assert [one.state for one in ledger.views.rows("a")] == [RowState.DONE]
    ledger.close()
