"""The HTTP door: a status page for people, figures for monitoring, jobs for programs. What stands behind it is passed in.

`web.app` and `web.server` are imported by who opens it: they bring a web server, 5 MB of it.
"""

from watcher.web.deliveries import Deliveries
from watcher.web.values import Behind, InboxPlace, Said, WebRules

__all__ = ["Behind", "Deliveries", "InboxPlace", "Said", "WebRules"]
