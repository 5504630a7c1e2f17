"""What people must be told without looking: what happened, to whom it matters, when it is news, in which words."""

from watcher.core.alerting.digest import message
from watcher.core.alerting.policy import HOUR, Decision, decide, may_tell_of_jobs
from watcher.core.alerting.values import (
    OCCASIONS,
    Alert,
    Happening,
    Letter,
    Message,
    Occasion,
    Told,
)
from watcher.core.alerting.words import (
    approval_wanted,
    budget_reached,
    drop_unfinished,
    inbox_away,
    inbox_without_room,
    job_over,
    lane_halted,
    link_to,
    model_retiring,
)

__all__ = [
    "HOUR",
    "OCCASIONS",
    "Alert",
    "Decision",
    "Happening",
    "Letter",
    "Message",
    "Occasion",
    "Told",
    "approval_wanted",
    "budget_reached",
    "decide",
    "drop_unfinished",
    "inbox_away",
    "inbox_without_room",
    "job_over",
    "lane_halted",
    "link_to",
    "may_tell_of_jobs",
    "message",
    "model_retiring",
]
