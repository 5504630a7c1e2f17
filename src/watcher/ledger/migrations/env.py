"""What Alembic runs before the migrations: they work in the transaction that is handed to them."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
