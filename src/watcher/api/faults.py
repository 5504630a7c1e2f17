"""A fault of the transport → a refusal in words. What matters is whether anything was sent."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import Any

import httpx

from watcher.core.jobs import No, Refusal
from watcher.core.wire import sentences as say

# X509_V_ERR_* of OpenSSL
_EXPIRED = frozenset({9, 10})
_UNKNOWN_ISSUER = frozenset({18, 19, 20, 21})
_OTHER_NAME = frozenset({62, 64})

_CHECK_SERVER = (
    "Check that the server runs, and api.base_url and the network; the row is tried again."
)
_LATE = "It may have been charged. If it happens often, ask for less (size, quality) or raise api.timeouts."


class Fault(Exception):  # noqa: N818 - carries a refusal, is none
    """A call that brought no reply. `again`: nothing was sent, and a moment may mend it."""

    def __init__(self, refusal: Refusal, *, again: bool = False) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal
        self.again = again


class Phase:
    """How far a call has come, by httpcore's trace; a transport without a trace counts as sent."""

    def __init__(self) -> None:
        self._traced = False
        self._sent = False

    async def trace(self, event: str, _info: dict[str, Any]) -> None:
        self._traced = True
        self._sent = self._sent or event.endswith("send_request_headers.started")

    @property
    def nothing_sent(self) -> bool:
        return self._traced and not self._sent


def fault_of(error: httpx.TransportError, phase: Phase, host: str) -> Fault:
    """`host` as people know it. The error's own text is shown nowhere: it may quote headers."""
    unsent = (
        httpx.ConnectError,
        httpx.ConnectTimeout,
        httpx.PoolTimeout,
        httpx.UnsupportedProtocol,
    )
    if isinstance(error, unsent) or phase.nothing_sent:
        return _not_connected(error, host)
    if isinstance(error, httpx.TimeoutException):
        return too_late(host)
    if "disconnected" in str(error) or "peer closed" in str(error):
        return _lost(host)
    if isinstance(error, httpx.ProtocolError):
        return ambiguous("protocol_error", f"{host} answered in something that is not HTTP.")
    return _lost(host)


def too_late(host: str) -> Fault:
    return ambiguous("timeout", f"{host} did not answer in time.", _LATE)


def unreachable(host: str) -> Fault:
    what = f"{host} did not take the connection in time."
    return _later(what, _CHECK_SERVER, again=True)


def ambiguous(code: str, what: str, hint: str = say.DOUBT) -> Fault:
    return Fault(Refusal(no=No.AMBIGUOUS, code=code, what=what, hint=hint, paid_maybe=True))


def _lost(host: str) -> Fault:
    return ambiguous(
        "connection_lost", f"The connection to {host} broke before the answer was whole."
    )


def _not_connected(error: httpx.TransportError, host: str) -> Fault:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _later(*_certificate(cause, host))
        if isinstance(cause, ssl.SSLError):
            what = f"{host} does not speak TLS as expected."
            return _later(what, "Should api.base_url begin with http:// instead of https://?")
        if isinstance(cause, socket.gaierror):
            what = f"The name {host} was not found."
            hint = "Check api.base_url, and the network and name service of this machine."
            return _later(what, hint, again=True)
        if isinstance(cause, ConnectionRefusedError):
            return _later(f"{host} refused the connection.", _CHECK_SERVER, again=True)
    if isinstance(error, httpx.TimeoutException):
        return unreachable(host)
    return _later(f"{host} cannot be reached.", _CHECK_SERVER, again=True)


def _certificate(error: ssl.SSLCertVerificationError, host: str) -> tuple[str, str]:
    """(what, hint). The check itself is never switched off."""
    if error.verify_code in _OTHER_NAME:
        return (
            f"The certificate of {host} is made out to another name.",
            "Set api.base_url to the name that the certificate bears.",
        )
    if error.verify_code in _EXPIRED:
        return (
            f"The certificate of {host} is not valid today.",
            "Check the clock of this machine; else the server needs a new certificate.",
        )
    if error.verify_code in _UNKNOWN_ISSUER:
        return (
            f"The certificate of {host} comes from an authority that is not known here.",
            "For a private authority set SSL_CERT_FILE to its certificate.",
        )
    return f"The certificate of {host} was refused: {error.verify_message}.", _CHECK_SERVER


def _later(what: str, hint: str, *, again: bool = False) -> Fault:
    return Fault(Refusal(no=No.LATER, code="connection", what=what, hint=hint), again=again)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it, into groups of several addresses tried."""
    while error is not None:
        yield error
        for member in getattr(error, "exceptions", ()):
            yield from _causes(member)
        error = error.__cause__ or error.__context__
