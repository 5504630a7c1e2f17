"""`python -m watcher` is `image-watcher`."""

from watcher.cli import main

main()
