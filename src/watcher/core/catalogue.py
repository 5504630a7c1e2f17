"""What each model takes, costs, and until when it lives: data from data/catalogue.yaml plus rules.

A model that stands in no entry is no error: `find` answers None, and its rows are sent as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Literal, TypeAlias

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from watcher.core.jobs import Json, Operation
from watcher.core.sizes import GifRule, SizeRule

Status: TypeAlias = Literal["active", "deprecated", "retired"]

ENDPOINTS = {
    Operation.GENERATE: ("generations",),
    Operation.EDIT: ("edits",),
    Operation.ANALYZE: ("responses", "chat"),
}
# What a model does not take over from the one that it is `like`.
_OWN_FIELDS = ("aliases", "snapshots", "shutdown", "replacements", "transparent_instead")


class CatalogueError(ValueError):
    """The entries cannot be used; one sentence a line, each with the place in the entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """USD per 1,000,000 tokens, by kind of token."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    text_in: Decimal = Decimal(0)
    image_in: Decimal = Decimal(0)
    image_out: Decimal = Decimal(0)
    text_out: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureLimits:
    """What pictures a model is given to look at. Sizes in bytes; 0: no limit is known."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    max_count: int = 1
    max_bytes: int = 0
    advised_max_bytes: int = 0
    formats: tuple[str, ...] = ("png",)
    square: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model. An empty tuple of values means that the parameter is not taken.

    `output_tokens`: image tokens of one picture, by quality and size, an estimate for before the
    call. `reference_tokens`: those of one picture given, by input_fidelity ("": not said).
    `reasoning`: the least effort a vision model can be told to make; "": it takes no such word.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    id: str
    endpoints: tuple[Literal["generations", "edits", "responses", "chat"], ...]
    aliases: tuple[str, ...] = ()
    snapshots: tuple[str, ...] = ()
    shutdown: Mapping[str, date] = field(default_factory=dict)  # by provider
    replacements: Mapping[Operation, str] = field(default_factory=dict)
    transparent_instead: Mapping[Operation, str] = field(default_factory=dict)
    n_max: int = 10
    prompt_max_chars: int = 32_000
    size: SizeRule = field(default_factory=SizeRule)
    qualities: tuple[str, ...] = ()
    backgrounds: tuple[str, ...] = ()
    output_formats: tuple[str, ...] = ()
    compression_formats: tuple[str, ...] = ()
    moderation: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    response_formats: tuple[str, ...] = ()
    input_fidelity: tuple[str, ...] = ()
    complexity: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    reasoning: str = ""
    images: PictureLimits | None = None
    mask: PictureLimits | None = None
    markup: bool = False
    gif: GifRule | None = None
    svg: bool = False
    batch: bool = False
    price: Price | None = None
    output_tokens: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    reference_tokens: Mapping[str, int] = field(default_factory=dict)

    def takes(self, operation: Operation) -> bool:
        """Whether the model has an endpoint for this operation."""
        return any(endpoint in self.endpoints for endpoint in ENDPOINTS[operation])

    def shutdown_on(self, provider: str) -> date | None:
        """The day from which `provider` no longer serves the model; None when none is known."""
        return self.shutdown.get(provider)

    def state_on(self, day: date, provider: str) -> Status:
        """How the model stands with `provider` on `day`. A provider without a date serves on."""
        gone = self.shutdown.get(provider)
        if gone is None:
            return "active"
        return "retired" if day >= gone else "deprecated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Legacy:
    """What old files say: old value → today's, by parameter; `strangers` are never parameters."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    quality: Mapping[str, str] = field(default_factory=dict)
    output_format: Mapping[str, str] = field(default_factory=dict)
    size: Mapping[str, str] = field(default_factory=dict)
    style: Mapping[str, str] = field(default_factory=dict)
    strangers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All models by id. `as_of`: the day on which the shipped entries were right."""

    models: Mapping[str, Model]
    legacy: Legacy
    as_of: date
    batch_price_factor: Decimal
    names: Mapping[str, Model]  # by id, snapshot and alias, case-folded

    @classmethod
    def shipped(cls, overlay: Mapping[str, Json] | None = None) -> Catalogue:
        """The shipped entries, with those of the user (`overlay`: model id → fields) on top.

        Raises CatalogueError with one line a finding when the overlay cannot be used.
        """
        return _shipped() if not overlay else _build(overlay)

    def find(self, name: str) -> Model | None:
        """The model of that id, snapshot or alias, in any case of letters."""
        return self.names.get(name) or self.names.get(name.strip().casefold())


