"""Who must be told of what, now: looks at what is the case, remembers what was told, sends letters."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from watcher.alerts import deliver
from watcher.core.alerting import (
    Alert,
    Happening,
    Letter,
    Told,
    decide,
    may_tell_of_jobs,
    message,
)
from watcher.core.errors import DiskError
from watcher.core.log import Log
from watcher.core.report.times import spoken
from watcher.daemon.courier import Courier
from watcher.daemon.happenings import Facts, ended_jobs, lasting, unsure
from watcher.ledger import Ledger
from watcher.settings import Notify, Settings

if TYPE_CHECKING:
    from watcher.daemon.daemon import Daemon


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An apprise address, which is a secret. `inboxes`: whose matters it gets; None: all."""

    url: str
    inboxes: frozenset[str] | None

    def wants(self, inbox: str) -> bool:
        return not inbox or self.inboxes is None or inbox in self.inboxes


def addresses(settings: Settings) -> Mapping[str, Address]:
    """By what letters call them. What concerns no single inbox goes to every one of them."""
    found = {
        _hash(url): Address(url=url, inboxes=None)
        for url in (one.get_secret_value() for one in settings.notify.urls)
    }
    for name, inbox in settings.inboxes.items():
        for url in (one.get_secret_value() for one in inbox.notify if inbox.enabled):
            before = found.get(_hash(url), Address(url=url, inboxes=frozenset()))
            if before.inboxes is not None:
                found[_hash(url)] = Address(url=url, inboxes=before.inboxes | {name})
    return found


class Alerting:
    """Looks every `notify.gather` seconds: what begins and ends in between is nobody's trouble."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        facts: Callable[[], Facts],
        ledger: Ledger,
        courier: Courier,
        clock: Callable[[], float],
        host: str,
        log: Log,
    ) -> None:
        """`clock`: seconds since the epoch. `host`: the machine's name, so that people know whom to ask."""
        self._settings = settings
        self._facts = facts
        self._ledger = ledger
        self._courier = courier
        self._clock = clock
        self._host = host
        self._log = log
        self._jobs_sent: list[float] = []  # when messages about jobs went
        self._unsaved: dict[tuple[str, str], Told] = {}  # what a full disk did not let us remember

    async def run(self) -> None:
        """Until cancelled."""
        await self._courier.begin()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._courier.run())
            while True:
                await asyncio.sleep(self._settings().notify.gather)
                await self._look()

    async def last_words(self) -> None:
        """One more look and one more try: the daemon stops, `run` has been cancelled."""
        await self._courier.begin()
        await self._look()
        await self._courier.flush()

    async def _look(self) -> None:
        """Tell what is news."""
        settings = self._settings()
        to = addresses(settings)
        if to:
            try:
                await self._tell(settings.notify, to, self._facts(), self._clock())
            except DiskError as error:
                self._log.warning("disk.refused", what=error.what, what_to_do=error.hint)

    async def _tell(
        self, notify: Notify, to: Mapping[str, Address], facts: Facts, now: float
    ) -> None:
        jobs = may_tell_of_jobs(self._jobs_sent, first=notify.gather, now=now)
        found, told = await asyncio.to_thread(self._found, facts, now, with_jobs=jobs)
        decision = decide(
            [one for one in found if one.occasion in notify.on],
            [one for one in told if one.occasion in notify.on],
            now=now,
            unsure=unsure(facts, told),
        )
        if decision.told:
            letters = list(self._letters(decision.alerts, to, now))
            self._courier.send(await self._remember(decision.told, letters, now))
        if any(one.place.startswith("job:") for one in decision.told):
            self._jobs_sent = [*self._jobs_sent[-9:], now]

    def _found(
        self, facts: Facts, now: float, *, with_jobs: bool
    ) -> tuple[Sequence[Happening], Sequence[Told]]:
        """What is the case, and what was told of it. Reads the ledger, off the loop."""
        told = self._ledger.alerts.told()
        today = datetime.fromtimestamp(now, UTC).date()
        found = list(lasting(self._ledger, facts, now=now, today=today))
        if with_jobs:
            jobs, before = ended_jobs(self._ledger, facts, now=now)
            found, told = [*found, *jobs], [*told, *before]
        return found, [*told, *self._unsaved.values()]

    def _letters(
        self, alerts: Sequence[Alert], to: Mapping[str, Address], now: float
    ) -> Iterator[Letter]:
        foot = f"image-watcher on {self._host}, {spoken(now)}"
        for name, address in to.items():
            if mine := [one for one in alerts if address.wants(one.inbox)]:
                yield Letter(id=0, to=name, message=message(mine, foot=foot), written_at=now)

    async def _remember(
        self, told: Sequence[Told], letters: Sequence[Letter], now: float
    ) -> Iterable[Letter]:
        """A disk that is full is the very thing to tell: then memory has to do."""
        self._unsaved |= {(one.place, one.reason): one for one in told}
        try:
            saved = await self._ledger.call(
                self._ledger.alerts.tell, tuple(self._unsaved.values()), letters, now=now
            )
        except DiskError:
            return letters
        self._unsaved.clear()
        return saved


def make_alerting(daemon: Daemon) -> Alerting:
    """With the clock, the machine's name and the services that there are."""
    courier = Courier(
        addresses=lambda: {to: one.url for to, one in addresses(daemon.settings).items()},
        deliver=deliver,
        ledger=daemon.ledger,
        clock=time.time,
        log=daemon.log,
    )
    return Alerting(
        settings=lambda: daemon.settings,
        facts=lambda: _facts(daemon),
        ledger=daemon.ledger,
        courier=courier,
        clock=time.time,
        host=socket.gethostname(),
        log=daemon.log,
    )


def _facts(daemon: Daemon) -> Facts:
    return Facts(
        halted=daemon.scheduler.lanes.halted,
        inboxes=daemon.telling.states(),
        accounts={name: daemon.work.account(name).name for name in daemon.serving},
        retiring=daemon.models.retiring,
        unfinished=tuple(daemon.telling.unfinished),
        public_url=daemon.settings.web.public_url or "",
        outboxes={name: str(one.outbox.root) for name, one in daemon.serving.items()},
    )


def _hash(url: str) -> str:
    return sha256(url.encode()).hexdigest()[:16]
