"""`GET /models`: which models a server lists, and when they are shut down (`types/model.py` of the SDK)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import orjson

from watcher.core.jobs import No, Refusal, Reply
from watcher.core.wire.errors import hear
from watcher.core.wire.refusals import refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelListing:
    """One model as the server lists it. Listed is not allowed: an account may still get a 403."""

    id: str
    shutdown_date: date | None = None


def read_models(reply: Reply, *, now: float | None = None) -> tuple[ModelListing, ...] | Refusal:
    """The listed models in the server's order, or why there is no list."""
    if not 200 <= reply.status < 300:  # noqa: PLR2004 - HTTP's success
        return refuse(hear(reply), reply, now)
    try:
        data = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        data = None
    entries = data.get("data") if isinstance(data, dict) else data
    if isinstance(entries, list):
        return tuple(model for entry in entries if (model := _listing(entry)))
    return Refusal(
        no=No.NEVER,
        code="no_model_list",
        what="The server answered without a list of models.",
        hint="Not every server has one; check api.base_url if it should.",
        status=reply.status,
        request_id=reply.request_id,
    )


def _listing(entry: object) -> ModelListing | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        return None
    return ModelListing(id=entry["id"], shutdown_date=_day(entry.get("shutdown_date")))


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
