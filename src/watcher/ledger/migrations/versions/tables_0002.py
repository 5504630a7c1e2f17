"""What came with 0.2. Until it is released every new table and column of `schema` is added here."""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    op.create_table(
        "schedules",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("rule", sa.String, nullable=False),
        sa.Column("decided_until", sa.Float, nullable=False),
        sa.Column("run_at", sa.Float),
        sa.Column("path", sa.LargeBinary),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("problem", sa.Text),
    )
    op.create_table(
        "posts",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("inbox", sa.String, nullable=False),
        sa.Column("path", sa.LargeBinary, nullable=False),
        sa.Column("key", sa.String, unique=True),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("callback_url", sa.Text, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("next_at", sa.Float),
        sa.Column("heard", sa.Text, nullable=False),
        sa.Index("posts_next", "next_at"),
        sa.Index("posts_created", "created_at"),
    )
    op.create_table(
        "alerts_told",
        sa.Column("place", sa.Text, primary_key=True),
        sa.Column("reason", sa.String, primary_key=True),
        sa.Column("occasion", sa.String, nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("inbox", sa.String, nullable=False),
        sa.Column("all_clear", sa.Text, nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "letters",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("to", sa.String, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("bad", sa.Boolean, nullable=False),
        sa.Column("written_at", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.add_column("claims", sa.Column("deaths", sa.Integer, nullable=False, server_default="0"))
    op.add_column("rows", sa.Column("found", sa.Text, nullable=False, server_default="[]"))
    op.add_column(
        "rows", sa.Column("judging", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.create_table(
        "verdicts",
        sa.Column("job_id", sa.String, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("index", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("question", sa.String, nullable=False),
        sa.Column("unmet", sa.Text, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("said_at", sa.Float, nullable=False),
        sa.Index("verdicts_question", "question"),
        sqlite_with_rowid=False,
    )
    op.add_column("pictures", sa.Column("print", sa.String, nullable=False, server_default=""))
    op.create_table(
        "paid",
        sa.Column("fingerprint", sa.String, primary_key=True),
        sa.Column("job_id", sa.String, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("paid_at", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "paused",
        sa.Column("inbox", sa.String, primary_key=True),
        sa.Column("since", sa.Float, nullable=False),
    )
    op.add_column("rows", sa.Column("saved", sa.Integer))
    op.add_column("attempts", sa.Column("reserved", sa.Integer))
    op.add_column("jobs", sa.Column("hold", sa.Text))
    op.add_column("jobs", sa.Column("hold_until", sa.Float))
    op.add_column(
        "jobs", sa.Column("approved", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.create_table(
        "renditions_due",
        sa.Column("job_id", sa.String, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("index", sa.Integer, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "renditions",
        sa.Column("job_id", sa.String, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("index", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("channel", sa.String, primary_key=True),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("quality", sa.Integer, nullable=False),
        sa.Column("remark", sa.Text, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "choices",
        sa.Column("job_id", sa.String, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("index", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("choice", sa.String, nullable=False),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("noted_at", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "redos",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("job_id", sa.String, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("replaced", sa.Integer, nullable=False),
        sa.Column("made", sa.Integer, nullable=False),
        sa.Column("notes", sa.Text, nullable=False),
        sa.Column("base", sa.Text, nullable=False),
        sa.Column("asked_at", sa.Float, nullable=False),
        sa.Index("redos_row", "job_id", "number"),
    )
    op.add_column("jobs", sa.Column("choices_mark", sa.Integer))


def downgrade() -> None:
    _end_judging()
    for table, column in (
        ("jobs", "choices_mark"),
        ("jobs", "approved"),
        ("jobs", "hold_until"),
        ("jobs", "hold"),
        ("attempts", "reserved"),
        ("rows", "saved"),
        ("claims", "deaths"),
    ):
        op.drop_column(table, column)
    op.drop_table("paused")
    op.drop_table("paid")
    op.drop_column("pictures", "print")
    op.drop_column("rows", "found")
    op.drop_table("verdicts")
    op.drop_column("rows", "judging")
    op.drop_table("letters")
    op.drop_table("alerts_told")
    op.drop_table("redos")
    op.drop_table("choices")
    op.drop_table("posts")
    op.drop_table("renditions")
    op.drop_table("renditions_due")
    op.drop_table("schedules")


def _end_judging() -> None:
    """A program that judges nothing would pay for another picture of a row that has all of its own."""
    rows = "UPDATE rows SET state = 'done', problem = NULL, due_at = NULL, ended_at = :now WHERE judging"
    jobs = (
        "UPDATE jobs SET ended_at = :now, state = CASE WHEN EXISTS"
        " (SELECT 1 FROM rows WHERE job_id = jobs.id AND state <> 'done') THEN 'partial' ELSE 'done' END"
        " WHERE EXISTS (SELECT 1 FROM rows WHERE job_id = jobs.id AND judging)"
        " AND NOT EXISTS (SELECT 1 FROM rows WHERE job_id = jobs.id"
        " AND rows.state IN ('queued', 'running', 'waiting'))"
    )
    for change in (rows, jobs):
        op.execute(sa.text(change).bindparams(now=time.time()))
