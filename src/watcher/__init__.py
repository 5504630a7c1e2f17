"""image-watcher: files dropped into a folder become pictures. docs/architecture.md is the map."""

__version__ = "0.2.0"
