"""What goes over the wire, as values: item → call, reply → answer or refusal. Pure; never raises for a reply."""

from __future__ import annotations

from watcher.core.wire.calls import call_for, left_to_server, sent_fields
from watcher.core.wire.headers import Limit, read_limits
from watcher.core.wire.listing import ModelListing, read_models
from watcher.core.wire.replies import read_reply

__all__ = [
    "Limit",
    "ModelListing",
    "call_for",
    "left_to_server",
    "read_limits",
    "read_models",
    "read_reply",
    "sent_fields",
]
