"""The daily look at the API's list of models: whoever uses one that is going is told before it is gone."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from watcher.core.catalogue import Catalogue
from watcher.core.jobs import Json, Operation, Refusal
from watcher.core.lifecycle import LISTS_ALL, Retiring, Use, all_retiring, open_jobs
from watcher.core.log import Log
from watcher.core.profiles import load_profiles
from watcher.core.wire import ModelListing
from watcher.ledger import Ledger
from watcher.settings import COMMON, Settings
from watcher.work.settlements import NO_KEY

if TYPE_CHECKING:
    from watcher.daemon.daemon import Daemon

_DAY = 86400.0
_AFTER_FAILURE = 3600.0  # seconds; at start the network may not be there yet
_KEYS = {
    "model": Operation.GENERATE,
    "edit_model": Operation.EDIT,
    "analyze_model": Operation.ANALYZE,
}


class ModelLook:
    """Looks at start, once a day, and soon after `look_again`. `retiring`: what the last look found."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        ledger: Ledger,
        catalogue: Catalogue,
        listing: Callable[[], Awaitable[Sequence[ModelListing] | Refusal]],
        today: Callable[[], date],
        log: Log,
    ) -> None:
        self.retiring: tuple[Retiring, ...] = ()
        self._settings = settings
        self._ledger = ledger
        self._catalogue = catalogue
        self._listing = listing
        self._today = today
        self._log = log
        self._seen: set[str] = set()
        self._told: set[str] = set()
        self._again = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._again.clear()
            listed = await self.look()
            with suppress(TimeoutError):
                async with asyncio.timeout(_DAY if listed else _AFTER_FAILURE):
                    await self._again.wait()

    async def look(self) -> bool:
        """One look. False: the server told no list, and the catalogue alone was asked."""
        listing = await self._listing()
        if isinstance(listing, Refusal):
            self._log.debug("models.unlisted", code=listing.code, what=listing.what)
            listed = None
        else:
            listed = tuple(listing)
            self._seen |= {one.id for one in listed}
        settings = self._settings()
        uses = await asyncio.to_thread(self._uses, settings)
        provider = load_profiles()[settings.api.profile].provider
        found = (
            all_retiring(
                {name: by}, self._catalogue, provider, listed, self._today(),
                complete=provider in LISTS_ALL or name in self._seen,
            )
            for name, by in uses.items()
        )  # fmt: skip
        self.retiring = tuple(one for each in found for one in each)
        self._tell()
        return listed is not None

    def look_again(self) -> None:
        """The settings or the key changed."""
        self._again.set()

    def about(self) -> list[Json]:
        """For `status`."""
        return [
            {"model": one.model, "what": one.what, "hint": one.hint, "used_by": list(one.used_by),
             "shutdown_on": one.shutdown.isoformat() if one.shutdown else None}
            for one in self.retiring
        ]  # fmt: skip

    def _uses(self, settings: Settings) -> Mapping[str, Sequence[Use]]:
        uses = {name: list(by) for name, by in uses_of(settings).items()}
        for name, operation in self._ledger.views.open_models():
            uses.setdefault(name, []).append(open_jobs(operation))
        return uses

    def _tell(self) -> None:
        """Each sentence once; it changes with the days that are left."""
        for one in self.retiring:
            if one.what not in self._told:
                self._log.warning("model.retiring", model=one.model, what=one.what,
                                  what_to_do=one.hint)  # fmt: skip
        self._told = {one.what for one in self.retiring}


def make_model_look(daemon: Daemon) -> ModelLook:
    """With the common account and today's date."""

    async def listing() -> Sequence[ModelListing] | Refusal:
        account = daemon.work.account(COMMON)
        return await account.api.models() if account.has_key else NO_KEY

    return ModelLook(
        settings=lambda: daemon.settings,
        ledger=daemon.ledger,
        catalogue=daemon.catalogue,
        listing=listing,
        today=lambda: datetime.now(UTC).date(),
        log=daemon.log,
    )


def uses_of(settings: Settings) -> Mapping[str, Sequence[Use]]:
    """Which models the settings name, and by which keys."""
    uses: dict[str, list[Use]] = defaultdict(list)
    for key, operation in _KEYS.items():
        uses[getattr(settings.api, key)].append(Use(by=f"api.{key}", operation=operation))
    for name, inbox in settings.inboxes.items():
        for key, operation in _KEYS.items():
            if inbox.enabled and (own := getattr(inbox.api, key)):
                use = Use(by=f"inboxes.{name}.api.{key}", operation=operation)
                uses[own].append(use)
        if inbox.enabled and isinstance(model := inbox.defaults.get("model"), str):
            uses[model].append(Use(by=f"inboxes.{name}.defaults.model"))
    return uses
