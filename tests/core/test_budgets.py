"""Budgets: whatever calls cost and in whatever order they end, what counts never goes beyond what was let go."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from watcher.core.budgets import Cap, Money, Sum, charged, spent_problem
from watcher.core.jobs import RowState, Settlement

DAY = Cap(scope="day", setting="budget.usd_per_day", span="a day", usd=Decimal(1), until=5.0)
PRICE = Money(usd=Decimal("0.04"), images=1)

cents = st.integers(0, 30).map(lambda cent: Decimal(cent) / 100)


def settled(**said: object) -> Settlement:
    values = {"state": RowState.DONE, "outcome": "answered", **said}
    return Settlement(**values)  # type: ignore[arg-type]


@given(st.lists(st.tuples(cents, st.booleans()), max_size=60))
def test_reserved_and_spent_never_exceed_the_cap(calls: list[tuple[Decimal, bool]]) -> None:
    """Calls that are let go cost what was reserved, or less: the cap holds at every moment."""
    one = Sum()
    in_flight: list[Money] = []
    for usd, ends in calls:
        money = Money(usd=usd, images=1)
        if one.has_room(DAY, money):
            one.hold(money)
            in_flight.append(money)
        if ends and in_flight:
            ended = in_flight.pop(0)
            one.spend(Money(usd=(ended.usd or Decimal(0)) / 2, images=1))
            one.release(ended)
        assert one.usd + one.held_usd <= Decimal(1)
        assert one.calls == len(in_flight)


def test_a_call_of_unknown_cost_is_let_go_while_anything_is_left() -> None:
    """Nobody can tell more of it; when all is spent it waits."""
    one, unknown = Sum(), Money(usd=None, images=1)
    one.spend(Money(usd=Decimal("0.99")))
    assert one.has_room(DAY, unknown)
    one.spend(Money(usd=Decimal("0.01")))
    assert not one.has_room(DAY, unknown)


def test_images_are_counted_by_themselves() -> None:
    """A cap of images says nothing about dollars."""
    cap = Cap(scope="day", setting="budget.images_per_day", span="a day", images=3)
    one = Sum()
    one.spend(Money(usd=Decimal(100), images=1))
    assert one.has_room(cap, Money(usd=Decimal(100), images=2))
    assert not one.has_room(cap, Money(images=3))


def test_what_an_attempt_counts_for() -> None:
    """Its known cost; what was reserved where it may be charged and nobody knows; else nothing."""
    known = settled(cost_usd=Decimal("0.03"))
    assert charged(known, PRICE) == Money(usd=Decimal("0.03"), images=1)
    assert charged(settled(), PRICE) == PRICE
    assert charged(settled(outcome="ambiguous", paid_maybe=True), PRICE) == PRICE
    assert charged(settled(outcome="later"), PRICE) == Money()
    assert charged(settled(outcome="nobody"), PRICE) == Money()


def test_the_sentence_says_what_and_what_now() -> None:
    """How much, of which setting, what the next row costs, and when it goes on."""
    one = Sum()
    one.spend(Money(usd=Decimal("0.98"), images=24))
    told = spent_problem(DAY, one, PRICE)
    assert told.what == (
        "The budget of $1.00 a day (budget.usd_per_day) is used up: "
        "$0.98 are spent and the next row costs about $0.04."
    )
    assert "midnight" in told.hint
    job = Cap(scope="job x", setting="budget.usd_per_job", span="a job", usd=Decimal(1))
    assert "image-watcher approve" in spent_problem(job, one, PRICE).hint
