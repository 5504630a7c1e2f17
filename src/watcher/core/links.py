"""Public addresses of pictures: where the outbox is reached from outside, and, if wanted, who may for how long."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import quote

_SIGNATURE = 32  # characters of it that a link carries: 128 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicLinks:
    """`base` "": there are none. With a `key` they are signed, and good until `expires` (seconds since the epoch)."""

    base: str = ""
    key: bytes = b""
    expires: int = 0

    def to(self, folder: str, file: str) -> str:
        """The address of `file` (relative to the job's folder); `folder` is the job's, by name."""
        address = f"{self.base.rstrip('/')}/{quote(folder, safe='')}/{quote(file)}"
        if not self.key:
            return address
        signed = signature(self.key, folder, file, self.expires)
        return f"{address}?expires={self.expires}&signature={signed}"


NO_LINKS = PublicLinks()


def signature(key: bytes, folder: str, file: str, expires: int) -> str:
    """What proves that we made the link: HMAC-SHA256 over what it leads to and until when."""
    text = f"{expires}\n{folder}/{file}".encode(errors="surrogatepass")
    return hmac.new(key, text, sha256).hexdigest()[:_SIGNATURE]


def is_signed(key: bytes, folder: str, file: str, *, expires: str, signed: str, now: float) -> bool:
    """Whether `expires` and `signed`, as a link carries them, are ours and not over."""
    if not (key and expires.isascii() and expires.isdecimal() and len(expires) <= len(str(2**40))):
        return False
    wanted = signature(key, folder, file, int(expires))
    return int(expires) > now and hmac.compare_digest(wanted.encode(), signed.encode())