@cache
def _shipped() -> Catalogue:
    return _build({})


@cache
def _shipped_data() -> dict[str, object]:
    text = resources.files("watcher.core.data").joinpath("catalogue.yaml").read_text("utf-8")
    data: dict[str, object] = yaml.safe_load(text)
    return data


def _build(overlay: Mapping[str, Json]) -> Catalogue:
    data = _shipped_data()
    findings: list[str] = []
    models = dict(_models(data, overlay, findings))
    names = _names(models, findings)
    if findings:
        raise CatalogueError("\n".join(findings))
    return Catalogue(
        models=MappingProxyType(models),
        legacy=TypeAdapter(Legacy).validate_python(data["legacy"]),
        as_of=TypeAdapter(date).validate_python(data["as_of"]),
        batch_price_factor=TypeAdapter(Decimal).validate_python(data["batch_price_factor"]),
        names=MappingProxyType(names),
    )


def _models(
    data: Mapping[str, object], overlay: Mapping[str, Json], findings: list[str]
) -> Iterator[tuple[str, Model]]:
    adapter = TypeAdapter(Model)
    entries = TypeAdapter(dict[str, dict[str, object]]).validate_python(data["models"])
    for name in {**entries, **overlay}:
        try:
            fields = _fields(name, (overlay, entries))
            yield (
                name,
                adapter.validate_python({**_with_size(name, fields, data["sizes"]), "id": name}),
            )
        except ValidationError as error:
            findings.extend(_sentences(name, error))
        except CatalogueError as error:
            findings.append(str(error))


def _fields(
    name: str, layers: Sequence[Mapping[str, object]], below: tuple[str, ...] = ()
) -> dict[str, object]:
    """All fields of an entry: its own, over those of the lower layers, over those of its like.

    A shipped entry is built from shipped ones only, so that an overlay changes what it names and
    nothing else.
    """
    if not layers:
        raise CatalogueError(
            f"models.{name}: this model is not known. Say which one it is like, such as `like: gpt-image-2.5-flare`."
        )
    own = layers[0].get(name, {})
    if not isinstance(own, Mapping):
        raise CatalogueError(f"models.{name}: fields are wanted, {own!r} was found.")
    if "like" in own:
        like = own["like"]
        known = isinstance(like, str) and any(like in layer for layer in layers)
        if not known or like in (*below, name):
            raise CatalogueError(
                f"models.{name}.like: {like!r} is no other model of the catalogue."
            )
        base = _fields(str(like), layers, (*below, name))
        kept = {key: value for key, value in base.items() if key not in _OWN_FIELDS}
        return {**kept, **{key: value for key, value in own.items() if key != "like"}}
    return dict(own) if "endpoints" in own else {**_fields(name, layers[1:], below), **own}


def _with_size(name: str, fields: Mapping[str, object], sizes: object) -> dict[str, object]:
    """The fields with the size rule in full where an entry only names it."""
    size = fields.get("size")
    known = sizes if isinstance(sizes, Mapping) else {}
    if isinstance(size, str) and size not in known:
        raise CatalogueError(f"models.{name}.size: {size!r} is none of {', '.join(known)}.")
    return {**fields, "size": known[size]} if isinstance(size, str) else {**fields}


def _names(models: Mapping[str, Model], findings: list[str]) -> dict[str, Model]:
    names: dict[str, Model] = {model.casefold(): entry for model, entry in models.items()}
    for model in models.values():
        for name in (*model.snapshots, *model.aliases):
            other = names.setdefault(name.casefold(), model)
            if other is not model:
                findings.append(f"models.{model.id}: {name} already stands for {other.id}.")
    return names


def _sentences(name: str, error: ValidationError) -> Iterator[str]:
    for finding in error.errors(include_url=False):
        place = ".".join(str(part) for part in ("models", name, *finding["loc"]))
        if finding["type"] == "unexpected_keyword_argument":
            yield f"{place}: there is no such field."
        else:
            yield f"{place}: {finding['msg']}; {finding['input']!r} was found."
