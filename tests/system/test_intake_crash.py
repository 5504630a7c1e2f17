"""Whatever moment the daemon dies at: no drop is lost, none is taken twice. `make bench-crash` is the long version."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.system.intake_crash import Plan, count_steps, run

SEED = 20261121
PARTS = 8


@pytest.fixture(scope="module")
def base() -> Iterator[Path]:
    """In memory where there is such a place: each death needs a house of its own."""
    memory = Path("/dev/shm")  # noqa: S108 - a mount point, not a file
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def steps(base: Path) -> int:
    return count_steps(base)


@pytest.mark.parametrize("part", range(PARTS))
def test_death_at_a_step(base: Path, steps: int, part: int) -> None:
    """Dying at steps that are spread over the whole life changes nothing in the end."""
    step = steps * part // PARTS + 1
    assert run(base / f"step-{part}", Plan(steps=(step,)))[1] == []


@pytest.mark.parametrize("number", range(PARTS))
def test_death_by_chance(base: Path, steps: int, number: int) -> None:
    """Dying at random, while recovering as well, and losing the database on top of it: the same."""
    plan = Plan.by_chance(random.Random(SEED + number), steps)  # noqa: S311 - it chooses moments
    assert run(base / f"chance-{number}", plan)[1] == [], plan
