# noqa: INP001 - a program of its own, run by `make docs`
"""Writes config/monitoring/grafana-dashboard.json: one panel a line below."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "config" / "monitoring" / "grafana-dashboard.json"
SOURCE = {"type": "prometheus", "uid": "${source}"}
P = "image_watcher"
# title, unit, kind, width of 24, and what is asked for: (expression, legend)
PANELS: tuple[tuple[str, str, str, int, tuple[tuple[str, str], ...]], ...] = (
    ("Lanes open", "bool_yes_no", "stat", 4, ((f"{P}_lanes_open", ""),)),
    ("Jobs open", "none", "stat", 4, ((f"{P}_jobs_open", ""),)),
    ("Rows open", "none", "stat", 4, ((f"sum({P}_rows_open)", ""),)),
    ("Pictures, 24 h", "none", "stat", 4, ((f"increase({P}_pictures_total[24h])", ""),)),
    ("Cost, 24 h", "currencyUSD", "stat", 4, ((f"increase({P}_cost_dollars_total[24h])", ""),)),
    ("Version", "none", "stat", 4, ((f"{P}_build_info", "{{version}}"),)),
    ("Pictures a minute", "none", "timeseries", 12, ((f"rate({P}_pictures_total[5m]) * 60", "pictures"),)),
    ("Calls in flight", "none", "timeseries", 12,
     ((f"{P}_calls_in_flight", "in flight"), (f"{P}_calls_limit", "at most"))),
    ("Attempts a minute", "none", "timeseries", 12,
     ((f"sum by (outcome) (rate({P}_attempts_total[5m])) * 60", "{{outcome}}"),)),
    ("Rows open, by state", "none", "timeseries", 12, ((f"{P}_rows_open", "{{state}}"),)),
    ("Jobs ended an hour", "none", "timeseries", 12,
     ((f"sum by (state) (increase({P}_jobs_ended_total[1h]))", "{{state}}"),)),
    ("Possibly charged for nothing, an hour", "none", "timeseries", 12,
     ((f"increase({P}_possibly_charged_total[1h])", "calls"),)),
    ("Halted lanes", "none", "timeseries", 12, ((f"{P}_lane_halted", "{{lane}} {{code}}"),)),
    ("Seconds until the next probe", "s", "timeseries", 12,
     ((f"clamp_min({P}_lane_probe_timestamp_seconds - time(), 0)", "{{lane}}"),)),
    ("Inboxes", "none", "timeseries", 12, ((f"{P}_inbox_state == 1", "{{inbox}} {{state}}"),)),
    ("Disk free", "bytes", "timeseries", 12, ((f"{P}_disk_free_bytes", "{{inbox}} {{place}}"),)),
    ("What the log says, a minute", "none", "timeseries", 12,
     ((f'sum by (event) (rate({P}_events_total{{level!="info"}}[5m])) * 60', "{{event}}"),)),
    ("Answers of the page a minute", "none", "timeseries", 12,
     ((f"sum by (status) (rate({P}_http_answers_total[5m])) * 60", "{{status}}"),)),
    ("Memory", "bytes", "timeseries", 12, (("process_resident_memory_bytes", "resident"),)),
    ("Open files", "none", "timeseries", 12,
     (("process_open_fds", "open"), ("process_max_fds", "at most"))),
)  # fmt: skip


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """The whole file."""
    source = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    dashboard = {
        "title": "image-watcher",
        "uid": "image-watcher",
        "tags": ["image-watcher"],
        "schemaVersion": 39,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [source]},
        "panels": list(_panels()),
    }
    return json.dumps(dashboard, indent=1) + "\n"


def _panels() -> Iterator[dict[str, Any]]:
    x = y = 0
    for number, (title, unit, kind, width, asked) in enumerate(PANELS, start=1):
        height = 4 if kind == "stat" else 8
        if x + width > 24:  # noqa: PLR2004 - columns of Grafana's grid
            x, y = 0, y + height
        yield {
            "id": number,
            "title": title,
            "type": kind,
            "datasource": SOURCE,
            "gridPos": {"x": x, "y": y, "w": width, "h": height},
            "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
            "targets": [
                {
                    "refId": chr(65 + at),
                    "datasource": SOURCE,
                    "expr": expression,
                    "legendFormat": legend,
                }
                for at, (expression, legend) in enumerate(asked)
            ],
        }
        x += width
        if x == 24:  # noqa: PLR2004 - as above
            x, y = 0, y + height


if __name__ == "__main__":
    main()
