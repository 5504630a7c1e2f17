"""What a note says about a drop's cost before anything is asked for: true, and no more than is of use."""

from __future__ import annotations

from decimal import Decimal

import pytest

from watcher.core.estimates import Estimate, RowCost


def told(*costs: RowCost) -> list[str]:
    estimate = Estimate()
    for cost in costs:
        estimate.add(cost)
    return list(estimate.sentences())


def row(usd: str | None = "0.01", *, images: int = 1, tokens: int = 500) -> RowCost:
    return RowCost(images=images, tokens=tokens, usd=None if usd is None else Decimal(usd))


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        ([], []),
        ([row()], ["Asks for 1 image, about 500 tokens."]),
        ([row(images=0)], ["Asks for about 500 tokens."]),
        ([row(tokens=0)], ["Asks for 1 image."]),
    ],
)
def test_what_is_not_asked_for_is_not_told(costs: list[RowCost], said: list[str]) -> None:
    """No "0 images": a drop of descriptions asks for words alone, one whose rows all fail for nothing."""
    assert said == told(*costs)


@pytest.mark.parametrize(
    ("rows", "whose"), [(1, "1 row is not known: its"), (2, "2 rows is not known: their")]
)
def test_rows_without_a_price(rows: int, whose: str) -> None:
    """Rows whose model has no price are counted, in the words for one and for more."""
    assert f"The cost of {whose} model has no price in the catalogue." in told(*[row(None)] * rows)


def test_what_half_the_price_would_save_is_told_where_it_is_worth_a_day() -> None:
    """From a dollar on, and not without that this version does not use it."""
    assert not [one for one in told(row("1.99")) if "Batch" in one]
    [line] = [one for one in told(row("2")) if "Batch" in one]
    assert "about $1.00 less" in line
    assert "this version does not use it" in line
