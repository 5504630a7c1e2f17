"""How one kind of image server differs from the others: data, read from data/profiles.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One entry of SETTINGS `api.profile`. Sources of each difference: docs/why.md and the data file."""

    name: str
    default_base_url: str = ""
    auth: Literal["bearer", "api-key"] = "bearer"
    # Whose retirement dates of the catalogue count; "" for servers that may serve retired models on.
    provider: str = ""
    response_format: Literal["omit", "b64_json", "url"] = "omit"
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
