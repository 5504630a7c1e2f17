"""Threads that share a commit."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import IntegrityError

from watcher.ledger import schema
from watcher.ledger.database import open_database

THREADS, TURNS = 8, 50


def test_every_share_is_written(tmp_path: Path) -> None:
    """Of many threads that write at once each gets what it asked for, or its own error and nobody else's."""
    database = open_database(tmp_path)
    refused: list[str] = []

    def note(key: str) -> None:
        def act(tx: Connection) -> None:
            tx.execute(schema.meta.insert().values(key=key, value="x"))

        database.together(act)

    def work(number: int) -> None:
        for turn in range(TURNS):
            note(f"{number}-{turn}")
            if turn % 10 == 0:
                try:
                    note(f"{number}-{turn}")
                except IntegrityError:
                    refused.append(f"{number}-{turn}")

    threads = [threading.Thread(target=work, args=[number]) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as view:
        written = view.scalar(select(func.count()).where(schema.meta.c.value == "x"))
    assert (written, len(refused)) == (THREADS * TURNS, THREADS * TURNS // 10)
    database.close()


def test_a_share_is_on_disk_when_it_returns(tmp_path: Path) -> None:
    """What `together` returned from is seen by another process' look at the file."""
    database, beside = open_database(tmp_path), open_database(tmp_path)
    database.together(lambda tx: tx.execute(schema.meta.insert().values(key="a", value="b")))
    with beside.read() as view:
        assert view.scalar(select(schema.meta.c.value).where(schema.meta.c.key == "a")) == "b"
    with pytest.raises(ZeroDivisionError):
        database.together(lambda _: 1 / 0)
    database.close()
    beside.close()
