"""What is sent for each operation to each kind of server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.image_edit_params import ImageEditParamsNonStreaming
from openai.types.image_generate_params import ImageGenerateParamsNonStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming

from watcher.core.jobs import Item, Json, Operation, Part
from watcher.core.profiles import Profile, load_profiles
from watcher.core.wire import call_for, left_to_server

PROFILES = load_profiles()
OPENAI = PROFILES["openai"]
FIELDS: dict[str, Json] = {
    "size": "1536x1024",
    "quality": "low",
    "background": "opaque",
    "output_format": "jpeg",
    "output_compression": 80,
    "moderation": "low",
}
DRAW = Item(
    operation=Operation.GENERATE,
    model="gpt-image-2.5-flare",
    prompt="A cat",
    n=2,
    parameters=FIELDS,
)
EDIT = replace(
    DRAW, operation=Operation.EDIT, n=1, images=("a.png",), parameters={"quality": "high"}
)
LOOK = Item(
    operation=Operation.ANALYZE,
    model="gpt-6-luna",
    prompt="What is it?",
    images=("a.png",),
    parameters={"detail": "low", "max_tokens": 300},
)
CAT = Part(name="", content=b"cat", filename="cat.png", content_type="image/png")
DOG = Part(name="", content=b"dog", content_type="image/jpeg")
MASK = Part(name="", content=b"mask", filename="m.png", content_type="image/png")
CAT_URL = "data:image/png;base64,Y2F0"
DOG_URL = "data:image/jpeg;base64,ZG9n"


def named(item: Item, profile: Profile, **more: Any) -> list[tuple[str, bytes, str, str]]:  # noqa: ANN401
    parts = call_for(item, profile, **more).parts
    return [(part.name, part.content, part.filename, part.content_type) for part in parts]


def test_generate() -> None:
    """JSON under the API's own names, the model and n always said."""
    call = call_for(DRAW, OPENAI)
    assert (call.path, call.parts) == ("images/generations", ())
    assert call.body == {"model": "gpt-image-2.5-flare", "prompt": "A cat", "n": 2, **FIELDS}


def test_asking_for_the_rest() -> None:
    """The caller's n wins over the item's."""
    assert call_for(DRAW, OPENAI, n=1).body["n"] == 1


@pytest.mark.parametrize(
    ("name", "sent"), [("openai", None), ("sglang", "b64_json"), ("vllm-omni", "b64_json")]
)
def test_response_format_is_the_profiles_alone(name: str, sent: str | None) -> None:
    """A row's wish is never passed on: GPT image models refuse the parameter."""
    item = replace(DRAW, parameters={"response_format": "url"})
    assert call_for(item, PROFILES[name]).body.get("response_format") == sent


@pytest.mark.parametrize("given_as", ["user", "safety_identifier"])
@pytest.mark.parametrize(("name", "field"), [("openai", "safety_identifier"), ("azure", "user")])
def test_the_user_goes_under_the_servers_name(given_as: str, name: str, field: str) -> None:
    """One column, two names."""
    body = call_for(replace(DRAW, parameters={given_as: "u1"}), PROFILES[name]).body
    assert {key: body[key] for key in ("user", "safety_identifier") if key in body} == {field: "u1"}


def test_extra_fields_are_sent_and_none_is_not() -> None:
    """Fields of self-hosted servers stand beside the API's own; what is None is absent."""
    item = replace(DRAW, parameters={"size": None}, extra={"seed": 7})
    assert call_for(item, PROFILES["sglang"]).body == {
        "model": "gpt-image-2.5-flare", "prompt": "A cat", "n": 2, "seed": 7, "response_format": "b64_json",
    }  # fmt: skip


@given(st.sampled_from(sorted(PROFILES)), st.sets(st.sampled_from(sorted(FIELDS))))
def test_what_a_server_does_not_take_is_never_sent(name: str, learnt: set[str]) -> None:
    """Neither what its profile drops, nor what was learnt about it since."""
    profile = replace(PROFILES[name], drops=PROFILES[name].drops | learnt)
    call = call_for(DRAW, profile)
    assert not profile.drops & set(call.body)
    form = call_for(replace(EDIT, parameters=FIELDS), profile, images=(CAT,), mask=MASK)
    assert not profile.drops & {part.name for part in form.parts}


