"""What happened so far, counted where it happens: calls, and what was paid for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

_MICRO = 1_000_000


class Counts:
    """Counters of a running sandbox. `clock` tells seconds since the epoch."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.in_flight = 0
        self.reset()

    def reset(self) -> None:
        """All counters at nothing; calls in flight stay in flight."""
        self.calls = 0
        self.in_flight_max = self.in_flight
        self.calls_by_prompt: Counter[str] = Counter()
        self.paid_by_prompt: Counter[str] = Counter()
        self.refused = 0
        self.pictures = 0
        self.unpriced = 0
        self.cost = Decimal(0)
        self.by_status: Counter[str] = Counter()
        self.by_path: Counter[str] = Counter()
        self.first_call_at: float | None = None
        self.last_call_end_at: float | None = None

    def begin(self, path: str) -> None:
        """A call has come in."""
        self.calls += 1
        self.by_path[path] += 1
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight_max, self.in_flight)
        if self.first_call_at is None:
            self.first_call_at = self._clock()

    def asked(self, prompt: str) -> None:
        """The call is a sound one, for this prompt."""
        self.calls_by_prompt[prompt] += 1

    def paid(self, prompt: str, pictures: int, cost: Decimal | None) -> None:
        """Its pictures (or its text) are made. `cost` in US dollars; None: nobody knows."""
        self.paid_by_prompt[prompt] += 1
        self.pictures += pictures
        self.cost += cost or 0
        self.unpriced += cost is None

    def refuse(self) -> None:
        """The call is answered without anything being made."""
        self.refused += 1

    def end(self, status: str) -> None:
        """Its answer is out, or was cut off."""
        self.by_status[status] += 1
        self.in_flight -= 1
        self.last_call_end_at = self._clock()

    def snapshot(self) -> dict[str, object]:
        """All counters as JSON. `cost_micro_usd` is rounded, `cost_usd` is exact, as a text."""
        return {
            "calls": self.calls,
            "paid": self.paid_by_prompt.total(),
            "refused": self.refused,
            "pictures": self.pictures,
            "cost_micro_usd": round(self.cost * _MICRO),
            "cost_usd": str(self.cost),
            "unpriced": self.unpriced,
            "in_flight": self.in_flight,
            "in_flight_max": self.in_flight_max,
            "first_call_at": self.first_call_at,
            "last_call_end_at": self.last_call_end_at,
            "by_status": dict(self.by_status),
            "by_path": dict(self.by_path),
            "calls_by_prompt": dict(self.calls_by_prompt),
            "paid_by_prompt": dict(self.paid_by_prompt),
        }
