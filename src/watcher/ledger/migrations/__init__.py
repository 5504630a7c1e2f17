"""How the tables changed from one version of the program to the next; run by Alembic, on paper in versions/.

Databases that are made anew are made from `schema` at once, and marked with `HEAD`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Connection

# The tables of each revision, and the first program that had them.
FIRST_PROGRAM: Mapping[str, str] = {"0001": "0.1", "0002": "0.2"}
HEAD = max(FIRST_PROGRAM)


def upgrade(tx: Connection) -> None:
    """To `HEAD`, within the transaction of `tx`."""
    from alembic import command  # noqa: PLC0415 - half a second that few starts need

    command.upgrade(_config(tx), HEAD)


def downgrade(tx: Connection, revision: str) -> None:
    """To the tables of an earlier revision, within the transaction of `tx`."""
    from alembic import command  # noqa: PLC0415 - as above

    command.downgrade(_config(tx), revision)


def revision_of(program: str) -> str | None:
    """The tables that a version of the program has, such as "0.1" or "0.1.0"; also a revision itself."""
    if program in FIRST_PROGRAM:
        return program
    wanted = _parts(program)
    fitting = [rev for rev, first in FIRST_PROGRAM.items() if wanted and _parts(first) <= wanted]
    return max(fitting, default=None)


def _parts(version: str) -> tuple[int, ...]:
    pieces = version.split(".")
    return tuple(map(int, pieces)) if all(map(str.isdecimal, pieces)) else ()


def _config(tx: Connection):  # type: ignore[no-untyped-def]  # noqa: ANN202 - Alembic's, imported late
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": tx})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
