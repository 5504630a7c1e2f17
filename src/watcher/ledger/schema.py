"""The tables. Times are seconds since the epoch; money is whole micro-dollars; NULL is unknown, never 0.

What changes here changes in `migrations.versions` too: a test says which lines.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
)

# One line a claim: written before the rename, so that a crash between the two is seen at start.
# state: intended → accepted (as a job, or as the repeat of one) → archived
# deaths: of processes that took it up after an earlier one had died; noted in advance.
claims = Table(
    "claims",
    metadata,
    Column("id", String, primary_key=True),
    Column("inbox", String, nullable=False),
    Column("path", LargeBinary, nullable=False),
    Column("state", String, nullable=False),
    Column("job_id", String),
    Column("created_at", Float, nullable=False),
    Column("deaths", Integer, nullable=False, server_default="0"),
    Index("claims_open", "state"),
)

# accepted_at NULL: its rows are still coming in; such a job is invisible and is taken anew after a crash.
jobs = Table(
    "jobs",
    metadata,
    Column("id", String, primary_key=True),
    Column("inbox", String, nullable=False),
    Column("name", Text, nullable=False),
    Column("path", LargeBinary, nullable=False),
    Column("folder", Text, nullable=False),
    Column("sha256", String, nullable=False),
    Column("rules", String, nullable=False),
    Column("state", String, nullable=False),
    Column("paused", Boolean, nullable=False, default=False),
    Column("cancelled", Boolean, nullable=False, default=False),
    Column("hold", Text),  # why it waits for a person, or until `hold_until`; NULL: it does not
    Column("hold_until", Float),
    Column("approved", Boolean, nullable=False, default=False),
    Column("priority", Integer, nullable=False, default=1),
    Column("columns", Text, nullable=False),
    Column("encoding", String, nullable=False, default=""),
    Column("delimiter", String, nullable=False, default=""),
    Column("notes", Text, nullable=False),
    Column("problem", Text),
    Column("settings", Text, nullable=False),
    Column("estimate", Integer),
    Column("created_at", Float, nullable=False),
    Column("accepted_at", Float),
    Column("ended_at", Float),
    Column("published_at", Float),
    Column("choices_mark", Integer),  # of its folders of choices when all in them was known
    Index("jobs_state", "state", "priority", "id"),
    Index("jobs_unpublished", "published_at", "state"),
    Index("jobs_same", "sha256", "inbox"),
)

slices = Table(
    "slices",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("first", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    Column("state", String, nullable=False),  # queued | running | ended
    Column("due_at", Float, nullable=False, default=0.0),
    Index("slices_next", "job_id", "state", "due_at", "ordinal"),
    Index("slices_due", "state", "due_at"),  # whether anything is due at all, of 100,000 jobs
)

rows = Table(
    "rows",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", String, nullable=False),
    Column("values", Text, nullable=False),
    Column("item", Text),  # NULL: the row never became an item, `problem` says why
    Column("stem", Text, nullable=False, default=""),
    Column("problem", Text),
    Column("due_at", Float),
    Column("since", Float),  # when it was first asked for, in this run; NULL: not yet
    Column(
        "tries", Integer, nullable=False, default=0
    ),  # attempts that count against retry.attempts
    Column("doubts", Integer, nullable=False, default=0),  # resends after an ambiguous end
    Column("dropped", Text, nullable=False, default="[]"),  # parameters this server does not take
    Column("asked_again", Boolean, nullable=False, default=False),  # for pictures that were missing
    Column("text", Text, nullable=False, default=""),
    Column("cost", Integer),
    Column("usage", Text),
    Column("seconds", Float),
    Column("request_id", String, nullable=False, default=""),
    Column("source", String, nullable=False, default=""),
    Column("saved", Integer),  # what an equal row was paid, where this one reused its pictures
    Column("found", Text, nullable=False, default="[]"),  # by checks, as adjustments
    Column(
        "judging", Boolean, nullable=False, default=False
    ),  # it has its pictures: see `verdicts`
    Column("ended_at", Float),
    Index("rows_state", "job_id", "state"),
    sqlite_with_rowid=False,
)

# outcome: sent (no outcome yet) | answered | later | ambiguous | never | nobody | mend
attempts = Table(
    "attempts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("lane", String, nullable=False),
    Column("model", String, nullable=False),
    Column("n", Integer, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("outcome", String, nullable=False),
    Column("status", Integer, nullable=False, default=0),
    Column("code", String, nullable=False, default=""),
    Column("request_id", String, nullable=False, default=""),
    Column("paid_maybe", Boolean, nullable=False, default=False),
    Column("cost", Integer),
    Column("reserved", Integer),  # what it may cost, noted before it is sent; NULL: not known
    Column("usage", Text),
    Index("attempts_row", "job_id", "number"),
    sqlite_autoincrement=True,  # an id is never used twice: replies on disk are named by it
)

pictures = Table(
    "pictures",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("file", Text, nullable=False),
    Column("format", String, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("sha256", String, nullable=False),
    Column("print", String, nullable=False, default=""),
    sqlite_with_rowid=False,
)

# What was said of pictures by the checklists of their rows. question: of the same about an equal picture,
# "" where there was no answer; unmet: points with what is to be seen instead.
verdicts = Table(
    "verdicts",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("question", String, nullable=False),
    Column("unmet", Text, nullable=False),
    Column("problem", Text, nullable=False),
    Column("said_at", Float, nullable=False),
    Index("verdicts_question", "question"),
    sqlite_with_rowid=False,
)

# Which row was paid for what; `fingerprint` of everything that was sent (core.reuse).
paid = Table(
    "paid",
    metadata,
    Column("fingerprint", String, primary_key=True),
    Column("job_id", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("paid_at", Float, nullable=False),
    sqlite_with_rowid=False,
)

# Pictures whose copies are to be made; a line goes once they are, or never will be.
renditions_due = Table(
    "renditions_due",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("index", Integer, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

# Copies that were made; problem: why there is none.
renditions = Table(
    "renditions",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("channel", String, primary_key=True),
    Column("file", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("quality", Integer, nullable=False),
    Column("remark", Text, nullable=False),
    Column("problem", Text, nullable=False),
    sqlite_with_rowid=False,
)

# Where a person moved a picture. choice: approved | rejected | redo; file: where it lies now.
choices = Table(
    "choices",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("choice", String, nullable=False),
    Column("file", Text, nullable=False),
    Column("noted_at", Float, nullable=False),
    sqlite_with_rowid=False,
)

# Rows that were asked again. replaced: the index of the picture that another is wanted for, 0: none;
# made: the index of that other one; 0: it never came. base: the item before the first time.
redos = Table(
    "redos",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("replaced", Integer, nullable=False),
    Column("made", Integer, nullable=False),
    Column("notes", Text, nullable=False),
    Column("base", Text, nullable=False),
    Column("asked_at", Float, nullable=False),
    Index("redos_row", "job_id", "number"),
)

# What a server was found not to take, by account and model. value "": whatever it says.
refused_parameters = Table(
    "refused_parameters",
    metadata,
    Column("account", String, primary_key=True),
    Column("model", String, primary_key=True),
    Column("parameter", String, primary_key=True),
    Column("value", String, primary_key=True),
    Column("until", Float, nullable=False),
)

# A lane that is halted has a line here; an open one has none.
lanes = Table(
    "lanes",
    metadata,
    Column("key", String, primary_key=True),
    Column("problem", Text, nullable=False),
    Column("since", Float, nullable=False),
    Column("probe_at", Float, nullable=False),
    Column("probes", Integer, nullable=False, default=0),
)

# Inboxes that were paused by hand.
paused = Table(
    "paused",
    metadata,
    Column("inbox", String, primary_key=True),
    Column("since", Float, nullable=False),
)

# Pictures that lie beside a drop and travel with it into the archive; `number`: the row that names one.
companions = Table(
    "companions",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("path", LargeBinary, primary_key=True),
    Column("sha256", String, nullable=False),
    Index("companions_path", "path"),
    sqlite_with_rowid=False,
)

# What the clock drops. decided_until: no run up to then is to be dropped any more, it was or is missed
# for good. run_at, path: the newest run and its drop. state: intended → dropped
schedules = Table(
    "schedules",
    metadata,
    Column("name", String, primary_key=True),
    Column("rule", String, nullable=False),
    Column("decided_until", Float, nullable=False),
    Column("run_at", Float),
    Column("path", LargeBinary),
    Column("state", String, nullable=False, default="dropped"),
    Column("problem", Text),
)

# Jobs that came over HTTP. id: the claim that its drop gets. key: the caller's own, NULL without one.
# next_at NULL: nobody is to be called back, or it is settled; heard: "" until then, or why it was given up.
posts = Table(
    "posts",
    metadata,
    Column("id", String, primary_key=True),
    Column("inbox", String, nullable=False),
    Column("path", LargeBinary, nullable=False),
    Column("key", String, unique=True),
    Column("fingerprint", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("callback_url", Text, nullable=False, default=""),
    Column("tries", Integer, nullable=False, default=0),
    Column("next_at", Float),
    Column("heard", Text, nullable=False, default=""),
    Index("posts_next", "next_at"),
    Index("posts_created", "created_at"),
)

# What people were told of one cause, so that a restart repeats nothing. open: its end was not told yet.
alerts_told = Table(
    "alerts_told",
    metadata,
    Column("place", Text, primary_key=True),
    Column("reason", String, primary_key=True),
    Column("occasion", String, nullable=False),
    Column("since", Float, nullable=False),
    Column("at", Float, nullable=False),
    Column("inbox", String, nullable=False, default=""),
    Column("all_clear", Text, nullable=False, default=""),
    Column("open", Boolean, nullable=False, default=False),
    sqlite_with_rowid=False,
)

# Messages that no service has taken yet; `to` is a hash: the address itself is a secret.
letters = Table(
    "letters",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("to", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("bad", Boolean, nullable=False),
    Column("written_at", Float, nullable=False),
    sqlite_autoincrement=True,
)
