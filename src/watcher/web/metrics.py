"""Figures for monitoring, at /metrics. Names after https://prometheus.io/docs/practices/naming/.

What is counted never shrinks, also where the ledger forgets old jobs.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from watcher.core.errors import WatcherError
from watcher.core.jobs import OPEN_STATES, JobState
from watcher.inbox import free_bytes
from watcher.web.access import Access
from watcher.web.reach import Reach
from watcher.web.values import Behind

_FRESH = (
    5.0  # seconds that the ledger's totals serve every scraper: they are summed over all attempts
)
_STATES = ("online", "paused", "offline", "standby", "starting")


class Metrics(Collector):
    """Collected anew at each scrape. `count` is told of every answer that the door gives."""

    def __init__(self, behind: Behind, access: Access, reach: Reach) -> None:
        self._behind = behind
        self._access = access
        self._reach = reach
        self._free: dict[tuple[str, str], float] = {}  # by inbox and place: bytes
        self._answers: Counter[tuple[str, str]] = Counter()
        self._most: dict[tuple[str, ...], float] = {}
        self._seen: tuple[float, bytes] | None = None
        self._looking = asyncio.Lock()
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def count(self, scope: Scope, status: int) -> None:
        """By route, not by path: what strangers ask for makes no new series."""
        route = scope.get("route")
        self._answers[getattr(route, "path", "none"), str(status or "aborted")] += 1

    async def answer(self, request: Request) -> Response:
        self._access.require_reader(request)
        now = asyncio.get_running_loop().time
        async with self._looking:
            if self._seen is None or now() - self._seen[0] >= _FRESH:
                self._free = await self._look_at_disks()
                text = await asyncio.to_thread(generate_latest, self._registry)
                self._seen = (now(), text)
        return Response(self._seen[1], media_type=CONTENT_TYPE_LATEST)

    async def _look_at_disks(self) -> dict[tuple[str, str], float]:
        """Bytes free where each inbox and outbox lies. One that is away, or hangs, is left out."""
        served = self._behind.inboxes.items()
        looks = {(name, "inbox"): self._free_at(one.folder.path) for name, one in served}
        for name, one in served:
            looks[name, "outbox"] = self._free_at(one.outbox.root, one.outbox.require)
        found = await asyncio.gather(*looks.values())
        return {key: free for key, free in zip(looks, found, strict=True) if free is not None}

    async def _free_at(
        self, folder: Path, require: Callable[[], object] = lambda: None
    ) -> float | None:
        def look() -> float:
            require()
            return free_bytes(folder)

        try:
            return await self._reach.into(folder, look)
        except (OSError, WatcherError):
            return None

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        about: Mapping[str, Any] = self._behind.about()
        yield from self._of_the_process(about)
        yield from self._of_jobs()
        yield from self._of_lanes()
        yield from self._of_inboxes(about)
        yield from self._of_events()

    def _of_the_process(self, about: Mapping[str, Any]) -> Iterator[Metric]:
        build = _gauge("build_info", "The version that runs; the value is 1.", "version")
        build.add_metric([self._behind.version], 1)
        yield build
        yield _plain("calls_in_flight", "Calls to the image API in flight.", about["in_flight"])
        if about.get("concurrency"):
            yield _plain("calls_limit", "Calls in flight at most.", about["concurrency"])

    def _of_jobs(self) -> Iterator[Metric]:
        figures = self._behind.ledger.figures
        totals, open_rows = figures.totals(), figures.open_rows()
        yield _plain("jobs_open", "Jobs that are not over.", totals.jobs.get(JobState.RUNNING, 0))
        ended = _counter("jobs_ended", "Jobs that are over, by how they ended.", "state")
        for state in JobState:
            if state is not JobState.RUNNING:
                self._grow(ended, [state.value], totals.jobs.get(state, 0))
        yield ended
        rows = _gauge("rows_open", "Rows of open jobs that are not over.", "state")
        for row_state in OPEN_STATES:
            rows.add_metric([row_state.value], open_rows.get(row_state, 0))
        yield rows
        attempts = _counter("attempts", "Attempts, by what came of them.", "outcome")
        for outcome, count in totals.attempts.items():
            if outcome != "sent":  # nothing has come of it yet
                self._grow(attempts, [outcome], count)
        yield attempts
        for name, text, value in (
            ("pictures", "Pictures in the outboxes.", totals.pictures),
            ("cost_dollars", "US dollars paid, as far as prices are known.", totals.cost_usd),
            ("possibly_charged", "Attempts that may have been paid for nothing.",
             totals.possibly_charged),
        ):  # fmt: skip
            counter = _counter(name, text)
            self._grow(counter, [], float(value))
            yield counter

    def _of_lanes(self) -> Iterator[Metric]:
        halted = _gauge("lane_halted", "1: no calls go out on this lane.", "lane", "code")
        probe = _gauge("lane_probe_timestamp_seconds", "When a halted lane is tried again.", "lane")
        for lane in self._behind.halted():
            halted.add_metric([lane.key, lane.problem.code], 1)
            probe.add_metric([lane.key], lane.probe_at)
        yield halted
        yield probe
        open_ = 0 if self._behind.halted() else 1
        yield _plain("lanes_open", "1: no lane is halted.", open_)

    def _of_inboxes(self, about: Mapping[str, Any]) -> Iterator[Metric]:
        states = _gauge("inbox_state", "1 for the state that an inbox is in.", "inbox", "state")
        deaf = _gauge(
            "inbox_polling", "1: looked at every few seconds; no events are heard.", "inbox"
        )
        free = _gauge(
            "disk_free_bytes", "Bytes free where an inbox or outbox lies.", "inbox", "place"
        )
        for name, one in about["inboxes"].items():
            for state in _STATES:
                states.add_metric([name, state], float(one["state"] == state))
            deaf.add_metric([name], float(one.get("mode") == "polling"))
        for labels, bytes_free in self._free.items():
            free.add_metric(labels, bytes_free)
        yield states
        yield deaf
        yield free

    def _of_events(self) -> Iterator[Metric]:
        events = _counter("events", "What was logged since the start.", "event", "level")
        for (event, level), count in sorted(self._behind.events().items()):
            events.add_metric([event, level], count)
        yield events
        answers = _counter("http_answers", "Answers of the status page.", "route", "status")
        for (route, status), count in sorted(self._answers.items()):
            answers.add_metric([route, status], count)
        yield answers

    def _grow(self, counter: CounterMetricFamily, labels: list[str], value: float) -> None:
        key = (counter.name, *labels)
        self._most[key] = max(self._most.get(key, 0.0), float(value))
        counter.add_metric(labels, self._most[key])


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"image_watcher_{name}", text, labels=labels)


def _counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"image_watcher_{name}", text, labels=labels)


def _plain(name: str, text: str, value: float) -> GaugeMetricFamily:
    metric = _gauge(name, text)
    metric.add_metric([], value)
    return metric
