"""The image API over HTTP: one call, one reply on disk. The only place that knows httpx and tenacity."""

from __future__ import annotations

from watcher.api.callbacks import Callbacks, NotTaken
from watcher.api.client import ImageApi
from watcher.api.endpoint import DEFAULT_TIMEOUTS, Endpoint, normalise_base_url
from watcher.api.exchange import LONGEST_CALL
from watcher.api.files import load_reply, load_whole, on_disk
from watcher.api.waits import RetryRules, wait_before

__all__ = [
    "DEFAULT_TIMEOUTS",
    "LONGEST_CALL",
    "Callbacks",
    "Endpoint",
    "ImageApi",
    "NotTaken",
    "RetryRules",
    "load_reply",
    "load_whole",
    "normalise_base_url",
    "on_disk",
    "wait_before",
]
