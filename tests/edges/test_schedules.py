"""Drops by the clock: once each, whatever dies in between, and never into an inbox that is away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.edges.inbox_room import PLAIN, Clock, Room
from tests.edges.ledger_room import Notes

from watcher.core.errors import DropError
from watcher.daemon.schedules import Schedules
from watcher.inbox import InboxFolder, lies, put
from watcher.ledger import Ledger
from watcher.settings import Schedule, Settings

START = datetime(2026, 3, 28, 0, 30, tzinfo=UTC).timestamp()
HOUR = 3600.0


class Stage:
    """A schedule, its inbox, its ledger; daemons come and go."""

    def __init__(self, base: Path, *, folder: InboxFolder = PLAIN, **more: str) -> None:
        base.mkdir(exist_ok=True)
        self.room = Room(base, folder)
        self.file = base / "daily.csv"
        self.file.write_text("prompt\na kite\n")
        self.ledger = Ledger(base / "state")
        self.clock = Clock()
        self.clock.now = START
        self.log = Notes()
        schedule = {"name": "daily", "cron": "0 6 * * *", "inbox": "products", "file": self.file}
        self.settings = Settings(schedules=(Schedule(**{**schedule, **more}),))  # type: ignore[arg-type]
        self.daemon = self.fresh()

    def fresh(self) -> Schedules:
        """As after a restart: it knows what is in the ledger."""
        self.daemon = Schedules(
            settings=lambda: self.settings,
            ledger=self.ledger,
            folders={"products": self.room.folder},
            clock=self.clock,
            sleep=asyncio.sleep,
            log=self.log,
        )
        return self.daemon

    def look(self, time: float | None = None) -> None:
        self.clock.now = self.clock.now if time is None else time
        self.daemon.look("products")

    def dropped(self) -> list[str]:
        folder = self.room.path / "again"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def claim(self) -> None:
        """The inbox's own thread takes everything that lies there."""
        for number, name in enumerate(self.dropped()):
            path = f"again/{name}".encode()
            self.ledger.claims.intend(
                f"{self.clock.now}-{number}", inbox="products", path=path, now=self.clock.now
            )
            (self.room.path / "again" / name).unlink()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.ledger.close()


def test_a_run_becomes_a_drop_with_its_time_in_its_name(stage: Stage) -> None:
    """A copy of the file, in `again/` so that the same bytes run anew; the file stays where it is."""
    stage.look()
    assert stage.dropped() == []
    stage.look(START + 6 * HOUR)
    assert stage.dropped() == ["daily-2026-03-28T0600+0000.csv"]
    assert (stage.room.path / "again" / stage.dropped()[0]).read_bytes() == stage.file.read_bytes()
    assert stage.file.exists()
    assert list((stage.room.path / ".image-watcher").glob("put-*")) == []


def test_once_whatever_dies_in_between(stage: Stage) -> None:
    """Restarts at any moment, taken or not taken meanwhile: each run is dropped once."""
    stage.look()
    names: list[str] = []
    for hour in range(1, 73):
        for _ in range(3):
            stage.fresh()
            stage.look(START + hour * HOUR)
        names += stage.dropped()
        stage.claim()
        stage.fresh()
        stage.look()
        assert stage.dropped() == []
    assert names == [f"daily-2026-03-{day}T0600+0000.csv" for day in (28, 29, 30)]


@pytest.mark.parametrize("done", ["nothing", "dropped", "claimed"])
def test_a_crash_right_after_the_intent(stage: Stage, done: str) -> None:
    """The next start finds what was done of it: nothing, the file in the inbox, or the file taken."""
    stage.look()
    path, run = b"again/daily-2026-03-28T0600+0000.csv", START + 5.5 * HOUR
    stage.ledger.schedules.intend("daily", run_at=run, path=path, until=run)
    if done != "nothing":
        assert put(stage.room.folder, path, stage.file)
    if done == "claimed":
        stage.claim()
    stage.fresh()
    stage.look(run + 10)
    assert stage.dropped() == ([] if done == "claimed" else ["daily-2026-03-28T0600+0000.csv"])
    assert not stage.ledger.schedules.all()["daily"].intended


