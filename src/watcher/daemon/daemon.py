"""Every room, built, started and stopped: the order is the one on this screen, and stops in reverse."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from watcher import __version__
from watcher.core.catalogue import Catalogue
from watcher.core.errors import SettingsError
from watcher.core.jobs import Json, Refusal
from watcher.core.log import Log
from watcher.core.naming import job_id
from watcher.core.wire import ModelListing
from watcher.daemon import rooms
from watcher.daemon.models import ModelLook
from watcher.daemon.serving import Serving, make_outbox
from watcher.daemon.state import StateLock, write_about
from watcher.engines import LocalEngine
from watcher.inbox import InboxState
from watcher.intake import Intake
from watcher.ledger import Ledger
from watcher.publish import Publisher
from watcher.scheduler import Lanes, Scheduler, Turns
from watcher.settings import Settings
from watcher.work import Work
from watcher.work.settlements import NO_KEY

GRACE = 600.0  # seconds that calls in flight get to end: as long as the longest call may take


class Daemon:
    """`run` serves until `stop`. Built inside its event loop; belongs to it."""

    def __init__(self, settings: Settings, key: str, *, log: Log) -> None:
        """Raises LedgerError, DiskError or SettingsError where it cannot be built."""
        self.settings = settings
        self.log = log
        self.started_at = time.time()
        self._loop = asyncio.get_running_loop()
        self._states: dict[str, InboxState] = {}
        self._stopping = asyncio.Event()
        self._finished: dict[str, asyncio.Event] = {}
        self._told: dict[str, Json] = {}
        replies, blobs = rooms.state_folders(settings.state_dir)
        self._lock = StateLock(settings.state_dir)
        self._lock.acquire()
        replies.mkdir(exist_ok=True, mode=0o700)
        blobs.mkdir(exist_ok=True, mode=0o700)
        self.ledger = Ledger(settings.state_dir)
        self.ledger.jobs.clear_unaccepted()
        self.catalogue = Catalogue.shipped(settings.api.models)
        self.engine = LocalEngine(self.ledger, clock=time.time)
        self.serving = {
            name: self._serve(name, blobs) for name, one in settings.inboxes.items() if one.enabled
        }
        self.work = self._make_work(key, replies)
        self.scheduler = self._make_scheduler()
        self.publisher = self._make_publisher()
        self.models = self._make_model_look()

    async def run(self, *, only: str | None = None, watch: bool = True) -> None:
        """Serve until `stop`. `only`: work on one job alone; `watch` False: take no drops by itself."""
        await self.engine.reconcile()
        publishing = asyncio.create_task(self.publisher.run())
        working = asyncio.create_task(self.engine.run(self.scheduler.run_slice, only=only))
        looking = asyncio.create_task(self.models.run())
        if watch:
            for one in self.serving.values():
                one.start()
        self.log.info("daemon.started", version=__version__, inboxes=list(self.serving))
        stopped = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({stopped, publishing, working}, return_when=asyncio.FIRST_COMPLETED)
        looking.cancel()
        await self._shut_down(working, publishing)
        for task in (working, publishing, looking):
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error

    def stop(self) -> None:
        """No new claims, no new calls; those in flight finish."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def reload(self, settings: Settings, key: str) -> None:
        """Take over what can change while running; halted lanes are probed at once."""
        account = rooms.account(settings, key)
        old, self.settings = self.work.account, settings
        self.work.account = account
        self.work.patience = rooms.patience(settings.api)
        self.work.retry = rooms.retry_rules(settings.api)
        self.scheduler.lanes.patient = rooms.probe_waits(settings.api)
        self.scheduler.turns.resize(settings.limits.concurrency)
        self.probe_now()
        self.models.look_again()
        # Calls that are in flight finish with the old account.
        self._loop.call_later(GRACE, lambda: asyncio.ensure_future(old.api.aclose()))

    def probe_now(self) -> None:
        self.scheduler.lanes.probe_now()
        self.ledger.items.wake()
        self.engine.submit()

    def finished(self, job: str) -> asyncio.Event:
        """Set once the final results of this job are out."""
        return self._finished.setdefault(job, asyncio.Event())

    def paused(self) -> str:
        """Why no calls are made now, in a sentence; "" when they are."""
        halted = self.scheduler.lanes.halted
        return f"{halted[0].problem.what} {halted[0].problem.hint}".strip() if halted else ""

    def tell(self) -> None:
        """Write down what commands beside this process want to know."""
        about: dict[str, Json] = {
            "version": __version__,
            "started_at": self.started_at,
            "in_flight": self.scheduler.turns.in_flight,
            "retiring_models": self.models.about(),
            "inboxes": {
                name: {"path": str(one.folder.path), "outbox": str(one.outbox.root),
                       **self._state_of(name)}
                for name, one in self.serving.items()
            },
        }  # fmt: skip
        if about != self._told:
            write_about(self.settings.state_dir, about)
            self._told = about

    async def look_for_orders(self) -> None:
        """Commands beside this process may have changed the ledger: work and publish what they left."""
        self.engine.submit()
        for job in await self.ledger.call(self.ledger.views.ended_unpublished):
            self.publisher.finish(job)

    def accepted(self, job: str) -> None:
        """A drop became a job, or repeats one: to be worked and told of. Called on the loop."""
        self.publisher.finish(job)
        self.engine.submit()

    async def _shut_down(self, working: asyncio.Task[None], publishing: asyncio.Task[None]) -> None:
        self.log.info("daemon.stopping", in_flight=self.scheduler.turns.in_flight)
        for one in self.serving.values():
            one.stop()
        self.scheduler.turns.stop()
        self.engine.stop()
        await asyncio.wait({working}, timeout=GRACE)
        for one in self.serving.values():
            await asyncio.to_thread(one.join, 10.0)
        working.cancel()
        publishing.cancel()
        await asyncio.wait({working, publishing})
        await self.publisher.flush()
        await self.work.account.api.aclose()
        for one in self.serving.values():
            one.close()
        self.ledger.close()
        self._lock.release()
        self.log.info("daemon.stopped")

    def _state_of(self, name: str) -> dict[str, Json]:
        state = self._states.get(name)
        if state is None:
            return {"state": "starting"}
        return {"state": state.state, "mode": state.mode, "what": state.what, "hint": state.hint}

    def _serve(self, name: str, blobs: Path) -> Serving:
        inbox = self.settings.inboxes[name]
        folder = rooms.inbox_folder(name, inbox)
        outbox = make_outbox(inbox.outbox_folder)
        intake = Intake(
            folder=folder,
            rules=lambda: rooms.inbox_rules(self.settings, name, datetime.now(UTC).date()),
            ledger=self.ledger,
            catalogue=self.catalogue,
            blobs=blobs,
            outbox=str(outbox.root),
            clock=time.time,
            monotonic=time.monotonic,
            new_id=new_id,
            month=month,
            log=self.log,
            on_job=lambda job: self._from_thread(self.accepted, job),
        )
        return Serving(
            folder=folder,
            outbox=outbox,
            intake=intake,
            monotonic=time.monotonic,
            ledger=self.ledger,
            new_id=new_id,
            on_state=lambda name, state: self._from_thread(self._note_state, name, state),
            log=self.log,
        )

    def _make_work(self, key: str, replies: Path) -> Work:
        try:
            account = rooms.account(self.settings, key)
        except ValueError as error:
            raise SettingsError(str(error)) from None
        return Work(
            ledger=self.ledger,
            account=account,
            places={name: one.place for name, one in self.serving.items()},
            catalogue=self.catalogue,
            patience=rooms.patience(self.settings.api),
            retry=rooms.retry_rules(self.settings.api),
            replies=replies,
            clock=time.time,
            random=random.Random(),  # noqa: S311 - it spreads waits, and keeps no secret
            log=self.log,
        )

    def _make_scheduler(self) -> Scheduler:
        return Scheduler(
            ledger=self.ledger,
            work=self.work,
            turns=Turns(self.settings.limits.concurrency),
            lanes=Lanes(
                self.ledger.lanes.halted(),
                clock=time.time,
                patient=rooms.probe_waits(self.settings.api),
            ),
            batch_size=lambda inbox: self.settings.inboxes[inbox].batch_size,
            on_change=self._changed,
            on_lane=self._lane_changed,
            clock=time.time,
        )

    def _make_publisher(self) -> Publisher:
        return Publisher(
            ledger=self.ledger,
            shelves={name: one.shelf for name, one in self.serving.items()},
            clock=time.time,
            month=month,
            version=__version__,
            public_url=self.settings.web.public_url or "",
            paused=self.paused,
            log=self.log,
            on_published=lambda job: self.finished(job).set(),
        )

    def _make_model_look(self) -> ModelLook:
        async def listing() -> Sequence[ModelListing] | Refusal:
            account = self.work.account
            return await account.api.models() if account.has_key else NO_KEY

        return ModelLook(
            settings=lambda: self.settings,
            ledger=self.ledger,
            catalogue=self.catalogue,
            listing=listing,
            today=lambda: datetime.now(UTC).date(),
            log=self.log,
        )

    def _changed(self, job: str, over: bool) -> None:  # noqa: FBT001 - the scheduler's callback
        if over:
            self.publisher.finish(job)
        else:
            self.publisher.touch(job)

    def _lane_changed(self) -> None:
        """Everybody whose job waits is told why, and when it goes on."""
        for job in self.ledger.views.unpublished():
            self.publisher.touch(job)
        self.engine.submit()

    def _note_state(self, name: str, state: InboxState) -> None:
        self._states[name] = state
        say = self.log.info if state.state == "online" else self.log.warning
        say(
            f"inbox.{state.state}",
            inbox=name,
            mode=state.mode,
            what=state.what,
            what_to_do=state.hint,
        )

    def _from_thread(self, act: Callable[..., None], *args: object) -> None:
        self._loop.call_soon_threadsafe(act, *args)


def new_id() -> str:
    """Sortable by time; unique by chance and, were it not, by the claim's folder."""
    return job_id(time.time_ns() // 1_000_000, random.getrandbits(32))


def month() -> str:
    return datetime.now().astimezone().strftime("%Y-%m")
