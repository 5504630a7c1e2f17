"""`image-watcher models`: the catalogue beside what the API lists, and which models in use must change."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from watcher.core.catalogue import Catalogue, Model
from watcher.core.jobs import Item, Json, Operation, Refusal
from watcher.core.lifecycle import LISTS_ALL, Retiring, Standing, State, Use, all_retiring, stands
from watcher.core.pricing import estimate_usd
from watcher.core.profiles import load_profiles
from watcher.core.wire import ModelListing
from watcher.daemon import account, uses_of
from watcher.settings import Settings

_STATES: Sequence[State] = ("active", "unknown", "deprecated", "retired")
_COLOURS = {"active": "green", "deprecated": "yellow", "retired": "red", "unknown": "cyan"}
_QUALITIES = ("low", "medium", "high")
_MOST_STRANGERS = 12  # listed models that nobody here knows: most of them make no pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """Everything the command tells. `unlisted`: why there is no list of the API's, "" where there is."""

    today: date
    provider: str
    unlisted: str
    catalogue: Catalogue
    standings: Sequence[Standing]
    uses: Mapping[str, Sequence[Use]]
    retiring: Sequence[Retiring]


def gather(settings: Settings, key: str, today: date, *, offline: bool) -> Models:
    """The catalogue of these settings, joined with `GET /models` unless `offline`."""
    listing: Sequence[ModelListing] | None = None
    unlisted = "It was not asked."
    if not offline:
        answer = asyncio.run(_listing(settings, key))
        if isinstance(answer, Refusal):
            unlisted = f"{answer.what} {answer.hint}".rstrip()
        else:
            listing, unlisted = answer, ""
    catalogue = Catalogue.shipped(settings.api.models)
    provider, uses = load_profiles()[settings.api.profile].provider, uses_of(settings)
    names = dict.fromkeys([*catalogue.models, *uses, *(one.id for one in listing or ())])
    found = [stands(name, catalogue, provider, listing) for name in names if _own(name, catalogue)]
    return Models(
        today=today,
        provider=provider,
        unlisted=unlisted,
        catalogue=catalogue,
        standings=sorted(found, key=lambda one: _STATES.index(one.state(today))),
        uses=uses,
        retiring=all_retiring(
            uses, catalogue, provider, listing, today, complete=provider in LISTS_ALL
        ),
    )


async def _listing(settings: Settings, key: str) -> tuple[ModelListing, ...] | Refusal:
    one = account(settings, settings.api, key)
    try:
        return await one.api.models()
    finally:
        await one.api.aclose()


def _own(name: str, catalogue: Catalogue) -> bool:
    """Snapshots and aliases stand in the line of their model."""
    model = catalogue.find(name)
    return model is None or model.id == name


def as_json(models: Models) -> dict[str, Json]:
    """The same as the page, for programs; prices are US dollars."""
    return {
        "catalogue_as_of": models.catalogue.as_of.isoformat(),
        "provider": models.provider,
        "unlisted": models.unlisted,
        "affected": [{"model": one.model, "what": one.what, "hint": one.hint,
                      "used_by": list(one.used_by)} for one in models.retiring],
        "models": [_entry(one, models) for one in models.standings],
    }  # fmt: skip


def _entry(one: Standing, models: Models) -> dict[str, Json]:
    model, price = one.model, one.model.price if one.model else None
    return {
        "model": one.name,
        "snapshots": list(model.snapshots) if model else [],
        "aliases": list(model.aliases) if model else [],
        "operations": _operations(model),
        "known": model is not None,
        "listed": one.listed,
        "state": one.state(models.today),
        "shutdown_on": one.shutdown.isoformat() if one.shutdown else None,
        "replacements": {str(key): name for key, name in model.replacements.items()}
        if model
        else {},
        "usd_per_million_tokens": {
            "text_in": float(price.text_in), "image_in": float(price.image_in),
            "image_out": float(price.image_out), "text_out": float(price.text_out),
        } if price else None,
        "usd_per_picture_1024x1024": _per_picture(one, models.catalogue),
        "used_by": _used_by(one.name, models),
    }  # fmt: skip


def page(models: Models) -> RenderableType:
    """What a person reads: first what must change, then what is used, then everything, in 80 columns."""
    parts: list[RenderableType] = [
        Text(f"{one.what} {one.hint}", style="bold yellow") for one in models.retiring
    ]
    if not models.retiring:
        parts.append(Text("No model that the settings name is about to go.", style="green"))
    used = (f"{name} ({', '.join(use.by for use in by)})" for name, by in models.uses.items())
    parts.append(Text(f"In use: {'; '.join(used)}.\n"))
    makers = [one for one in models.standings if one.model and _makes_pictures(one.model)]
    lookers = [one for one in models.standings if one.model and not _makes_pictures(one.model)]
    parts += [_table("makes pictures", makers, models), Text(""),
              _table("describes pictures", lookers, models), Text("")]  # fmt: skip
    parts += [Text(line, style="dim") for line in _remarks(models)]
    return Group(*parts)


def _table(heading: str, standings: Sequence[Standing], models: Models) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in (heading, "listed", "gone from", "instead"):
        table.add_column(column, no_wrap=True, min_width=22 if column == heading else None)
    if any(_per_picture(one, models.catalogue) for one in standings):
        table.add_column("$ low med high", justify="right", no_wrap=True)
    for one in standings:
        state = one.state(models.today)
        table.add_row(
            Text(one.name, style="dim" if state == "retired" else ""),
            {True: "yes", False: "no", None: "?"}[one.listed],
            Text(str(one.shutdown or ""), style=_COLOURS[state]),
            next(iter(one.model.replacements.values()), "") if one.model else "",
            _prices(one, models.catalogue),
        )
    return table


def _makes_pictures(model: Model) -> bool:
    return model.takes(Operation.GENERATE) or model.takes(Operation.EDIT)


def _remarks(models: Models) -> Iterator[str]:
    yield f"Catalogue as of {models.catalogue.as_of}. Prices are estimates, a picture of 1024×1024."
    if models.unlisted:
        yield f"What the API lists is not known: {models.unlisted}"
    strangers = [one.name for one in models.standings if one.model is None]
    if strangers:
        more = len(strangers) - _MOST_STRANGERS
        named = ", ".join(strangers[:_MOST_STRANGERS]) + (f" and {more} more" if more > 0 else "")
        yield f"Listed too, and not in the catalogue: {named}."


def _operations(model: Model | None) -> list[str]:
    return [str(one) for one in Operation if model and model.takes(one)]


def _used_by(name: str, models: Models) -> list[str]:
    """Also those who name it by a snapshot or an alias."""
    return [
        use.by
        for named, uses in models.uses.items()
        if named == name or ((model := models.catalogue.find(named)) and model.id == name)
        for use in uses
    ]


def _per_picture(one: Standing, catalogue: Catalogue) -> dict[str, float]:
    """US dollars of one picture of 1024×1024 by quality, as far as they are known."""
    if one.model is None or not one.model.takes(Operation.GENERATE):
        return {}
    items = {
        quality: Item(
            operation=Operation.GENERATE,
            model=one.name,
            prompt="",
            parameters={"quality": quality, "size": "1024x1024"},
        )
        for quality in _QUALITIES
    }
    costs = {quality: estimate_usd(item, catalogue) for quality, item in items.items()}
    return {quality: float(cost) for quality, cost in costs.items() if cost is not None}


def _prices(one: Standing, catalogue: Catalogue) -> str:
    costs = _per_picture(one, catalogue)
    return " ".join(
        f"{costs[quality]:.3f}".lstrip("0") for quality in _QUALITIES if quality in costs
    )
