"""How one kind of image server differs from the others: data, read from data/profiles.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

import yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One entry of SETTINGS `api.profile`. Sources of each difference: docs/why.md and the data file."""

    name: str
    default_base_url: str = ""
    auth: Literal["bearer", "api-key"] = "bearer"
    # Whether nothing at all can be asked for without a key.
    needs_key: bool = False
    # Whose retirement dates of the catalogue count; "" for servers that may serve retired models on.
    provider: str = ""
    response_format: Literal["omit", "b64_json", "url"] = "omit"
    # Through which door pictures are asked for; "chat" knows no masks and gives one picture a call.
    picture_api: Literal["images", "chat"] = "images"
    analyze_api: Literal["responses", "chat"] = "chat"
    token_parameter: str = "max_tokens"  # noqa: S105 - a parameter's name
    edit_transport: Literal["multipart", "json", "inpainting"] = "multipart"
    image_field: Literal["image", "image[]", "auto"] = "auto"
    mask_field: str = "mask"
    mask_mode: Literal["alpha", "white"] = "alpha"
    user_field: Literal["safety_identifier", "user"] = "user"
    # Parameters that this server refuses or ignores: never sent, and told.
    drops: frozenset[str] = frozenset()
    # Parameters that this server takes besides OpenAI's own.
    extra_parameters: frozenset[str] = frozenset()
    operations: frozenset[str] = frozenset({"generate", "edit", "analyze"})
    max_concurrency: int | None = None
    honours_idempotency_key: bool = False
    # Whether the server fetches picture URLs itself; else we inline them.
    takes_urls: bool = False


@cache
def load_profiles() -> Mapping[str, Profile]:
    """The shipped profiles by name. The data file is checked by the tests, not at run time."""
    data = yaml.safe_load(files("watcher.core.data").joinpath("profiles.yaml").read_text("utf-8"))
    return MappingProxyType({name: _profile(name, entry) for name, entry in data.items()})


def _profile(name: str, entry: Mapping[str, object]) -> Profile:
    fields = {key: _frozen(value) for key, value in entry.items()}
    return Profile(name=name, **fields)  # type: ignore[arg-type]


def _frozen(value: object) -> object:
    return frozenset(value) if isinstance(value, list) else value
