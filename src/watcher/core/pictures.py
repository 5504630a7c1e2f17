"""Pictures that go with a call: how the ledger names them, and what a model takes of them.

A row names pictures as its author does; an item that is stored names a kept copy, or an address.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from watcher.core.catalogue import Catalogue, PictureLimits
from watcher.core.jobs import Adjustment, Item, Operation, Part, Problem
from watcher.core.profiles import Profile

Role: TypeAlias = Literal["image", "mask", "markup"]

_KEPT = re.compile(r"blob:([0-9a-f]{64})\.([a-z]{3,4}):(.*)", re.DOTALL)
_WEB = ("http://", "https://")
# A picture that is written into JSON as a data URL: 20,971,520 characters, four for three bytes
# (OpenAPI document of 2026-08-21, ImageRefParam).
_MOST_INLINE = (20_971_520 - 64) // 4 * 3
_USUAL = PictureLimits(max_count=16, max_bytes=52_428_800, formats=("png", "jpeg", "webp"))
_MEGA = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPicture:
    """A copy in the state folder, in `file` of its job: `sha256` (hex) of the bytes as they are sent.

    `format`: png, jpeg, webp or gif. `name`: what its author called it. Its text is the reference
    that stands in a stored item.
    """

    sha256: str
    format: str
    name: str

    def __str__(self) -> str:
        return f"blob:{self.sha256}.{self.format}:{self.name}"

    @property
    def file(self) -> str:
        return f"{self.sha256}.{self.format}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FitPicture:
    """A picture as it can be sent. Sizes in pixels; `adjustments`: what was mended in it."""

    content: bytes
    format: str
    width: int
    height: int
    adjustments: tuple[Adjustment, ...] = ()

    @property
    def part(self) -> Part:
        """Its part of a call. The author's name of it is nobody else's business, and is not sent."""
        return part_of(self.content, self.format)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRules:
    """What may be sent with one item. Sizes in bytes, 0: no limit is known.

    `mask_said`: how the row's mask marks what to replace, by transparency (alpha) or in white;
    `mask_sent`: how the server wants it.
    """

    images: PictureLimits
    mask: PictureLimits
    inline: bool
    mask_said: str
    mask_sent: str

    def formats(self, role: Role) -> tuple[str, ...]:
        return self.images.formats if role == "image" else ("png",)

    def max_bytes(self, role: Role) -> int:
        limit = self.mask.max_bytes if role == "mask" else self.images.max_bytes
        return min(limit or _MOST_INLINE, _MOST_INLINE) if self.inline else limit


class Unfit(Exception):  # noqa: N818 - it is no fault: the row cannot be asked for with this picture
    """A picture cannot be sent; `problem` is the row's."""

    def __init__(self, code: str, what: str, hint: str = "", column: str = "image") -> None:
        super().__init__(what)
        self.problem = Problem(code=code, what=what, hint=hint, column=column)


def kept_picture(reference: str) -> KeptPicture | None:
    """What a reference of a stored item names, None for an address."""
    found = _KEPT.fullmatch(reference)
    return KeptPicture(sha256=found[1], format=found[2], name=found[3]) if found else None


def is_address(reference: str) -> bool:
    """Whether a reference is an http(s) address; it stays one until its row is asked for."""
    return reference.lower().startswith(_WEB)


def is_listed(host: str, hosts: Collection[str]) -> bool:
    """Whether a host is among `hosts`; "*.example.com" stands for every name below example.com."""
    name = host.lower().rstrip(".")
    return any(
        name.endswith(one[1:].lower()) if one.startswith("*.") else name == one.lower()
        for one in hosts
    )


def part_of(content: bytes, real_format: str) -> Part:
    return Part(name="image", content=content, content_type=f"image/{real_format}")


def picture_rules(item: Item, catalogue: Catalogue, profile: Profile) -> PictureRules:
    """Of a model that nobody knows the usual is assumed."""
    model = catalogue.find(item.model)
    by_form = profile.picture_api == "images" and profile.edit_transport != "json"
    return PictureRules(
        images=(model and model.images) or _USUAL,
        mask=(model and model.mask) or replace(_USUAL, formats=("png",)),
        inline=item.operation is Operation.ANALYZE or not by_form,
        mask_said=item.mask_mode,
        mask_sent=profile.mask_mode,
    )


def expect_same_size(role: Role, overlay: FitPicture, first: FitPicture) -> None:
    """A mask or markup is laid over the first picture, pixel by pixel. Raises Unfit."""
    if (overlay.width, overlay.height) != (first.width, first.height):
        raise Unfit(
            f"{role}_size",
            f"The {role} has {overlay.width} × {overlay.height} pixels, and the picture it belongs to has {first.width} × {first.height}.",
            f"Make the {role} exactly as large as the picture.",
            role,
        )


def expect_bytes(role: Role, name: str, size: int, rules: PictureRules) -> None:
    """A picture that is not too large to send. Raises Unfit."""
    most = rules.max_bytes(role)
    if most and size > most:
        raise Unfit(
            "picture_too_large",
            f"{role}: {name} has {size / _MEGA:,.1f} MB, and {most / _MEGA:,.1f} MB can be sent.",
            "Save it with fewer pixels, or as JPEG or WebP.",
            role,
        )


def advice(role: Role, size: int, rules: PictureRules) -> tuple[Adjustment, ...]:
    """What is told of a mask that is larger than one of two documents says it may be."""
    advised = rules.mask.advised_max_bytes
    if role != "mask" or not advised or size <= advised:
        return ()
    why = f"the API may refuse masks over {advised / _MEGA:,.1f} MB"
    return (
        Adjustment(column=role, found=f"{size / _MEGA:,.1f} MB", used="sent as it is", why=why),
    )
