"""The settings as a whole: one class a section, names and defaults as `docs/` promises them.

Descriptions end up in the JSON Schema, so that an editor shows them beside the key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from watcher.core.alerting import OCCASIONS, Occasion
from watcher.core.profiles import load_profiles
from watcher.settings.inbox import Inbox
from watcher.settings.provider import Api, Budget, Limits
from watcher.settings.values import (
    Address,
    Count,
    Cron,
    Days,
    Gigabytes,
    InboxName,
    Listen,
    Percent,
    Seconds,
    Section,
    Text,
    Zone,
)


class Schedule(Section):
    """A file that is dropped into an inbox by the clock."""

    name: Text = Field(description="unique among the schedules")
    cron: Cron = Field(description='minute hour day month weekday, such as "0 6 * * 1-5"')
    timezone: Zone = Field(default="UTC", description="such as Europe/Paris")
    inbox: InboxName = Field(description="the inbox that the file is dropped into")
    file: Path = Field(description="the file; it stays where it is")
    missed: Literal["run_once", "skip"] = Field(
        default="run_once", description="what happens to runs that were missed while off"
    )


class Notify(Section):
    """Who must know of what."""

    urls: tuple[SecretStr, ...] = Field(default=(), description="apprise addresses")
    on: tuple[Occasion, ...] = Field(default=OCCASIONS, description="the occasions")
    gather: Seconds = Field(
        default=60, description="seconds in which what comes together becomes one message"
    )


class Web(Section):
    """The status page, its figures for monitoring, and jobs over HTTP."""

    enabled: bool = Field(default=True, description="whether there is one")
    listen: Listen = Field(
        default="127.0.0.1:8765", description="address:port; a public address needs a token_file"
    )
    hosts: tuple[Text, ...] = Field(
        default=(), description="further names that it may be asked for by, such as watcher.example"
    )
    token_file: Path | None = Field(
        default=None, description="a file that holds the token; without it the page is for reading"
    )
    reading: Literal["open", "token"] = Field(
        default="open", description="token: nothing is shown without the token, but signed links"
    )
    public_url: Address | None = Field(
        default=None, description="where people reach it; makes result_urls"
    )
    links_days: Days = Field(
        default=0, description="days that result_urls are good for, signed; 0: not signed, no end"
    )
    intake: bool = Field(default=False, description="take jobs by POST /jobs; needs a token_file")
    posts_per_minute: Count = Field(default=60, description="jobs that are taken by POST a minute")
    callback_hosts: tuple[Text, ...] = Field(
        default=(),
        description="hosts that callback_url may name, private ones too; none: any public one",
    )


class Disk(Section):
    """What stays free on every disk: below the larger of the two nothing is claimed and nothing paid for."""

    least_gb: Gigabytes = Field(default=2, description="GiB that stay free")
    least_percent: Percent = Field(default=5, description="percent of the disk that stay free")

    @property
    def least_bytes(self) -> int:
        return int(self.least_gb * 2**30)


class Logs(Section):
    """How it logs."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="what is worth a line"
    )
    format: Literal["auto", "console", "json"] = Field(
        default="auto", description="auto: console on a terminal, JSON otherwise"
    )


class Settings(BaseSettings):
    """image-watcher's settings. The API's key is not among them: it has a place of its own."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        title="image-watcher settings",
        env_prefix="WATCHER_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        env_parse_none_str="null",
    )

    api: Api = Api()
    limits: Limits = Limits()
    budget: Budget = Budget()
    disk: Disk = Disk()
    state_dir: Path = Field(
        default=Path("./state"), description="the ledger's folder, on a local disk"
    )
    database_url: SecretStr | None = Field(
        default=None, description="sqlite in state_dir; postgresql+psycopg://… for several machines"
    )
    engine: Literal["local", "procrastinate"] = Field(
        default="local", description="procrastinate: several machines; needs PostgreSQL"
    )
    inboxes: dict[InboxName, Inbox] = Field(
        default_factory=lambda: {"products": Inbox()}, description="inboxes by name"
    )
    schedules: tuple[Schedule, ...] = Field(default=(), description="drops by the clock")
    notify: Notify = Notify()
    web: Web = Web()
    logs: Logs = Logs()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings' signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` hands in: the process' own environment is never looked at."""
        return (init_settings,)

    def api_for(self, inbox: str) -> Api:
        """`api` with what the inbox has of its own."""
        own = self.inboxes[inbox].api
        said = {name: value for name, value in own if value is not None and name != "budget"}
        if own.profile not in (None, self.api.profile) and own.base_url is None:
            said["base_url"] = load_profiles()[own.profile].default_base_url
        return self.api.model_copy(update=said)

    def budget_for(self, inbox: str) -> Budget | None:
        """The inbox's own budget, besides the common one."""
        return self.inboxes[inbox].api.budget
