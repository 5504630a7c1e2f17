"""`image-watcher database …`: whose tables the ledger has, and how to get from one version to another."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from watcher import __version__
from watcher.cli.common import AsJson, Config, held, load_settings
from watcher.ledger import upkeep

app = typer.Typer(
    name="database",
    help="The ledger's database: whose tables it has, upgrade, downgrade.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def show(config: Config = None, as_json: AsJson = False) -> None:
    """Show where the database is, which version made its tables, and whether this one fits them."""
    state_dir = load_settings(config).settings.state_dir
    found = upkeep.tables(state_dir)
    told = {
        "file": str(upkeep.database_file(state_dir)),
        "made_by": found.program,
        "tables": found.revision,
        "program": __version__,
        "fits": found.current,
    }
    if as_json:
        typer.echo(json.dumps(told, indent=2))
        return
    fits = "fit this version" if found.current else "do not fit this version"
    typer.echo(
        f"{told['file']}: tables {found.revision}, made by image-watcher {found.program}; they {fits} ({__version__})."
    )


@app.command()
def upgrade(config: Config = None, as_json: AsJson = False) -> None:
    """Bring the tables up to this version, after a copy of the database. The daemon does it at its start.

    Exit codes: 0 done, or nothing to do; 74 it cannot be; 75 a daemon works with the state folder.
    """
    with held(load_settings(config).settings) as state_dir:
        done = upkeep.upgrade(state_dir)
    if as_json:
        typer.echo(json.dumps({"backup": str(done.backup) if done else None}))
    elif done is None:
        typer.echo("The database is up to date.")
    else:
        typer.echo(f"Upgraded from {done.before.program}. What was before: {done.backup}")


@app.command()
def downgrade(
    version: Annotated[
        str, typer.Argument(help="The version to go back to, such as 0.1.", show_default=False)
    ],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Make the tables those of an earlier version, after a copy; then install that version.

    What only newer tables hold is lost, but for the copy. Stop the daemon first.

    Exit codes: 0 done, or nothing to do; 74 it cannot be; 75 a daemon works with the state folder.
    """
    with held(load_settings(config).settings) as state_dir:
        done = upkeep.downgrade(state_dir, version)
    if as_json:
        typer.echo(json.dumps({"backup": str(done.backup) if done else None}))
    elif done is None:
        typer.echo(f"The tables are those of {version} already.")
    else:
        typer.echo(f"The tables are those of {version} now. What was before: {done.backup}")
        typer.echo(f"Install image-watcher {version} before you start the daemon again.")
