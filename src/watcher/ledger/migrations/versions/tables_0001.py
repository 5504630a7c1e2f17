"""The tables of 0.1, as they were: never changed again."""

from __future__ import annotations

from alembic import op
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

revision, down_revision = "0001", None

metadata = MetaData()

Table(
    "meta",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
)

Table(
    "claims",
    metadata,
    Column("id", String, primary_key=True),
    Column("inbox", String, nullable=False),
    Column("path", LargeBinary, nullable=False),
    Column("state", String, nullable=False),
    Column("job_id", String),
    Column("created_at", Float, nullable=False),
    Index("claims_open", "state"),
)

Table(
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
    Index("jobs_state", "state", "priority", "id"),
    Index("jobs_unpublished", "published_at", "state"),
    Index("jobs_same", "sha256", "inbox"),
)

Table(
    "slices",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("first", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("due_at", Float, nullable=False, default=0.0),
    Index("slices_next", "job_id", "state", "due_at", "ordinal"),
    Index("slices_due", "state", "due_at"),
)

Table(
    "rows",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", String, nullable=False),
    Column("values", Text, nullable=False),
    Column("item", Text),
    Column("stem", Text, nullable=False, default=""),
    Column("problem", Text),
    Column("due_at", Float),
    Column("since", Float),
    Column("tries", Integer, nullable=False, default=0),
    Column("doubts", Integer, nullable=False, default=0),
    Column("dropped", Text, nullable=False, default="[]"),
    Column("asked_again", Boolean, nullable=False, default=False),
    Column("text", Text, nullable=False, default=""),
    Column("cost", Integer),
    Column("usage", Text),
    Column("seconds", Float),
    Column("request_id", String, nullable=False, default=""),
    Column("source", String, nullable=False, default=""),
    Column("ended_at", Float),
    Index("rows_state", "job_id", "state"),
    sqlite_with_rowid=False,
)

Table(
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
    Column("usage", Text),
    Index("attempts_row", "job_id", "number"),
    sqlite_autoincrement=True,
)

Table(
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
    sqlite_with_rowid=False,
)

Table(
    "refused_parameters",
    metadata,
    Column("account", String, primary_key=True),
    Column("model", String, primary_key=True),
    Column("parameter", String, primary_key=True),
    Column("value", String, primary_key=True),
    Column("until", Float, nullable=False),
)

Table(
    "lanes",
    metadata,
    Column("key", String, primary_key=True),
    Column("problem", Text, nullable=False),
    Column("since", Float, nullable=False),
    Column("probe_at", Float, nullable=False),
    Column("probes", Integer, nullable=False, default=0),
)

Table(
    "companions",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("path", LargeBinary, primary_key=True),
    Column("sha256", String, nullable=False),
    Index("companions_path", "path"),
    sqlite_with_rowid=False,
)


def upgrade() -> None:
    metadata.create_all(op.get_bind())


def downgrade() -> None:
    metadata.drop_all(op.get_bind())
