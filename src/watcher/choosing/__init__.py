"""What people moved into `approved`, `rejected` and `redo` is recorded; rows are asked again."""

from watcher.choosing.chooser import CHOICES, Chooser
from watcher.choosing.redoing import Redoing, RedoRules, RowOpen

__all__ = ["CHOICES", "Chooser", "RedoRules", "Redoing", "RowOpen"]
