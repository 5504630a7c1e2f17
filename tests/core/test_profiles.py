"""The shipped profiles of image servers: the data file says only what the code understands."""

from __future__ import annotations

from dataclasses import fields
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from watcher.core.jobs import Operation
from watcher.core.profiles import Profile, load_profiles

NAMES = (
    "openai", "azure", "litellm", "openrouter", "localai", "vllm-omni", "sglang", "sdcpp", "ollama", "generic",
)  # fmt: skip


def test_all_profiles_of_the_settings_are_there() -> None:
    """Every name that SETTINGS allows has a profile, under its own name."""
    assert tuple(load_profiles()) == NAMES
    assert all(profile.name == name for name, profile in load_profiles().items())


@pytest.mark.parametrize("name", NAMES)
def test_each_value_is_one_that_its_field_allows(name: str) -> None:
    """A typing error in the data file is found here, not by a server."""
    profile = load_profiles()[name]
    for field, hint in get_type_hints(Profile).items():
        value = getattr(profile, field)
        if get_origin(hint) is Literal:
            assert value in get_args(hint), field
        elif get_origin(hint) is frozenset:
            assert isinstance(value, frozenset)
            assert all(isinstance(entry, str) for entry in value), field
        else:
            assert isinstance(value, hint), field
    assert {field.name for field in fields(Profile)} == set(get_type_hints(Profile))
    assert profile.operations <= set(Operation)
    assert not profile.default_base_url.endswith("/")


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("openai", "default_base_url", "https://api.openai.com/v1"),
        ("openai", "response_format", "omit"),
        ("openai", "analyze_api", "responses"),
        ("openai", "token_parameter", "max_output_tokens"),
        ("openai", "user_field", "safety_identifier"),
        ("openai", "provider", "openai"),
        ("azure", "auth", "api-key"),
        ("azure", "provider", "azure"),
        ("litellm", "provider", ""),
        ("openrouter", "picture_api", "chat"),
        ("localai", "edit_transport", "inpainting"),
        ("localai", "mask_mode", "white"),
        ("localai", "response_format", "b64_json"),
        ("vllm-omni", "mask_field", "mask_image"),
        ("vllm-omni", "response_format", "b64_json"),
        ("sglang", "response_format", "b64_json"),
        ("sdcpp", "max_concurrency", 1),
        ("sdcpp", "image_field", "image[]"),
        ("ollama", "operations", frozenset({"analyze"})),
        ("ollama", "takes_urls", False),
        ("generic", "default_base_url", ""),
    ],
)
def test_known_differences_of_servers(name: str, field: str, value: object) -> None:
    """What is known of each server is in its profile."""
    assert getattr(load_profiles()[name], field) == value


def test_nobody_can_change_a_profile_for_others() -> None:
    """Profiles are shared, so they cannot be written to."""
    with pytest.raises(TypeError):
        load_profiles()["openai"] = load_profiles()["azure"]  # type: ignore[index]
