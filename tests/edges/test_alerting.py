"""Alerts of a daemon: from what is in its ledger to what people hear, over restarts and dead addresses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.edges.ledger_room import NOW, Notes, accept, new_row

from watcher.core.alerting import Message
from watcher.core.jobs import Problem
from watcher.daemon.alerting import Alerting, addresses
from watcher.daemon.courier import Courier
from watcher.daemon.happenings import Facts
from watcher.inbox import Drop, InboxState, Waiting
from watcher.ledger import HaltedLane, Ledger
from watcher.settings import Settings

URL = "json://127.0.0.1/all"
HALTED = HaltedLane(
    key="api.example#1", since=NOW, probe_at=NOW,
    problem=Problem(code="insufficient_quota", what="There is no credit left."),
)  # fmt: skip


class Post:
    """A service that remembers what it was given; `refuses` some addresses."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Message]] = []
        self.refuses: set[str] = set()
        self.asked: list[str] = []

    async def deliver(self, address: str, message: Message) -> str:
        self.asked.append(address)
        if address in self.refuses:
            return "The service answered 500."
        self.taken.append((address, message))
        return ""

    def titles(self, address: str = URL) -> list[str]:
        return [message.title for to, message in self.taken if to == address]


class Room:
    """Alerting over a real ledger. A new `Room` over the same folder is the next start of the daemon."""

    def __init__(self, ledger: Ledger, post: Post, settings: Settings) -> None:
        self.now = NOW
        self.ledger = ledger
        self.settings = settings
        self.halted: tuple[HaltedLane, ...] = ()
        self.inboxes: dict[str, InboxState | None] = {"products": None}
        self.unfinished: list[tuple[str, Waiting]] = []
        self.accounts = dict.fromkeys(settings.inboxes, HALTED.key)
        self.log = Notes()
        self.alerting = Alerting(
            settings=lambda: self.settings,
            facts=self._facts,
            ledger=ledger,
            courier=Courier(
                addresses=lambda: {to: one.url for to, one in addresses(self.settings).items()},
                deliver=post.deliver,
                ledger=ledger,
                clock=lambda: self.now,
                log=self.log,
            ),
            clock=lambda: self.now,
            host="host",
            log=self.log,
        )

    def _facts(self) -> Facts:
        return Facts(
            halted=self.halted, inboxes=self.inboxes, retiring=(), unfinished=self.unfinished, public_url="",
            accounts=self.accounts,
            outboxes={"products": "/out"},
        )  # fmt: skip


def settings(*urls: str, **more: Any) -> Settings:  # noqa: ANN401 - settings as a file says them
    return Settings.model_validate({"notify": {"urls": urls or (URL,), "gather": 0.01, **more}})


@pytest.fixture
def post() -> Post:
    return Post()


@contextmanager
def opened(folder: Path) -> Iterator[Ledger]:
    ledger = Ledger(folder)
    try:
        yield ledger
    finally:
        ledger.close()


def looked(
    folder: Path, post: Post, *steps: Callable[[Room], object], on: Settings | None = None
) -> None:
    """One life of the daemon: after each step it looks once and hands over what it can."""

    async def live(ledger: Ledger) -> None:
        room = Room(ledger, post, on or settings())
        for step in steps:
            step(room)
            await room.alerting.last_words()

    with opened(folder) as ledger:
        asyncio.run(live(ledger))


def halt(room: Room) -> None:
    room.halted = (HALTED,)


def go_on(room: Room) -> None:
    room.halted = ()


def failed_job(job_id: str, *, inbox: str = "products") -> Callable[[Room], None]:
    """A job all of whose rows had a problem, published just now."""

    def step(room: Room) -> None:
        accept(
            room.ledger, job_id, [new_row(1, usable=False), new_row(2, usable=False)], inbox=inbox
        )
        room.ledger.jobs.published(job_id, ended_at=NOW, now=room.now)

    return step


def nothing(_: Room) -> None:
    return


def test_a_halted_lane_is_told_of_once_each_way_over_restarts(tmp_path: Path, post: Post) -> None:
    """Halted, a restart while it is, open, another restart: two messages."""
    looked(tmp_path, post, halt, nothing)
    looked(tmp_path, post, halt, nothing)
    looked(tmp_path, post, go_on, nothing)
    looked(tmp_path, post, go_on)
    assert post.titles() == ["Paused: There is no credit left", "Goes on: api.example"]


