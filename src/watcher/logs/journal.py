"""systemd's journal: a line goes there with fields, so that `journalctl JOB=… INBOX=…` finds it.

The protocol: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
"""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

SOCKET = Path("/run/systemd/journal/socket")
_FIELDS = ("job", "row", "inbox", "event")
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}  # syslog(3)


def is_journal(number: int, environ: Mapping[str, str]) -> bool:
    """Whether an open file is the one that systemd connected to its journal."""
    try:
        status = os.fstat(number)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class JournalHandler(logging.StreamHandler[TextIO]):
    """Lines of JSON, as they are formatted: so no field holds what the scrubber took out of the line.

    What the journal does not take (it is not there, the line is too long for it) goes to `stream`.
    """

    def __init__(self, stream: TextIO, place: Path) -> None:
        super().__init__(stream)
        self._place = str(place)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._socket.sendto(_entry(self.format(record)), self._place)
        except OSError:
            super().emit(record)
        except Exception:  # noqa: BLE001 - as every handler: what cannot be logged stops nobody
            self.handleError(record)

    def close(self) -> None:
        self._socket.close()
        super().close()


def _entry(line: str) -> bytes:
    """A line as one entry. All of it is ASCII, and no field holds a line break."""
    said = json.loads(line)
    fields = {
        "MESSAGE": line,
        "PRIORITY": _PRIORITIES.get(said.get("level"), 6),
        "SYSLOG_IDENTIFIER": "image-watcher",
        **{name.upper(): json.dumps(str(said[name]))[1:-1] for name in _FIELDS if name in said},
    }
    return "".join(f"{name}={value}\n" for name, value in fields.items()).encode("ascii")
