"""From drop to job: claimed, read from a snapshot, accepted with all its rows and pictures or not at all."""

from watcher.intake.intake import AGAIN, URGENT, Intake
from watcher.intake.rules import InboxRules, Space

__all__ = ["AGAIN", "URGENT", "InboxRules", "Intake", "Space"]
