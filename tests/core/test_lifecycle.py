"""How models stand: from the catalogue, from what a server lists, and what is to be done when."""

from __future__ import annotations

from datetime import date

import pytest

from watcher.core.catalogue import Catalogue
from watcher.core.jobs import Operation
from watcher.core.lifecycle import Use, all_retiring, open_jobs, retiring, stands
from watcher.core.wire import ModelListing

SHIPPED = Catalogue.shipped()
TODAY = date(2026, 11, 20)
API_MODEL = Use(by="api.model", operation=Operation.GENERATE)


def listing(*names: str) -> tuple[ModelListing, ...]:
    return tuple(ModelListing(id=name) for name in names)


@pytest.mark.parametrize(
    ("name", "provider", "listed", "state"),
    [
        ("gpt-image-2.5-flare", "openai", None, "active"),
        ("gpt-image-2.5-flare", "openai", listing("gpt-image-2.5-flare"), "active"),
        ("gpt-image-1.5", "openai", None, "deprecated"),
        ("gpt-image-1", "openai", None, "retired"),
        ("gpt-image-1", "", None, "active"),
        ("flux", "", listing("flux"), "active"),
        ("flux", "", listing("other"), "unknown"),
    ],
)
def test_state(
    name: str, provider: str, listed: tuple[ModelListing, ...] | None, state: str
) -> None:
    """Dates count for the provider that set them; a model is unknown where nobody knows it."""
    assert state == stands(name, SHIPPED, provider, listed).state(TODAY)


def test_the_servers_date_wins() -> None:
    """The list is newer than the catalogue; without a date in it the catalogue's holds."""
    told = (ModelListing(id="gpt-image-1.5", shutdown_date=date(2027, 1, 1)),)
    assert stands("gpt-image-1.5", SHIPPED, "openai", told).shutdown == date(2027, 1, 1)
    silent = listing("gpt-image-1.5")
    assert stands("gpt-image-1.5", SHIPPED, "openai", silent).shutdown == date(2026, 12, 1)


def test_an_alias_is_listed_under_its_models_name() -> None:
    """The alias is never sent; a snapshot is, and must be listed itself."""
    flare = listing("chatgpt-image-latest")
    assert stands("gpt-image-latest", SHIPPED, "openai", flare).listed is True
    assert stands("gpt-image-1.5-2025-12-16", SHIPPED, "openai", flare).listed is False


@pytest.mark.parametrize(
    ("day", "words"),
    [
        (date(2026, 11, 1), "will be shut down on 2026-12-01, in 30 days."),
        (date(2026, 11, 30), "will be shut down on 2026-12-01, tomorrow."),
        (date(2026, 12, 1), "was shut down on 2026-12-01."),
        (date(2026, 10, 31), None),
    ],
)
def test_notice(day: date, words: str | None) -> None:
    """Told 30 days before, and as long as nothing is done."""
    found = retiring(stands("gpt-image-1.5", SHIPPED, "openai", None), [API_MODEL], day)
    assert (found and found.what) == (words and f"gpt-image-1.5 (api.model) {words}")


def test_what_to_do() -> None:
    """Every key with what to set it to; open jobs in words of their own; nobody's model is nobody's business."""
    standing = stands("gpt-image-1.5", SHIPPED, "openai", None)
    uses = [
        API_MODEL,
        Use(by="api.edit_model", operation=Operation.EDIT),
        Use(by="inboxes.a.defaults.model"),
        open_jobs(Operation.GENERATE),
    ]
    found = retiring(standing, uses, TODAY)
    assert found is not None
    assert found.hint == (
        "Set api.model to gpt-image-2.5-flare. Set api.edit_model to gpt-image-2.5-sunburst."
        " Set inboxes.a.defaults.model to another model; “image-watcher models” shows what there is."
        " Rows that are still open then: drop them again with gpt-image-2.5-flare."
    )
    assert retiring(standing, [], TODAY) is None


def test_not_listed() -> None:
    """What a complete list leaves out is gone; a list that need not be complete says nothing."""
    uses = {"house-model": [API_MODEL]}
    listed = listing("gpt-image-2.5-flare")
    (found,) = all_retiring(uses, SHIPPED, "openai", listed, TODAY)
    assert (found.model, found.shutdown, found.used_by) == ("house-model", None, ("api.model",))
    assert all_retiring(uses, SHIPPED, "openai", listed, TODAY, complete=False) == ()
    assert all_retiring(uses, SHIPPED, "openai", None, TODAY) == ()
