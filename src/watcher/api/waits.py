"""How long to wait before the next try. Randomness is passed in; the shape is tenacity's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tenacity import RetryCallState, Retrying, wait_exponential
from tenacity.wait import wait_base

from watcher.core.jobs import Refusal

_MOST_SPREAD = 1.0  # seconds that rows which were told one time are spread over


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRules:
    """SETTINGS `api.retry`: counts, and seconds for `base` and `longest`."""

    attempts: int = 4
    base: float = 2.0
    longest: float = 60.0
    ambiguous: int = 1


def wait_before(tries: int, refusal: Refusal, rules: RetryRules, random: Random) -> float:
    """Seconds before the try after `tries` (1 or more) that were refused like this.

    What the server asked for wins: never shorter, and at most a tenth longer. Else full jitter,
    exponential: anything from 0 to base × 2^(tries - 1), capped at `longest`.
    """
    if refusal.retry_after:
        spread = min(refusal.retry_after / 10, _MOST_SPREAD)
        return refusal.retry_after + random.uniform(0, spread)
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = max(tries, 1)
    return jittered(rules.base, rules.longest, random)(state)


def jittered(base: float, longest: float, random: Random) -> Callable[[RetryCallState], float]:
    """A wait strategy for tenacity, whose own jitter draws from the global generator."""
    widest: wait_base = wait_exponential(multiplier=base, max=longest)
    return lambda state: random.uniform(0, widest(state))
