"""`POST /jobs`: what is posted becomes a drop like any other, under a claim whose id is promised in the answer."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from watcher.api import Callbacks, NotTaken
from watcher.core.errors import DropError
from watcher.core.jobs import JobState
from watcher.core.naming import safe_stem
from watcher.core.webhooks import ID, SIGNATURE, TIMESTAMP, Signer, is_fresh
from watcher.inbox import AGAIN, put
from watcher.intake.drops import open_drop
from watcher.ledger import Post
from watcher.web.access import Access
from watcher.web.bodies import Body, Part
from watcher.web.jobs import Jobs, as_json, bad_query, number_in
from watcher.web.problems import Refused, too_many
from watcher.web.reach import Reach
from watcher.web.values import Behind, InboxPlace, WebRules

_LONGEST_WAIT = 60  # seconds
_MOST_WAITING = 64
_MOST_COMING = 1000  # drops that were posted and are no jobs yet
_LOOK, _LONGEST_LOOK = 0.2, 1.0  # seconds between two looks at a job that is waited for
_LONGEST_KEY = 255
_MINUTE = 60.0
_KEPT = 30 * 86400.0  # seconds that keys are remembered
_MULTIPART = 1 << 20  # bytes that a multipart body may be larger than its file


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the request says besides its body."""

    inbox: str
    place: InboxPlace
    name: str
    wait: int
    again: bool
    callback_url: str
    key: str | None


