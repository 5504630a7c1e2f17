"""From slice to outcomes: an item is asked for, its answer kept, its pictures put into the outbox."""

from watcher.work.judging import Judge, JudgeRules
from watcher.work.pictures import Inputs
from watcher.work.purse import Purse
from watcher.work.values import (
    Account,
    Asked,
    Deferred,
    Delivered,
    Failed,
    Halted,
    Held,
    Outcome,
    Place,
    Withdrawn,
)
from watcher.work.work import Work

__all__ = [
    "Account",
    "Asked",
    "Deferred",
    "Delivered",
    "Failed",
    "Halted",
    "Held",
    "Inputs",
    "Judge",
    "JudgeRules",
    "Outcome",
    "Place",
    "Purse",
    "Withdrawn",
    "Work",
]
