"""From drop to job: claimed, read from a snapshot, accepted with all its rows and pictures or not at all."""

from watcher.intake.estimating import FileEstimate, estimate_file
from watcher.intake.expected import Expected
from watcher.intake.intake import Intake, Space
from watcher.intake.rules import InboxRules, named_pictures

__all__ = [
    "Expected",
    "FileEstimate",
    "InboxRules",
    "Intake",
    "Space",
    "estimate_file",
    "named_pictures",
]
