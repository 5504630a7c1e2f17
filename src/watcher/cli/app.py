"""The commands and their pages. What they do stands in the modules beside this one."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from watcher import __version__
from watcher.cli import backup, database, doctor, init, jobs, logs, money, orders
from watcher.cli.common import (
    AsJson,
    Config,
    Job,
    act_as_owner,
    key_of,
    keys_of,
    load_settings,
    open_ledger,
    start_logging,
)
from watcher.cli.words import Exit, in_words, say
from watcher.core.jobs import JobState

app = typer.Typer(
    name="image-watcher",
    help="Files dropped into a folder become pictures.\n\nDrop a CSV, JSON or prompt file into an inbox; find the pictures, the rows and what happened in the outbox.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(database.app)
app.command()(backup.backup)
app.command()(backup.restore)
for order in (
    orders.pause,
    orders.resume,
    orders.cancel,
    orders.retry,
    orders.priority,
    orders.approve,
    money.costs,
    money.estimate,
):
    app.command()(order)
app.command()(doctor.doctor)
app.command()(init.init)
app.command()(jobs.jobs)
app.command()(jobs.show)
app.command()(logs.logs)


def main() -> None:
    with in_words():
        app()


def _version(asked: bool) -> None:  # noqa: FBT001 - typer's callback
    if asked:
        typer.echo(f"image-watcher {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # noqa: ARG001 - its callback does it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    return


@app.command()
def run(
    config: Config = None,
    once: Annotated[
        bool, typer.Option("--once", help="Take what lies in the inboxes, finish it, and end.")
    ] = False,
) -> None:
    """Watch the inboxes and work what is dropped, until stopped.

    SIGTERM or Ctrl-C: no new calls, those in flight finish, results are written, exit code 0.
    A second one ends at once. SIGHUP, or a changed settings file: what can change is taken over.

    Exit codes: 0 ended as asked; 1 with --once, when not every job is over; 74 the state folder
    cannot be used; 75 another daemon works with it; 78 the settings cannot be used.
    """
    from watcher.daemon import Service  # noqa: PLC0415 - other commands need no rooms
    from watcher.logs import register_secret  # noqa: PLC0415

    loaded = load_settings(config)
    log = start_logging(loaded.settings)
    service = Service(loaded, environ=os.environ, log=log, on_key=register_secret)
    if not once:
        asyncio.run(service.run())
    elif not asyncio.run(service.run_once()):
        say("Not every job is over; `image-watcher status` says why.")
        raise typer.Exit(Exit.ROWS_OPEN_OR_FAILED)


@app.command()
def check(
    config: Config = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask the API.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look at everything that must be right before the first drop: settings, folders, key, API, models.

    Each finding is one line: ok, NOT (with what to do), or ? where it could not be told.
    Exit code 1 when something is NOT right.
    """
    from watcher.cli import alerts  # noqa: PLC0415
    from watcher.cli.check import Finding, tell  # noqa: PLC0415
    from watcher.cli.check import check as look  # noqa: PLC0415

    loaded = load_settings(config)
    read = Finding(ok=True, what=f"settings: {loaded.file or _without_file()}")
    found = look(loaded.settings, keys_of(loaded), offline=offline)
    tell(chain([read], alerts.understood(loaded.settings), found), as_json=as_json)


def _without_file() -> str:
    # `init` makes one here, and nothing but --config leads to it.
    lies = Path("watcher.yaml").exists()
    hint = "; the watcher.yaml here is not read: name it with --config" if lies else ""
    return f"defaults and environment{hint}"


@app.command()
def alert_test(config: Config = None, as_json: AsJson = False) -> None:
    """Send a test message to every address that is told of alerts (notify.urls, inboxes.*.notify).

    Exit code 1 when one of them did not take it.
    """
    from watcher.cli import alerts  # noqa: PLC0415
    from watcher.cli.check import tell  # noqa: PLC0415

    tell(alerts.tell_all(load_settings(config).settings), as_json=as_json)


@app.command()
def config(config: Config = None, as_json: AsJson = False) -> None:
    """Print the settings in force, secrets masked, and who said each value."""
    from watcher.settings import effective, effective_yaml  # noqa: PLC0415

    loaded = load_settings(config)
    if as_json:
        typer.echo(json.dumps(effective(loaded), indent=2))
    else:
        typer.echo(effective_yaml(loaded), nl=False)


@app.command()
def models(
    config: Config = None,
    as_json: AsJson = False,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask the API.")] = False,
) -> None:
    """Show the models: what they do, what a picture costs, what the API lists, and what is shut down when.

    Models that the settings name and that are gone, or go within 30 days, come first, with what to
    do. Prices and entries can be set in api.models.
    """
    from datetime import UTC, datetime  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415

    from watcher.cli import models as page  # noqa: PLC0415

    loaded = load_settings(config)
    settings, key = loaded.settings, "" if offline else key_of(loaded)
    found = page.gather(settings, key, datetime.now(UTC).date(), offline=offline)
    if as_json:
        typer.echo(json.dumps(page.as_json(found), indent=2))
    else:
        Console().print(page.page(found))


