"""Folders that are synced by many at once."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from watcher.inbox import syncs

_THREADS, _ROUNDS = 8, 200


def test_many_at_once_are_all_served(tmp_path: Path) -> None:
    """Whoever asks for a sync goes on after one, however many ask, and nothing is remembered of it."""
    served = []

    def work(number: int) -> None:
        folder = os.open(tmp_path, os.O_RDONLY)
        for count in range(_ROUNDS):
            (tmp_path / f"{number}-{count}").touch()
            syncs.sync(folder)
            served.append(number)
        os.close(folder)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(served) == _THREADS * _ROUNDS
    assert syncs._turns == {}


def test_one_that_cannot_be_synced_is_passed_over() -> None:
    """A share that knows no such call is left at that: here, a pipe in its place."""
    end, other = os.pipe()
    syncs.sync(end)
    os.close(end)
    os.close(other)
    assert syncs._turns == {}