def test_another_key_that_is_refused_as_well_is_no_news(tmp_path: Path, post: Post) -> None:
    """The key was replaced, and the new one does not work either: people know that already."""

    def other_key(room: Room) -> None:
        room.halted = (replace(HALTED, key="api.example#2", since=NOW + 1),)
        room.accounts = {"products": "api.example#2"}

    looked(tmp_path, post, halt, other_key)
    assert post.titles() == ["Paused: There is no credit left"]


def test_an_inbox_with_a_key_of_its_own_is_a_matter_of_its_own(tmp_path: Path, post: Post) -> None:
    """Two keys, both without credit: two alerts, each says for which inbox; its people hear of theirs only."""
    mine = "json://127.0.0.1/mine"
    both = Settings.model_validate(
        {
            "notify": {"urls": [URL]},
            "inboxes": {"products": {"notify": [mine]}, "brand": {"path": "./brand"}},
        }
    )

    def other(room: Room) -> None:
        room.accounts = {"products": "api.example#1", "brand": "api.example#2"}
        room.halted = (replace(HALTED, key="api.example#2"),)

    def each(room: Room) -> None:
        room.halted = (HALTED, *room.halted)

    looked(tmp_path, post, other, each, go_on, on=both)
    assert post.titles() == [
        "Paused: There is no credit left",
        "Paused: There is no credit left",
        "Goes on: api.example, inbox brand, and 1 more",
    ]
    assert post.titles(mine) == [
        "Paused: There is no credit left",
        "Goes on: api.example, inbox products",
    ]


def test_a_job_is_told_of_though_the_process_died_in_between(tmp_path: Path, post: Post) -> None:
    """Published, and then no look before the end of the process: the next one tells of it, once."""
    with opened(tmp_path) as ledger:
        accept(ledger, "a", [new_row(1, usable=False)])
        ledger.jobs.published("a", ended_at=NOW, now=NOW)
    looked(tmp_path, post, nothing, nothing)
    looked(tmp_path, post, nothing)
    assert post.titles() == ["drop.csv: all 1 row failed"]
    (_, message), = post.taken  # fmt: skip
    assert "Row 1: The row has no prompt. Write one." in message.body
    assert "/out/drop--a" in message.body


def test_many_jobs_are_one_message(tmp_path: Path, post: Post) -> None:
    """Forty jobs that failed at once: one message, with their number."""
    looked(
        tmp_path, post, lambda room: [failed_job(f"j{at:02}")(room) for at in range(40)], nothing
    )
    assert post.titles() == ["40 jobs failed"]


def test_jobs_that_keep_failing_are_told_of_ever_more_rarely(tmp_path: Path, post: Post) -> None:
    """A failed job a minute for three hours: nobody gets more than four messages an hour, all are told of."""

    def next_minute(at: int) -> Callable[[Room], None]:
        def step(room: Room) -> None:
            room.now = NOW + 60 * at
            failed_job(f"j{at:03}")(room)

        return step

    def hours_later(room: Room) -> None:
        room.now += 2 * 3600

    gathering = settings(gather=60)
    looked(tmp_path, post, *map(next_minute, range(180)), hours_later, on=gathering)
    assert len(post.taken) <= 13
    told = [int(title.split()[0]) if title.split()[0].isdigit() else 1 for title in post.titles()]
    assert sum(told) == 180


def test_each_inbox_has_its_people(tmp_path: Path, post: Post) -> None:
    """The addresses of an inbox hear of it and of what concerns all, the global ones of everything."""
    mine, theirs = "json://127.0.0.1/mine", "json://127.0.0.1/theirs"
    both = Settings.model_validate(
        {
            "notify": {"urls": [URL]},
            "inboxes": {
                "products": {"notify": [mine, URL]},
                "other": {"path": "./other", "notify": [theirs]},
            },
        }
    )
    looked(tmp_path, post, failed_job("a"), halt, on=both)
    assert post.titles(mine) == ["drop.csv: all 2 rows failed", "Paused: There is no credit left"]
    assert post.titles(theirs) == ["Paused: There is no credit left"]
    assert post.titles() == ["drop.csv: all 2 rows failed", "Paused: There is no credit left"]