@app.command()
def status(
    config: Config = None,
    watch: Annotated[bool, typer.Option("--watch", help="Keep it fresh, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the daemon, its inboxes, what is paused and why, and the newest jobs."""
    from rich.console import Console  # noqa: PLC0415

    from watcher.cli import status as page  # noqa: PLC0415

    settings = load_settings(config).settings
    with open_ledger(settings) as ledger:
        if as_json:
            typer.echo(json.dumps(page.as_json(settings, ledger), indent=2))
        elif watch:
            page.watch(settings, ledger, Console())
        else:
            Console().print(page.page(settings, ledger, time.time()))


@app.command()
def process(
    files: Annotated[list[Path], typer.Argument(help="The files to drop.", show_default=False)],
    config: Config = None,
    inbox: Annotated[
        str | None, typer.Option("--inbox", help="The inbox, where there are several.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for the pictures, or only drop.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Drop files and wait for their pictures, with a progress bar on a terminal.

    Works with the running daemon, or without one. The files are copied; yours stay where they are.
    With --no-wait the files are dropped for the daemon, and where they lie is printed.

    Exit codes: 0 all rows of all files are done (--no-wait: all files are dropped); 1 they are not.
    """
    from rich.console import Console  # noqa: PLC0415

    from watcher.cli import process as one  # noqa: PLC0415
    from watcher.core.report import job_json  # noqa: PLC0415
    from watcher.daemon.ending import END, end_within  # noqa: PLC0415

    loaded = load_settings(config)
    settings = loaded.settings
    log = start_logging(
        settings.model_copy(update={"logs": settings.logs.model_copy(update={"level": "error"})})
    )
    name, chosen = one.choose_inbox(settings, inbox)
    if not wait:
        dropped = [str(path) for path in one.drop_only(settings, name, files)]
        typer.echo(json.dumps(dropped) if as_json else "\n".join(dropped))
        return
    console = Console(stderr=True)
    jobs = one.process_files(settings, keys_of(loaded), name, files, log=log, console=console)
    for job in jobs:
        if as_json:
            typer.echo(json.dumps(job_json(job, version=__version__)))
        else:
            typer.echo(f"{job.name}: {job.state}, {chosen.outbox_folder / job.folder}")
    good = len(jobs) == len(files) and all(job.state is JobState.DONE for job in jobs)
    code = Exit.OK if good else Exit.ROWS_OPEN_OR_FAILED
    end_within(END, code)
    raise typer.Exit(code)


@app.command()
def redo(
    job: Job,
    row: Annotated[int, typer.Argument(help="The row, counted from 1.", show_default=False)],
    note: Annotated[str, typer.Option("--note", help="What should be different.")] = "",
    picture: Annotated[
        int | None,
        typer.Option("--picture", help="Its number, where only one of several is meant."),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Ask for a row again, with a note; what it had is kept. Paid as any row is, up to redo_limit.

    The same as to move its picture into the folder redo of its job.
    """
    from watcher.cli.redo import redo as again  # noqa: PLC0415

    settings = load_settings(config).settings
    act_as_owner(settings)
    with open_ledger(settings) as ledger:
        told = again(settings, ledger, job, row, index=picture, note=note)
    typer.echo(json.dumps({"told": told}) if as_json else told)


@app.command()
def renditions(job: Job, config: Config = None, as_json: AsJson = False) -> None:
    """Make the copies of a job's pictures again, as its inbox asks for them now. Free, and made here.

    Exit code 1 when some could not be made.
    """
    from rich.console import Console  # noqa: PLC0415

    from watcher.cli import renditions as copies  # noqa: PLC0415

    settings = load_settings(config).settings
    act_as_owner(settings)
    with open_ledger(settings) as ledger:
        said, good = copies.make(settings, ledger, job, Console(stderr=True))
    typer.echo(json.dumps({"told": said}) if as_json else said)
    if not good:
        raise typer.Exit(Exit.ROWS_OPEN_OR_FAILED)


@app.command()
def sandbox(
    port: Annotated[int, typer.Option("--port", help="Where it listens; 0: any free port.")] = 8999,
    latency: Annotated[
        str, typer.Option("--latency", help="Seconds a call takes: 0.5, or 0.2-1.5.")
    ] = "0",
    fault: Annotated[
        list[str] | None, typer.Option("--fault", help="Misbehave, see below; may be repeated.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", help="The one key that it takes; without it any key will do."),
    ] = None,
    images_per_minute: Annotated[
        int | None,
        typer.Option("--images-per-minute", help="Answer 429 beyond this rate, by model."),
    ] = None,
    limit_headers: Annotated[
        bool,
        typer.Option("--limit-headers/--no-limit-headers", help="Tell limits in headers, or not."),
    ] = True,
    picture_bytes: Annotated[
        int | None, typer.Option("--picture-bytes", help="Make pictures of about this many bytes.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """A local image API for trying out: draws real pictures, costs nothing, misbehaves when told to.

    Point image-watcher at it with WATCHER_API__BASE_URL. It listens on this machine only.
    GET /sandbox/stats tells what was called and what would have been paid.
    """
    from watcher.sandbox import SandboxOptions, parse_fault, parse_latency, serve  # noqa: PLC0415

    options = SandboxOptions(
        port=port,
        latency=parse_latency(latency),
        faults=tuple(map(parse_fault, fault or ())),
        key=key,
        images_per_minute=images_per_minute,
        tells_limits=limit_headers,
        picture_bytes=picture_bytes,
    )

    def ready(base_url: str) -> None:
        sys.stdout.write(f"{json.dumps({'base_url': base_url}) if as_json else base_url}\n")
        sys.stdout.flush()

    serve(options, ready)


@app.command()
def demo(
    folder: Annotated[
        Path, typer.Option("--folder", help="Where the demo's inbox, outbox and state go.")
    ] = Path("demo"),
    examples: Annotated[
        Path, typer.Option("--examples", help="The files that are dropped.")
    ] = Path("config/examples"),
    as_json: AsJson = False,
) -> None:
    """Try it out: start the sandbox and the daemon, drop the examples, show what comes of it.

    Needs no key and no network, and costs nothing.
    """
    from watcher.cli.demo import play  # noqa: PLC0415

    if not play(folder, examples, as_json=as_json):
        raise typer.Exit(Exit.ROWS_OPEN_OR_FAILED)
