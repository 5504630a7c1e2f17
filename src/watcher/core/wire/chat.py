"""Bodies of the two text APIs, `responses` and `chat/completions`: describing pictures, and making
them where a server does that by chat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from watcher.core.jobs import Item, Json
from watcher.core.profiles import Profile

TOKEN_NAMES = ("max_tokens", "max_output_tokens", "max_completion_tokens")
# The newer caps count the reasoning too; without room for it the answer comes back empty, and paid.
_REASONING_ROOM = 2000

# What `image_config` takes (the image-generation page of OpenRouter's documentation).
_RATIOS = {
    "1:1": 1 / 1,
    "2:3": 2 / 3,
    "3:2": 3 / 2,
    "3:4": 3 / 4,
    "4:3": 4 / 3,
    "4:5": 4 / 5,
    "5:4": 5 / 4,
    "9:16": 9 / 16,
    "16:9": 16 / 9,
    "21:9": 21 / 9,
}


def text_body(
    item: Item, profile: Profile, fields: Mapping[str, Json], urls: Sequence[str]
) -> dict[str, Json]:
    """An analyze call; `fields` hold everything that is no picture, `urls` are the pictures."""
    rest = dict(fields)
    detail, effort = rest.pop("detail", None), rest.pop("reasoning_effort", None)
    if "reasoning" in profile.drops:
        effort = None
    cap = next((rest.pop(name) for name in TOKEN_NAMES if name in rest), None)
    for name in (*TOKEN_NAMES, "prompt"):
        rest.pop(name, None)
    if cap is not None and profile.drops.isdisjoint(TOKEN_NAMES):
        rest[profile.token_parameter] = _room(cap, profile)
    if profile.analyze_api == "responses":
        reasoning: dict[str, Json] = {"reasoning": {"effort": effort}} if effort else {}
        if detail is None and "detail" not in profile.drops:
            detail = "auto"  # the API's default, and required by the official request type
        content = _parts_for_responses(item.prompt, urls, detail)
        return {**rest, **reasoning, "input": [{"role": "user", "content": content}]}
    thought: dict[str, Json] = {"reasoning_effort": effort} if effort else {}
    content = _parts_for_chat(item.prompt, urls, detail)
    return {**rest, **thought, "messages": [{"role": "user", "content": content}]}


def picture_body(item: Item, fields: Mapping[str, Json], urls: Sequence[str]) -> dict[str, Json]:
    """A picture asked for by chat: one a call, its size as the nearest ratio and size class."""
    rest = {name: value for name, value in fields.items() if name not in ("prompt", "n", "size")}
    content: Json = _parts_for_chat(item.prompt, urls, None) if urls else item.prompt
    body: dict[str, Json] = {
        "messages": [{"role": "user", "content": content}],
        "modalities": ["image", "text"],
    }
    config = _image_config(str(fields.get("size", "")))
    if config:
        body["image_config"] = config
    return {**rest, **body}


def _room(cap: Json, profile: Profile) -> Json:
    if profile.token_parameter == TOKEN_NAMES[0] or not isinstance(cap, int):
        return cap
    return cap + _REASONING_ROOM


def _parts_for_responses(prompt: str, urls: Sequence[str], detail: Json) -> list[Json]:
    extra: dict[str, Json] = {"detail": detail} if detail else {}
    pictures: list[Json] = [{"type": "input_image", "image_url": url, **extra} for url in urls]
    return [{"type": "input_text", "text": prompt}, *pictures]


def _parts_for_chat(prompt: str, urls: Sequence[str], detail: Json) -> list[Json]:
    extra: dict[str, Json] = {"detail": detail} if detail else {}
    pictures: list[Json] = [
        {"type": "image_url", "image_url": {"url": url, **extra}} for url in urls
    ]
    return [{"type": "text", "text": prompt}, *pictures]


def _image_config(size: str) -> dict[str, Json]:
    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        return {}
    wanted = int(width) / int(height)
    ratio = min(_RATIOS, key=lambda name: max(_RATIOS[name] / wanted, wanted / _RATIOS[name]))
    edge = max(int(width), int(height))
    kinds = {"4K": 2560, "2K": 1536}
    larger = next((kind for kind, above in kinds.items() if edge > above), None)
    return {"aspect_ratio": ratio, "image_size": larger} if larger else {"aspect_ratio": ratio}
