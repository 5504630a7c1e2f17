"""Settings of one inbox: where drops come from, how they are read, where results go.

Descriptions end up in the JSON Schema, so that an editor shows them beside the key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from watcher.core.checks import Rule
from watcher.settings.provider import OwnApi
from watcher.settings.rendition import Rendition
from watcher.settings.values import (
    Count,
    CountOrZero,
    Days,
    DoneMarker,
    FileTemplate,
    HeaderNames,
    PromptTemplate,
    Rate,
    RowValues,
    Seconds,
    Section,
    Text,
)


class Images(Section):
    """Dropped pictures are rows."""

    operation: Literal["edit", "analyze"] = Field(default="edit", description="edit or analyze")
    prompt: Text = Field(description="what is asked for with every dropped picture")


class Checks(Section):
    """What pictures are looked at for once they are paid for: warn says it in the results; redo also asks
    again, once a row.
    """

    transparency: Rule = Field(
        default="off", description="a transparent background was asked for and is there"
    )
    size: Rule = Field(default="off", description="size and format are those that were asked for")
    blank: Rule = Field(default="off", description="it is not almost blank")
    duplicates: Rule = Field(
        default="off", description="it can be told from the job's other pictures"
    )
    vision: Rule = Field(
        default="off",
        description="it meets every point of its row's checklist, by the word of api.analyze_model: one call a picture, which costs",
    )


class Inbox(Section):
    """A folder that people drop files into."""

    path: Path = Field(
        default=Path("./inbox"), description="the folder; relative to where we start"
    )
    outbox: Text = Field(default="./outbox", description="a folder, or s3://…, gs://…, az://…")
    enabled: bool = Field(default=True, description="false: left alone")
    watch: Literal["auto", "events", "poll"] = Field(
        default="auto", description="how new files are noticed"
    )
    settle: Seconds = Field(default=2, description="seconds without change before a file is taken")
    empty_grace: Seconds = Field(
        default=60, description="seconds that an empty file is given before it is refused"
    )
    poll_interval: Seconds = Field(default=5, description="seconds between two looks when polling")
    rescan_interval: Seconds = Field(default=60, description="seconds between two full looks")
    recursive: bool = Field(default=True, description="look into sub-folders")
    ignore: tuple[Text, ...] = Field(
        default=(), description="name patterns, added to the built-in list"
    )
    require_done_marker: DoneMarker | None = Field(
        default=None, description='a file that says that a drop is whole, such as "{name}.done"'
    )
    assets: tuple[Path, ...] = Field(
        default=(), description="further folders that rows may take pictures from"
    )
    assets_grace: float = Field(
        default=60,
        ge=0,
        allow_inf_nan=False,
        description="seconds to wait for a picture a row names",
    )
    allow_urls: bool = Field(default=False, description="rows may name http(s) pictures")
    allowed_hosts: tuple[Text, ...] = Field(
        default=(), description="hosts that pictures may be fetched from"
    )
    images: Images | None = Field(default=None, description="dropped pictures are rows")
    prompt_template: PromptTemplate | None = Field(
        default=None, description="Jinja2, columns by header name; without it the prompt column"
    )
    prompt_prefix: str = Field(default="", description="put before every prompt")
    prompt_suffix: str = Field(default="", description="put after every prompt")
    aliases: HeaderNames = Field(
        default_factory=dict, description="extra header names: what a file says, and what it means"
    )
    defaults: RowValues = Field(
        default_factory=dict, description="values for rows that do not say: size, quality, n …"
    )
    filename: FileTemplate = Field(
        default="{{ name or row }}-{{ index }}", description="Jinja2 name of a picture"
    )
    batch_size: Count = Field(default=5, description="rows of one job worked on at a time")
    priority: Literal["high", "normal", "low"] = Field(default="normal", description="whose turn")
    lane: Literal["live", "bulk"] = Field(
        default="live", description="bulk: the provider's Batch API, half the price, within 24 h"
    )
    reuse_days: Days = Field(default=30, description="days; 0 turns reuse of paid results off")
    renditions: tuple[Rendition, ...] = Field(default=(), description="local conversions")
    results_xlsx: Literal["auto", "always", "never"] = Field(
        default="auto", description="auto: results.xlsx where the drop was .xlsx; always; never"
    )
    checks: Checks = Checks()
    redo_limit: CountOrZero = Field(
        default=3,
        description="how often one row may be asked again by a picture in redo/; 0: never",
    )
    redo_as: Literal["again", "edit"] = Field(
        default="again",
        description="again: its own prompt with the note; edit: the note, of that picture",
    )
    redo_grace: Seconds = Field(
        default=20, description="seconds that the note may come after its picture"
    )
    keep_done_days: Days = Field(default=30, description="days that done drops are kept")
    keep_failed_days: Days = Field(default=90, description="days that failed drops are kept")
    notify: tuple[SecretStr, ...] = Field(
        default=(), description="apprise addresses, added to the global ones"
    )
    max_file_mb: Rate = Field(default=100, description="megabytes of one drop at most")
    sheet: Text | None = Field(
        default=None, description="the sheet of a workbook; the first visible one when null"
    )
    max_rows: Count = Field(default=1_000_000, description="rows of one drop at most")
    api: OwnApi = Field(
        default=OwnApi(), description="an inbox may have its own key, model, budget"
    )

    @property
    def outbox_folder(self) -> Path:
        """The outbox as a folder (the only kind that this version serves)."""
        return Path(self.outbox)
