"""How a model stands: what the catalogue says of it and what the server lists, and who must act before it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

from watcher.core.catalogue import Catalogue, Model
from watcher.core.jobs import Operation
from watcher.core.wire import ModelListing

NOTICE_DAYS = 30
# Providers whose list holds everything that can be called; others serve by names of their own.
LISTS_ALL = frozenset({"openai"})
_OPEN_JOBS = "open jobs"
_LIST = "“image-watcher models” shows what there is"

State: TypeAlias = Literal["active", "deprecated", "retired", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Who asks for a model: `by` is a key of the settings, or open jobs; `operation` what for."""

    by: str
    operation: Operation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One model. `model` None: not in the catalogue. `listed` None: the server's list is not known.

    `shutdown`: the day from which it is not served, as the server says, else as the catalogue does.
    """

    name: str
    model: Model | None
    listed: bool | None
    shutdown: date | None

    def state(self, today: date) -> State:
        """`unknown`: neither the catalogue nor the server knows it."""
        if self.shutdown is not None:
            return "retired" if today >= self.shutdown else "deprecated"
        return "active" if self.model or self.listed else "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retiring:
    """A model that is in use and gone, or about to go. `what` and `hint` are sentences."""

    model: str
    what: str
    hint: str
    shutdown: date | None
    used_by: tuple[str, ...]


def stands(
    name: str, catalogue: Catalogue, provider: str, listing: Sequence[ModelListing] | None
) -> Standing:
    """How a model stands. `listing`: what the server lists, None where that is not known."""
    model = catalogue.find(name)
    sent = model.id if model and name.casefold() in map(str.casefold, model.aliases) else name
    found = next((one for one in listing or () if one.id.casefold() == sent.casefold()), None)
    told = model.shutdown_on(provider) if model else None
    return Standing(
        name=name,
        model=model,
        listed=None if listing is None else found is not None,
        shutdown=(found.shutdown_date if found else None) or told,
    )


def retiring(
    standing: Standing, uses: Sequence[Use], today: date, *, complete: bool = True
) -> Retiring | None:
    """What is to be done about a model that is in use; None: nothing.

    `complete`: the server lists everything that it serves, so that what is not listed is gone.
    """
    if not uses:
        return None
    left = None if standing.shutdown is None else (standing.shutdown - today).days
    if left is not None and left <= 0:
        fate = f"was shut down on {standing.shutdown}"
    elif left is not None and left <= NOTICE_DAYS:
        days = "tomorrow" if left == 1 else f"in {left} days"
        fate = f"will be shut down on {standing.shutdown}, {days}"
    elif standing.listed is False and complete:
        fate = "is not listed by the API any more, and calls for it may be refused"
    else:
        return None
    used_by = tuple(dict.fromkeys(use.by for use in uses))
    return Retiring(
        model=standing.name,
        what=f"{standing.name} ({', '.join(used_by)}) {fate}.",
        hint=" ".join(dict.fromkeys(_advice(use, standing.model) for use in uses)),
        shutdown=standing.shutdown,
        used_by=used_by,
    )


def all_retiring(
    uses: Mapping[str, Sequence[Use]],
    catalogue: Catalogue,
    provider: str,
    listing: Sequence[ModelListing] | None,
    today: date,
    *,
    complete: bool = True,
) -> tuple[Retiring, ...]:
    """Every model in use (`uses`: by name) about which something is to be done."""
    found = (
        retiring(stands(name, catalogue, provider, listing), by, today, complete=complete)
        for name, by in uses.items()
    )
    return tuple(one for one in found if one)


def open_jobs(operation: Operation | None = None) -> Use:
    """The use of a model by rows that are not final."""
    return Use(by=_OPEN_JOBS, operation=operation)


def _advice(use: Use, model: Model | None) -> str:
    successor = model.replacements.get(use.operation, "") if model and use.operation else ""
    if use.by == _OPEN_JOBS:
        return (
            f"Rows that are still open then: drop them again with {successor or 'another model'}."
        )
    return f"Set {use.by} to {successor or 'another model'}" + ("." if successor else f"; {_LIST}.")