@dataclass(slots=True, kw_only=True)
class Taking:
    """One for the process: it counts who comes and who waits."""

    behind: Behind
    rules: WebRules
    access: Access
    jobs: Jobs
    callbacks: Callbacks
    reach: Reach
    _recent: list[float] = field(default_factory=list)
    _waiting: int = 0

    def expect_untaken(self) -> None:
        """At start: what was posted before and is no job yet keeps the id that was promised."""
        for post in self.behind.ledger.posts.untaken():
            self.behind.expected.expect(post.inbox, post.path, post.id)

    async def post(self, request: Request) -> Response:
        if not self.rules.intake:
            hint = "Set web.intake to true in the settings and restart."
            raise Refused(403, "intake_off", "Jobs are not taken over HTTP here.", hint)
        signer = self._authorised(request)
        self._count()
        asked = self._asked(request)
        folder = asked.place.folder.path
        await self.reach.into(folder, lambda: self._require_room(asked))
        most = asked.place.folder.max_file_bytes + _MULTIPART
        file = self.behind.bodies / self.behind.new_id()
        async with Body(file, most=most, signer=signer) as body:
            part = await self._part(request, asked, body)
            await asyncio.to_thread(self._check, asked, part)
            post = await self.reach.throughout(folder, lambda: self._drop(asked, part))
        return await self._answer(request, asked, post)

    def _authorised(self, request: Request) -> Signer | None:
        """The token in the header, or None; else what will prove the signature. Raises Refused."""
        self.access.require_own_page(request)
        if self.access.is_bearer(request):
            return None
        headers = request.headers
        if SIGNATURE not in headers or not self.access.has_token:
            hint = "Say the token as Authorization: Bearer …, or sign the body with it."
            raise self.access.refusal("Jobs are taken with the token only.", hint)
        if not headers.get(ID) or not is_fresh(headers.get(TIMESTAMP, ""), self.behind.clock()):
            what = "The signed message is too old, or does not say when it was sent."
            raise Refused(401, "stale", what, f"Send {ID} and {TIMESTAMP}, in seconds, of now.")
        return Signer(self.rules.tokens(), headers[ID], headers[TIMESTAMP])

    def _count(self) -> None:
        now = asyncio.get_running_loop().time()
        self._recent = [at for at in self._recent if now - at < _MINUTE]
        if len(self._recent) >= self.rules.posts_per_minute:
            left = _MINUTE - (now - self._recent[0])
            raise too_many(
                "Too many jobs in one minute.", "Send them a little later.", seconds=left
            )
        self._recent.append(now)

    def _asked(self, request: Request) -> Asked:
        query, names = request.query_params, list(self.behind.inboxes)
        inbox = query.get("inbox", names[0] if len(names) == 1 else "")
        if inbox not in self.behind.inboxes:
            raise bad_query("inbox", f"one of {', '.join(names)}")
        if (again := query.get("again", "false")) not in {"true", "false"}:
            raise bad_query("again", "true or false")
        if not 1 <= len(name := query.get("name", "post")) <= 100:  # noqa: PLR2004 - characters
            raise bad_query("name", "1 to 100 characters")
        return Asked(
            inbox=inbox,
            place=self.behind.inboxes[inbox],
            name=name,
            wait=number_in(request, "wait", 0, 0, _LONGEST_WAIT),
            again=again == "true",
            callback_url=self._callback(query.get("callback_url")),
            key=self._key(request),
        )

    def _callback(self, url: str | None) -> str:
        if url is None:
            return ""
        try:
            self.callbacks.check(url)
        except NotTaken as error:
            raise bad_query("callback_url", f"an address that may be called. {error}") from None
        return url

    @staticmethod
    def _key(request: Request) -> str | None:
        key = request.headers.get("idempotency-key", request.headers.get(ID))
        if key is not None and not (1 <= len(key) <= _LONGEST_KEY and key.isprintable()):
            what = "The Idempotency-Key cannot be used."
            raise Refused(422, "bad_key", what, f"It has 1 to {_LONGEST_KEY} printable characters.")
        return key

    def _require_room(self, asked: Asked) -> None:
        """Raises Refused, or DiskError, before anything is received."""
        inboxes: Any = self.behind.about()["inboxes"]
        if inboxes[asked.inbox]["state"] in {"offline", "paused"}:
            what = f"The inbox {asked.inbox} takes nothing now: {inboxes[asked.inbox].get('what')}"
            headers = {"retry-after": "60"}
            raise Refused(503, "inbox_away", what, "Send it again later.", headers=headers)
        if len(self.behind.expected) >= _MOST_COMING:
            headers = {"retry-after": "10"}
            what = "Too many jobs wait to be taken."
            raise Refused(503, "busy", what, "Send it again later.", headers=headers)
        self.behind.require_room(asked.place.folder.path)

    async def _part(self, request: Request, asked: Asked, body: Body) -> Part:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in {"application/json", "multipart/form-data"}:
            hint = "Send application/json, or a file as multipart/form-data."
            raise Refused(415, "media_type", "This kind of body is not taken.", hint)
        digest = await body.receive(request)
        if kind == "application/json":
            return Part(file=body.file, name=f"{asked.name}.json", sha256=digest)
        return await body.part(request)

    def _check(self, asked: Asked, part: Part) -> None:
        """Read it to its end, as the intake will: what cannot be read is told at once. Raises Refused."""
        ending = PurePath(part.name).suffix.lower()
        kinds = asked.place.folder.extensions
        if ending not in kinds:
            hint = f"It takes {', '.join(sorted(kinds))}."
            raise Refused(415, "kind", f"The inbox takes no files of the kind “{ending}”.", hint)
        if part.file.stat().st_size > asked.place.folder.max_file_bytes:
            most = asked.place.folder.max_file_bytes / 1e6
            raise Refused(413, "too_large", "The file is too large.", f"At most {most:g} MB.")
        try:
            with part.file.open("rb") as stream:
                limits = asked.place.limits()
                parsed, _ = open_drop(f"post{ending}", stream, limits, {"prompt": ""})
                for _row in parsed.rows:
                    pass
        except DropError as error:
            raise Refused(422, error.code, error.what, error.hint) from None

    def _drop(self, asked: Asked, part: Part) -> Post:
        """Written down, expected, then renamed in; what has its key already is not dropped again."""
        posts, now = self.behind.ledger.posts, self.behind.clock()
        posts.sweep(now - _KEPT)
        post = Post(
            id=self.behind.new_id(),
            inbox=asked.inbox,
            path=_path(asked, part),
            key=asked.key,
            fingerprint=_fingerprint(asked, part),
            created_at=now,
            callback_url=asked.callback_url,
            next_at=now if asked.callback_url else None,
        )
        found = posts.add(post)
        if found.fingerprint != post.fingerprint:
            what = "This Idempotency-Key was used for another request."
            raise Refused(422, "key_reused", what, "Give each job a key of its own.")
        if found.id == post.id or not self.jobs.is_coming(found):
            self._put(asked, part, found)
        return found

    def _put(self, asked: Asked, part: Part, post: Post) -> None:
        expected, posts = self.behind.expected, self.behind.ledger.posts
        try:
            for path in _paths(post.path):
                if not expected.expect(asked.inbox, path, post.id):
                    continue
                posts.move(post.id, path)
                if put(asked.place.folder, path, part.file):
                    self.behind.log.info("post.taken", inbox=asked.inbox, job=post.id)
                    return
                expected.settle(post.id)
        except BaseException:
            expected.settle(post.id)
            posts.forget(post.id)
            raise

    async def _answer(self, request: Request, asked: Asked, post: Post) -> Response:
        base = self.jobs.base_of(request)
        if await self._wait(post.id, asked.wait):
            about = await asyncio.to_thread(self.jobs.whole, base, post.id)
            return as_json(about or {})
        coming = await self.jobs.about(base, post.id)
        return as_json(coming, 202, location=coming["links"]["self"])

    async def _wait(self, post_id: str, seconds: int) -> bool:
        """Until the job's results are out; False when that takes longer, or nobody waits."""
        if not seconds or self._waiting >= _MOST_WAITING:
            return False
        self._waiting += 1
        look = _LOOK
        try:
            async with asyncio.timeout(seconds):
                while True:
                    job = await asyncio.to_thread(self.jobs.find, post_id)
                    if job and job.state is not JobState.RUNNING and job.published_at:
                        return True
                    await asyncio.sleep(look)
                    look = min(_LONGEST_LOOK, look * 1.2)
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1


def _path(asked: Asked, part: Part) -> bytes:
    """Where it would like to lie in the inbox: under the name it was given, made safe."""
    name = PurePath(part.name.replace("\\", "/"))
    stem = safe_stem(name.stem, fallback="post")
    folder = f"{AGAIN}/" if asked.again else ""
    return os.fsencode(f"{folder}{stem}{name.suffix.lower()}")


def _paths(path: bytes) -> Iterator[bytes]:
    """`x.json`, `x-2.json`, …: names that need no quoting in an address."""
    stem, dot, ending = path.rpartition(b".")
    yield path
    yield from (b"%s-%d%s%s" % (stem, count, dot, ending) for count in range(2, 10_000))


def _fingerprint(asked: Asked, part: Part) -> str:
    said = (asked.inbox, part.name, str(asked.again), asked.callback_url, part.sha256)
    return hashlib.sha256("\0".join(said).encode(errors="surrogatepass")).hexdigest()