def test_an_inbox_that_is_away_is_waited_for(stage: Stage) -> None:
    """Nothing is written where a share should be; the run is dropped when it is back, and told of once."""
    stage.look()
    marker = stage.room.path / ".image-watcher" / "inbox.id"
    kept = marker.read_bytes()
    marker.unlink()
    for minute in range(5):
        stage.look(START + 6 * HOUR + minute * 60)
    assert stage.dropped() == []
    assert stage.log.events.count("schedule.refused") == 1
    assert stage.ledger.schedules.all()["daily"].problem is not None
    marker.write_bytes(kept)
    stage.look(START + 7 * HOUR)
    assert stage.dropped() == ["daily-2026-03-28T0600+0000.csv"]
    assert stage.ledger.schedules.all()["daily"].problem is None


def test_a_file_that_is_not_there_is_waited_for(stage: Stage) -> None:
    """The run is dropped once the file is there; what a newer run replaces is not dropped besides."""
    stage.look()
    content = stage.file.read_bytes()
    stage.file.unlink()
    stage.look(START + 6 * HOUR)
    problem = stage.ledger.schedules.all()["daily"].problem
    assert problem is not None
    assert str(stage.file) in problem.what
    stage.fresh()
    stage.look(START + 31 * HOUR)
    stage.file.write_bytes(content)
    stage.look(START + 32 * HOUR)
    assert stage.dropped() == ["daily-2026-03-29T0600+0000.csv"]


def test_a_changed_schedule_counts_from_now(stage: Stage) -> None:
    """Nothing that the new times would have asked for yesterday is made up for."""
    stage.look()
    stage.look(START + 6 * HOUR)
    stage.claim()
    (old,) = stage.settings.schedules
    changed = old.model_copy(update={"cron": "0 * * * *"})
    stage.settings = stage.settings.model_copy(update={"schedules": (changed,)})
    stage.look(START + 12 * HOUR)
    assert stage.dropped() == []
    stage.look(START + 12.6 * HOUR)
    assert stage.dropped() == ["daily-2026-03-28T1300+0000.csv"]


def test_missed_runs_by_the_rule(tmp_path: Path) -> None:
    """After two days off: one drop, or none."""
    for missed, expected in (("run_once", ["daily-2026-03-30T0600+0000.csv"]), ("skip", [])):
        stage = Stage(tmp_path / missed, missed=missed)
        stage.look()
        stage.fresh()
        stage.look(START + 60 * HOUR)
        assert stage.dropped() == expected
        assert "schedule.missed" in stage.log.events
        stage.ledger.close()


def test_the_hour_that_comes_twice_has_two_names(tmp_path: Path) -> None:
    """What runs every half hour runs in both of them, and neither drop hides the other."""
    stage = Stage(tmp_path, cron="*/30 * * * *", timezone="Europe/Paris")
    stage.look(datetime(2026, 10, 24, 23, 59, tzinfo=UTC).timestamp())
    for _ in range(8):
        stage.look(stage.clock.now + 900)
    assert (
        stage.dropped()
        == [
            "daily-2026-10-25T0200+0100.csv",
            "daily-2026-10-25T0200+0200.csv",
            "daily-2026-10-25T0230+0100.csv",
            "daily-2026-10-25T0230+0200.csv",
        ][: len(stage.dropped())]
    )
    assert len(stage.dropped()) == 4
    stage.ledger.close()


def test_a_drop_with_the_marker_that_its_inbox_asks_for(tmp_path: Path) -> None:
    """Where a drop counts as whole with its marker only, it gets one."""
    folder = InboxFolder(
        name="products", path=tmp_path, extensions=PLAIN.extensions, max_file_bytes=10**6,
        require_done_marker="{name}.done",
    )  # fmt: skip
    stage = Stage(tmp_path, folder=folder)
    stage.look()
    stage.look(START + 6 * HOUR)
    name = "daily-2026-03-28T0600+0000.csv"
    assert stage.dropped() == [name, f"{name}.done"]
    stage.ledger.close()


def test_nothing_is_put_over_anything(stage: Stage) -> None:
    """A file of that name that lies there already stays as it is; a link to elsewhere is not followed."""
    target = stage.room.path / "mine.csv"
    target.write_text("mine")
    assert not put(stage.room.folder, b"mine.csv", stage.file)
    assert target.read_text() == "mine"
    (stage.room.path / "away").symlink_to(stage.file.parent)
    with pytest.raises((DropError, OSError, Exception)):
        put(stage.room.folder, b"away/x.csv", stage.file)
    assert not (stage.file.parent / "x.csv").exists()
    assert lies(stage.room.folder, b"mine.csv")
    assert not lies(stage.room.folder, b"nowhere/mine.csv")
