"""Masking what must not be shown: keys, Bearer tokens, signed addresses, passwords in addresses.

One set of rules for logs, settings, results and words about errors.
"""

from __future__ import annotations

import re

MASK = "********"

# Names of query parameters that make an address a permission (S3, GCS, Azure SAS, CloudFront, our own).
_SIGNED = re.compile(
    r"[?&](?:x-(?:amz|goog|oss)-[\w-]+|sig|signature|key-pair-id|googleaccessid|awsaccesskeyid"
    r"|[\w-]{0,40}(?:token|secret|password|key))=",
    re.IGNORECASE,
)
# Lengths are bounded, so that no text can make the search slow.
_ADDRESS_WITH_QUERY = re.compile(
    r"(\b[a-z][a-z0-9+.-]{0,30}://[^\s?\"'<>]{1,2000})\?[^\s\"'<>]*", re.IGNORECASE
)
_USERINFO = re.compile(r"(\b[a-z][a-z0-9+.-]{0,30}://)[^/?#\s\"'<>]{1,500}@", re.IGNORECASE)
# OpenAI and most servers that copy it; `*` because a 401 echoes the key half masked.
_KEY = re.compile(r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_*-]{6,}")
_BEARER = re.compile(r"\b(bearer\s+)[A-Za-z0-9._~+/=*-]{8,}", re.IGNORECASE)
_NAMED = re.compile(
    r"\b((?:x-)?api[-_ ]?key|authorization|password|client[-_]?secret|access[-_]token)"
    r"([\"']?\s*[:=]\s*[\"']?)(?!bearer\b)[^\s\"',;&]{6,}",
    re.IGNORECASE,
)


def mask(text: str) -> str:
    """The text with everything in it that looks like a secret replaced by `MASK`."""
    text = _ADDRESS_WITH_QUERY.sub(_query, text)
    text = _USERINFO.sub(rf"\1{MASK}@", text)
    text = _KEY.sub(MASK, text)
    text = _BEARER.sub(rf"\1{MASK}", text)
    return _NAMED.sub(rf"\1\2{MASK}", text)


def mask_address(address: str) -> str:
    """An address of which only the kind may be shown: `slack://********` (its path holds tokens)."""
    scheme, found, _ = address.partition("://")
    return f"{scheme}://{MASK}" if found else MASK


def _query(match: re.Match[str]) -> str:
    return f"{match[1]}?{MASK}" if _SIGNED.search(match[0]) else match[0]
