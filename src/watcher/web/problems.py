"""What is answered instead of what was asked for: problem+json (RFC 9457), in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import orjson
from starlette.responses import Response


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """`what` happened, in a sentence; `hint`: what to do now; `code`: for programs."""

    def __init__(
        self,
        status: int,
        code: str,
        what: str,
        hint: str = "",
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(what)
        self.status = status
        self.code = code
        self.what = what
        self.hint = hint
        self.headers = dict(headers or {})

    def answer(self) -> Response:
        body = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": f"{self.what} {self.hint}".strip(),
            "code": self.code,
        }
        return Response(
            orjson.dumps(body), self.status, self.headers, media_type="application/problem+json"
        )


def not_found(what: str = "There is nothing here.", hint: str = "") -> Refused:
    return Refused(404, "not_found", what, hint)


def too_many(what: str, hint: str, *, seconds: float) -> Refused:
    """`seconds`: until it may be tried again."""
    headers = {"retry-after": str(max(1, round(seconds)))}
    return Refused(429, "too_many_requests", what, hint, headers=headers)
