"""Signed messages between programs: who sent it, when, and that nothing was changed on the way.

After https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Collection
from hashlib import sha256

_PREFIX = "whsec_"
_VERSION = "v1"
TOLERANCE = 300.0  # seconds that a message may be old, or ahead
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


class Signer:
    """The signatures of one message, whose body may come in pieces: one for each secret that is good now."""

    def __init__(self, secrets: Collection[str], message: str, timestamp: str) -> None:
        """`secrets`: as they are, or `whsec_` and base64; `timestamp`: seconds since the epoch, as text."""
        head = f"{message}.{timestamp}.".encode()
        self._macs = [hmac.new(_key(secret), head, sha256) for secret in secrets]

    def take(self, piece: bytes) -> None:
        for mac in self._macs:
            mac.update(piece)

    def signature(self) -> str:
        """All of them, parted by spaces."""
        return " ".join(f"{_VERSION},{b64encode(mac.digest()).decode()}" for mac in self._macs)

    def is_among(self, signatures: str) -> bool:
        """Whether one of these, parted by spaces, is one of ours."""
        ours, theirs = self.signature().encode().split(), signatures.encode().split(b" ")
        found = [hmac.compare_digest(mine, one) for mine in ours for one in theirs]
        return any(found)


def is_fresh(timestamp: str, now: float) -> bool:
    """Whether a message is of now: an old one may have been caught and sent again."""
    good = timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= len(str(2**40))
    return good and abs(int(timestamp) - now) <= TOLERANCE


def headers_of(
    secrets: Collection[str], message: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """What is sent along with a body."""
    signer = Signer(secrets, message, str(timestamp))
    signer.take(body)
    return {ID: message, TIMESTAMP: str(timestamp), SIGNATURE: signer.signature()}


def _key(secret: str) -> bytes:
    if secret.startswith(_PREFIX):
        try:
            return b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            pass
    return secret.encode()
