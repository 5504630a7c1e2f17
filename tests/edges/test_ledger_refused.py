"""Parameters that a server does not take, as the ledger remembers them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from watcher.core.jobs import LaneKey
from watcher.ledger import Ledger, RefusedParameter
from watcher.ledger.refused import KEPT

LANE = LaneKey(account="api.example#1", model="m")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path)
    yield made
    made.close()


def test_learnt_for_one_account_and_model(ledger: Ledger) -> None:
    """Another key, another server or another model may well take it."""
    ledger.refused.learn(LANE, "quality", now=1000.0)
    kept = RefusedParameter(
        account="api.example#1", model="m", parameter="quality", until=1000.0 + KEPT
    )
    assert ledger.refused.of(LANE, now=1001.0) == (kept,)
    for other in (LaneKey(account="else", model="m"), LaneKey(account=LANE.account, model="o")):
        assert ledger.refused.of(other, now=1001.0) == ()


def test_forgotten_after_a_week(ledger: Ledger) -> None:
    """Servers learn, so it is tried again; learning anew begins a new week."""
    ledger.refused.learn(LANE, "quality", now=0.0)
    assert ledger.refused.of(LANE, now=KEPT - 1) != ()
    assert ledger.refused.of(LANE, now=KEPT) == ()
    ledger.refused.learn(LANE, "quality", now=KEPT - 1)
    assert [one.until for one in ledger.refused.all(now=KEPT)] == [2 * KEPT - 1]


def test_one_value_beside_another(ledger: Ledger) -> None:
    """Of some parameters only one value is refused; both are known beside each other."""
    ledger.refused.learn(LANE, "background", value="transparent", now=0.0)
    ledger.refused.learn(LANE, "background", now=0.0)
    assert [one.value for one in ledger.refused.of(LANE, now=1.0)] == ["", "transparent"]
