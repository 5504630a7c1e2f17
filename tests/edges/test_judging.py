"""A row that is being judged, when faults of our own come between: it keeps what it has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from watcher.core.catalogue import Catalogue
from watcher.core.jobs import Item, Judging, OpenItem, Operation, Picture, Refusal, RowState
from watcher.core.profiles import load_profiles
from watcher.ledger import Ledger
from watcher.outbox import Outbox
from watcher.work import Account, Judge, Place
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
