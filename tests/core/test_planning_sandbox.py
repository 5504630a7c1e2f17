"""Planning against the sandbox, which checks calls as strictly as the real API does."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.planning_rows import (
    ANALYZE_ROWS,
    CATALOGUE,
    EDIT_ROWS,
    GENERATE_ROWS,
    OPENAI,
    RULES,
    plan,
)

from watcher.core.jobs import Call, Item, Json, Operation, Part
from watcher.core.planning import RowRules
from watcher.core.profiles import Profile, load_profiles
from watcher.core.wire import call_for
from watcher.sandbox.checks import check_pictures, find_model
from watcher.sandbox.desk import Clocks, Desk
from watcher.sandbox.forms import Form, Upload
from watcher.sandbox.options import SandboxOptions
from watcher.sandbox.vision import check_chat, check_responses

OFFICIAL = load_profiles()["openai"]
BY_JSON = replace(OFFICIAL, edit_transport="json")
BY_CHAT = replace(OFFICIAL, analyze_api="chat", token_parameter="max_completion_tokens")
RULE_SETS = st.sampled_from([RULES, replace(RULES, retired_models="refuse")])
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
DESK = Desk(
    SandboxOptions(), Clocks(now=lambda: NOON, monotonic=time.monotonic, sleep=asyncio.sleep)
)


def picture(kind: str, mode: str = "RGB") -> Part:
    sink = BytesIO()
    Image.new(mode, (64, 64)).save(sink, kind)
    return Part(name="", content=sink.getvalue(), content_type=f"image/{kind.lower()}")


PNG, JPEG, MASK = picture("PNG"), picture("JPEG"), picture("PNG", "RGBA")


def pictures_of(item: Item) -> list[Part]:
    """A small picture for each that the row names."""
    return [JPEG if name.endswith(".jpg") else PNG for name in item.images]


def form_of(call: Call) -> Form:
    """The call as the sandbox reads it."""
    if not call.parts:
        return Form(fields=dict(call.body))
    fields: dict[str, object] = {
        part.name: part.content.decode() for part in call.parts if not part.filename
    }
    files = [
        Upload(name=part.name, content=part.content, content_type=part.content_type)
        for part in call.parts
        if part.filename
    ]
    return Form(fields=fields, files=files, multipart=True)


@settings(max_examples=300, deadline=None)
@given(row=GENERATE_ROWS, rules=RULE_SETS)
def test_nothing_that_is_planned_is_refused(row: dict[str, Json], rules: RowRules) -> None:
    """Every generate that comes out of planning passes the strict checks of the sandbox."""
    planned = plan(row, rules)
    if isinstance(planned, Item):
        body = dict(call_for(planned, OPENAI).body)
        model = find_model(body, Operation.GENERATE, CATALOGUE, RULES.today)
        asked = check_pictures(body, model=model, operation=Operation.GENERATE)
        assert asked.prompt == planned.prompt


@pytest.mark.parametrize("profile", [OFFICIAL, BY_JSON], ids=["form", "json"])
@settings(max_examples=200, deadline=None)
@given(row=EDIT_ROWS, rules=RULE_SETS)
def test_no_edit_that_is_planned_is_refused(
    profile: Profile, row: dict[str, Json], rules: RowRules
) -> None:
    """Every edit too, as a form and as JSON, with as many pictures as the row names, and its mask."""
    planned = plan(row, replace(rules, profile=profile))
    if isinstance(planned, Item):
        mask = MASK if planned.mask else None
        call = call_for(planned, profile, images=pictures_of(planned), mask=mask)
        asked = DESK._edit_asked(form_of(call))
        assert (len(asked.shown), asked.mask is not None) == (len(planned.images), bool(mask))
        assert (asked.prompt, asked.n) == (planned.prompt, planned.n)


@pytest.mark.parametrize("by_chat", [False, True], ids=["responses", "chat"])
@settings(max_examples=100, deadline=None)
@given(row=ANALYZE_ROWS, rules=RULE_SETS)
def test_no_analyze_that_is_planned_is_refused(
    *, by_chat: bool, row: dict[str, Json], rules: RowRules
) -> None:
    """Every analyze, through either of the two text APIs, with all its pictures."""
    profile = BY_CHAT if by_chat else OFFICIAL
    planned = plan(row, replace(rules, profile=profile))
    if isinstance(planned, Item):
        body = dict(call_for(planned, profile, images=pictures_of(planned)).body)
        model = find_model(body, Operation.ANALYZE, CATALOGUE, RULES.today)
        asked = (check_chat if by_chat else check_responses)(body, model)
        assert (len(asked.shown), asked.prompt) == (len(planned.images), planned.prompt)


def test_rows_of_each_operation_are_usable() -> None:
    """The rows above become items: a plain one of each kind, so that the tests above test something."""
    rows: tuple[dict[str, Json], ...] = (
        {"prompt": "a cup"},
        {"prompt": "a cup", "image": "a.png", "mask": "m.png"},
        {"prompt": "a cup", "image": "a.png", "operation": "analyze"},
    )
    assert all(isinstance(plan(row), Item) for row in rows)
