"""The daemon as a process: signals, systemd, a changed file of settings, a key that came later."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

import sdnotify

from watcher.core.errors import DiskError, SettingsError
from watcher.core.log import Log
from watcher.daemon.daemon import Daemon
from watcher.daemon.ending import END, end_within
from watcher.daemon.jumps import Jumps
from watcher.daemon.memory import hold_little, keep_to_itself
from watcher.inbox import begun
from watcher.settings import COMMON, Loaded, changes, find_key, load

_TICK = 2.0  # seconds between two looks at everything that may have changed
_ONCE_PAUSE = 0.2
_BROKEN = 70  # EX_SOFTWARE of sysexits.h, as the command says of a fault of its own


class Service:
    """Runs one daemon for as long as the process lives."""

    def __init__(
        self,
        loaded: Loaded,
        *,
        environ: Mapping[str, str],
        log: Log,
        on_key: Callable[[str], None],
    ) -> None:
        """`on_key` is told of every key before it is used, so that no log ever shows it."""
        hold_little()
        keep_to_itself()
        self._loaded = loaded
        self._environ = environ
        self._log = log
        self._on_key = on_key
        self._notify = sdnotify.SystemdNotifier()
        self._stops = 0
        self._jumps = Jumps(time.time, time.monotonic)
        self._changed = _stamp(loaded.file)
        self._keys: Mapping[str, str] = self._first_keys()

    async def run(self) -> None:
        """Until SIGTERM or SIGINT; a second one ends at once, and calls in flight count as unknown."""
        daemon = Daemon(self._loaded.settings, self._keys, log=self._log)
        self._listen(daemon)
        ticking = asyncio.create_task(self._tick(daemon))
        self._notify.notify("READY=1")
        await self._until_over(ticking, daemon.run())
        end_within(END, 0)

    async def run_once(self) -> bool:
        """Take what lies in the inboxes, work until nothing more can be done; True: all jobs are over."""
        daemon = Daemon(self._loaded.settings, self._keys, log=self._log)
        self._listen(daemon)
        ticking = asyncio.create_task(self._tick(daemon))
        once = asyncio.create_task(self._take_all(daemon))
        once.add_done_callback(lambda _: daemon.stop())
        await self._until_over(ticking, daemon.run(watch=False))
        over = once.done() and await once
        once.cancel()  # where an inbox hangs
        end_within(END, 0 if over else 1)
        return over

    async def _take_all(self, daemon: Daemon) -> bool:
        await asyncio.gather(
            *(
                asyncio.wrap_future(begun(partial(one.look_until_settled, _pause)))
                for one in daemon.serving.values()
            )
        )
        served = tuple(daemon.serving)
        while not daemon.stopping:
            if not await daemon.ledger.call(daemon.ledger.views.unpublished, served):
                return True
            if daemon.is_stuck():
                return False
            await asyncio.sleep(_ONCE_PAUSE)
        return False

    async def _until_over(self, ticking: asyncio.Task[None], running: Awaitable[None]) -> None:
        try:
            await running
        except Exception:
            end_within(END, _BROKEN)
            raise
        finally:
            ticking.cancel()

    def _listen(self, daemon: Daemon) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, daemon)
        loop.add_signal_handler(signal.SIGHUP, self._reload, daemon)

    def _stop(self, daemon: Daemon) -> None:
        self._stops += 1
        if self._stops > 1:
            os._exit(1)
        self._notify.notify("STOPPING=1")
        daemon.stop()

    async def _tick(self, daemon: Daemon) -> None:
        """The main loop feeds systemd's watchdog: if it hangs, nobody does."""
        while True:
            self._notify.notify("WATCHDOG=1")
            if jump := self._jumps.since():
                self._log.warning("clock.jumped", seconds=round(jump))
            try:
                if not daemon.stopping:
                    await self._look_around(daemon)
            except DiskError as error:
                self._log.warning("disk.refused", what=error.what, what_to_do=error.hint)
            except Exception:  # noqa: BLE001 - the border of one look: without the next one systemd would kill us
                self._log.exception("look.broken")
            await asyncio.sleep(_TICK)

    async def _look_around(self, daemon: Daemon) -> None:
        if _stamp(self._loaded.file) != self._changed:
            self._reload(daemon)
        elif (keys := self._keys_now()) != self._keys:
            self._keys = keys
            if self._take_over(daemon, self._loaded, keys):
                self._log.info("key.changed")
        await daemon.news.look_for_orders()
        await asyncio.to_thread(daemon.tell)

    def _reload(self, daemon: Daemon) -> None:
        self._changed = _stamp(self._loaded.file)
        try:
            fresh = load(self._loaded.file, self._environ, Path.cwd())
            keys = self._find_keys(fresh)
        except SettingsError as error:
            self._log.warning("settings.refused", what=error.what, what_to_do=error.hint or _KEPT)
            return
        found = changes(self._loaded.settings, fresh.settings)
        for name in found.restart_needed:
            self._log.warning("settings.kept", key=name, what_to_do="Restart to put it into force.")
        if self._take_over(daemon, fresh, keys):
            self._log.info("settings.reloaded", changed=list(found.reloadable))

    def _take_over(self, daemon: Daemon, loaded: Loaded, keys: Mapping[str, str]) -> bool:
        try:
            daemon.reload(loaded.settings, keys)
        except ValueError as error:  # an address or a key that cannot be sent
            self._log.warning("settings.refused", what=str(error), what_to_do=_KEPT)
            return False
        self._loaded, self._keys = loaded, keys
        return True

    def _first_keys(self) -> dict[str, str]:
        """A key that cannot be read yet is one that is missing: drops are taken, and wait for it."""
        keys = {}
        for name in (COMMON, *self._loaded.settings.inboxes):
            try:
                keys[name] = self._find_key(self._loaded, name)
            except SettingsError as error:
                self._log.warning("key.refused", what=error.what, what_to_do=error.hint)
        return keys

    def _find_keys(self, loaded: Loaded) -> dict[str, str]:
        return {name: self._find_key(loaded, name) for name in (COMMON, *loaded.settings.inboxes)}

    def _find_key(self, loaded: Loaded, inbox: str) -> str:
        key = find_key(loaded.settings, self._environ, inbox)[0].get_secret_value()
        if key:
            self._on_key(key)
        return key

    def _keys_now(self) -> Mapping[str, str]:
        """The keys as they are now; where one cannot be read for a moment, those we have."""
        try:
            return self._find_keys(self._loaded)
        except SettingsError:
            return self._keys


def _pause() -> None:
    time.sleep(_ONCE_PAUSE)


_KEPT = "The settings in force are kept; correct the file and reload again."


def _stamp(file: Path | None) -> tuple[int, int] | None:
    try:
        found = file.stat() if file else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ino) if found else None
