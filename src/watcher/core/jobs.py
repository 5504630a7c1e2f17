"""The nouns that cross rooms: frozen, keyword-only values. A change is a new value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Literal, TypeAlias

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"
Scope: TypeAlias = Literal["provider", "model", "outbox"]  # how far a halt reaches

OUTBOX = "outbox:"  # begins the key of an outbox that is halted


class Operation(StrEnum):
    """What a row asks for."""

    GENERATE = "generate"
    EDIT = "edit"
    ANALYZE = "analyze"


class RowState(StrEnum):
    """Where a row is. The first three are open, the others are final.

    queued ─→ running ─→ done | partial | failed
      ↑          │  └──→ waiting (deferred: due again at a known time) ─→ running
      └──────────┘       halted: back to queued, its lane is closed
    waiting as well: it has its pictures, and they are being judged
    any open state ─→ cancelled
    """

    QUEUED = "queued"  # ready to be asked for
    RUNNING = "running"  # an attempt is committed, its outcome is not
    WAITING = "waiting"  # deferred until `due_at`, with a reason
    DONE = "done"  # every picture (or the text) that was asked for is in the outbox
    PARTIAL = "partial"  # fewer pictures than asked for
    FAILED = "failed"  # has a problem, or was refused for good
    CANCELLED = "cancelled"


OPEN_STATES = (RowState.QUEUED, RowState.RUNNING, RowState.WAITING)


class JobState(StrEnum):
    """Where a job is; final once every row is final."""

    RUNNING = "running"
    DONE = "done"  # every row is done
    PARTIAL = "partial"  # some rows are done, some are not
    FAILED = "failed"  # no row is done, or the drop could not be read
    CANCELLED = "cancelled"


class No(StrEnum):
    """The kinds of no that an API can say (ARCHITECTURE, decision 7), and the doubt."""

    LATER = "later"  # this row later: 429, 5xx, connection; surely not charged
    AMBIGUOUS = "ambiguous"  # the end is unknown; it may have been charged
    NEVER = "never"  # this row never: 400, moderation
    NOBODY = "nobody"  # nobody until something changes: the lane halts
    MEND = "mend"  # the server does not take one parameter: leave it out and ask once more


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a row cannot become an item, or was refused. `what` and `hint` are sentences for people."""

    code: str
    what: str
    hint: str = ""
    column: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """What was mended in a row before sending: `column` said `found`, `used` was sent, and `why`."""

    column: str
    found: str
    used: str
    why: str

    def __str__(self) -> str:
        return f"{self.column}: {self.found} → {self.used} ({self.why})"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One record as its author wrote it.

    `number` counts records from 1. `values` stand in the order of the drop's columns; a row may
    hold fewer values than there are columns (the rest is empty). `problem`: this record could not
    be read, the others can.
    """

    number: int
    values: tuple[Json, ...]
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A usable row, ready to be asked for.

    `parameters` hold what is sent besides model, prompt and n, under the API's own names, already
    valid for the model. `resize_to` is a size in pixels ("512x512") that the API no longer makes:
    the picture is asked for larger and a rendition of that size is made locally.
    `extra` are the inbox-defined extra fields (seed, steps …) that the profile lets through.
    """

    operation: Operation
    model: str
    prompt: str
    n: int = 1
    parameters: Mapping[str, Json] = field(default_factory=dict)
    extra: Mapping[str, Json] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    mask: str = ""
    mask_mode: str = "alpha"
    markup: str = ""  # a transparent picture laid over the first one, to point at things
    name: str = ""
    resize_to: str = ""
    response_url_wanted: bool = False
    reuse: bool = True
    adjustments: tuple[Adjustment, ...] = ()
    # The row named the model itself: if it does not exist, that is the row's fault, not the lane's.
    model_named_by_row: bool = False
    strict: bool = False  # SETTINGS `coercion`: what cannot be had as it is written fails the row
    checklist: tuple[str, ...] = ()  # what its pictures are judged by, point by point


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a multipart body: a plain field (`filename` empty) or a file."""

    name: str
    content: bytes
    filename: str = ""
    content_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is sent: POST `path` (below the base URL) with a JSON `body`, or multipart `parts`.

    `patience` names the read timeout of SETTINGS `api.timeouts`: low, medium, high or analyze.
    """

    path: str
    body: Mapping[str, Json] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    patience: str = "medium"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What HTTP said: status, headers (names in lower case) and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def request_id(self) -> str:
        return self.headers.get("x-request-id", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the API counted them. Absent or all-zero usage is `None` instead of this."""

    text_in: int = 0
    image_in: int = 0
    image_out: int = 0
    text_out: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            text_in=self.text_in + other.text_in,
            image_in=self.image_in + other.image_in,
            image_out=self.image_out + other.image_out,
            text_out=self.text_out + other.text_out,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One picture of an answer: its bytes, or the address to fetch it from."""

    content: bytes = b""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a good reply means: pictures for generate and edit, text for analyze."""

    pictures: tuple[Given, ...] = ()
    text: str = ""
    usage: Usage | None = None
    request_id: str = ""
    revised_prompt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What any other reply, or none, means.

    `status` 0: no reply. `retry_after`: seconds the server asked for, None when it did not.
    `param`: the parameter that a MEND leaves out. `paid_maybe`: the call may have been charged.
    `scope` says how far a NOBODY reaches: the whole "provider", one "model", or one "outbox" whatever the
    provider. `usage`: what it took all the same.
    """

    no: No
    code: str
    what: str
    hint: str = ""
    status: int = 0
    retry_after: float | None = None
    param: str = ""
    request_id: str = ""
    scope: Scope = "provider"
    paid_maybe: bool = False
    usage: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that is whole, synced and named in the outbox. `file` is relative to the job's folder.

    `print`: what it looks like (core.checks), "" where nobody asked for that.
    `choice`: what people did with it: approved, rejected, redo, or replaced by one that was asked for again.
    """

    index: int
    file: str
    format: str
    width: int
    height: int
    bytes: int
    sha256: str
    print: str = ""
    choice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Up to 50 consecutive rows of one job, `first` to `last` inclusive: the unit that engines hand out.

    `approved`: a person lets this job cost more than its budget. `priority` of its job, from 0 (urgent)
    to 3 (low), when it was handed out.
    """

    job_id: str
    inbox: str
    folder: str
    ordinal: int
    first: int
    last: int
    approved: bool = False
    priority: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmet:
    """A point of a checklist that a picture does not meet, and what is to be seen instead."""

    point: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was said of one picture by the checklist of its row.

    `question`: equal where the same was asked about an equal picture, "" where there was no answer:
    then `problem` says why.
    """

    index: int
    question: str = ""
    unmet: tuple[Unmet, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """A row that has its pictures, one of which is to be judged now.

    `item`: the row's own; `left`: how many pictures come after this one; `verdicts` of those before it
    that still count. `problem`: why nobody can be asked.
    """

    item: Item
    picture: Picture
    left: int = 0
    verdicts: tuple[Verdict, ...] = ()
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenItem:
    """An item that is not final yet, with what its attempts so far have taught.

    `delivered`: pictures that are in the outbox already. `tries` count against `retry.attempts`,
    `doubts` against `retry.ambiguous`. `dropped`: parameters that the server does not take.
    `pending`: the attempt whose outcome is not known; its reply may be on disk. `due_at`: seconds
    since the epoch, 0 when it may be asked for now. `since`: when it was first asked for, 0 if never.
    `asked`: how many attempts there were. `fingerprint`: equal for rows that ask for the same, "" where
    that is not known. `reserved_usd`: what the pending attempt may have cost. `stem`: the names of its pictures (core.naming.stem_at).
    `judging`: its pictures are there; what is asked for now is what one of them is worth.
    """

    job_id: str
    number: int
    item: Item
    stem: str
    folder: str
    inbox: str
    delivered: int = 0
    tries: int = 0
    doubts: int = 0
    dropped: tuple[str, ...] = ()
    asked_again: bool = False
    pending: int | None = None
    due_at: float = 0.0
    since: float = 0.0
    asked: int = 0
    fingerprint: str = ""
    reserved_usd: Decimal | None = None
    approved: bool = False
    judging: Judging | None = None

    @property
    def images(self) -> int:
        """How many pictures the next call asks for; 0 where it asks for a text."""
        return max(1, self.item.n - self.delivered) * (self.item.operation is not Operation.ANALYZE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What one attempt changes in the ledger, all of it in one transaction.

    `state` is the row's next state, the rest says what came of the attempt. `cost_usd` None: unknown.
    `fingerprint`: what was paid for, for rows that ask for the same; "" where that is nobody's business.
    `saved_usd`: what an equal row was paid, where this one took over what it gave. `judging`: its pictures
    are to be judged before it is done; `verdict`: what was said of one.
    """

    state: RowState
    outcome: str
    problem: Problem | None = None
    due_at: float | None = None
    tries: int = 0
    doubts: int = 0
    dropped: tuple[str, ...] = ()
    asked_again: bool = False
    pictures: tuple[Picture, ...] = ()
    text: str = ""
    status: int = 0
    code: str = ""
    request_id: str = ""
    paid_maybe: bool = False
    usage: Usage | None = None
    cost_usd: Decimal | None = None
    fingerprint: str = ""
    saved_usd: Decimal | None = None
    found: tuple[Adjustment, ...] = ()  # by checks, in what came back
    judging: bool = False
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneKey:
    """One provider, key and model. `account` names provider and key without telling the key.

    `outbox`: the folder where what the call brings is kept; "": not known.
    """

    account: str
    model: str
    outbox: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.account}/{self.model}"

    @property
    def keys(self) -> Mapping[Scope, str]:
        """What may be halted so that this lane is, by how far that reaches."""
        found: dict[Scope, str] = {"provider": self.account, "model": str(self)}
        if self.outbox:
            found["outbox"] = OUTBOX + self.outbox
        return found
