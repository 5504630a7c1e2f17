"""Values to columns and back: JSON for what is only carried, whole micro-dollars for money."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Any

import orjson

from watcher.core.jobs import Problem, Usage

MICRO = Decimal(1_000_000)


def dump(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def load(text: str) -> Any:  # noqa: ANN401 - whatever was dumped
    return orjson.loads(text)


def dump_problem(problem: Problem | None) -> str | None:
    return None if problem is None else dump(asdict(problem))


def load_problem(text: str | None) -> Problem | None:
    return None if text is None else Problem(**load(text))


def dump_usage(usage: Usage | None) -> str | None:
    return None if usage is None else dump(asdict(usage))


def load_usage(text: str | None) -> Usage | None:
    return None if text is None else Usage(**load(text))


def to_micro(usd: Decimal | None) -> int | None:
    return None if usd is None else int((usd * MICRO).to_integral_value())


def to_usd(micro: int | None) -> Decimal | None:
    return None if micro is None else Decimal(micro) / MICRO
