"""Where the API's key comes from. It is no setting: it never stands in the file, and is never shown."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from watcher.core.errors import SettingsError
from watcher.settings.models import Settings

COMMON = ""  # the name, among the inboxes', of what those share that have nothing of their own
_KEY = re.compile(r"[\x21-\x7e]{1,512}")
_MOST = 4096


def find_key(
    settings: Settings,
    environ: Mapping[str, str],
    inbox: str | None = None,
    *,
    credential: Path | None = None,
) -> tuple[SecretStr, str]:
    """The key and where it was found; an empty key when there is none (the lane then halts).

    Order: `api.key_file`, WATCHER_API__KEY, OPENAI_API_KEY, systemd's credential `api-key`; beside the
    service the file `credential` that systemd makes it of, for who may read that. An inbox
    with a `key_file` of its own has its own key; one that asks another server, and has none, gets
    none: the common key goes to nobody but its own server. Raises `SettingsError` for a key file
    that cannot be read and for a key that no key can be.
    """
    if inbox and (own := settings.inboxes[inbox].api.key_file):
        return _from_file(own, f"inboxes.{inbox}.api.key_file")
    if inbox and _server(settings.api_for(inbox).base_url) != _server(settings.api.base_url):
        return SecretStr(""), ""
    if settings.api.key_file:
        return _from_file(settings.api.key_file, "api.key_file")
    for name in ("WATCHER_API__KEY", "OPENAI_API_KEY"):
        if environ.get(name, "").strip():
            return _checked(environ[name], f"environment {name}"), f"environment {name}"
    if folder := environ.get("CREDENTIALS_DIRECTORY"):
        credential = Path(folder, "api-key")
    if credential and os.access(credential, os.R_OK):
        return _from_file(credential, "systemd credential api-key")
    return SecretStr(""), ""


def _server(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    return parts.scheme, parts.netloc.lower()


def _from_file(path: Path, source: str) -> tuple[SecretStr, str]:
    try:
        with path.open("rb") as file:
            text = file.read(_MOST).decode("ascii", "replace")
    except OSError as error:
        # Not the path: a key that was pasted in the place of its file would be shown.
        what = f"{source}: the file that holds the key cannot be read ({error.strerror})."
        raise SettingsError(what, "Check its path and permissions.") from None
    key = _checked(text, source)
    return key, source if key.get_secret_value() else ""


def _checked(text: str, source: str) -> SecretStr:
    key = text.strip()
    if key and not _KEY.fullmatch(key):
        what = f"{source}: found {len(key)} characters that cannot be a key; allowed: one line of letters, digits and signs, without spaces."
        raise SettingsError(what, "Copy the key again.")
    return SecretStr(key)
