"""A local image API for trying out and for tests: draws real pictures, costs nothing, misbehaves when told to.

It stands in for OpenAI's API on this machine only, is as strict, and is never used unless asked for.
"""

from watcher.sandbox.app import create_app
from watcher.sandbox.desk import Clocks
from watcher.sandbox.encoding import read_description
from watcher.sandbox.faults import FaultRule, fault_help, parse_fault
from watcher.sandbox.options import SandboxOptions, parse_latency
from watcher.sandbox.server import running, serve

__all__ = [
    "Clocks",
    "FaultRule",
    "SandboxOptions",
    "create_app",
    "fault_help",
    "parse_fault",
    "parse_latency",
    "read_description",
    "running",
    "serve",
]
