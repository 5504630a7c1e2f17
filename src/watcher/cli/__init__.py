"""What a person types. Every command's help is a page to work from; every error is a sentence."""

from __future__ import annotations

from watcher.cli.app import main

__all__ = ["main"]
