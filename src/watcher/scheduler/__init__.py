"""What runs next: fairness between jobs, lanes that halt and reopen, calls in flight, due times."""

from watcher.scheduler.lanes import LaneHalted, Lanes
from watcher.scheduler.rates import Rates
from watcher.scheduler.slices import Scheduler
from watcher.scheduler.turns import Stopping, Turns

__all__ = ["LaneHalted", "Lanes", "Rates", "Scheduler", "Stopping", "Turns"]
