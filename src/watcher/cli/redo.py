"""`redo`: a row asked again, as if its pictures had been moved into `redo`; with or without the daemon."""

from __future__ import annotations

import time

from watcher.choosing import Redoing
from watcher.core.catalogue import Catalogue
from watcher.core.errors import WatcherError
from watcher.daemon.choices import redo_rules
from watcher.daemon.rooms import inputs_folder
from watcher.ledger import ChosenPicture, Ledger
from watcher.outbox import Outbox
from watcher.settings import Settings


def redo(
    settings: Settings, ledger: Ledger, job_id: str, number: int, *, index: int | None, note: str
) -> str:
    """What happens now, in a sentence. `index`: of the picture; None: all of the row. Raises WatcherError."""
    job = ledger.views.job(job_id)
    if job is None:
        raise WatcherError(f"There is no job {job_id}.", "`image-watcher status` names them.")
    if job.inbox not in settings.inboxes:
        raise WatcherError(
            f"The inbox {job.inbox} of this job is not in the settings.", "Put it back there."
        )
    outbox = Outbox(settings.inboxes[job.inbox].outbox_folder)
    redoing = Redoing(
        ledger=ledger,
        inputs=inputs_folder(settings.state_dir),
        catalogue=Catalogue.shipped(settings.api.models),
        clock=time.time,
    )
    mine = [one for one in ledger.choices.pictures(job.id).values() if one.number == number]
    picture = _chosen(mine, index)
    rules = redo_rules(settings, job.inbox)
    redoing.redo(outbox, job.id, number, rules, picture=picture, note=note)
    return f"Row {number} of job {job.id} ({job.name}) is asked again; what it had is kept."


def _chosen(mine: list[ChosenPicture], index: int | None) -> ChosenPicture | None:
    """The one that is meant; the only one is, too."""
    if index is None:
        live = [one for one in mine if not one.asked_again]
        return live[0] if len(live) == 1 else None
    found = next((one for one in mine if one.index == index), None)
    if found is None or found.asked_again:
        has = ", ".join(str(one.index) for one in mine if not one.asked_again) or "none"
        raise WatcherError(f"There is no picture {index} to ask again for.", f"The row has: {has}.")
    return found
