"""`image-watcher backup FILE` and `restore FILE`: the state folder in one file, and back."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from watcher.cli.common import AsJson, Config, held, load_settings, open_ledger
from watcher.core.jobs import JobState
from watcher.daemon.backup import back_up
from watcher.daemon.backup import restore as put_back

_MOST = 1_000_000


def backup(
    file: Annotated[
        Path,
        typer.Argument(help="The file to write; .gz or .tgz compresses it.", show_default=False),
    ],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Copy the ledger, and what it relies on, into one file; also while the daemon runs.

    In it: every job, row and attempt as of one moment, answers that are not in the outbox yet,
    pictures that rows name. Not in it: inboxes, outboxes, settings, the key.

    Exit codes: 0 written; 1 the disk refuses it; 74 there is no ledger, or FILE is there already.
    """
    state_dir = load_settings(config).settings.state_dir
    size = back_up(state_dir, file.absolute(), when=time.strftime("%Y-%m-%dT%H:%M:%S%z"))
    if as_json:
        typer.echo(json.dumps({"file": str(file), "bytes": size}))
    else:
        typer.echo(f"{file}: {size / 1e6:,.1f} MB.")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `backup` wrote.", show_default=False)],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup in place of the state folder's content, which is kept aside. Stop the daemon first.

    Nothing is changed before all of the backup has been read and found good. Jobs that were running
    when it was taken go on at the next start, and what they ended since is asked for again: look at
    `jobs` and `cancel` what is not wanted.

    Exit codes: 0 restored; 1 the disk refuses it; 74 it is no backup, or a newer version made it;
    75 a daemon works with the state folder.
    """
    settings = load_settings(config).settings
    with held(settings) as state_dir:
        when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        aside = put_back(state_dir, file.absolute(), when=when)
        with open_ledger(settings, upgrade=True) as ledger:
            running = [job.id for job in ledger.views.jobs(states=[JobState.RUNNING], most=_MOST)]
    if as_json:
        typer.echo(json.dumps({"file": str(file), "aside": str(aside), "running": running}))
        return
    typer.echo(f"Restored {file}. What was there before: {aside}")
    if running:
        typer.echo(f"{len(running)} jobs were running then, and go on at the next start.")
