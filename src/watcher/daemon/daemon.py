"""Every room, built, started and stopped: the order is the one on this screen, and stops in reverse."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from watcher import __version__
from watcher.core.catalogue import Catalogue
from watcher.core.errors import DiskError, SettingsError
from watcher.core.jobs import Json
from watcher.core.log import Log
from watcher.daemon import rooms
from watcher.daemon.alerting import make_alerting
from watcher.daemon.backup import finish_restore
from watcher.daemon.choices import make_choosers, make_judge, needs_inputs
from watcher.daemon.clocked import clocked
from watcher.daemon.copying import make_renderers
from watcher.daemon.door import link_key, make_page, public_links
from watcher.daemon.ending import GRACE, calls_end, close_accounts
from watcher.daemon.heard import Heard
from watcher.daemon.marks import month, new_id
from watcher.daemon.models import make_model_look
from watcher.daemon.money import Holds, call_cost, caps, day_of
from watcher.daemon.news import News
from watcher.daemon.outboxes import Outboxes
from watcher.daemon.serving import Serving
from watcher.daemon.sides import Side, run_sides
from watcher.daemon.space import Space
from watcher.daemon.state import (
    StateLock,
    clear_folder,
    clear_inputs,
    clear_replies,
    clear_snapshots,
    log_place,
)
from watcher.daemon.telling import Telling
from watcher.engines import LocalEngine
from watcher.intake import Expected, Intake
from watcher.ledger import Ledger
from watcher.outbox import Workbooks
from watcher.publish import Publisher, Results
from watcher.scheduler import Lanes, Scheduler
from watcher.settings import Settings
from watcher.work import Account, Inputs, Purse, Work

if TYPE_CHECKING:
    from watcher.web.server import WebServer

_LAST_WORDS = 30.0  # seconds that pictures, and then results, get at the end: a dead share must not hold up a stop
_INTAKE = 10.0  # seconds that drops which are being taken get to be in
_SIDES = 5.0  # seconds that what goes on beside gets to end


class Daemon:
    """`run` serves until `stop`. Built inside its event loop; belongs to it."""

    def __init__(self, settings: Settings, keys: Mapping[str, str], *, log: Log) -> None:
        """`keys`: the API's, by inbox ("": the common one). Raises LedgerError, DiskError or SettingsError where it cannot be built."""
        self.settings = settings
        log = self.log = Heard(log, clock=time.time)
        self.started_at = time.time()
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        replies, blobs = rooms.state_folders(settings.state_dir)
        self._lock = StateLock(settings.state_dir)
        self._lock.acquire()
        finish_restore(settings.state_dir)
        replies.mkdir(exist_ok=True, mode=0o700)
        blobs.mkdir(exist_ok=True, mode=0o700)
        clear_snapshots(blobs)
        self._inputs = rooms.inputs_folder(settings.state_dir)
        self._inputs.mkdir(exist_ok=True, mode=0o700)
        clear_folder(rooms.sheets_folder(settings.state_dir))
        clear_folder(rooms.bodies_folder(settings.state_dir))
        self._expected = Expected()
        self.space = Space(lambda: self.settings.disk, monotonic=time.monotonic)
        self._link_key = link_key(settings.state_dir)
        self.ledger = Ledger(settings.state_dir, upgrade=True)
        if done := self.ledger.upgraded:
            log.info("ledger.upgraded", made_by=done.before.program, backup=str(done.backup))
        self.news = News(self.ledger)
        self.ledger.jobs.clear_unaccepted()
        clear_inputs(self._inputs, needs_inputs(lambda: self.settings, self.ledger))
        clear_replies(replies, self.ledger.items.unsettled())
        self.catalogue = Catalogue.shipped(settings.api.models)
        paths = {name: one.outbox_folder for name, one in settings.inboxes.items()}
        self._outboxes = Outboxes(paths, self.ledger, new_id=new_id, log=log)
        self.serving = {
            name: self._serve(name, blobs) for name, one in settings.inboxes.items() if one.enabled
        }
        self.engine = self.news.engine = LocalEngine(
            self.ledger,
            clock=time.time,
            log=log,
            inboxes=tuple(self.serving),
            closed_until=self._closed_until,
        )
        self._keys = keys
        self.work = self._make_work(keys, replies)
        self.scheduler = self.news.scheduler = self._make_scheduler()
        self.work.sleep = self.scheduler.turns.pause  # a disk that refuses holds up no stop
        self.work.on_disk_refused = self.scheduler.disk_refused
        self.work.on_disk_taken = self.scheduler.disk_taken
        self._forget_other_accounts()
        self.publisher = self.news.publisher = self._make_publisher()
        self.models = make_model_look(self)
        self.telling = Telling(
            settings.state_dir,
            serving=self.serving,
            more=self._about_itself,
            paused=self.paused,
            log=log,
        )
        self.holds = Holds(ledger=self.ledger, released=self.news.lanes_changed)
        self.renderers = self.news.renderers = make_renderers(self)
        self.page = self._make_page() if settings.web.enabled else None
        page = (self.page,) if self.page else ()
        by_the_clock = clocked(lambda: self.settings, self.ledger, self.serving, log)
        self._sides_of_a_watch: tuple[Side, ...] = (*by_the_clock, *page)
        self.alerting = make_alerting(self)
        self._sides: tuple[Side, ...] = (
            self.models, self.holds, self.alerting, *self.renderers, *make_choosers(self)
        )  # fmt: skip

    async def run(self, *, only: str | None = None, watch: bool = True) -> None:
        """Serve until `stop`. `only`: work on one job alone; `watch` False: take no drops by itself."""
        await self.engine.reconcile()
        publishing = asyncio.create_task(self.publisher.run())
        working = asyncio.create_task(self.engine.run(self.scheduler.run_slice, only=only))
        sides = (*self._sides, *self._sides_of_a_watch) if watch else self._sides
        beside = asyncio.create_task(run_sides(sides, self.log))
        if watch:
            for one in self.serving.values():
                one.start()
        self.log.info("daemon.started", version=__version__, inboxes=list(self.serving))
        stopped = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({stopped, publishing, working}, return_when=asyncio.FIRST_COMPLETED)
        beside.cancel()
        await asyncio.wait({beside}, timeout=_SIDES)
        await self._shut_down(working, publishing)
        for task in (working, publishing):
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error

    def stop(self) -> None:
        """No new claims, no new calls; those in flight finish."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def reload(self, settings: Settings, keys: Mapping[str, str]) -> None:
        """Take over what can change while running; halted lanes are probed at once."""
        settings = self._with_served_inboxes(settings)
        keys = rooms.with_kept_keys(keys, self._keys, self.serving)
        if keys != self._keys or not rooms.same_accounts(self.settings, settings):
            self._change_accounts(rooms.accounts(settings, keys))
        self.settings, self._keys = settings, keys
        self.work.outcomes.patience = rooms.patience(settings.api)
        self.work.outcomes.retry = rooms.retry_rules(settings.api)
        self.scheduler.lanes.patient = rooms.probe_waits(settings.api)
        self.scheduler.turns.resize(*rooms.limits(settings))
        self._forget_other_accounts()
        self.probe_now()
        self.news.from_thread(lambda: asyncio.ensure_future(self.holds.release(budgets=True)))
        self.models.look_again()

    def _change_accounts(self, accounts: Mapping[str, Account]) -> None:
        """Calls that are in flight finish with the old ones."""
        old, self.work.accounts = self.work.accounts, accounts
        self._loop.call_later(GRACE, lambda: asyncio.ensure_future(close_accounts(old)))

    def probe_now(self) -> None:
        self.scheduler.lanes.probe_now()
        with suppress(DiskError):  # they are due within minutes anyhow
            self.ledger.items.wake()
        self.engine.submit()

    def paused(self, inbox: str) -> str:
        """Why no calls are made now for an inbox, in a sentence; "" when they are."""
        account, outbox = self.work.account(inbox).name, str(self.serving[inbox].outbox.root)
        halted = self.scheduler.lanes.halted_for(account, outbox)
        return f"{halted[0].problem.what} {halted[0].problem.hint}".strip() if halted else ""

    def is_stuck(self) -> bool:
        """Nothing is worked on, because of a lane that is halted and was probed in vain."""
        return self.engine.idle.is_set() and self.scheduler.lanes.is_shut()

    def tell(self) -> None:
        """Write down what commands beside this process want to know."""
        self.telling.tell()

    def _with_served_inboxes(self, settings: Settings) -> Settings:
        """An inbox that was taken out is served until the restart, by its old settings."""
        kept = {name: self.settings.inboxes[name] for name in self.serving}
        return settings.model_copy(update={"inboxes": {**kept, **settings.inboxes}})

    def _forget_other_accounts(self) -> None:
        """A key that was replaced is no reason to say that anything is paused."""
        outboxes = {str(one.outbox.root) for one in self.serving.values()}
        for key in self.scheduler.lanes.only(_names(self.work.accounts), outboxes):
            self.ledger.lanes.reopen(key)

    async def _shut_down(self, working: asyncio.Task[None], publishing: asyncio.Task[None]) -> None:
        self.log.info("daemon.stopping", in_flight=self.scheduler.turns.in_flight)
        for one in self.serving.values():
            one.stop()
        self.scheduler.turns.stop()
        self.engine.stop()
        self.ledger.hurry()
        await calls_end(self.scheduler, self.work, working)
        await asyncio.wait({working}, timeout=_LAST_WORDS)  # else kept at the next start
        until = self._loop.time() + _INTAKE
        for one in self.serving.values():
            await asyncio.to_thread(one.join, max(0.0, until - self._loop.time()))
        working.cancel()
        publishing.cancel()
        await asyncio.wait({working, publishing})
        # What is not out by then is published at the next start.
        with suppress(TimeoutError, DiskError):
            await asyncio.wait_for(self.publisher.flush(), _LAST_WORDS)
        with suppress(TimeoutError):
            await asyncio.wait_for(self.alerting.last_words(), _LAST_WORDS)
        await close_accounts(self.work.accounts)
        for one in self.serving.values():
            one.close()
        with suppress(DiskError):
            self.ledger.claims.survived()
        self.ledger.close()
        self._lock.release()
        self.log.info("daemon.stopped")

    def _serve(self, name: str, blobs: Path) -> Serving:
        inbox = self.settings.inboxes[name]
        folder = rooms.inbox_folder(name, inbox)
        outbox = self._outboxes.of(name)
        intake = Intake(
            folder=folder,
            rules=rooms.Rules(lambda: self.settings, name, lambda: datetime.now(UTC).date()),
            ledger=self.ledger,
            catalogue=self.catalogue,
            blobs=blobs,
            inputs=self._inputs,
            space=self.space,
            outbox=str(outbox.root),
            clock=time.time,
            monotonic=time.monotonic,
            new_id=new_id,
            month=month,
            log=self.log,
            on_job=lambda job: self.news.accepted(job, name),
            expected=self._expected,
        )
        return Serving(
            folder=folder,
            outbox=outbox,
            intake=intake,
            monotonic=time.monotonic,
            ledger=self.ledger,
            new_id=new_id,
            clock=time.time,
            on_order=lambda job: self.news.accepted(job, name),
            on_state=lambda name, state: self.news.from_thread(
                self.telling.note_state, name, state
            ),
            on_unfinished=lambda *told: self.news.from_thread(self.telling.note_unfinished, *told),
            log=self.log,
        )

    def _closed_until(self) -> float:
        """Before then nothing can be asked for: every account is halted."""
        return min(map(self.scheduler.lanes.closed_until, _names(self.work.accounts)))

    def _make_work(self, keys: Mapping[str, str], replies: Path) -> Work:
        try:
            accounts = rooms.accounts(self.settings, keys)
        except ValueError as error:
            raise SettingsError(str(error)) from None
        places = {name: one.place for name, one in self.serving.items()}
        return Work(
            ledger=self.ledger,
            accounts=accounts,
            places=places,
            catalogue=self.catalogue,
            patience=rooms.patience(self.settings.api),
            purse=Purse(
                ledger=self.ledger,
                log=self.log,
                on_hold=self.news.held,
                caps=lambda item: caps(self.settings, item, day_of(time.time())),
                estimate=lambda item: call_cost(item, self.catalogue),
            ),
            retry=rooms.retry_rules(self.settings.api),
            replies=replies,
            inputs=Inputs(
                folder=self._inputs,
                hosts=lambda inbox: self.settings.inboxes[inbox].allowed_hosts,
                catalogue=self.catalogue,
            ),
            space=self.space,
            reuse_days=lambda inbox: self.settings.inboxes[inbox].reuse_days,
            rules=lambda inbox: rooms.check_rules(self.settings.inboxes[inbox]),
            judge=make_judge(self, places),
            clock=time.time,
            random=random.Random(),  # noqa: S311 - it spreads waits, and keeps no secret
            log=self.log,
        )

    def _about_itself(self) -> dict[str, Json]:
        return {
            "version": __version__,
            "started_at": self.started_at,
            "log": log_place(),
            "in_flight": self.scheduler.turns.in_flight,
            "concurrency": self.settings.limits.concurrency,
            "accounts": sorted({self.work.account(inbox).name for inbox in self.serving}),
            "retiring_models": self.models.about(),
            "page": self.page.address if self.page else "",
            "page_trouble": self.page.trouble if self.page else "",
            "rates": self.scheduler.turns.rates.about(self._loop.time()),
        }

    def _make_scheduler(self) -> Scheduler:
        return Scheduler(
            ledger=self.ledger,
            work=self.work,
            turns=rooms.turns(self.settings, self._loop.time()),
            lanes=Lanes(
                self.ledger.lanes.halted(),
                clock=time.time,
                patient=rooms.probe_waits(self.settings.api),
            ),
            batch_size=lambda inbox: self.settings.inboxes[inbox].batch_size,
            on_change=self.news.changed,
            on_lane=self.news.lanes_changed,
            clock=time.time,
        )

    def _make_publisher(self) -> Publisher:
        return Publisher(
            ledger=self.ledger,
            shelves={name: one.shelf for name, one in self.serving.items()},
            results=self._make_results(),
            clock=time.time,
            log=self.log,
        )

    def _make_results(self) -> Results:
        return Results(
            ledger=self.ledger,
            inputs=self._inputs,
            workbooks=Workbooks(
                rooms.sheets_folder(self.settings.state_dir), monotonic=time.monotonic
            ),
            results_xlsx=lambda inbox: self.settings.inboxes[inbox].results_xlsx,
            keeps_inputs=lambda inbox: self.settings.inboxes[inbox].redo_limit > 0,
            clock=time.time,
            month=month,
            version=__version__,
            links=lambda: public_links(self.settings.web, self._link_key, time.time()),
            paused=self.paused,
            log=self.log,
        )

    def _make_page(self) -> WebServer:
        return make_page(
            self.settings.web,
            ledger=self.ledger,
            serving=self.serving,
            about=self.telling.about,
            halted=lambda: self.scheduler.lanes.halted,
            ordered=self._ordered,
            space=self.space,
            new_id=new_id,
            link_key=self._link_key,
            expected=self._expected,
            bodies=rooms.bodies_folder(self.settings.state_dir),
            log=self.log,
        )

    def _ordered(self, job: str) -> None:
        """Somebody gave an order about it: work and tell what it left."""
        self.engine.submit()
        self.publisher.finish(job)


def _names(accounts: Mapping[str, Account]) -> frozenset[str]:
    return frozenset(account.name for account in accounts.values())
