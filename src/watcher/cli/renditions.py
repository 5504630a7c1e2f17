"""`renditions`: the copies of a job made again, by what its inbox asks for now, with or without the daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rich.console import Console
from rich.progress import Progress

from watcher.core.channels import Rendition
from watcher.core.errors import WatcherError
from watcher.core.results import JobResult
from watcher.daemon.copying import recipes
from watcher.ledger import DuePicture, Ledger
from watcher.outbox import Outbox
from watcher.renditions import LIST, Copier, write_list
from watcher.settings import Inbox, Settings


def make(settings: Settings, ledger: Ledger, job_id: str, console: Console) -> tuple[str, bool]:
    """What was made, in a sentence, and whether all of it was. Raises WatcherError."""
    job, inbox = _job(settings, ledger, job_id)
    wanted = recipes(inbox)
    if not wanted:
        raise WatcherError(
            f"The inbox {job.inbox} asks for no renditions.",
            f"Write what is wanted into inboxes.{job.inbox}.renditions.",
        )
    outbox = Outbox(inbox.outbox_folder)
    pictures = ledger.renditions.pictures(job.id)
    made: list[tuple[DuePicture, Sequence[Rendition]]] = []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Pictures", total=len(pictures))

        def done(picture: DuePicture, copies: Sequence[Rendition]) -> None:
            made.append((picture, copies))
            progress.advance(task)

        asyncio.run(Copier(outbox=outbox).copy(pictures, wanted, done))
    for picture, copies in made:
        ledger.renditions.done(picture, copies)
    write_list(ledger, outbox, job.id, job.folder)
    every = [one for _, copies in made for one in copies]
    failed = sum(bool(one.problem) for one in every)
    where = f"{outbox.root / job.folder / LIST}"
    said = f"{len(every) - failed:,} copies of {len(pictures):,} pictures were made. They are listed in {where}"
    return (
        f"{said}\n{failed:,} could not be made; the list says why." if failed else said
    ), not failed


def _job(settings: Settings, ledger: Ledger, job_id: str) -> tuple[JobResult, Inbox]:
    job = ledger.views.job(job_id)
    if job is None:
        raise WatcherError(f"There is no job {job_id}.", "`image-watcher status` names them.")
    if job.inbox not in settings.inboxes:
        raise WatcherError(
            f"The inbox {job.inbox} of this job is not in the settings.", "Put it back there."
        )
    return job, settings.inboxes[job.inbox]
