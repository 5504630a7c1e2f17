"""What a person types. Every command's help is a page to work from; every error is a sentence."""

from __future__ import annotations

import sys

# httpx loads a command line of its own, and structlog tracebacks in colour, where they find rich; none of
# it is used here, and it takes 5 MB. Both go without what is marked as missing so, before anything else:
# https://docs.python.org/3/reference/import.html#the-module-cache
for _unused in ("httpx._main", "rich.traceback"):
    sys.modules.setdefault(_unused, None)  # type: ignore[arg-type]

from watcher.cli.app import main  # noqa: E402 - after what is said above

__all__ = ["main"]