@pytest.mark.parametrize(
    ("parameters", "patience"),
    [
        ({}, "medium"),
        ({"quality": "auto"}, "medium"),
        ({"quality": "low"}, "low"),
        ({"quality": "medium"}, "medium"),
        ({"quality": "high"}, "high"),
        ({"quality": "xhigh"}, "high"),
        ({"quality": "max"}, "high"),
        ({"quality": "low", "size": "3840x2160"}, "high"),
        ({"quality": "low", "size": "2560x1440"}, "low"),
        ({"quality": "low", "size": "auto"}, "low"),
        ({"quality": "low", "output_format": "gif"}, "high"),
        ({"output_format": "svg"}, "high"),
    ],
)
def test_patience_by_what_is_asked(parameters: dict[str, str], patience: str) -> None:
    """High quality, 4K and the slow formats get the longest time."""
    assert call_for(replace(DRAW, parameters=parameters), OPENAI).patience == patience


def test_edit_with_one_picture() -> None:
    """Multipart: plain fields as text, the picture as `image` with its type."""
    assert named(EDIT, OPENAI, images=(CAT,), mask=MASK) == [
        ("model", b"gpt-image-2.5-flare", "", ""),
        ("prompt", b"A cat", "", ""),
        ("n", b"1", "", ""),
        ("quality", b"high", "", ""),
        ("image", b"cat", "cat.png", "image/png"),
        ("mask", b"mask", "m.png", "image/png"),
    ]


def test_edit_with_several_pictures() -> None:
    """`image[]` for each; a picture without a name gets one, or it would be no file."""
    files = named(EDIT, OPENAI, images=(CAT, DOG))[4:]
    assert files == [
        ("image[]", b"cat", "cat.png", "image/png"),
        ("image[]", b"dog", "image-2.jpeg", "image/jpeg"),
    ]


def test_nested_values_in_a_form() -> None:
    """Bracketed names, as the reference says for `svg[model]`; true and false in JSON's spelling."""
    svg: Json = {"model": "m", "reasoning": {"effort": "low"}}
    item = replace(EDIT, parameters={"svg": svg, "stream": False})
    fields = {name: content for name, content, *_ in named(item, OPENAI, images=(CAT,))}
    assert fields["svg[model]"] == b"m"
    assert fields["svg[reasoning][effort]"] == b"low"
    assert fields["stream"] == b"false"


@pytest.mark.parametrize(
    ("name", "path", "image", "mask"),
    [
        ("openai", "images/edits", "image", "mask"),
        ("localai", "images/inpainting", "image", "mask"),
        ("sdcpp", "images/edits", "image[]", "mask"),
        ("vllm-omni", "images/edits", "image", "mask_image"),
    ],
)
def test_edit_by_server(name: str, path: str, image: str, mask: str) -> None:
    """Each server's door and part names."""
    call = call_for(EDIT, PROFILES[name], images=(CAT,), mask=MASK)
    assert call.path == path
    assert [part.name for part in call.parts if part.filename] == [image, mask]


def test_edit_as_json() -> None:
    """Pictures as data URLs where the server wants JSON."""
    profile = replace(OPENAI, edit_transport="json")
    call = call_for(EDIT, profile, images=(CAT,), mask=MASK)
    assert (call.path, call.parts) == ("images/edits", ())
    assert call.body == {
        "model": "gpt-image-2.5-flare", "prompt": "A cat", "n": 1, "quality": "high",
        "images": [{"image_url": CAT_URL}], "mask": {"image_url": "data:image/png;base64,bWFzaw=="},
    }  # fmt: skip


def test_analyze_through_responses() -> None:
    """The cap leaves room for reasoning, or the answer comes back empty and paid."""
    call = call_for(LOOK, OPENAI, images=(CAT,))
    assert (call.path, call.patience) == ("responses", "analyze")
    assert call.body == {
        "model": "gpt-6-luna",
        "max_output_tokens": 2300,
        "input": [{"role": "user", "content": [
            {"type": "input_text", "text": "What is it?"},
            {"type": "input_image", "image_url": CAT_URL, "detail": "low"},
        ]}],
    }  # fmt: skip


