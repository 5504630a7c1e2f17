"""What headers of a reply say about time and limits. Junk is read as silence, never as a number.

Forms: a real capture of api.openai.com (`retry-after: 1`, `retry-after-ms: 534`, resets `120ms`,
`58.891s`, `1m2.5s`) and RFC 9110 section 10.2.3.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

LONGEST_WAIT = 3600.0  # seconds; who asks for more is asked again after an hour

_LIMIT_NAME = re.compile(r"x-ratelimit-(limit|remaining|reset)-([a-z0-9_-]+)")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit as the headers tell it: `dimension` is requests, tokens, input-images or another.

    `limit` and `remaining` count within the provider's window (a minute at OpenAI), `reset` is
    seconds until it is full again. None: not said.
    """

    dimension: str
    limit: float | None = None
    remaining: float | None = None
    reset: float | None = None


def read_limits(headers: Mapping[str, str]) -> tuple[Limit, ...]:
    """Every `x-ratelimit-{limit,remaining,reset}-*`; the set of dimensions is open."""
    told: dict[str, dict[str, float | None]] = {}
    for name, value in headers.items():
        if match := _LIMIT_NAME.fullmatch(name):
            read = _span if match[1] == "reset" else _number
            told.setdefault(match[2], {})[match[1]] = read(value)
    return tuple(Limit(dimension=dimension, **said) for dimension, said in sorted(told.items()))


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds to wait as the server asks, at most `LONGEST_WAIT`; None when it does not.

    An HTTP date is measured from the reply's own Date header, else from `now` (seconds since the
    epoch). A limit that is used up (`remaining` 0) counts with its reset: a real reply said
    `retry-after: 1` while its tokens came back after 58.9 s.
    """
    asked = _milliseconds(headers) or _number(headers.get("retry-after", ""))
    asked = asked or _until(headers, now)
    resets = (limit.reset for limit in read_limits(headers) if limit.remaining == 0)
    waits = [wait for wait in (asked, *resets) if wait]
    return min(max(waits), LONGEST_WAIT) if waits else None


def _milliseconds(headers: Mapping[str, str]) -> float | None:
    found = _number(headers.get("retry-after-ms", ""))
    return found / 1000 if found else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _until(headers: Mapping[str, str], now: float | None) -> float | None:
    then = _date(headers.get("retry-after", ""))
    start = _date(headers.get("date", "")) or now
    return None if then is None or start is None or then <= start else then - start


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _span(text: str) -> float | None:
    """`1m2.5s` in seconds. A bare number is seconds at one server and an epoch at the next: not read."""
    pieces = _SPAN.findall(text)
    if not pieces or "".join(number + unit for number, unit in pieces) != text.strip():
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in pieces)
