"""What an attempt changes in the ledger, as values, and the refusals that are our own."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from watcher.core.errors import DiskError
from watcher.core.jobs import (
    Answer,
    No,
    OpenItem,
    Picture,
    Problem,
    Refusal,
    RowState,
    Scope,
    Settlement,
)
from watcher.core.policy import as_problem
from watcher.outbox import BadPicture

OK = 200


def answered(
    item: OpenItem,
    answer: Answer,
    pictures: tuple[Picture, ...],
    cost: Decimal | None,
    *,
    state: RowState,
) -> Settlement:
    """A good answer; `cost` in US dollars, None when it is not known."""
    settlement = Settlement(
        state=state, outcome="answered", pictures=pictures, text=answer.text, status=OK,
        request_id=answer.request_id, usage=answer.usage, cost_usd=cost,
    )  # fmt: skip
    return counted(settlement, item)


def refused(item: OpenItem, refusal: Refusal, cost: Decimal | None) -> Settlement:
    """A no, and what it cost where that is known: an answer may hold no picture after all."""
    settlement = Settlement(
        state=RowState.QUEUED, outcome=refusal.no, status=refusal.status, code=refusal.code,
        request_id=refusal.request_id, paid_maybe=refusal.paid_maybe,
        usage=refusal.usage, cost_usd=cost,
    )  # fmt: skip
    return counted(settlement, item)


def counted(settlement: Settlement, item: OpenItem) -> Settlement:
    return replace(
        settlement, tries=item.tries, doubts=item.doubts, dropped=item.dropped,
        asked_again=item.asked_again, judging=item.judging is not None,
    )  # fmt: skip


def missing_pictures(item: OpenItem, missing: int, lost: Refusal | None = None) -> Problem:
    """`lost`: why one of them that was made could not be fetched."""
    if lost is not None:
        return as_problem(lost)
    return Problem(
        code="fewer_pictures",
        what=f"The provider gave {item.item.n - missing} of {item.item.n} pictures, also when asked again.",
        hint="Drop failed.csv again to ask for the others, or ask for fewer.",
    )


NOT_GOOD_ENOUGH = Problem(
    code="checks",
    what="A picture did not pass the checks of this inbox; it lies in the folder redone.",
    hint="It is asked for once more.",
)


JUDGED_NEXT = Problem(
    code="judging",
    what="Its pictures are there, and are being judged by its checklist.",
)


def not_a_picture(error: BadPicture) -> Refusal:
    return Refusal(
        no=No.AMBIGUOUS,
        code="not_a_picture",
        what=f"The answer holds no usable picture: {error}",
        hint="It was asked for once more; if this goes on, look at the server that answers.",
        status=OK,
        paid_maybe=True,
    )


def no_room(error: DiskError, scope: Scope) -> Refusal:
    """Before the call: nothing was sent."""
    code = disk_problem(error).code
    return Refusal(no=No.NOBODY, code=code, what=error.what, hint=error.hint, scope=scope)


def disk_problem(error: DiskError) -> Problem:
    """Why nothing goes on until a disk takes what is paid for."""
    code = error.code if error.code == "disk_away" else "disk_full"
    return Problem(code=code, what=error.what, hint=error.hint)


def reply_lost(error: DiskError) -> Refusal:
    """The disk took the proof before the call, and not the answer: no row's fault, and nobody goes on."""
    return Refusal(
        no=No.NOBODY,
        code="reply_lost",
        what=f"The answer could not be stored: {error.what}",
        hint=error.hint,
        paid_maybe=True,
    )


def given_up(item: OpenItem) -> Settlement:
    """After faults of our own."""
    state = RowState.PARTIAL if item.delivered else RowState.FAILED
    return counted(Settlement(state=state, outcome="never", problem=BROKEN), item)


BROKEN = Problem(
    code="internal",
    what="This program met a fault of its own with this row, several times.",
    hint="Send the row and the log to who looks after image-watcher; drop failed.csv after an update.",
)

NO_KEY = Refusal(
    no=No.NOBODY,
    code="no_key",
    what="There is no API key.",
    hint="Put it into the file that api.key_file names, or into OPENAI_API_KEY, and reload.",
)

UNREADABLE = Refusal(
    no=No.AMBIGUOUS,
    code="cut_short",
    what="The stored answer is damaged.",
    hint="The row was asked for once more.",
    paid_maybe=True,
)
