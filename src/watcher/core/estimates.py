"""What a drop will cost, before anything is asked for: summed up row by row, and told in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from watcher.core.catalogue import Catalogue
from watcher.core.jobs import Item, Operation, Problem, Usage
from watcher.core.pricing import estimate_usage, estimate_usd
from watcher.core.report.times import counted, dollars

# The provider's Batch API (API-FACTS): half the price, within 24 hours.
_BULK = Decimal("0.5")
# Less than this nobody waits a day for.
_WORTH_SAYING = Decimal(1)


@dataclass(frozen=True, slots=True)
class RowCost:
    """What asking for one row takes; `usd` None: not known; not `whole`: a part of it is not."""

    images: int
    tokens: int
    usd: Decimal | None
    whole: bool = True

    def with_calls(self, calls: int, each: RowCost) -> RowCost:
        """With what some calls besides take."""
        usd = None if self.usd is None else self.usd + calls * (each.usd or 0)
        return RowCost(self.images, self.tokens + calls * each.tokens, usd, each.usd is not None)


def row_cost(item: Item, catalogue: Catalogue) -> RowCost:
    """By the catalogue's estimates."""
    usage = estimate_usage(item, catalogue) or Usage()
    return RowCost(
        images=0 if item.operation is Operation.ANALYZE else item.n,
        tokens=usage.text_in + usage.image_in + usage.image_out + usage.text_out,
        usd=estimate_usd(item, catalogue),
    )


@dataclass(slots=True)
class Estimate:
    """`usd` is the sum of what is known; `unpriced` rows of unknown cost come on top.

    `reused` rows ask for what is paid already; without that they would cost `reused_usd` more.
    """

    rows: int = 0
    images: int = 0
    tokens: int = 0
    usd: Decimal = Decimal(0)
    unpriced: int = 0
    reused: int = 0
    reused_usd: Decimal = Decimal(0)

    def add(self, cost: RowCost) -> None:
        self._count(cost, 1)

    def reuse(self, cost: RowCost) -> None:
        """One of the rows that were added asks for what is paid already."""
        self._count(cost, -1)
        self.rows += 1
        self.reused += 1
        self.reused_usd += cost.usd or 0

    def _count(self, cost: RowCost, sign: int) -> None:
        self.rows += sign
        self.images += sign * cost.images
        self.tokens += sign * cost.tokens
        self.unpriced += sign * (cost.usd is None or not cost.whole)
        self.usd += sign * (cost.usd or 0)

    @property
    def whole_usd(self) -> Decimal | None:
        """US dollars of all rows; None when one of them has no known cost."""
        return None if self.unpriced else self.usd

    @property
    def bulk_usd(self) -> Decimal:
        return self.usd * _BULK

    def sentences(self) -> Iterator[str]:
        """For the note, and for who asks before dropping."""
        images = counted(self.images, "image") if self.images else ""
        tokens = f"about {self.tokens:,} tokens" if self.tokens else ""
        if images or tokens:
            yield f"Asks for {', '.join(filter(None, (images, tokens)))}."
        if self.unpriced:
            whose = "its" if self.unpriced == 1 else "their"
            yield f"The cost of {counted(self.unpriced, 'row')} is not known: {whose} model has no price in the catalogue."
        if self.reused:
            less = f", about {dollars(self.reused_usd)} less" if self.reused_usd else ""
            verb = "asks" if self.reused == 1 else "ask"
            yield f"{counted(self.reused, 'row')} {verb} for what is paid already and will be reused{less}."
        if (saved := self.usd - self.bulk_usd) >= _WORTH_SAYING:
            yield f"The provider's Batch API would take about {dollars(saved)} less, and up to a day; this version does not use it."


def approval(estimate: Estimate, limit: Decimal | None) -> Problem | None:
    """Why a person is to look at a job first; `limit`: SETTINGS `approve_above_usd`."""
    if limit is None or (not estimate.unpriced and estimate.usd <= limit):
        return None
    if estimate.usd > limit:
        what = f"It would cost about {dollars(estimate.usd)}, more than {dollars(limit)} (budget.approve_above_usd)."
    else:
        what = f"The cost of {counted(estimate.unpriced, 'row')} is not known, and more than {dollars(limit)} waits for a person (budget.approve_above_usd)."
    return Problem(
        code="approval",
        what=what,
        hint="To approve, rename the note beside the drop so that it ends in .APPROVED instead of .STATUS.txt, or run: image-watcher approve JOB. To give it up, rename it to .CANCEL.",
    )
