"""Looking where it may hang: so long, and few threads are left behind."""

from __future__ import annotations

import threading

import pytest
from tests.system.house import wait_for

from watcher.inbox import Patience, within


def test_what_is_found_or_raised_comes_through() -> None:
    """As if it had been looked at without a thread."""
    assert within(10, lambda: "found") == "found"
    with pytest.raises(KeyError):
        within(10, lambda: dict[str, str]()["nothing"])


def test_few_looks_are_left_behind() -> None:
    """After two that hang the next ones are not begun; when they end, looks are taken again."""
    go, begun = threading.Event(), []

    def hang() -> bool:
        begun.append(1)
        return go.wait(30)

    patience = Patience(most=2)
    for _ in range(20):
        with pytest.raises(TimeoutError):
            patience.within(0.05, hang)
    assert len(begun) == 2
    go.set()
    wait_for(lambda: _answers(patience), 10, "looks are taken again")


def _answers(patience: Patience) -> bool:
    try:
        return patience.within(10, lambda: True)
    except TimeoutError:
        return False
