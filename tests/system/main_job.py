"""The main job through the real processes, and how long and how large it was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.system.house import Job, house, prompts_csv, sandbox

MOST_RATIO = 1.05
MOST_BYTES = 120_000_000


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Seconds and bytes. `calls_seconds`: first call to last answer, by the server's clock."""

    ideal: float
    calls_seconds: float
    job_seconds: float
    dropped_to_over: float
    peak_bytes: int
    started_bytes: int
    cpu_a_picture: float
    done: int
    paid: int

    @property
    def ratio(self) -> float:
        return self.calls_seconds / self.ideal

    @property
    def job_ratio(self) -> float:
        return self.job_seconds / self.ideal

    def __str__(self) -> str:
        return (
            f"{self.done} rows done, {self.paid} paid\n"
            f"first call to last answer  {self.calls_seconds:6.2f} s  {self.ratio:.3f} × the ideal {self.ideal:g} s\n"
            f"accepted to ended          {self.job_seconds:6.2f} s  {self.job_ratio:.3f} ×\n"
            f"dropped to results         {self.dropped_to_over:6.2f} s\n"
            f"peak memory                {self.peak_bytes / 1e6:6.1f} MB (once started: {self.started_bytes / 1e6:.1f} MB)\n"
            f"CPU a picture              {self.cpu_a_picture * 1000:6.1f} ms"
        )


def measure(
    folder: Path,
    *,
    rows: int = 200,
    concurrency: int = 5,
    latency: float = 0.5,
    picture_bytes: int = 1_500_000,
) -> Figures:
    """One job of `rows` different prompts in a new house in `folder`."""
    prompts = [f"A mug with the number {number}, on a wooden table" for number in range(rows)]
    settings = {
        "limits": {"concurrency": concurrency},
        "inboxes": {"main": {"batch_size": concurrency}},
    }
    with (
        sandbox(latency=f"{latency:g}", picture_bytes=picture_bytes) as api,
        house(folder, api.base_url, settings) as home,
    ):
        started_bytes, cpu = home.peak_rss_bytes(), home.cpu_seconds()
        dropped = home.drop("mugs.csv", prompts_csv(prompts)).stat().st_ctime
        job = home.wait_over("mugs.csv", timeout=600)
        over = (job.folder / "job.json").stat().st_ctime
        accepted, stats = home.events("job.accepted")[0], api.stats()
        return Figures(
            ideal=rows * latency / concurrency,
            calls_seconds=stats["last_call_end_at"] - stats["first_call_at"],
            job_seconds=_last_kept(job) - datetime.fromisoformat(accepted["time"]).timestamp(),
            dropped_to_over=over - dropped,
            peak_bytes=home.peak_rss_bytes(),
            started_bytes=started_bytes,
            cpu_a_picture=(home.cpu_seconds() - cpu) / rows,
            done=job.statuses.count("done"),
            paid=stats["paid"],
        )


def _last_kept(job: Job) -> float:
    """When the last picture was whole, in seconds since the epoch."""
    return max(picture.stat().st_ctime for picture in job.pictures)
