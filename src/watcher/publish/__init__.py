"""From outcomes to results: fresh while a job runs, final at its end; then its original is archived."""

from watcher.publish.publisher import Publisher
from watcher.publish.results import Results
from watcher.publish.shelf import Shelf

__all__ = ["Publisher", "Results", "Shelf"]
