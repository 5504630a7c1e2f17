"""What we send, against the request types of the official `openai` package: names, values, what must be there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, get_type_hints

from hypothesis import given, settings
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.image_edit_params import ImageEditParamsNonStreaming
from openai.types.image_generate_params import ImageGenerateParamsNonStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import ConfigDict, TypeAdapter
from tests.planning_rows import ANALYZE_ROWS, EDIT_ROWS, GENERATE_ROWS, RULES, plan
from typing_extensions import is_typeddict

from watcher.core.jobs import Item, Json, Part
from watcher.core.profiles import load_profiles
from watcher.core.wire import call_for

OPENAI = load_profiles()["openai"]
AZURE = load_profiles()["azure"]
PICTURE = Part(name="", content=b"picture", content_type="image/png")
# In the package's JSON edits, and taken by the API in forms; its type for forms lacks it.
NOT_IN_THE_TYPE = {"moderation"}


@cache
def adapters(shape: type) -> dict[str, TypeAdapter[Any]]:
    """One a parameter: files are of types that pydantic does not know, so the whole has none."""
    any_type = ConfigDict(arbitrary_types_allowed=True)
    return {
        name: TypeAdapter(hint, config=None if is_typeddict(hint) else any_type)
        for name, hint in get_type_hints(shape).items()
    }


def assert_accepted(shape: Any, body: Mapping[str, Any], *, strict: bool) -> None:  # noqa: ANN401
    """`strict`: numbers are numbers; a form can only write them as text."""
    known = adapters(shape)
    assert body.keys() <= known.keys()
    assert shape.__required_keys__ <= body.keys()
    for name, value in body.items():
        found = known[name].validate_python(value, strict=strict)
        if name == "messages":  # checked one by one, as they are asked for
            assert len(list(found)) == len(value)


@settings(max_examples=300, deadline=None)
@given(row=GENERATE_ROWS)
def test_generate(row: dict[str, Json]) -> None:
    """Every body of images/generations is an ImageGenerateParams."""
    planned = plan(row, replace(RULES, profile=OPENAI))
    if isinstance(planned, Item):
        body = call_for(planned, OPENAI).body
        assert_accepted(ImageGenerateParamsNonStreaming, body, strict=True)


@settings(max_examples=200, deadline=None)
@given(row=EDIT_ROWS)
def test_edit(row: dict[str, Json]) -> None:
    """Every form of images/edits is an ImageEditParams."""
    planned = plan(row, replace(RULES, profile=OPENAI))
    if isinstance(planned, Item):
        pictures = [PICTURE] * len(planned.images)
        call = call_for(planned, OPENAI, images=pictures, mask=PICTURE if planned.mask else None)
        form: dict[str, Any] = {
            part.name.removesuffix("[]"): part.content if part.filename else part.content.decode()
            for part in call.parts
            if part.name not in NOT_IN_THE_TYPE
        }
        assert_accepted(ImageEditParamsNonStreaming, form, strict=False)


@settings(max_examples=100, deadline=None)
@given(row=ANALYZE_ROWS)
def test_analyze_by_responses(row: dict[str, Json]) -> None:
    """Every body of /responses is a ResponseCreateParams."""
    planned = plan(row, replace(RULES, profile=OPENAI))
    if isinstance(planned, Item):
        pictures = [PICTURE] * len(planned.images)
        body = call_for(planned, OPENAI, images=pictures).body
        assert_accepted(ResponseCreateParamsNonStreaming, body, strict=False)


@settings(max_examples=100, deadline=None)
@given(row=ANALYZE_ROWS)
def test_analyze_by_chat(row: dict[str, Json]) -> None:
    """Every body of /chat/completions is a CompletionCreateParams."""
    planned = plan(row, replace(RULES, profile=AZURE))
    if isinstance(planned, Item):
        pictures = [PICTURE] * len(planned.images)
        body = call_for(planned, AZURE, images=pictures).body
        assert_accepted(CompletionCreateParamsNonStreaming, body, strict=False)
