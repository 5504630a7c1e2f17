"""Looking at a folder that may lie on a share, which may hang."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, act: Callable[[], T]) -> T:
    """What `act` finds. Raises TimeoutError where that takes longer; its thread is left behind."""
    return begun(act).result(seconds)


class Patience:
    """Looks that may hang, of which few are left behind: after `most` the next ones are not begun."""

    def __init__(self, most: int = 2) -> None:
        self._most = most
        self._left: list[Future[object]] = []
        self._lock = threading.Lock()

    def within(self, seconds: float, act: Callable[[], T]) -> T:
        """As the function. Raises TimeoutError at once while so many hang."""
        with self._lock:
            self._left = [one for one in self._left if not one.done()]
            if len(self._left) >= self._most:
                raise TimeoutError
        doing = begun(act)
        try:
            return doing.result(seconds)
        except TimeoutError:
            with self._lock:
                self._left.append(doing)  # type: ignore[arg-type]
            raise


def begun(act: Callable[[], T]) -> Future[T]:
    """`act` in a thread of its own, which holds up no end of the process."""
    found: Future[T] = Future()
    found.set_running_or_notify_cancel()

    def run() -> None:
        try:
            found.set_result(act())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            found.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return found
