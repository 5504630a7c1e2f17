"""What a room may say to the log, as a parameter: events dotted and in the past tense, with keys."""

from __future__ import annotations

from typing import Protocol, Self


class Log(Protocol):
    """`info("job.accepted", job=…, rows=12)`."""

    def debug(self, event: str, **keys: object) -> None: ...

    def info(self, event: str, **keys: object) -> None: ...

    def warning(self, event: str, **keys: object) -> None: ...

    def error(self, event: str, **keys: object) -> None: ...

    def exception(self, event: str, **keys: object) -> None:
        """An error with the traceback of what is being handled: only at the border of a thread or task."""
        ...

    def bind(self, **keys: object) -> Self:
        """The same log with these keys on every line."""
        ...
