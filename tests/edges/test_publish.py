"""From outcomes to results: each job's results get out, once final, whatever fails or dies on the way."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.edges.intake_room import MONTH, Desk, desk, dies_at, steps
from tests.edges.ledger_room import NOW, Notes, settlement

from watcher.core.jobs import LaneKey, RowState
from watcher.core.links import PublicLinks
from watcher.ledger import Companion, Ledger
from watcher.outbox import Outbox, Workbooks
from watcher.publish import Publisher, Results, Shelf

CSV = "prompt\na cat\na dog\n"
LANE = LaneKey(account="api.example", model="m")


class Office:
    """A desk whose jobs are published; built inside a running loop."""

    def __init__(
        self,
        one: Desk,
        *,
        paused: str = "",
        results_xlsx: str = "auto",
        month: Callable[[], str] = lambda: MONTH,
    ) -> None:
        self.one = one
        self.ledger = one.ledger
        self.log = Notes()
        self.outbox = Outbox(one.base / "outbox")
        self.thread = ThreadPoolExecutor(1)
        self.shelf = Shelf(
            folder=one.room.folder, outbox=self.outbox, thread=self.thread, spare=self.thread
        )
        self.results = Results(
            ledger=self.ledger,
            inputs=one.base / "inputs",
            workbooks=Workbooks(one.base / "sheets", monotonic=time.monotonic),
            results_xlsx=lambda _inbox: results_xlsx,
            keeps_inputs=lambda _inbox: False,
            clock=lambda: NOW,
            month=month,
            version="0.1.0",
            links=PublicLinks,
            paused=lambda _inbox: paused,
            log=self.log,
        )
        self.publisher = Publisher(
            ledger=self.ledger,
            shelves={one.room.folder.name: self.shelf},
            results=self.results,
            clock=lambda: NOW,
            log=self.log,
        )

    async def publish(self, condition: Callable[[], bool]) -> None:
        """Run until the condition holds."""
        running = asyncio.create_task(self.publisher.run())
        async with asyncio.timeout(20):
            while not condition():
                assert not running.done(), running
                await asyncio.sleep(0.005)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        self.thread.shutdown()

    def is_published(self) -> bool:
        return not self.ledger.views.unpublished()

    def folder(self) -> Path:
        (found,) = [path for path in self.outbox.root.iterdir() if path.is_dir()]
        return found


@pytest.fixture
def base() -> Iterator[Path]:
    """In memory where there is such a place: each death needs an inbox and a ledger of its own."""
    memory = Path("/dev/shm")  # noqa: S108 - a mount point, not a file
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def one(base: Path) -> Iterator[Desk]:
    made = prepared(base)
    yield made
    made.close()


def prepared(base: Path) -> Desk:
    """An inbox with one job of two rows, and its outbox."""
    made = desk(base)
    made.room.drop("a.csv", CSV)
    made.look()
    (base / "outbox").mkdir()
    return made


def finish(ledger: Ledger, *states: RowState) -> None:
    (slice_,) = ledger.items.take_slices(now=NOW, most=1)
    for item, state in zip(ledger.items.open_items(slice_), states, strict=False):
        attempt = ledger.items.begin_attempt(item, lane=LANE, n=1, now=NOW)
        assert attempt is not None
        ledger.items.settle(item, attempt, settlement(state), now=NOW)
    ledger.items.release(slice_, due_at=NOW, now=NOW)


def run(test: Awaitable[Any]) -> None:
    async def within() -> None:
        await asyncio.wait_for(test, 30)

    asyncio.run(within())


def statuses(folder: Path) -> list[str]:
    text = (folder / "results.csv").read_text("utf-8-sig")
    return [row["result_status"] for row in csv.DictReader(io.StringIO(text, newline=""))]


def files_of(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {
        "approved",
        "images",
        "metadata",
        "redo",
        "rejected",
        "thumbnails",
    }


def test_a_job_that_ended_is_published_and_its_drop_archived(one: Desk) -> None:
    """Results, gallery, summary, note, archive; then the ledger knows, and nothing is done again."""
    finish(one.ledger, RowState.DONE, RowState.FAILED)

    async def test() -> None:
        office = Office(one)
        await office.publish(office.is_published)
        assert statuses(office.folder()) == ["done", "failed"]
        assert {"results.jsonl", "failed.csv", "index.html", "job.json"} <= files_of(
            office.folder()
        )

    run(test())
    archived = one.room.path / "done" / MONTH / "id0-1" / "a.csv"
    assert (archived.read_text(), list(one.ledger.claims.open())) == (CSV, [])
    assert (one.room.path / "a.csv.STATUS.txt").exists()


def test_a_running_job_is_shown_and_stays_unpublished(one: Desk) -> None:
    """Its results are there while it runs, its original stays claimed, and why it waits is said."""

    async def test() -> None:
        office = Office(one, paused="There is no money left. Buy some.")
        note = one.room.path / "a.csv.STATUS.txt"
        await office.publish(note.exists)
        assert statuses(office.folder()) == ["queued", "queued"]
        assert "no money left" in note.read_text()
        assert not office.is_published()
        assert "failed.csv" not in files_of(office.folder())

    run(test())
    assert [claim.id for claim in one.ledger.claims.open()] == ["id0-1"]


def test_what_runs_is_told_of_without_its_outbox(one: Desk) -> None:
    """Notes need the inbox alone, also of a job that is over but not out; of one that is the last word stays."""
    note = one.room.path / "a.csv.STATUS.txt"
    (one.base / "outbox").rmdir()

    async def test() -> None:
        office = Office(one, paused="The outbox does not answer.")
        office.results.note_open(office.shelf)
        assert "The outbox does not answer." in note.read_text()
        finish(one.ledger, RowState.DONE, RowState.FAILED)
        office.results.note_open(office.shelf)
        assert "paused 2/2" in note.read_text()
        assert "The outbox does not answer." in note.read_text()
        one.ledger.jobs.published("id0-1", ended_at=NOW, now=NOW)
        note.write_text("the last word")
        office.results.note_open(office.shelf)
        assert note.read_text() == "the last word"

    run(test())


def test_a_job_that_ends_again_while_it_is_published_is_published_again(one: Desk) -> None:
    """Its failed row is run again and done before the first results are all out: the last word is of the second."""
    finish(one.ledger, RowState.DONE, RowState.FAILED)
    note = one.room.path / "a.csv.STATUS.txt"

    def month() -> str:
        """Asked for once the results are written, when the drop goes into its archive."""
        one.ledger.jobs.run_again("id0-1")
        finish(one.ledger, RowState.DONE)
        return MONTH

    async def test() -> None:
        office = Office(one, month=month)
        assert not office.results.write(office.shelf, "id0-1")
        assert not office.is_published()
        assert office.results.write(office.shelf, "id0-1")
        assert office.is_published()
        assert statuses(office.folder()) == ["done", "done"]
        assert note.read_text().startswith("done")

    run(test())


def test_death_at_every_step_of_a_publication_is_made_good(base: Path) -> None:
    """Wherever the process dies, the next start publishes the job: every file whole, the drop archived once."""
    deaths = 0
    for step, place in steps(base, 3, 19):
        one = prepared(place)
        finish(one.ledger, RowState.DONE, RowState.FAILED)
        one.room.drop("cat.png", "a picture")
        one.ledger.companions.add("id0-1", [Companion(number=1, path=b"cat.png", sha256="x")])
        one.close()

        died = dies_at(step, lambda: publish_once(one))  # noqa: B023
        fresh = one.restart()

        async def make_good(fresh: Desk = fresh) -> None:
            office = Office(fresh)
            await office.publish(office.is_published)
            assert statuses(office.folder()) == ["done", "failed"]
            assert json.loads((office.folder() / "job.json").read_text())["state"] == "partial"

        try:
            run(make_good())
            assert len(list((place / "inbox").rglob("a.csv"))) == 1
            archived = place / "inbox" / "done" / MONTH / "id0-1"
            assert files_of(archived) == {"a.csv", "cat.png"}
            assert not (place / "inbox" / "cat.png").exists()
            assert list(fresh.ledger.claims.open()) == []
        finally:
            fresh.close()
        if not died:
            break
        deaths += 1
        shutil.rmtree(place)
    assert deaths > 5


def publish_once(one: Desk) -> None:
    """In a process of its own: all that is written of the first job."""

    async def write() -> None:
        office = Office(Desk(base=one.base, room=one.room, starts=1))
        office.results.write(office.shelf, "id0-1")

    asyncio.run(write())


def test_death_at_every_step_of_a_refusal_keeps_its_reason(base: Path) -> None:
    """A drop that cannot be read lies in its archive with the reason beside it, wherever the process dies."""
    deaths = 0
    for step, place in steps(base, 1, 3):
        one = desk(place)
        one.room.drop("bad.json", "[1, 2}")
        one.look()
        one.close()
        died = dies_at(step, lambda: publish_once(one))  # noqa: B023
        fresh = one.restart()

        async def make_good(fresh: Desk = fresh) -> None:
            office = Office(fresh)
            await office.publish(office.is_published)

        try:
            run(make_good())
        finally:
            fresh.close()
        archived = place / "inbox" / "failed" / MONTH / "id0-1"
        assert files_of(archived) == {"bad.json", "bad.json.error.txt"}
        assert "refused: bad.json" in (archived / "bad.json.error.txt").read_text()
        if not died:
            break
        deaths += 1
        shutil.rmtree(place)
    assert deaths > 10


def test_an_outbox_that_is_away_loses_nothing(one: Desk) -> None:
    """While it is away the job waits and its drop is not archived; when it is back the results get out."""
    finish(one.ledger, RowState.DONE, RowState.DONE)
    away = one.base / "outbox"
    away.rmdir()

    async def refused() -> None:
        office = Office(one)
        await office.publish(lambda: "results.refused" in office.log.events)
        assert not office.is_published()

    async def back() -> None:
        office = Office(one)
        await office.publish(office.is_published)

    run(refused())
    assert [claim.id for claim in one.ledger.claims.open()] == ["id0-1"]
    away.mkdir()
    run(back())
    assert list(one.ledger.claims.open()) == []


def test_a_publication_that_breaks_stops_no_other(one: Desk) -> None:
    """A fault of ours in one job is logged; the other jobs are published."""
    one.room.drop("b.csv", "prompt\na bird\n")
    one.look()
    finish(one.ledger, RowState.DONE, RowState.DONE)
    finish(one.ledger, RowState.DONE)
    with one.ledger._database.write() as tx:
        tx.exec_driver_sql("UPDATE jobs SET columns = 'broken' WHERE id = 'id0-1'")

    async def test() -> None:
        office = Office(one)
        await office.publish(lambda: one.ledger.views.unpublished() == ["id0-1"])
        assert "results.broken" in office.log.events

    run(test())


def test_a_job_of_an_inbox_that_is_gone_stops_no_other(one: Desk) -> None:
    """Jobs whose inbox was taken out of the settings wait in the ledger; the others get out."""
    finish(one.ledger, RowState.DONE, RowState.DONE)
    with one.ledger._database.write() as tx:
        tx.exec_driver_sql(
            "INSERT INTO jobs (id, inbox, name, path, folder, sha256, rules, state, paused, cancelled, approved,"
            " priority, columns, encoding, delimiter, notes, problem, settings, estimate, created_at,"
            " accepted_at, ended_at, published_at) SELECT 'gone', 'gone', name, path, folder, sha256, rules, state,"
            " paused, cancelled, approved, priority, columns, encoding, delimiter, notes, problem, settings,"
            " estimate, created_at, accepted_at, ended_at, published_at FROM jobs WHERE id = 'id0-1'"
        )

    async def test() -> None:
        office = Office(one)
        await office.publish(lambda: one.ledger.views.unpublished() == ["gone"])

    run(test())


def test_a_job_that_runs_again_is_published_again(one: Desk) -> None:
    """Its failed rows are done after a second run: the results say so, and no failed.csv is left."""
    finish(one.ledger, RowState.DONE, RowState.FAILED)

    async def publish() -> set[str]:
        office = Office(one)
        await office.publish(office.is_published)
        assert "done" in statuses(office.folder())
        return files_of(office.folder())

    async def first() -> None:
        assert "failed.csv" in await publish()

    async def second() -> None:
        assert "failed.csv" not in await publish()

    run(first())
    one.ledger.jobs.run_again("id0-1")
    finish(one.ledger, RowState.DONE)
    run(second())


def test_many_jobs_at_once_are_no_crowd(one: Desk) -> None:
    """A thousand jobs that are due at once are published one after the other, by one task an inbox."""
    finish(one.ledger, RowState.DONE, RowState.DONE)

    async def test() -> None:
        office = Office(one)
        for number in range(1_000):
            office.publisher.finish(f"nobody-{number}")
        running = asyncio.create_task(office.publisher.run())
        await asyncio.sleep(0)
        most = 0
        async with asyncio.timeout(20):
            while not office.is_published():
                most = max(most, len(asyncio.all_tasks()))
                await asyncio.sleep(0.001)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        office.thread.shutdown()
        assert most < 12

    run(test())


def test_a_stop_publishes_what_is_due(one: Desk) -> None:
    """What changed in the last seconds is in the outbox when the daemon has stopped, overview included."""
    finish(one.ledger, RowState.DONE, RowState.DONE)

    async def test() -> None:
        office = Office(one)
        office.publisher.finish("id0-1")
        await office.publisher.flush()
        office.thread.shutdown()
        assert office.is_published()
        assert statuses(office.folder()) == ["done", "done"]
        assert (office.outbox.root / "index.html").exists()

    run(test())


def test_the_overview_names_a_job_that_runs(one: Desk) -> None:
    """The list of jobs leads to a job from its beginning, not only when it is over."""

    async def test() -> None:
        office = Office(one)
        overview = office.outbox.root / "index.html"
        await office.publish(lambda: overview.exists() and "a.csv" in overview.read_text())
        assert "Running, 0 of 2 rows" in overview.read_text()

    run(test())


def test_the_overview_names_every_job_that_ended(one: Desk) -> None:
    """Also the last of several that ended close to each other."""
    finish(one.ledger, RowState.DONE, RowState.DONE)

    async def test() -> None:
        office = Office(one)
        overview = office.outbox.root / "index.html"
        await office.publish(lambda: overview.exists() and "a.csv" in overview.read_text())

    run(test())
