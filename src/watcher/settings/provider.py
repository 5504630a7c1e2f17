"""Settings of the provider: its address, models, patience, limits and budget.

Descriptions end up in the JSON Schema, so that an editor shows them beside the key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import Field, JsonValue

from watcher.settings.values import (
    Address,
    Count,
    CountOrZero,
    Dollars,
    Minutes,
    Rate,
    Seconds,
    Section,
    Text,
)

Profile: TypeAlias = Literal[
    "openai",
    "azure",
    "litellm",
    "openrouter",
    "localai",
    "vllm-omni",
    "sglang",
    "sdcpp",
    "ollama",
    "generic",
]
Retired: TypeAlias = Literal["replace", "refuse", "send"]
Coercion: TypeAlias = Literal["lenient", "strict"]


class Timeouts(Section):
    """Seconds without an answer after which a call is given up. Images of high quality take minutes."""

    connect: Seconds = Field(default=10, description="seconds until a connection stands")
    low: Seconds = Field(default=180, description="seconds for an image of low quality")
    medium: Seconds = Field(default=360, description="seconds for an image of medium quality")
    high: Seconds = Field(default=600, description="seconds for high quality, 4K, GIF and SVG")
    analyze: Seconds = Field(default=120, description="seconds for the description of a picture")
    download: Seconds = Field(
        default=60, description="seconds for fetching a picture by its address"
    )


class Retry(Section):
    """How often and how long a call is tried again at once; what takes longer waits in the ledger."""

    attempts: Count = Field(default=4, le=100, description="tries of one call, the first included")
    base: Seconds = Field(
        default=2, description="seconds before the second try; doubles from there"
    )
    longest: Seconds = Field(default=60, description="seconds between two tries at most")
    ambiguous: CountOrZero = Field(
        default=1, le=10, description="resends of a call that may have been paid"
    )


class Api(Section):
    """The image API."""

    profile: Profile = Field(default="openai", description="the kind of server")
    base_url: Address = Field(
        default="https://api.openai.com/v1",
        description="the API's address, or its full …/images/generations address",
    )
    key_file: Path | None = Field(
        default=None,
        description="a file that holds the key; else WATCHER_API__KEY, OPENAI_API_KEY or the systemd credential api-key",
    )
    organization: Text | None = Field(default=None, description="sent as OpenAI-Organization")
    model: Text = Field(default="gpt-image-2.5-flare", description="the model that generates")
    edit_model: Text = Field(default="gpt-image-2.5-sunburst", description="the model that edits")
    analyze_model: Text = Field(
        default="gpt-6-luna", description="the model that describes pictures"
    )
    retired_models: Retired = Field(
        default="replace", description="what happens to a row that names a model that is gone"
    )
    coercion: Coercion = Field(
        default="lenient",
        description="lenient: mend and say so in the results; strict: the row fails",
    )
    timeouts: Timeouts = Timeouts()
    retry: Retry = Retry()
    probe_minutes: tuple[Minutes, ...] = Field(
        default=(5, 15, 60),
        min_length=1,
        description="minutes before the first, second … look whether a refused key or account works again; the last one repeats",
    )
    extra_parameters: tuple[Text, ...] = Field(
        default=(), description="further parameters that the server takes, such as seed and steps"
    )
    idempotency_key: bool = Field(
        default=False,
        description="send an Idempotency-Key, equal for a call and its resends: for a server or gateway that charges such calls once",
    )
    models: dict[Text, dict[str, JsonValue]] = Field(
        default_factory=dict,
        description="entries over those of the shipped catalogue, by model: what it takes and costs, such as {my-model: {like: gpt-image-2.5-flare, n_max: 4}}",
    )


class Limits(Section):
    """Shared by all inboxes that use the same key."""

    concurrency: Count = Field(default=4, le=1024, description="requests in flight at most")
    images_per_minute: Rate | None = Field(
        default=None, description="learnt from the API's headers when null"
    )
    requests_per_minute: Rate | None = Field(
        default=None, description="learnt from the API's headers when null"
    )


class Budget(Section):
    """What may be spent. A budget that is reached stops the lane; no row fails."""

    usd_per_day: Dollars | None = Field(default=None, description="dollars a day")
    images_per_day: CountOrZero | None = Field(default=None, description="images a day")
    usd_per_job: Dollars | None = Field(default=None, description="dollars a job")
    approve_above_usd: Dollars | None = Field(
        default=None, description="a job that would cost more waits for a person"
    )


class OwnApi(Section):
    """What an inbox has of its own; everything that is null is as in `api` and `budget`."""

    profile: Profile | None = Field(default=None, description="as api.profile")
    base_url: Address | None = Field(default=None, description="as api.base_url")
    key_file: Path | None = Field(default=None, description="as api.key_file")
    organization: Text | None = Field(default=None, description="as api.organization")
    model: Text | None = Field(default=None, description="as api.model")
    edit_model: Text | None = Field(default=None, description="as api.edit_model")
    analyze_model: Text | None = Field(default=None, description="as api.analyze_model")
    retired_models: Retired | None = Field(default=None, description="as api.retired_models")
    coercion: Coercion | None = Field(default=None, description="as api.coercion")
    extra_parameters: tuple[Text, ...] | None = Field(
        default=None, description="as api.extra_parameters"
    )
    idempotency_key: bool | None = Field(default=None, description="as api.idempotency_key")
    budget: Budget | None = Field(default=None, description="as budget, for this inbox")
