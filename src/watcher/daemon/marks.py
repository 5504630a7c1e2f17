"""Names that time and chance give: of jobs, and of the month that their originals are archived under."""

from __future__ import annotations

import random
import time
from datetime import datetime

from watcher.core.naming import job_id


def new_id() -> str:
    """Sortable by time; unique by chance and, were it not, by the claim's folder."""
    return job_id(time.time_ns() // 1_000_000, random.getrandbits(32))


def month() -> str:
    return datetime.now().astimezone().strftime("%Y-%m")
