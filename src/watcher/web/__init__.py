"""The HTTP door: a status page for people, figures for monitoring, jobs for programs. What stands behind it is passed in."""

from watcher.web.app import make_app
from watcher.web.deliveries import Deliveries
from watcher.web.server import WebServer
from watcher.web.values import Behind, InboxPlace, Said, WebRules

__all__ = ["Behind", "Deliveries", "InboxPlace", "Said", "WebRules", "WebServer", "make_app"]
