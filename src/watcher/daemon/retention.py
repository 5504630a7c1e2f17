"""What is kept no longer: archived drops, pictures of failed rows, and what the ledger knows of old jobs."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from watcher.core.log import Log
from watcher.daemon.each import Each
from watcher.inbox import Archived, InboxFolder, archived, remove_archived
from watcher.ledger import Ledger
from watcher.settings import Inbox, Settings

_EVERY = 3600.0  # seconds between two looks
_FIRST = 5.0  # seconds after the start
_DAY = 86_400.0
_LEAST_DAYS = 2.0  # that the ledger knows a job: what was spent today counts on it
_AT_ONCE = 200  # archived jobs that are looked up together


class Retention:
    """A side of the daemon. `folders`: the inboxes that are served, by name; `clock`: seconds since the epoch."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        ledger: Ledger,
        folders: Mapping[str, InboxFolder],
        inputs: Path,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        log: Log,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._folders = folders
        self._inputs = inputs
        self._clock = clock
        self._sleep = sleep
        self._log = log
        self._each = Each("retention", self.look, log)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            await self._sleep(_FIRST)
            while True:
                known = await self._ledger.insist(self._ledger.retention.inboxes)
                self._each.start({*known, *self._folders})
                await self._sleep(_EVERY)
        finally:
            await self._each.end()

    def look(self, inbox: str) -> None:
        """Forget what is old. An inbox that has left the settings is kept by the defaults.

        Raises InboxError where its folder is away, DiskError where a disk refuses.
        """
        rules = self._settings().inboxes.get(inbox) or Inbox()
        # Drops first: by the ledger their age is known.
        removed = self._remove_drops(self._folders[inbox], rules) if inbox in self._folders else 0
        forgotten = self._forget_jobs(inbox, rules)
        if forgotten or removed:
            self._log.info("retention.done", inbox=inbox, jobs=forgotten, drops=removed)
        while self._ledger.retention.give_back() and not self._each.ending:
            pass

    def _forget_jobs(self, inbox: str, rules: Inbox) -> int:
        count, now = 0, self._clock()
        for well, days in ((True, rules.keep_done_days), (False, rules.keep_failed_days)):
            before = now - max(days, rules.reuse_days, _LEAST_DAYS) * _DAY
            while old := self._ledger.retention.ended(inbox, well=well, before=before):
                for job in old:
                    if self._each.ending:
                        return count
                    self._ledger.retention.forget(job)
                    shutil.rmtree(self._inputs / job, ignore_errors=True)
                count += len(old)
        return count

    def _remove_drops(self, folder: InboxFolder, rules: Inbox) -> int:
        found, count = list(archived(folder)), 0
        for start in range(0, len(found), _AT_ONCE):
            some = found[start : start + _AT_ONCE]
            ended = self._ledger.retention.ended_at([one.job for one in some])
            for one in some:
                if self._is_old(one, ended, rules) and not self._each.ending:
                    remove_archived(folder, one)
                    count += 1
        return count

    def _is_old(self, one: Archived, ended: Mapping[str, float | None], rules: Inbox) -> bool:
        """By the ledger; what that does not know, by the folder's own time."""
        since = ended.get(one.job, one.changed_at)
        days = rules.keep_done_days if one.where == "done" else rules.keep_failed_days
        return since is not None and since < self._clock() - days * _DAY
