"""What may be set: YAML and environment in, one frozen `Settings` out, or every finding in words."""

from watcher.settings.changes import Changes, changes
from watcher.settings.inbox import Inbox
from watcher.settings.key import COMMON, find_key
from watcher.settings.load import Loaded, load
from watcher.settings.models import Disk, Notify, Schedule, Settings
from watcher.settings.provider import Api, Budget
from watcher.settings.rendition import Rendition
from watcher.settings.show import effective, effective_yaml, json_schema, schema_text

__all__ = [
    "COMMON",
    "Api",
    "Budget",
    "Changes",
    "Disk",
    "Inbox",
    "Loaded",
    "Notify",
    "Rendition",
    "Schedule",
    "Settings",
    "changes",
    "effective",
    "effective_yaml",
    "find_key",
    "json_schema",
    "load",
    "schema_text",
]
