"""Bad weather between us and the API, and what a job costs in it. What is paid for is counted on both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from random import Random

from tests.system.house import Job, Values, house, prompts_csv, sandbox

DROP = "storm.csv"
MOST_CALLS = 1.7  # a row
# Per cent. Resets and cut answers are paid, and nobody can know it from here.
WEATHER: Mapping[str, int] = {"429": 30, "500": 10, "reset": 5, "truncated": 3, "html": 2}


@dataclass(frozen=True, kw_only=True)
class Weathered:
    """What came of it."""

    rows: int
    job: Job
    stats: Values

    @property
    def statuses(self) -> Counter[str]:
        return Counter(self.job.statuses)

    @property
    def calls_a_row(self) -> float:
        return float(self.stats["calls"]) / self.rows

    @property
    def told(self) -> Decimal:
        """US dollars that are known to be spent."""
        return Decimal(str(self.job.summary["cost_usd"]))

    @property
    def price(self) -> Decimal:
        """US dollars a picture: all rows ask for the same."""
        return Decimal(str(self.stats["cost_usd"])) / int(self.stats["paid"])

    @property
    def possible(self) -> Decimal:
        """What the calls with an unknown end would cost, were they all charged."""
        return self.price * int(self.job.summary["possibly_charged"])

    @property
    def charged(self) -> Decimal:
        """US dollars, by the server's count."""
        return Decimal(str(self.stats["cost_usd"]))

    def __str__(self) -> str:
        errors = Counter(
            row["result_error_code"] for row in self.job.rows if row["result_error_code"]
        )
        return (
            f"{self.rows} rows: {dict(self.statuses)} {dict(errors) or ''}\n"
            f"{self.stats['calls']} calls, {self.calls_a_row:.2f} a row; struck: {self.stats['by_fault']}\n"
            f"the server charged ${self.charged:.4f} for {self.stats['paid']} pictures\n"
            f"we tell            ${self.told:.4f} and {self.job.summary['possibly_charged']} possibly charged (${self.possible:.4f})\n"
            f"seconds: {self.job.summary['seconds']}"
        )


def rows_in_the_storm(rows: int, seed: int) -> list[str]:
    """Prompts of which each share is struck once, on its first call, by its own kind of fault."""
    faults = [kind for kind, share in WEATHER.items() for _ in range(rows * share // 100)]
    faults += [""] * (rows - len(faults))
    Random(seed).shuffle(faults)  # noqa: S311 - it keeps no secret
    return [
        f"Wave number {number} [fault:{fault}x1]" if fault else f"Wave number {number}"
        for number, fault in enumerate(faults)
    ]


def calls_in_the_storm() -> list[str]:
    """Faults that strike any call, by chance, the second ones too."""
    return [f"{kind} {share}%" for kind, share in WEATHER.items()]


def play(
    folder: Path,
    prompts: list[str],
    *,
    faults: list[str],
    concurrency: int = 20,
    ambiguous: int = 1,
    attempts: int = 4,
) -> Weathered:
    """One job in it; waits between tries are short, so that time is not the matter."""
    retry = {"base": 0.05, "longest": 0.5, "ambiguous": ambiguous, "attempts": attempts}
    settings = {
        "api": {"retry": retry},
        "limits": {"concurrency": concurrency},
        "inboxes": {"main": {"batch_size": concurrency}},
    }
    with (
        sandbox(latency="0.05-0.15", faults=faults) as api,
        house(folder, api.base_url, settings) as home,
    ):
        home.drop(DROP, prompts_csv(prompts))
        job = home.wait_over(DROP, 600)
        return Weathered(rows=len(prompts), job=job, stats=api.stats())
