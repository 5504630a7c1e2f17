"""Who may do what: the token by form, header or signature; sessions; and that an order comes from our own page."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from watcher.web.problems import Refused, too_many
from watcher.web.values import WebRules

COOKIE = "image-watcher"
SESSION = 7 * 86400  # seconds
_MOST_SESSIONS = 200
_TRIES, _WITHIN = 10, 60.0  # wrong tokens from one address, within seconds
_MOST_ADDRESSES = 10_000
_LONGEST = 1024  # characters of a token
_BASIC = "Say the token as Authorization: Bearer …, or log in on the page."


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who knows the token. `csrf`: what each form of theirs carries."""

    token: str
    csrf: str
    until: float


class Access:
    """Sessions live in memory: a restart, or another token, ends them."""

    def __init__(self, rules: WebRules, *, monotonic: Callable[[], float]) -> None:
        """`monotonic` in seconds."""
        self._rules = rules
        self._now = monotonic
        self._sessions: dict[str, Session] = {}
        self._wrong: dict[str, list[float]] = {}

    @property
    def has_token(self) -> bool:
        return bool(self._rules.tokens())

    def log_in(self, request: Request, token: str) -> Response:
        """Puts the session's cookie on the answer that it returns. Raises Refused for a wrong token."""
        self._check_token(request, token)
        name = secrets.token_urlsafe(32)
        now = self._now()
        alive = {key: one for key, one in self._sessions.items() if one.until > now}
        self._sessions = dict(list(alive.items())[-_MOST_SESSIONS:])
        self._sessions[name] = Session(
            token=token, csrf=secrets.token_urlsafe(32), until=now + SESSION
        )
        answer = Response(status_code=303, headers={"location": "./"})
        answer.set_cookie(
            COOKIE, name, max_age=SESSION, httponly=True, samesite="strict",
            secure=self._is_secure(request),
        )  # fmt: skip
        return answer

    def log_out(self, request: Request) -> Response:
        self._sessions.pop(request.cookies.get(COOKIE, ""), None)
        answer = Response(status_code=303, headers={"location": "./"})
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    def session(self, request: Request) -> Session | None:
        """Of the request's cookie, while it is good for the token in force."""
        found = self._sessions.get(request.cookies.get(COOKIE, ""))
        good = found and found.until > self._now() and self._is_good(found.token)
        return found if good else None

    def is_bearer(self, request: Request) -> bool:
        """Whether the token is in the header. Raises Refused for a wrong one."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return False
        self._check_token(request, token.strip())
        return True

    def require_reader(self, request: Request) -> None:
        """Raises Refused where nothing is shown without the token."""
        if self._rules.reading == "token" and not self.session(request):
            self.require_token(request)

    def require_token(self, request: Request) -> None:
        if not self.is_bearer(request):
            raise self.refusal("This needs the token.", _BASIC)

    def require_order(self, request: Request, form: Mapping[str, object]) -> None:
        """An order needs the token in the header, or a session and a form; and comes from no page but ours."""
        self.require_own_page(request)
        if self.is_bearer(request):
            return
        session = self.session(request)
        if session is None:
            raise self.refusal("Orders need the token.", _BASIC)
        if not _same(str(form.get("csrf", "")), session.csrf):
            raise Refused(403, "stale_form", "This form is out of date.", "Reload the page.")

    @staticmethod
    def require_own_page(request: Request) -> None:
        """Raises Refused for what another site sends. https://www.w3.org/TR/fetch-metadata/"""
        site = request.headers.get("sec-fetch-site")
        origin = request.headers.get("origin")
        host = request.headers.get("host", "")
        foreign = origin is not None and urlsplit(origin).netloc != host
        if site not in {None, "same-origin"} or (site is None and foreign):
            what = "This came from a page of another site, and was not done."
            raise Refused(403, "cross_site", what, "Do it on the status page itself.")

    def refusal(self, what: str, hint: str) -> Refused:
        if not self.has_token:
            hint = "There is none yet: set web.token_file in the settings and restart."
        headers = {"www-authenticate": 'Bearer realm="image-watcher"'}
        return Refused(401, "token_needed", what, hint, headers=headers)

    def _check_token(self, request: Request, token: str) -> None:
        """In constant time; who was wrong too often has to wait."""
        address = request.client.host if request.client else ""
        now = self._now()
        recent = [at for at in self._wrong.get(address, ()) if now - at < _WITHIN]
        if len(recent) >= _TRIES:
            left = _WITHIN - (now - recent[0])
            raise too_many("Too many wrong tokens.", "Wait a minute.", seconds=left)
        if len(token) <= _LONGEST and self._is_good(token):
            self._wrong.pop(address, None)
            return
        if len(self._wrong) >= _MOST_ADDRESSES:
            self._wrong.clear()
        self._wrong[address] = [*recent, now]
        raise self.refusal(
            "The token is not right.", "Look into the file that web.token_file names."
        )

    def _is_good(self, token: str) -> bool:
        """Whether it is one of those in force; every one is looked at, so that time tells nothing."""
        found = [_same(token, one) for one in self._rules.tokens()]
        return any(found)

    def _is_secure(self, request: Request) -> bool:
        """Whether the browser came by https, as far as that can be known behind a proxy."""
        url = urlsplit(self._rules.public_url)
        return url.scheme == "https" and url.netloc == request.headers.get("host")


def _same(one: str, other: str) -> bool:
    """Never for an empty one."""
    return bool(one) and hmac.compare_digest(one.encode(), other.encode())
