"""The pictures that go with a call: the copies that were kept, and what is fetched for the row.

Nothing here is paid for: what cannot be loaded is told before the row is asked for.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakValueDictionary

from watcher.api import load_whole
from watcher.core.catalogue import Catalogue
from watcher.core.jobs import Item, No, OpenItem, Part, Refusal
from watcher.core.pictures import (
    FitPicture,
    Role,
    Unfit,
    expect_same_size,
    is_address,
    kept_picture,
    part_of,
    picture_rules,
)
from watcher.core.wire import left_to_server
from watcher.outbox import fit_picture
from watcher.work.values import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The pictures of one item, as parts of its call."""

    images: tuple[Part, ...] = ()
    mask: Part | None = None
    markup: Part | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Loads what items name. `folder` holds a folder for each job; `hosts` gives, for an inbox, those
    that its rows may fetch from (none: any public one).
    """

    folder: Path
    hosts: Callable[[str], Collection[str]]
    catalogue: Catalogue
    _fetching: WeakValueDictionary[Path, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def load(self, item: OpenItem, account: Account, disk: Executor) -> Loaded | Refusal:
        """A Refusal is NEVER, or LATER for an address that may answer another time. Raises DiskError."""
        asked = tuple(_asked(item.item, account))
        if not asked:
            return Loaded()
        fetched: dict[str, bytes] = {}
        for _, reference in asked:
            if is_address(reference) and reference not in fetched:
                got = await self._fetch(item, reference, account)
                if isinstance(got, Refusal):
                    return got
                fetched[reference] = got
        act = lambda: self._loaded(item, asked, fetched, account)  # noqa: E731
        return await asyncio.get_running_loop().run_in_executor(disk, act)

    async def digests(
        self, item: OpenItem, account: Account, disk: Executor
    ) -> Mapping[str, str] | Refusal:
        """The SHA-256 (hex) of what lies at each address that the item names and we fetch. Raises DiskError."""
        found: dict[str, str] = {}
        for _, reference in _asked(item.item, account):
            if is_address(reference):
                content = await self._fetch(item, reference, account)
                if isinstance(content, Refusal):
                    return content
                loop = asyncio.get_running_loop()
                found[reference] = await loop.run_in_executor(disk, _digest, content)
        return found

    async def _fetch(self, item: OpenItem, url: str, account: Account) -> bytes | Refusal:
        """Once for a job, whatever comes after: what was fetched is kept as the copies are."""
        into = self._fetched_file(item, url)
        lock = self._fetching.setdefault(into, asyncio.Lock())
        async with lock:
            return await account.api.fetch_input(url, into, self.hosts(item.inbox))

    def _fetched_file(self, item: OpenItem, url: str) -> Path:
        return self.folder / item.job_id / f"{hashlib.sha256(url.encode()).hexdigest()}.fetched"

    def _loaded(
        self,
        item: OpenItem,
        asked: tuple[tuple[Role, str], ...],
        fetched: Mapping[str, bytes],
        account: Account,
    ) -> Loaded | Refusal:
        try:
            if not fetched:
                return _sorted([(role, self._kept(item, reference)) for role, reference in asked])
            fit = [(role, self._fit(item, role, ref, fetched, account)) for role, ref in asked]
        except Unfit as error:
            for url in fetched:
                self._fetched_file(item, url).unlink(missing_ok=True)
            problem = error.problem
            return Refusal(no=No.NEVER, code=problem.code, what=problem.what, hint=problem.hint)
        return _sorted([(role, picture.part) for role, picture in fit])

    def _fit(
        self,
        item: OpenItem,
        role: Role,
        reference: str,
        fetched: Mapping[str, bytes],
        account: Account,
    ) -> FitPicture:
        rules = picture_rules(item.item, self.catalogue, account.profile)
        if (content := fetched.get(reference)) is not None:
            picture = fit_picture(content, reference, role, rules)
        else:  # it was made fit when it was kept: only its size is wanted
            content = self._kept(item, reference).content
            picture = fit_picture(content, reference, "image", rules)
        first = item.item.images[0]
        if role != "image" and (first in fetched or kept_picture(first)):
            expect_same_size(role, picture, self._fit(item, "image", first, fetched, account))
        return picture

    def _kept(self, item: OpenItem, reference: str) -> Part:
        kept = kept_picture(reference)
        content = load_whole(self.folder / item.job_id / kept.file) if kept else None
        if kept is None or content is None:
            raise Unfit(
                "picture_gone",
                f"The copy of {kept.name if kept else reference} that was kept for this row is gone.",
                "Drop the row and its picture again.",
            )
        return part_of(content, kept.format)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _asked(item: Item, account: Account) -> Iterator[tuple[Role, str]]:
    """What we send ourselves, in the row's order, and as what."""
    left = frozenset(left_to_server(item, account.profile))
    for reference in item.images:
        if reference not in left:
            yield "image", reference
    if item.mask:
        yield "mask", item.mask
    if item.markup:
        yield "markup", item.markup


def _sorted(parts: list[tuple[Role, Part]]) -> Loaded:
    images = tuple(part for role, part in parts if role == "image")
    overlays = {role: part for role, part in parts if role != "image"}
    return Loaded(images=images, mask=overlays.get("mask"), markup=overlays.get("markup"))
