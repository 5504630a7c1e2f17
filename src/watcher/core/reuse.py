"""Which rows ask for the same: what one was paid for is there for the other as well."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping

from watcher.core.jobs import Item
from watcher.core.pictures import is_address, kept_picture


def fingerprint(
    item: Item,
    server: str,
    fetched: Mapping[str, str] | None = None,
    left_out: Collection[str] = (),
) -> str:
    """Equal for items that are equal in everything that is sent to `server`, pictures included.

    `fetched`: by address, the SHA-256 of what lay there. `left_out`: parameters that are not sent.
    "" where the item has a picture whose content is not known. Names, notes and what is done with
    the answer are not part of it.
    """
    pictures = [_content(one, fetched or {}) for one in (*item.images, item.mask, item.markup)]
    if not all(pictures):
        return ""
    parameters, extra = (
        {name: value for name, value in said.items() if name not in left_out}
        for said in (item.parameters, item.extra)
    )
    asked = [
        server, item.operation, item.model, item.prompt, item.n, parameters, extra, pictures,
        item.mask_mode if item.mask else "",
    ]  # fmt: skip
    text = json.dumps(asked, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _content(reference: str, fetched: Mapping[str, str]) -> str:
    """What stands for a picture: the digest of its bytes; "-" for none, "" where it is not known."""
    if not reference:
        return "-"
    if (kept := kept_picture(reference)) is not None:
        return kept.sha256
    return fetched.get(reference, "") if is_address(reference) else ""
