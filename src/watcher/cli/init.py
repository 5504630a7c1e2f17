"""`image-watcher init`: settings, folders and a unit to start from; what is there already stays as it is."""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from watcher.cli.common import AsJson
from watcher.core.errors import SettingsError
from watcher.core.profiles import load_profiles
from watcher.settings import load, schema_text

_SETTINGS = """\
# yaml-language-server: $schema=watcher.schema.json
# Made by `image-watcher init`. Everything that is not said has a default; `image-watcher config` shows
# what is in force. A saved change is taken over while the daemon runs.

api:
  profile: {profile}
  {base_url}
  # The key never stands in this file: it is the first line of a file of its own, or OPENAI_API_KEY.
  {key_file}
  # model: gpt-image-2.5-flare            # generates
  # edit_model: gpt-image-2.5-sunburst    # edits

limits:
  concurrency: 4                          # calls in flight at most

# budget:                                 # nothing is asked for beyond it
#   usd_per_day: 20

state_dir: {state}  # the ledger; on a local disk, never on a share

inboxes:
  {name}:
    path: {inbox}  # people drop files here …
    outbox: {outbox}  # … and find the pictures here
    # prompt_template: "{{{{ title }}}}, {{{{ description }}}}, product photo"   # columns by header name
    # prompt_suffix: ", on a plain background"
    # defaults: {{size: 1024x1024, quality: medium}}   # for rows that do not say

# schedules:
#   - {{name: daily, cron: "0 6 * * 1-5", timezone: Europe/Paris, inbox: {name}, file: /path/to/list.csv}}
"""
_UNIT = """\
# Made by `image-watcher init`.

[Unit]
Description=image-watcher: dropped files become pictures
After=network-online.target remote-fs.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={program} run --config {config}
ExecReload=/bin/sh -c 'kill -HUP $MAINPID'
Restart=always
RestartSec=5
# 78: the settings cannot be used; trying again changes nothing.
RestartPreventExitStatus=78
WatchdogSec=120
# No call takes longer than 900 seconds; one in flight is paid for and is waited for.
TimeoutStopSec=1050
KillMode=mixed
NoNewPrivileges=yes

[Install]
WantedBy={target}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What is written where."""

    folder: Path
    inbox: Path
    outbox: Path
    name: str
    profile: str
    base_url: str
    key_file: Path | None

    @property
    def config(self) -> Path:
        return self.folder / "watcher.yaml"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def unit(self) -> Path:
        return self.folder / "image-watcher.service"

    def settings(self) -> str:
        said = f"base_url: {_quoted(self.base_url)}"
        key = f"key_file: {_quoted(str(self.key_file))}" if self.key_file else ""
        return _SETTINGS.format(
            profile=self.profile,
            base_url=said if self.base_url else "# base_url: https://…/v1",
            key_file=key or f"# key_file: {self.folder / 'api-key'}",
            state=_quoted(str(self.state)),
            name=self.name,
            inbox=_quoted(str(self.inbox)),
            outbox=_quoted(str(self.outbox)),
        )

    def service(self) -> str:
        target = "multi-user.target" if os.geteuid() == 0 else "default.target"
        program = f"{_escaped(sys.executable)} -m watcher"
        return _UNIT.format(program=program, config=_escaped(str(self.config)), target=target)


def init(
    folder: Annotated[
        Path, typer.Option("--folder", help="Where settings, state and unit go.")
    ] = Path(),
    inbox: Annotated[
        Path | None, typer.Option("--inbox", help="Where people drop files.", show_default=False)
    ] = None,
    outbox: Annotated[
        Path | None, typer.Option("--outbox", help="Where results go.", show_default=False)
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="The inbox's name.", show_default=False)
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", help="The kind of API.", show_default=False)
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option("--base-url", help="The API's address, up to /v1.", show_default=False),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", help="The file with the API's key.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing, take the defaults.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make settings with comments, an inbox, an outbox and a systemd unit to start from.

    Asks for what no option says, where somebody is there to answer. Never overwrites: what is there
    stays as it is, and is said.

    Exit codes: 0 made, or there already; 78 such settings cannot be used, and nothing was made.
    """
    ask = not yes and not as_json and sys.stdin.isatty()
    home = folder.absolute()
    kind = _answer(ask, profile, "Which kind of API", "openai")
    plan = _Plan(
        folder=home,
        inbox=Path(_answer(ask, inbox, "Where do people drop files", home / "inbox")).absolute(),
        outbox=Path(_answer(ask, outbox, "Where do results go", home / "outbox")).absolute(),
        name=_answer(ask, name, "What is the inbox called", "products"),
        profile=kind,
        base_url=_answer(ask, base_url, "The API's address", _address_of(kind)),
        key_file=key_file.absolute() if key_file else None,
    )
    made = _make(plan)
    if as_json:
        typer.echo(json.dumps({str(path): new for path, new in made.items()}, indent=2))
        return
    for path, new in made.items():
        typer.echo(f"{'made ' if new else 'there'} {path}")
    typer.echo(_next(plan))


def _answer(ask: bool, said: object, question: str, default: object) -> str:  # noqa: FBT001
    if said is not None:
        return str(said)
    return str(typer.prompt(question, default=str(default))) if ask else str(default)


def _address_of(profile: str) -> str:
    profiles = load_profiles()
    if profile not in profiles:
        raise SettingsError(
            f"There is no profile {profile}.", f"Name one of: {', '.join(profiles)}."
        )
    return profiles[profile].default_base_url


def _make(plan: _Plan) -> dict[Path, bool]:
    """Which paths are new. The settings are tried before anything of them is kept. Raises SettingsError."""
    made = {plan.folder: _make_folder(plan.folder)}
    part = plan.config.with_name(f".watcher-{os.getpid()}.yaml")
    if not plan.config.exists():
        _write(part, plan.settings())
        try:
            load(part, {}, Path.cwd())
        finally:
            part.unlink()
    for folder in (plan.inbox, plan.outbox):
        made[folder] = _make_folder(folder)
    files = {
        plan.config: plan.settings(),
        plan.folder / "watcher.schema.json": schema_text(),
        plan.unit: plan.service(),
    }
    return {**made, **{path: _write(path, text) for path, text in files.items()}}


def _make_folder(path: Path) -> bool:
    if path.is_dir():
        return False
    path.mkdir(parents=True)
    return True


def _write(path: Path, text: str) -> bool:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _next(plan: _Plan) -> str:
    config, unit = shlex.quote(str(plan.config)), shlex.quote(str(plan.unit))
    user = "" if os.geteuid() == 0 else "--user "
    return "\n".join(
        (
            "Next:",
            f"  image-watcher check --config {config}",
            f"  image-watcher run --config {config}",
            f"or, as a service: systemctl {user}enable --now {unit}",
        )
    )


def _quoted(text: str) -> str:
    """A YAML scalar."""
    return json.dumps(text, ensure_ascii=False)


def _escaped(text: str) -> str:
    """An argument in a unit: systemd.service(5), COMMAND LINES."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{plain}"'
