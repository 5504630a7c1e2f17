"""The figures of the intake, in short: `bench/intake.py` measures all of them in full."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.system import intake_figures as figures
from tests.system import intake_repairs as repairs
from tests.system.house import SLOW_MODES, sandbox

pytestmark = [pytest.mark.alone, pytest.mark.slow]
SETTLE, POLL = 1.0, 2.0
BUSY = 0.4  # what others on the machine may leave of a rate, or of the time that a wait may take


def hold(found: list[figures.Figure], *, share: float = 1.0) -> None:
    """Every figure is what it must be, or `share` of it where a busy machine is allowed for."""
    for figure in found:
        slack = 1.0 if figure.limit == 0 else share if figure.least else 1 / share
        limit = figure.limit * slack
        assert figure.value >= limit if figure.least else figure.value <= limit, str(figure)


@pytest.fixture(params=SLOW_MODES)
def mode(request: pytest.FixtureRequest) -> dict[str, Any]:
    """An inbox whose drops are noticed in this way."""
    return {"watch": request.param, "poll_interval": 0.5}


def test_a_storm(mode: dict[str, Any], tmp_path: Path) -> None:
    """Thousands of files renamed in at once: none lost, none twice, hundreds accepted a second."""
    hold(figures.storm(tmp_path / "house", 1_500, **mode), share=0.2)


def test_slow_writers(mode: dict[str, Any], tmp_path: Path) -> None:
    """Files that are written with pauses of up to ten settle times: none is taken half."""
    hold(figures.slow_writers(tmp_path / "house", 60, **mode))


def test_latency_with_events(tmp_path: Path) -> None:
    """From the end of writing to accepted: the settle time and half a second."""
    hold(
        figures.latencies(
            tmp_path / "house", 30, SETTLE + 0.5, "events", settle=SETTLE, watch="events"
        ),
        share=BUSY,
    )


def test_latency_renamed_in(tmp_path: Path) -> None:
    """A file that is renamed in is accepted within a second and a half, whatever the settle time."""
    hold(
        figures.latencies(
            tmp_path / "house", 30, 1.5, "renamed in", renamed=True, settle=5.0, watch="events"
        ),
        share=BUSY,
    )


def test_latency_with_polling(tmp_path: Path) -> None:
    """Without events: the settle time, one poll, and a second."""
    limit = SETTLE + POLL + 1
    settings: dict[str, Any] = {"settle": SETTLE, "watch": "poll", "poll_interval": POLL}
    hold(
        figures.latencies(tmp_path / "house", 10, limit, "polling", gap=POLL, **settings),
        share=BUSY,
    )


def test_repairs(tmp_path: Path) -> None:
    """A missed event is made good by the next rescan, and ears that are deaf are found out and replaced."""
    hold(repairs.missed_event(tmp_path, rescan=3.0), share=BUSY)
    hold(repairs.deaf_watcher(tmp_path, probe=1.0), share=BUSY)


def test_idle(tmp_path: Path) -> None:
    """Ten inboxes in which nothing happens cost next to nothing; memory may not grow further than it has."""
    hold(figures.idle(tmp_path / "house", seconds=4.0), share=0.9)


def test_a_large_csv(tmp_path: Path) -> None:
    """Many rows come in quickly and lightly, and hold up no other drop."""
    with sandbox(latency="0.1") as api:
        hold(figures.large_csv(tmp_path / "house", api.base_url, 50_000), share=BUSY)
