"""Budgets: what may be spent, what a call would add, and the sentence where it is too much."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from watcher.core.jobs import Problem, Settlement


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """One budget. `scope` names what is summed up, `setting` the key that says it, `span` in words.

    Attempts that began at `since` count, and it begins anew at `until` (None: not by itself), both in
    seconds since the epoch.
    """

    scope: str
    setting: str
    span: str
    usd: Decimal | None = None
    images: int | None = None
    since: float = 0.0
    until: float | None = None
    code: str = "budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """Dollars and images. `usd` None: not known."""

    usd: Decimal | None = Decimal(0)
    images: int = 0


@dataclass(slots=True)
class Sum:
    """What was spent so far, and what is held for calls that have not ended."""

    usd: Decimal = Decimal(0)
    images: int = 0
    held_usd: Decimal = Decimal(0)
    held_images: int = 0
    calls: int = 0

    def hold(self, money: Money) -> None:
        self._hold(money, 1)

    def release(self, money: Money) -> None:
        self._hold(money, -1)

    def spend(self, money: Money) -> None:
        self.usd += money.usd or 0
        self.images += money.images

    def has_room(self, cap: Cap, money: Money) -> bool:
        """Whether a call may be made besides those that are in flight. One of unknown cost may be made
        while anything is left: nobody can tell more.
        """
        if cap.images is not None and self.images + self.held_images + money.images > cap.images:
            return False
        if cap.usd is None:
            return True
        spent = self.usd + self.held_usd
        return spent < cap.usd if money.usd is None else spent + money.usd <= cap.usd

    def _hold(self, money: Money, sign: int) -> None:
        self.held_usd += sign * (money.usd or 0)
        self.held_images += sign * money.images
        self.calls += sign


def charged(settlement: Settlement, reserved: Money) -> Money:
    """What an attempt counts for: what is known of its cost, else what was reserved where it may be charged.

    The ledger sums up by the same rule (`ledger.costs`).
    """
    if settlement.outcome != "answered" and not settlement.paid_maybe:
        return Money(usd=settlement.cost_usd or Decimal(0))
    known = settlement.cost_usd is not None
    return Money(usd=settlement.cost_usd if known else reserved.usd, images=reserved.images)


def spent_problem(cap: Cap, spent: Sum, money: Money) -> Problem:
    """Why a job is held."""
    what = f"The budget {_limit(cap)} {cap.span} ({cap.setting}) is used up: {' and '.join(_spent(cap, spent, money))}."
    if cap.until is not None:
        hint = "It goes on by itself at midnight, or as soon as the budget is raised and the settings are reloaded."
    else:
        hint = "Raise the budget and reload, or let this job go on beyond it: image-watcher approve JOB."
    return Problem(code=cap.code, what=what, hint=hint, column=cap.setting)


def _limit(cap: Cap) -> str:
    return f"of ${cap.usd:.2f}" if cap.usd is not None else f"of {cap.images:,} images"


def _spent(cap: Cap, spent: Sum, money: Money) -> Iterator[str]:
    if cap.usd is not None:
        yield f"${spent.usd:.2f} are spent"
        if money.usd:
            yield f"the next row costs about ${money.usd:.2f}"
    else:
        yield f"{spent.images:,} images are made or asked for"
        yield f"the next row asks for {money.images:,}"
