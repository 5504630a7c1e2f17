"""What stands in a decoded body: pictures, text, usage. Every shape that servers are known to send;
anything else is read as absent. Never raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

import pybase64

from watcher.core.jobs import Given, Operation, Usage

_IN_MARKDOWN = re.compile(r"!\[[^\]]*\]\(\s*<?(data:image/[^)>\s]+|https?://[^)>\s]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text as far as it came: `refused` in the model's words, `cut` by the parameter of that name."""

    words: str = ""
    refused: str = ""
    cut: str = ""


@dataclass(frozen=True, slots=True)
class _Source:
    text: str
    is_base64: bool = False


def read_pictures(data: object) -> tuple[tuple[Given, ...], bool]:
    """(the pictures, whether any of them was damaged), base64 before addresses."""
    found: list[Given] = []
    damaged = False
    for source in (*_image_sources(data), *_chat_sources(data)):
        try:
            found.append(_given(source))
        except ValueError:
            damaged = True
    return tuple(found), damaged


def read_text(data: object) -> Text:
    """The text of `responses` or `chat/completions`."""
    if isinstance(_get(data, "output"), list):
        return _response_text(data)
    choice = _first(_get(data, "choices"))
    message = _get(choice, "message")
    reason, refused = _get(choice, "finish_reason"), _string(_get(message, "refusal"))
    if reason == "content_filter" and not refused:
        refused = "The content filter ended the answer."
    cut = "max_tokens" if reason == "length" else ""
    return Text(words=_content(_get(message, "content")), refused=refused, cut=cut)


def read_usage(data: object, operation: Operation) -> Usage | None:
    """Tokens as counted; None where nothing was counted (LocalAI sends zeros)."""
    usage = _get(data, "usage")
    come_in = _count(usage, "input_tokens") or _count(usage, "prompt_tokens")
    gone_out = _count(usage, "output_tokens") or _count(usage, "completion_tokens")
    image_in = min(_count(_get(usage, "input_tokens_details"), "image_tokens"), come_in)
    if operation is Operation.ANALYZE:
        image_in, image_out = 0, 0  # vision models bill pictures as text
    else:
        image_out = _image_share(usage, gone_out)
    counted = Usage(
        text_in=come_in - image_in,
        image_in=image_in,
        image_out=image_out,
        text_out=gone_out - image_out,
    )
    return counted if come_in or gone_out else None


def revised_prompt(data: object) -> str:
    return _string(_get(_first(_get(data, "data")), "revised_prompt"))


def _image_sources(data: object) -> Iterator[_Source]:
    entries = _get(data, "data")
    for entry in entries if isinstance(entries, list) else ():
        if coded := _string(_get(entry, "b64_json")):
            yield _Source(coded, is_base64=True)
        elif url := _string(_get(entry, "url")):
            yield _Source(url)


def _chat_sources(data: object) -> Iterator[_Source]:
    message = _get(_first(_get(data, "choices")), "message")
    content = _get(message, "content")
    for entries in (_get(message, "images"), content):
        for entry in entries if isinstance(entries, list) else ():
            if url := _string(_get(_get(entry, "image_url"), "url")):
                yield _Source(url)
    if isinstance(content, str):
        yield from (_Source(url) for url in _IN_MARKDOWN.findall(content))


def _given(source: _Source) -> Given:
    """Raises ValueError for base64 that is none."""
    text = source.text.strip()
    if text.startswith("data:"):
        head, _, payload = text.partition(",")
        coded = head.endswith(";base64")
        return Given(content=_decoded(payload) if coded else unquote_to_bytes(payload))
    return Given(content=_decoded(text)) if source.is_base64 else Given(url=text)


def _decoded(text: str) -> bytes:
    if any(space in text for space in " \r\n\t"):
        text = "".join(text.split())
    content = pybase64.b64decode(text, validate=True)
    if not content:
        raise ValueError("nothing in it")
    return content


def _response_text(data: object) -> Text:
    words, refused = [], ""
    outputs = _get(data, "output")
    for output in outputs if isinstance(outputs, list) else ():
        contents = _get(output, "content")
        for content in contents if isinstance(contents, list) else ():
            words.append(_string(_get(content, "text")))
            refused = refused or _string(_get(content, "refusal"))
    reason = _get(_get(data, "incomplete_details"), "reason")
    if reason == "content_filter" and not refused:
        refused = "The content filter ended the answer."
    cut = "max_output_tokens" if reason == "max_output_tokens" else ""
    return Text(words="".join(words), refused=refused, cut=cut)


def _content(content: object) -> str:
    """A chat message's content: text, or a list of parts of which some are text."""
    if isinstance(content, list):
        return "".join(_string(_get(part, "text")) for part in content)
    return _string(content)


def _image_share(usage: object, gone_out: int) -> int:
    """Output tokens that are picture; where they are not told apart, all of them are."""
    for key in ("output_tokens_details", "completion_tokens_details"):
        if isinstance(_get(_get(usage, key), "image_tokens"), int):
            return min(_count(_get(usage, key), "image_tokens"), gone_out)
    return gone_out


def _count(data: object, key: str) -> int:
    value = _get(data, key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _get(data: object, key: str) -> object:
    return data.get(key) if isinstance(data, dict) else None


def _first(data: object) -> object:
    return data[0] if isinstance(data, list) and data else None


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
