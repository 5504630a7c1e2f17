"""Times, money and durations as people and programs read them; the unknown stays unknown."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from decimal import Decimal

_MINUTE, _HOUR = 60, 3600


def iso(moment: float | None) -> str | None:
    """Seconds since the epoch as ISO 8601 in UTC, to the second: `2026-11-20T14:03:05Z`."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def spoken(moment: float, zone: tzinfo = UTC) -> str:
    """`2026-11-20 14:03 UTC`"""
    return datetime.fromtimestamp(moment, zone).strftime("%Y-%m-%d %H:%M %Z")


def dollars(amount: Decimal | None) -> str:
    """`$0.84`; below a cent as many digits as tell something; "" for unknown."""
    if amount is None:
        return ""
    if amount and abs(amount) < Decimal("0.01"):
        return f"${amount:.4f}"
    return f"${amount:,.2f}"


def lasted(seconds: float) -> str:
    """`8 s`, `3 min 12 s`, `2 h 5 min`"""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def counted(number: int, noun: str) -> str:
    """`1 row`, `12,000 rows`"""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def one_line(text: str) -> str:
    """Text of somebody else's within a sentence of ours: no line breaks, no control characters."""
    shown = (char if char.isprintable() else " " for char in text)
    return " ".join("".join(shown).split())
