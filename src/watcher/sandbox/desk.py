"""One call's way through the sandbox: checked, struck by faults, drawn and paid, answered."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from random import Random

from starlette.requests import Request
from starlette.responses import Response

from watcher.core.catalogue import Catalogue
from watcher.core.jobs import Operation, Usage
from watcher.core.pricing import cost_usd
from watcher.sandbox.answers import delivered, pictures_body
from watcher.sandbox.asked import Asked, PicturesAsked, WordsAsked
from watcher.sandbox.checks import check_pictures, find_model
from watcher.sandbox.counts import Counts
from watcher.sandbox.encoding import blank, render
from watcher.sandbox.faultbook import FaultBook, Struck
from watcher.sandbox.faults import FaultRule
from watcher.sandbox.forms import Form, read_form, read_json, typed
from watcher.sandbox.inputs import from_files, from_references
from watcher.sandbox.limits import ImageLimits
from watcher.sandbox.misbehaving import refusing_answer, spoiled
from watcher.sandbox.options import SandboxOptions
from watcher.sandbox.parameters import PARAMETERS
from watcher.sandbox.refusals import Refused
from watcher.sandbox.shelf import Kept, Shelf
from watcher.sandbox.tokens import usage_of
from watcher.sandbox.vision import chat_body, check_chat, check_responses, responses_body, speak

_INTEGERS = [name for name, parameter in PARAMETERS.items() if parameter.kind is int]
_BOOLEANS = [name for name, parameter in PARAMETERS.items() if parameter.kind is bool]
_REFERENCES = ("images", "mask", "markup")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """`now`: seconds since the epoch; `monotonic`: seconds that never go back; `sleep` waits some."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Desk:
    """What a running sandbox remembers, and the calls that it answers. All of them raise Refused."""

    def __init__(self, options: SandboxOptions, clocks: Clocks) -> None:
        self._options = options
        self._clocks = clocks
        self._random = Random(options.seed)  # noqa: S311 - no secret
        self.catalogue = Catalogue.shipped()
        self.counts = Counts(clocks.now)
        self.faults = FaultBook(options.faults, self._random)
        self.limits = ImageLimits(options.images_per_minute, clocks.monotonic)
        self.shelf = Shelf()

    @property
    def today(self) -> date:
        """The day in UTC: models are shut down by it."""
        return datetime.fromtimestamp(self._clocks.now(), UTC).date()

    def new_id(self) -> str:
        return f"{self._random.getrandbits(128):032x}"

    def limit_headers(self, model: str) -> Mapping[str, str]:
        """What an answer for this model tells of its limits."""
        return self.limits.of(model).headers() if self._options.tells_limits else {}

    async def generate(self, request: Request) -> Response:
        """POST /images/generations."""
        body = await read_json(request)
        model = find_model(body, Operation.GENERATE, self.catalogue, self.today)
        asked = check_pictures(body, model=model, operation=Operation.GENERATE)
        return await self._pictures(request, asked)

    async def edit(self, request: Request) -> Response:
        """POST /images/edits, as a form or as JSON."""
        form = await read_form(request)
        return await self._pictures(request, await asyncio.to_thread(self._edit_asked, form))

    async def respond(self, request: Request) -> Response:
        """POST /responses."""
        return await self._words(request, chat=False)

    async def chat(self, request: Request) -> Response:
        """POST /chat/completions."""
        return await self._words(request, chat=True)

    def _edit_asked(self, form: Form) -> PicturesAsked:
        model = find_model(form.fields, Operation.EDIT, self.catalogue, self.today)
        inputs = (from_files if form.multipart else from_references)(form, model)
        body = (
            typed(form.fields, _INTEGERS, _BOOLEANS)
            if form.multipart
            else {name: value for name, value in form.fields.items() if name not in _REFERENCES}
        )
        asked = check_pictures(
            body,
            model=model,
            operation=Operation.EDIT,
            shown=inputs.shown,
            mask=inputs.mask,
            markup=inputs.markup,
        )
        names = {*form.fields, *(file.name for file in form.files)}
        return replace(asked, parameters=frozenset(names))

    async def _pictures(self, request: Request, asked: PicturesAsked) -> Response:
        request.state.model = asked.model.id
        struck, due = self._admit(asked)
        if struck.fault and not struck.fault.spoils:
            return await self._refuse(struck.fault, asked, due)
        # Everything is ready when the answer is due, so that a call takes no longer than it should.
        drawn = asyncio.to_thread(self._draw, request, asked, struck)
        (answer, usage, count), _ = await asyncio.gather(drawn, self._until(due))
        self.counts.paid(asked.prompt, count, cost_usd(usage, asked.model.id, self.catalogue))
        return answer

    async def _words(self, request: Request, *, chat: bool) -> Response:
        body = await read_json(request)
        model = find_model(body, Operation.ANALYZE, self.catalogue, self.today)
        # In a thread, because pictures are unpacked.
        asked = await asyncio.to_thread(check_chat if chat else check_responses, body, model)
        struck, due = self._admit(asked)
        if struck.fault and not struck.fault.spoils:
            return await self._refuse(struck.fault, asked, due)
        await self._until(due)
        words = await asyncio.to_thread(speak, asked, struck.kind)
        self.counts.paid(asked.prompt, 0, cost_usd(words.usage, model.id, self.catalogue))
        write = chat_body if chat else responses_body
        answer = write(words, asked, id_=self.new_id(), created=int(self._clocks.now()))
        return delivered(answer, struck)

    def _admit(self, asked: Asked) -> tuple[Struck, float]:
        """Limit, faults and latency: what strikes a sound call, and when its answer is due."""
        self.counts.asked(asked.prompt)
        self._check_limit(asked)
        struck = self.faults.strike(asked)
        latency = self._random.uniform(*self._options.latency_range)
        return struck, self._clocks.monotonic() + latency + struck.delay

    def _check_limit(self, asked: Asked) -> None:
        limit = self.limits.of(asked.model.id)
        wait = 0.0 if isinstance(asked, WordsAsked) else limit.take(asked.n)
        if wait <= 0:
            return
        raise Refused(
            f"Rate limit reached for {asked.model_name} in organization org-sandbox on images per min (IPM): "
            f"Limit {limit.per_minute}, Requested {asked.n}. Please try again in {wait:.3f}s.",
            status=429,
            kind="requests",
            code="rate_limit_exceeded",
            headers={
                "retry-after": f"{math.ceil(wait)}",
                "retry-after-ms": f"{math.ceil(wait * 1000)}",
            },
        )

    async def _until(self, due: float) -> None:
        await self._clocks.sleep(max(0.0, due - self._clocks.monotonic()))

    async def _refuse(self, fault: FaultRule, asked: Asked, due: float) -> Response:
        await self._until(due)
        self.counts.refuse()
        return refusing_answer(fault, asked, self._clocks.now())

    def _draw(
        self, request: Request, asked: PicturesAsked, struck: Struck
    ) -> tuple[Response, Usage, int]:
        """The answer, its tokens and how many pictures are in it; work for a thread."""
        call = request.state.request_id
        really = replace(asked, output_format="png") if struck.kind == "wrong_format" else asked
        numbers = range(1, asked.n + 1 - (struck.kind == "fewer"))
        pictures = [self._picture(really, struck, number, call) for number in numbers]
        usage = usage_of(asked, len(pictures))
        body = pictures_body(
            asked,
            pictures,
            usage,
            created=int(self._clocks.now()),
            kind=struck.kind,
            address=lambda content, kind: self._address(request, struck, content, kind),
        )
        return delivered(body, struck), usage, len(pictures)

    def _picture(self, asked: PicturesAsked, struck: Struck, number: int, call: str) -> bytes:
        if struck.kind == "blank":
            return blank(asked)
        label = f"{number}/{asked.n}" if asked.n > 1 else ""
        wanted = self._options.picture_bytes
        return spoiled(struck.kind, render(asked, label, f"{call} {number}", wanted=wanted))

    def _address(self, request: Request, struck: Struck, content: bytes, kind: str) -> str:
        """Where that picture can be fetched for a while."""
        settings = struck.fault.settings if struck.fault else {}
        id_ = self.new_id()
        gone_for, lag = (float(settings.get(name, "0")) for name in ("gone", "lag"))
        kept = Kept(content=content, media_type=kind, gone_for=int(gone_for), lag=lag)
        self.shelf.put(id_, kept)
        address = request.url_for("picture", id=id_)
        return address.path if settings.get("relative") == "yes" else str(address)
