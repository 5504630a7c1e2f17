"""Where the API is and who asks: base URL, key, profile, timeouts. The key is never shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit, urlunsplit

from watcher.core.profiles import Profile

DEFAULT_TIMEOUTS: Mapping[str, float] = MappingProxyType(
    {"connect": 10.0, "low": 180.0, "medium": 360.0, "high": 600.0, "analyze": 120.0, "download": 60.0}
)  # fmt: skip
_VISIBLE = re.compile(r"[\x21-\x7e]{1,512}")
_DOORS = re.compile(
    r"/(images(/(generations|edits|variations|inpainting))?|chat/completions|responses|models|files|batches)$"
)
_AZURE = "On Azure use https://NAME.openai.azure.com/openai/v1, without api-version."


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One API and one account. Raises ValueError, without the key in it, for what cannot be sent.

    `key` "": the server wants none, and no header is sent. `timeouts` are seconds, by the names of
    SETTINGS `api.timeouts`; what is missing has its default.
    """

    base_url: str
    key: str = field(repr=False)
    profile: Profile
    organization: str | None = None
    timeouts: Mapping[str, float] = field(default_factory=lambda: DEFAULT_TIMEOUTS)

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", normalise_base_url(self.base_url))
        object.__setattr__(self, "key", _visible(self.key, "The API key") if self.key else "")
        if self.organization:
            object.__setattr__(
                self, "organization", _visible(self.organization, "The organization")
            )

    def timeout(self, name: str) -> float:
        """Seconds."""
        return self.timeouts.get(name, DEFAULT_TIMEOUTS.get(name, DEFAULT_TIMEOUTS["high"]))

    @property
    def auth(self) -> dict[str, str]:
        """The headers that prove who asks; for this address and no other."""
        if not self.key:
            return {}
        if self.profile.auth == "api-key":
            return {"api-key": self.key}
        return {"authorization": f"Bearer {self.key}"}


def normalise_base_url(text: str) -> str:
    """The base of an address, which may name one of the API's doors (…/images/generations) in full.

    Raises ValueError with a sentence for what is no address, or carries a password, key or query.
    """
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError as error:
        raise ValueError(f"api.base_url is no address: {error}.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("api.base_url must be an address like https://api.openai.com/v1.")
    if parts.username is not None or parts.password is not None:
        raise ValueError("api.base_url holds a user name or password; the key belongs elsewhere.")
    if parts.query or parts.fragment:
        raise ValueError(
            f"api.base_url has something after “?” or “#”; keys never go there. {_AZURE}"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = _DOORS.sub("", parts.path.rstrip("/"))
    return urlunsplit((parts.scheme, f"{host}:{port}" if port else host, path, "", ""))


def _visible(text: str, what: str) -> str:
    """Stripped; a stray line break would make HTTP quote the whole header in its error."""
    stripped = text.strip()
    if not _VISIBLE.fullmatch(stripped):
        raise ValueError(
            f"{what} is empty, longer than 512 characters, or has blanks, line breaks or letters outside ASCII in it."
        )
    return stripped
