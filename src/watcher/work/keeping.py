"""From a raw reply to pictures in the outbox: read, looked at, whole under their names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Protocol, TypeVar

from watcher.api import load_reply, on_disk
from watcher.core.channels import size_recipe
from watcher.core.errors import DiskError
from watcher.core.jobs import Adjustment, Answer, OpenItem, Picture, Refusal
from watcher.core.log import Log
from watcher.core.naming import stem_at
from watcher.core.report import json_text, trace
from watcher.core.wire import read_reply, sent_fields
from watcher.outbox import BadPicture, copied, look_at_picture, opened
from watcher.work.checking import Checking
from watcher.work.settlements import UNREADABLE, not_a_picture
from watcher.work.values import Account, Asked, Place

_SHORT = 1 << 18  # bytes of a reply: room for ten addresses, with what was made of the prompt
_LINK_LIVES = 3600.0  # seconds that servers keep a picture under its address, at least

T = TypeVar("T")


class OnDisk(Protocol):
    """Does what a disk may refuse, until it does not."""

    async def __call__(self, act: Callable[[], Awaitable[T]], *, outbox: str = "") -> T:
        """`outbox`: the one that is written to; others go on when it refuses. "": all depends on that disk."""
        ...


async def in_thread(places: Mapping[str, Place], asked: Asked, act: Callable[[], T]) -> T:
    """On the threads of the inbox, which may hang there without holding up others."""
    disk = places[asked.item.inbox].disk
    return await asyncio.get_running_loop().run_in_executor(disk, act)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Pictures that are in the outbox, what checks found, and how many they put aside. `lost`: why one
    that was made could not be fetched; asking for it again would pay it again.
    """

    pictures: tuple[Picture, ...] = ()
    found: tuple[Adjustment, ...] = ()
    put_aside: int = 0
    lost: Refusal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What is paid for is kept: a picture that cannot be written is written again until it can."""

    places: Mapping[str, Place]
    account: Callable[[str], Account]
    checking: Checking
    on_disk: OnDisk
    clock: Callable[[], float]
    log: Log
    # Replies of which pictures may be on their way.
    arriving: set[Path] = field(default_factory=set)

    async def fetch_ahead(self, asked: Asked) -> Mapping[int, Refusal]:
        """Fetch what a good answer only names, before its outbox is waited for: addresses end.

        Returns why some could not be, by their place in the answer.
        """
        self.arriving.add(asked.reply)
        refused = {}
        answer = await on_disk(self._short, asked)
        for place, given in enumerate(answer.pictures[: asked.n] if answer else ()):
            if given.url:
                said = await self._fetch(asked, place, given.url)
                if isinstance(said, Refusal):
                    refused[place] = said
        return refused

    async def read_and_keep(
        self, asked: Asked, refused: Mapping[int, Refusal]
    ) -> tuple[Answer, Kept] | Refusal:
        """What the answer is, and its pictures in the outbox, or why there is none. `refused`: of `fetch_ahead`.

        Answers hold megabytes: few of an inbox are in memory together, but for those that only say
        where their pictures are.
        """
        if asked.refusal is not None:
            return asked.refusal
        async with self.places[asked.item.inbox].desk:
            answer = await on_disk(self._read, asked)
            if isinstance(answer, Refusal):
                return answer
            if not any(given.url for given in answer.pictures):
                return await self._keep(asked, answer, refused)
        return await self._keep(asked, answer, refused)

    async def trace(
        self, asked: Asked, answer: Answer, pictures: tuple[Picture, ...], cost: Decimal | None
    ) -> None:
        """Write down how each picture came to be, before its outcome: a crash in between repeats it."""
        item, place = asked.item, self.places[asked.item.inbox]
        profile = self.account(item.inbox).profile
        profile = replace(profile, drops=profile.drops | frozenset(item.dropped))
        sent = sent_fields(item.item, profile, n=asked.n)

        def write() -> None:
            for picture in pictures:
                about = trace(
                    item, answer, picture, sent=sent, made=len(pictures), cost_usd=cost,
                    asked_at=asked.asked_at, kept_at=self.clock(),
                )  # fmt: skip
                place.outbox.save_metadata(item.folder, picture.file, json_text(about))

        if pictures:
            await self.on_disk(
                lambda: in_thread(self.places, asked, write), outbox=asked.lane.outbox
            )

    def _read(self, asked: Asked) -> Answer | Refusal:
        reply = load_reply(asked.reply)
        if reply is None:
            return UNREADABLE
        return read_reply(reply, asked.item.item.operation, now=self.clock())

    def _short(self, asked: Asked) -> Answer | None:
        with suppress(FileNotFoundError):
            if asked.reply.stat().st_size <= _SHORT:
                said = self._read(asked)
                return said if isinstance(said, Answer) else None
        return None

    async def _keep(
        self, asked: Asked, answer: Answer, refused: Mapping[int, Refusal]
    ) -> tuple[Answer, Kept] | Refusal:
        """The pictures of the answer, whole in the outbox; one that is none counts as missing.

        A Refusal where not one can be kept.
        """
        kept, spoiled = Kept(), None
        for place, given in enumerate(answer.pictures[: asked.n]):
            content: bytes | Refusal = given.content
            if given.url:
                content = await self._fetched(asked, place, given.url, refused.get(place))
            index = asked.item.delivered + len(kept.pictures) + 1
            if isinstance(content, Refusal):
                kept = _together(kept, Kept(lost=content))
                continue
            saved = await self._save(asked, index, content)
            if isinstance(saved, Refusal):
                spoiled = spoiled or saved
            else:
                kept = _together(kept, saved)
        refusal = kept.lost or (None if kept.put_aside else spoiled)
        if refusal is None or kept.pictures:
            return answer, kept
        request_id = refusal.request_id or answer.request_id
        return replace(refusal, request_id=request_id, usage=answer.usage)

    async def _fetched(
        self, asked: Asked, place: int, url: str, refused: Refusal | None
    ) -> bytes | Refusal:
        """The outbox may have been waited for since: what was only out of reach is looked for again."""
        if refused is not None and refused.code != "link_unreachable":
            return refused
        return await self._fetch(asked, place, url)

    async def _fetch(self, asked: Asked, place: int, url: str) -> bytes | Refusal:
        into = asked.reply.with_suffix(f".{place}.picture")
        return await self.on_disk(lambda: self.account(asked.item.inbox).api.fetch(url, into))

    async def _save(self, asked: Asked, index: int, content: bytes) -> Kept | Refusal:
        place, item = self.places[asked.item.inbox], asked.item

        def look_and_save() -> Kept | Refusal:
            try:
                facts = look_at_picture(content)
            except BadPicture as error:
                return not_a_picture(error)
            stem = stem_at(item.stem, index)
            picture = place.outbox.save_picture(item.folder, stem, index, content, facts)
            found = self.checking.look(item, picture, facts)
            if found.redo:
                place.outbox.set_aside(item.folder, picture.file)
                return Kept(found=found.told, put_aside=1)
            self.add_copy(item, picture, content)
            return Kept(pictures=(replace(picture, print=found.print),), found=found.told)

        return await self.on_disk(
            lambda: in_thread(self.places, asked, look_and_save), outbox=asked.lane.outbox
        )

    def add_copy(self, item: OpenItem, picture: Picture, content: bytes) -> None:
        """In the size that the row asked for. The picture is safe already: a copy fails no row."""
        if not (size := item.item.resize_to):
            return
        outbox = self.places[item.inbox].outbox
        try:
            image = opened(content, picture.format)
            copy = copied(image, size_recipe(size), own_format=picture.format)
            outbox.save_rendition(item.folder, size, picture.file, copy)
        except (BadPicture, DiskError) as error:
            self.log.warning("rendition.refused", job=item.job_id, row=item.number,
                             file=picture.file, size=size, what=str(error))  # fmt: skip


def may_come_yet(
    asked: Asked, said: tuple[Answer, Kept] | Refusal, *, now: float
) -> Refusal | None:
    """Why a picture that is paid for is not here, where another look at its address is worth while."""
    lost = said if isinstance(said, Refusal) else said[1].lost
    if lost is None or lost.code != "link_unreachable":
        return None
    return lost if now - asked.reply.stat().st_mtime < _LINK_LIVES else None


def _together(one: Kept, other: Kept) -> Kept:
    return Kept(
        pictures=one.pictures + other.pictures,
        found=one.found + other.found,
        put_aside=one.put_aside + other.put_aside,
        lost=one.lost or other.lost,
    )
