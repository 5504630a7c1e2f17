"""After an attempt: what a no means for the row and for its lane. Values in, a decision out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from watcher.core.jobs import No, OpenItem, Problem, Refusal, Scope
from watcher.core.reuse import fingerprint

# Waiting for these costs nothing and ends by itself: they are not counted against the row, only
# against its deadline (API-FACTS: rate answers are unlimited in count, bounded by time).
_UNCOUNTED = frozenset(
    {"rate_limit_exceeded", "slow_down", "server_is_overloaded", "too_many_requests"}
)
ROW_DEADLINE = 24 * 3600.0  # seconds from a row's first attempt

# Pictures that are paid for but could not be fetched: asking again would pay again.
_NEVER_REGENERATE = frozenset({"link_expired", "link_unreachable", "download"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often one row is tried: SETTINGS `api.retry`."""

    attempts: int = 4
    ambiguous: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Defer:
    """Due again later; the caller knows how long."""

    tries: int
    doubts: int
    dropped: tuple[str, ...] = ()
    at_once: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """Never, for this row."""

    problem: Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """Nobody until something changes, as far as `scope` reaches."""

    problem: Problem
    scope: Scope


Decision: TypeAlias = Defer | Fail | Halt


def idempotency_key(item: OpenItem, decided: int) -> str:
    """Equal for a call and its resends until one of them is decided, and for no other call.

    `decided`: attempts of this row that were answered or refused for good. A server that honours the
    key does, and charges, a call once. What follows a call that was given up undecided may ask for
    something else (another picture is judged, a person's note was added), and is told apart by that.
    """
    asked = fingerprint(item.item, "", left_out=item.dropped)[:16]
    return f"{item.job_id}-{item.number}-{decided}-{asked}"


def decide(refusal: Refusal, item: OpenItem, patience: Patience, *, now: float) -> Decision:
    """`now`: seconds since the epoch, against which the row's deadline is judged."""
    match refusal.no:
        case No.NOBODY if refusal.code == "model_not_found" and item.item.model_named_by_row:
            return Fail(problem=as_problem(refusal))
        case No.NOBODY:
            return Halt(problem=as_problem(refusal), scope=refusal.scope)
        case No.MEND if _mendable(refusal, item):
            dropped = (*item.dropped, refusal.param)
            return Defer(tries=item.tries, doubts=item.doubts, dropped=dropped, at_once=True)
        case No.AMBIGUOUS:
            return _after_doubt(refusal, item, patience)
        case No.LATER:
            return _later(refusal, item, patience, now)
        case _:
            return Fail(problem=as_problem(refusal))


def _mendable(refusal: Refusal, item: OpenItem) -> bool:
    """Once a parameter; and no other background where a row is had as it is written or not at all."""
    if refusal.code == "transparent_background" and item.item.strict:
        return False
    return bool(refusal.param) and refusal.param not in item.dropped


def _after_doubt(refusal: Refusal, item: OpenItem, patience: Patience) -> Decision:
    if refusal.code in _NEVER_REGENERATE or item.doubts >= patience.ambiguous:
        return Fail(problem=as_problem(refusal))
    return Defer(tries=item.tries, doubts=item.doubts + 1, dropped=item.dropped)


def _later(refusal: Refusal, item: OpenItem, patience: Patience, now: float) -> Decision:
    if refusal.code in _UNCOUNTED:
        if item.since and now - item.since > ROW_DEADLINE:
            return Fail(problem=as_problem(refusal))
        return Defer(tries=item.tries, doubts=item.doubts, dropped=item.dropped)
    tries = item.tries + 1
    if tries < patience.attempts:
        return Defer(tries=tries, doubts=item.doubts, dropped=item.dropped)
    if refusal.code == "connection":  # nobody reaches the server: no row's fault
        return Halt(problem=as_problem(refusal), scope="provider")
    return Fail(problem=as_problem(refusal))


def as_problem(refusal: Refusal) -> Problem:
    return Problem(code=refusal.code, what=refusal.what, hint=refusal.hint)
