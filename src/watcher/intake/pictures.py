"""The pictures of a drop's rows, as it is accepted: found, looked at and kept, or their row's problem.

What was kept is what will be sent: a picture that changes or vanishes later changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pybase64

from watcher.core.catalogue import Catalogue
from watcher.core.errors import DropError
from watcher.core.jobs import Adjustment, Item, Problem
from watcher.core.pictures import (
    FitPicture,
    KeptPicture,
    PictureRules,
    Role,
    Unfit,
    expect_same_size,
    is_address,
    is_listed,
    picture_rules,
)
from watcher.core.planning import RowRules
from watcher.core.planning.values import shown
from watcher.inbox import FoundPicture, PictureAbsent, PicturePlaces, keep_picture
from watcher.ledger import Companion, Ledger
from watcher.outbox import fit_picture

_REMEMBERED = 4_096  # references that are looked up instead of brought in again
_AT_ONCE = 1_000  # companions that are noted in one transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class _Brought:
    """One reference of a row, and as it is stored; `picture` None: it is fetched later.

    `path`: where it lay beside the drop, `sha256`: what was in it there.
    """

    role: Role
    reference: str
    stored: str
    picture: FitPicture | None = None
    path: bytes = b""
    sha256: str = ""


class RowPictures:
    """The pictures of one drop's rows, brought in row by row; for one thread.

    `absent`: those that are not there yet. `into` holds the copies, and is made when there is one.
    """

    def __init__(
        self,
        places: PicturePlaces,
        rules: RowRules,
        *,
        hosts: Sequence[str],
        job: str,
        into: Path,
        catalogue: Catalogue,
        ledger: Ledger,
    ) -> None:
        """`hosts`: the only ones that addresses may name; none: any."""
        self.places = places
        self.absent: list[str] = []
        self._rules = rules
        self._hosts = hosts
        self._job = job
        self._into = into
        self._catalogue = catalogue
        self._ledger = ledger
        self._known: dict[tuple[Role, str, PictureRules], _Brought | Problem] = {}
        self._companions: list[Companion] = []

    def settle(self, number: int, item: Item) -> Item | Problem:
        """The item of row `number` with copies for its pictures, or why it cannot be asked for.

        Raises InboxError or DiskError.
        """
        rules = picture_rules(item, self._catalogue, self._rules.profile)
        found = [self._brought(role, reference, rules) for role, reference in named(item)]
        brought = [each for each in found if isinstance(each, _Brought)]
        self._note(number, brought)
        problem = next((each for each in found if isinstance(each, Problem)), None)
        return problem or self._joined(item, brought)

    def finish(self) -> None:
        """Note the companions that are not noted yet."""
        self._ledger.companions.add(self._job, self._companions)
        self._companions.clear()

    def _note(self, number: int, brought: Sequence[_Brought]) -> None:
        self._companions += [
            Companion(number=number, path=one.path, sha256=one.sha256)
            for one in brought
            if one.path
        ]
        if len(self._companions) >= _AT_ONCE:
            self.finish()

    def _joined(self, item: Item, brought: Sequence[_Brought]) -> Item | Problem:
        told = tuple(
            adjustment for one in brought if one.picture for adjustment in one.picture.adjustments
        )
        problem = _misfit(brought)
        if told and not problem and self._rules.coercion == "strict":
            problem = _not_as_it_is(told)
        if problem:
            return problem
        stored = {role: [b.stored for b in brought if b.role == role] for role, _ in named(item)}
        return replace(
            item,
            images=tuple(stored["image"]),
            mask="".join(stored.get("mask", ())),
            markup="".join(stored.get("markup", ())),
            adjustments=(*item.adjustments, *told),
        )

    def _brought(self, role: Role, reference: str, rules: PictureRules) -> _Brought | Problem:
        """Looked up where an earlier row named the same; brought in now where none did."""
        if is_data(reference):
            return self._bring(role, reference, rules)
        key = (role, reference, rules)
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = self._bring(role, reference, rules)
        return self._known[key]

    def _bring(self, role: Role, reference: str, rules: PictureRules) -> _Brought | Problem:
        name = shown(reference)
        try:
            if is_address(reference):
                return self._later(role, reference)
            found = self._found(role, reference)
            picture = fit_picture(found.content, name, role, rules)
        except PictureAbsent as error:
            self.absent.append(reference)
            return _missing(role, error)
        except DropError as error:
            what = f"{role}: {error.what}"
            return Problem(code="picture_refused", what=what, hint=error.hint, column=role)
        except Unfit as error:
            return error.problem
        # The bytes go to the disk; of the picture only what is said of it stays in memory.
        told = replace(picture, content=b"")
        stored = str(self._keep(picture, name))
        sha = found.sha256 if found.path else ""
        return _Brought(role=role, reference=reference, stored=stored, picture=told,
                        path=found.path, sha256=sha)  # fmt: skip

    def _later(self, role: Role, url: str) -> _Brought:
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:
            host = ""
        if not host or (self._hosts and not is_listed(host, self._hosts)):
            raise Unfit(
                "url_not_allowed",
                f"{role}: {shown(url)} leads to a host that this inbox takes no pictures from.",
                "Put the picture beside the drop, or add the host to allowed_hosts of the inbox.",
                role,
            )
        return _Brought(role=role, reference=url, stored=url)

    def _found(self, role: Role, reference: str) -> FoundPicture:
        if not is_data(reference):
            return self.places.find(reference)
        kind, _, data = reference.partition(",")
        try:
            if not kind.lower().endswith(";base64"):
                raise ValueError  # noqa: TRY301 - as a text that is no base64
            return FoundPicture(content=pybase64.b64decode(data, validate=True))
        except ValueError:
            raise Unfit(
                "picture_unusable",
                f"{role}: {shown(reference)} is no data URL with base64.",
                "Put the picture beside the drop, and name it.",
                role,
            ) from None

    def _keep(self, picture: FitPicture, name: str) -> KeptPicture:
        digest = sha256(picture.content).hexdigest()
        kept = KeptPicture(sha256=digest, format=picture.format, name=name)
        self._into.mkdir(exist_ok=True, parents=True, mode=0o700)
        keep_picture(picture.content, self._into / kept.file)
        return kept


def named(item: Item) -> Iterator[tuple[Role, str]]:
    for reference in item.images:
        yield "image", reference
    if item.mask:
        yield "mask", item.mask
    if item.markup:
        yield "markup", item.markup


def is_data(reference: str) -> bool:
    return reference[:5].lower() == "data:"


def _misfit(brought: Sequence[_Brought]) -> Problem | None:
    """Of addresses it is not known yet how large their pictures are."""
    first = brought[0].picture
    try:
        for one in brought:
            if one.role != "image" and one.picture and first:
                expect_same_size(one.role, one.picture, first)
    except Unfit as error:
        return error.problem
    return None


def _missing(role: Role, error: PictureAbsent) -> Problem:
    return Problem(
        code="picture_missing",
        what=f"{role}: {error.what}",
        hint="Put it beside the drop, under exactly this name (small and capital letters count), and drop failed.csv again.",
        column=role,
    )


def _not_as_it_is(told: Sequence[Adjustment]) -> Problem:
    return Problem(
        code="not_as_written",
        what=f"The row's pictures cannot be sent as they are: {'; '.join(map(str, told))}.",
        hint="Save them so, or set coercion to lenient.",
        column=told[0].column,
    )
