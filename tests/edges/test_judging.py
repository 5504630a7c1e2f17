"""A row that is being judged, when faults of our own come between: it keeps what it has."""

from __future__ import annotations

from watcher.core.jobs import Item, Judging, OpenItem, Operation, Picture, RowState
from watcher.work.judging import lost

ROW = Item(operation=Operation.GENERATE, model="m", prompt="a cup", checklist=("one cup",))
PICTURE = Picture(
    index=1, file="images/1-1.png", format="png", width=1, height=1, bytes=1, sha256=""
)


def test_a_fault_of_ours_loses_no_picture() -> None:
    """After several of them the row is done, and says that its picture was not judged; one without pictures fails."""
    one = OpenItem(job_id="j", number=1, item=ROW, stem="1-1", folder="f", inbox="main")
    assert lost(one).state is RowState.FAILED
    judged = OpenItem(
        job_id="j", number=1, item=ROW, stem="1-1", folder="f", inbox="main",
        judging=Judging(item=ROW, picture=PICTURE),
    )  # fmt: skip
    settlement = lost(judged)
    assert (settlement.state, settlement.problem) == (RowState.DONE, None)
    assert not settlement.judging
    (words,) = settlement.found
    assert str(words).startswith(
        "checklist: images/1-1.png → could not be judged (This program met"
    )