def test_only_what_was_asked_for_is_told(tmp_path: Path, post: Post) -> None:
    """`notify.on` without an occasion: not a word of it, nor of its end."""
    looked(tmp_path, post, failed_job("a"), halt, go_on, on=settings(on=["job_failed"]))
    assert post.titles() == ["drop.csv: all 2 rows failed"]


def test_an_inbox_that_is_away_comes_back(tmp_path: Path, post: Post) -> None:
    """Told when it goes; a restart while it is away says nothing, and its return is told once."""

    def be(state: InboxState | None) -> Callable[[Room], None]:
        return lambda room: room.inboxes.update(products=state)

    away, here = InboxState(state="offline", what="It is away."), InboxState(state="online")
    looked(tmp_path, post, be(None), be(away), be(away))
    looked(tmp_path, post, be(None), be(away), be(here), be(here))
    assert post.titles() == ["The inbox products is offline", "The inbox products is back"]


def test_a_drop_that_is_not_finished(tmp_path: Path, post: Post) -> None:
    """Told once, to the people of its inbox, though it is noticed again after a restart."""
    drop = Drop(
        inbox="products", path=b"big.csv", size=9, signature=(1, 2, 9, 10**18, 0),
        again=False, urgent=False,
    )  # fmt: skip
    waiting = Waiting(
        drop=drop, code="writing", reason="It is still being written.", hint="Close it.", since=0.0
    )

    def notice(room: Room) -> None:
        room.unfinished.append(("products", waiting))

    looked(tmp_path, post, notice, nothing)
    looked(tmp_path, post, notice)
    ((_, message),) = post.taken
    assert message.title == "big.csv is not whole after an hour"
    assert "It is still being written. Close it." in message.body


def test_a_letter_that_nobody_took_is_tried_again_after_a_restart(
    tmp_path: Path, post: Post
) -> None:
    """Neither forgotten nor written twice."""
    post.refuses = {URL}
    looked(tmp_path, post, halt, nothing)
    assert post.titles() == []
    post.refuses = set()
    looked(tmp_path, post, halt, nothing)
    assert post.titles() == ["Paused: There is no credit left"]


def test_a_dead_address_holds_up_nobody(tmp_path: Path, post: Post) -> None:
    """The others hear of everything; it is left alone between two tries; no log line shows it."""
    dead = "json://127.0.0.1/dead"
    post.refuses = {dead}

    async def live(ledger: Ledger) -> None:
        room = Room(ledger, post, settings(dead, URL))
        running = asyncio.create_task(room.alerting.run())
        for at in range(5):
            failed = {"key": f"api{at}.example", "since": NOW, "probe_at": NOW}
            room.halted = (HaltedLane(problem=HALTED.problem, **failed),)  # type: ignore[arg-type]
            await until(lambda at=at: len(post.titles()) >= at + 1)  # type: ignore[misc]
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    with opened(tmp_path) as ledger:
        asyncio.run(live(ledger))
    assert post.asked.count(dead) == 1
    assert len(post.titles()) >= 5


def test_a_letter_to_an_address_that_is_gone_is_dropped(tmp_path: Path, post: Post) -> None:
    """It was taken out of the settings before anybody took it."""
    post.refuses = {URL}
    looked(tmp_path, post, halt)
    other = settings("json://127.0.0.1/other")
    looked(tmp_path, post, halt, on=other)
    with opened(tmp_path) as ledger:
        assert ledger.alerts.letters() == []
    assert post.taken == []


def test_an_old_letter_is_given_up(tmp_path: Path, post: Post) -> None:
    """After a day it is news no more."""
    post.refuses = {URL}

    def tomorrow(room: Room) -> None:
        halt(room)
        room.now += 86_401

    looked(tmp_path, post, halt)
    looked(tmp_path, post, tomorrow)
    with opened(tmp_path) as ledger:
        assert ledger.alerts.letters() == []


def test_the_ledger_holds_no_address(tmp_path: Path, post: Post) -> None:
    """An address is a permission to write there: the database tells addresses apart without knowing them."""
    secret = "json://user:S3cretPassword@127.0.0.1/S3cretToken"
    post.refuses = {secret}
    looked(tmp_path, post, halt, on=settings(secret))
    with opened(tmp_path) as ledger:
        assert len(ledger.alerts.letters()) == 1
    for file in tmp_path.iterdir():
        assert b"S3cret" not in file.read_bytes()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the condition is what people have heard
            await asyncio.sleep(0.005)
