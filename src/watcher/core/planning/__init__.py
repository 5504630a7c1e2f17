"""From a row to an item, or to a problem in words: decided before anything is paid."""

from watcher.core.planning.columns import FIELDS
from watcher.core.planning.planner import Planner
from watcher.core.planning.rules import RowRules
from watcher.core.planning.stored import item_from_json, item_to_json

__all__ = ["FIELDS", "Planner", "RowRules", "item_from_json", "item_to_json"]
