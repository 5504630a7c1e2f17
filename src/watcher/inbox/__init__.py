"""The folders people drop into: an edge, and the only place that knows watchdog."""
