"""Budgets in hand: what is held for a call counts where the call will count, whatever changes while it waits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from tests.edges.ledger_room import NOW, Notes, accept, open_items

from watcher.core.budgets import Cap, Money
from watcher.ledger import Ledger
from watcher.work import Purse, Withdrawn

PRICE = Money(usd=Decimal("0.04"), images=1)


def day(number: int) -> Cap:
    return Cap(scope=f"day {number}", setting="budget.usd_per_day", span="a day",
               usd=Decimal("0.04"), since=NOW + number, until=NOW + number + 1)  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path)
    yield made
    made.close()


def test_a_row_that_waits_into_a_new_day_is_weighed_again(ledger: Ledger) -> None:
    """Its call will count in the new day's budget, in which nothing is held for it."""
    accept(ledger, "a", 1)
    (item,) = open_items(ledger)
    today = [day(1)]

    async def play() -> None:
        purse = Purse(
            ledger=ledger,
            log=Notes(),
            on_hold=Notes().info,
            caps=lambda _: today,
            estimate=lambda _: PRICE,
        )
        async with purse.afforded(item) as held:
            assert purse.counts(item, held)
            today[0] = day(2)
            assert not purse.counts(item, held)
        async with purse.afforded(item) as held:
            assert purse.counts(item, held)

    asyncio.run(play())


def test_a_row_that_knows_nothing_of_an_approval_holds_no_job(ledger: Ledger) -> None:
    """It was read before somebody approved, and waited: it goes back, to be read again."""
    accept(ledger, "a", 1)
    (item,) = open_items(ledger)
    none_left = replace(day(1), usd=Decimal(0))
    purse = Purse(
        ledger=ledger,
        log=Notes(),
        on_hold=Notes().info,
        caps=lambda _: [none_left],
        estimate=lambda _: PRICE,
    )

    async def ask() -> None:
        with pytest.raises(Withdrawn):
            async with purse.afforded(item):
                pass

    ledger.orders.approve("a")
    asyncio.run(ask())
    assert ledger.orders.goes_on("a")
    ledger.items.reconcile()
    (item,) = open_items(ledger)
    asyncio.run(ask())
    assert not ledger.orders.goes_on("a")