def test_analyze_through_chat() -> None:
    """`max_tokens` of older servers counts the visible text only: sent as asked."""
    call = call_for(LOOK, PROFILES["generic"], images=(CAT,))
    assert call.path == "chat/completions"
    assert call.body == {
        "model": "gpt-6-luna",
        "max_tokens": 300,
        "messages": [{"role": "user", "content": [
            {"type": "text", "text": "What is it?"},
            {"type": "image_url", "image_url": {"url": CAT_URL, "detail": "low"}},
        ]}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"),
    [("openai", {"reasoning": {"effort": "none"}}), ("generic", {"reasoning_effort": "none"})],
)
def test_reasoning_effort(name: str, expected: dict[str, object]) -> None:
    """Each text API has its own place for it."""
    item = replace(LOOK, parameters={"reasoning_effort": "none"})
    body = call_for(item, PROFILES[name], images=(CAT,)).body
    assert {key: body[key] for key in body if key.startswith("reasoning")} == expected


@pytest.mark.parametrize("refused", ["max_tokens", "max_output_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("name", ["openai", "azure", "generic"])
def test_a_cap_that_was_refused_is_left_out_under_every_name(name: str, refused: str) -> None:
    """A text that was cut is asked for without the cap, whatever this server calls it."""
    profile = replace(PROFILES[name], drops=PROFILES[name].drops | {refused})
    body = call_for(LOOK, profile, images=(CAT,)).body
    assert not {"max_tokens", "max_output_tokens", "max_completion_tokens"} & set(body)


def test_a_picture_by_chat() -> None:
    """One picture a call, its size as ratio and class; no parameter the chat does not know."""
    item = replace(
        DRAW, parameters={"size": "3840x2160", "quality": "high", "background": "opaque"}
    )
    call = call_for(item, PROFILES["openrouter"])
    assert (call.path, call.patience) == ("chat/completions", "high")
    assert call.body == {
        "model": "gpt-image-2.5-flare",
        "messages": [{"role": "user", "content": "A cat"}],
        "modalities": ["image", "text"],
        "image_config": {"aspect_ratio": "16:9", "image_size": "4K"},
    }


@pytest.mark.parametrize(
    ("size", "config"),
    [
        ("1024x1024", {"aspect_ratio": "1:1"}),
        ("1536x1024", {"aspect_ratio": "3:2"}),
        ("1024x1536", {"aspect_ratio": "2:3"}),
        ("2048x2048", {"aspect_ratio": "1:1", "image_size": "2K"}),
        ("auto", None),
    ],
)
def test_sizes_by_chat(size: str, config: dict[str, str] | None) -> None:
    """The nearest ratio that the chat knows."""
    body = call_for(replace(DRAW, parameters={"size": size}), PROFILES["openrouter"]).body
    assert body.get("image_config") == config


def test_an_edit_by_chat_carries_its_pictures() -> None:
    """Pictures before the model's eyes; no mask, which a chat does not know."""
    body = call_for(EDIT, PROFILES["openrouter"], images=(CAT,), mask=MASK).body
    assert body["messages"] == [{"role": "user", "content": [
        {"type": "text", "text": "A cat"}, {"type": "image_url", "image_url": {"url": CAT_URL}},
    ]}]  # fmt: skip
    assert "mask" not in body


def test_addresses_are_left_to_servers_that_fetch() -> None:
    """Local files are inlined; addresses are passed on in the row's own order where they may be."""
    item = replace(LOOK, images=("a.png", "https://x.example/b.png", "c.jpg"))
    assert left_to_server(item, OPENAI) == ("https://x.example/b.png",)
    assert left_to_server(item, PROFILES["ollama"]) == ()
    assert left_to_server(replace(item, operation=Operation.EDIT), OPENAI) == ()
    body: Any = call_for(item, OPENAI, images=(CAT, DOG)).body
    sent = [part["image_url"] for part in body["input"][0]["content"][1:]]
    assert sent == [CAT_URL, "https://x.example/b.png", DOG_URL]


def test_pictures_that_were_all_fetched_are_all_inlined() -> None:
    """Nothing is sent twice when the caller had fetched the addresses itself."""
    item = replace(LOOK, images=("https://x.example/b.png",))
    body: Any = call_for(item, OPENAI, images=(CAT,)).body
    assert [part["image_url"] for part in body["input"][0]["content"][1:]] == [CAT_URL]


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        (ImageGenerateParamsNonStreaming, call_for(DRAW, OPENAI).body),
        (
            ImageEditParamsNonStreaming,
            {p.name: p for p in call_for(EDIT, OPENAI, images=(CAT,), mask=MASK).parts},
        ),
        (ResponseCreateParamsNonStreaming, call_for(LOOK, OPENAI, images=(CAT,)).body),
    ],
)
def test_the_official_package_knows_every_name_we_send(
    shape: type, body: dict[str, object]
) -> None:
    """Request types of the `openai` package as the judge of names."""
    known = {
        name for base in (shape, *shape.__mro__) for name in getattr(base, "__annotations__", {})
    }
    assert set(body) <= known
