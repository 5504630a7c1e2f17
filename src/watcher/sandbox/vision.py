"""Texts about pictures: requests to /responses and /chat/completions, checked, and their answers.

As with the real models, a limit on tokens includes those of reasoning, so that a small one can end
in an answer without a word.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watcher.core.catalogue import Model
from watcher.core.jobs import Operation, Usage
from watcher.sandbox.asked import Shown, WordsAsked, faces
from watcher.sandbox.inputs import from_url
from watcher.sandbox.judging import judged, points_in
from watcher.sandbox.refusals import (
    invalid_type,
    invalid_value,
    missing_parameter,
    unknown_parameter,
    unsupported_parameter,
)
from watcher.sandbox.tokens import text_tokens, words_usage

_SHARED = {
    "model", "temperature", "top_p", "stream", "store", "metadata", "user", "safety_identifier",
    "service_tier", "parallel_tool_calls", "tools", "tool_choice", "prompt_cache_key", "verbosity",
}  # fmt: skip
_RESPONSES = _SHARED - {"verbosity"} | {
    "input", "instructions", "max_output_tokens", "reasoning", "text", "truncation", "include",
    "previous_response_id", "background", "max_tool_calls", "conversation",
}  # fmt: skip
_CHAT = _SHARED | {
    "messages", "max_tokens", "max_completion_tokens", "reasoning_effort", "n", "stop", "seed",
    "response_format", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "modalities",
}  # fmt: skip
# Reasoning models refuse these; https://platform.openai.com/docs/guides/reasoning
_NOT_WITH_REASONING = ("temperature", "top_p", "frequency_penalty", "presence_penalty")
_ROLES = ("user", "assistant", "system", "developer")
_LEAST_TOKENS = {"max_output_tokens": 16}
# How long the sandbox pretends to think, in tokens.
_EFFORTS = {
    "none": 0,
    "minimal": 32,
    "low": 64,
    "medium": 400,
    "high": 1200,
    "xhigh": 2400,
    "max": 4800,
}
_BYTES_PER_TOKEN = 4
_TILE = 32  # pixels on a side for one token of a picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the sandbox says. `whole`: nothing was cut off. `reasoning`: tokens, part of text_out."""

    text: str
    whole: bool
    usage: Usage
    reasoning: int


def check_responses(body: Mapping[str, object], model: Model) -> WordsAsked:
    """What a request to /responses asks for. Raises Refused."""
    _check_names(body, _RESPONSES, model)
    if "input" not in body:
        raise missing_parameter("input")
    given = body["input"]
    messages = [{"role": "user", "content": given}] if isinstance(given, str) else given
    reasoning = body.get("reasoning") or {}
    if not isinstance(reasoning, dict):
        raise invalid_type("reasoning", "an object", reasoning)
    effort = ("reasoning.effort", reasoning.get("effort")) if reasoning else ("", None)
    return _asked(body, model, _Told(messages, "input", model, chat=False), effort)


def check_chat(body: Mapping[str, object], model: Model) -> WordsAsked:
    """What a request to /chat/completions asks for. Raises Refused."""
    _check_names(body, _CHAT, model)
    if model.reasoning and "max_tokens" in body:
        raise unsupported_parameter("max_tokens", "max_completion_tokens")
    if "messages" not in body:
        raise missing_parameter("messages")
    effort = ("reasoning_effort", body.get("reasoning_effort"))
    return _asked(body, model, _Told(body["messages"], "messages", model, chat=True), effort)


def speak(asked: WordsAsked, fault: str = "") -> Words:
    """A short text that names what was asked and what was seen, or a judgement where there are points to
    judge by. `fault`: "incomplete" ends in the middle.
    """
    cut = fault == "incomplete"
    seen = ", ".join(str(one) for one in asked.shown) or "no picture"
    text = f"SANDBOX saw {seen} and was asked: {asked.prompt}"
    if (points := points_in(asked.prompt)) and fault != "vague":
        text = judged(points, faces(asked.shown), unmet=fault == "unmet")
    room = asked.max_tokens - asked.reasoning if asked.max_tokens else text_tokens(text)
    room = min(room, text_tokens(text) // 2) if cut else room
    whole = room >= text_tokens(text)
    said = (
        text if whole else text.encode()[: max(room, 0) * _BYTES_PER_TOKEN].decode(errors="ignore")
    )
    used = asked.reasoning + (text_tokens(said) if said else 0)
    usage = Usage(
        text_in=text_tokens(asked.prompt),
        image_in=sum(
            math.ceil(one.width / _TILE) * math.ceil(one.height / _TILE)
            for one in faces(asked.shown)
        ),
        text_out=min(used, asked.max_tokens) if asked.max_tokens else used,
    )
    return Words(
        text=said, whole=whole, usage=usage, reasoning=min(asked.reasoning, usage.text_out)
    )


def responses_body(words: Words, asked: WordsAsked, *, id_: str, created: int) -> dict[str, object]:
    """An answer of /responses. A text that was cut before its first word has no message at all."""
    status = "completed" if words.whole else "incomplete"
    message = {
        "type": "message",
        "id": f"msg_{id_}",
        "status": status,
        "role": "assistant",
        "content": [{"type": "output_text", "text": words.text, "annotations": []}],
    }
    return {
        "id": f"resp_{id_}",
        "object": "response",
        "created_at": created,
        "status": status,
        "error": None,
        "incomplete_details": None if words.whole else {"reason": "max_output_tokens"},
        "model": asked.model_name,
        "output": [message] if words.text else [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": words_usage(words.usage, reasoning=words.reasoning, chat=False),
    }


def chat_body(words: Words, asked: WordsAsked, *, id_: str, created: int) -> dict[str, object]:
    """An answer of /chat/completions."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": words.text, "refusal": None},
        "logprobs": None,
        "finish_reason": "stop" if words.whole else "length",
    }
    return {
        "id": f"chatcmpl-{id_}",
        "object": "chat.completion",
        "created": created,
        "model": asked.model_name,
        "choices": [choice],
        "usage": words_usage(words.usage, reasoning=words.reasoning, chat=True),
    }


class _Told:
    """The texts and pictures of a conversation, gathered while its shape is checked."""

    def __init__(self, messages: object, param: str, model: Model, *, chat: bool) -> None:
        self.texts: list[str] = []
        self.shown: list[Shown] = []
        self._model = model
        self._chat = chat
        for number, message in enumerate(_list(messages, param)):
            self._message(_object(message, f"{param}[{number}]"), f"{param}[{number}]")

    def _message(self, message: Mapping[str, object], param: str) -> None:
        role = message.get("role")
        if role not in _ROLES:
            raise invalid_value(
                f"{param}.role",
                f"Invalid value: '{role}'. Supported values are: {', '.join(_ROLES)}.",
            )
        content = message.get("content")
        if isinstance(content, str):
            self.texts.append(content)
            return
        for number, part in enumerate(_list(content, f"{param}.content")):
            self._part(_object(part, f"{param}.content[{number}]"), f"{param}.content[{number}]")

    def _part(self, part: Mapping[str, object], param: str) -> None:
        text, image = ("text", "image_url") if self._chat else ("input_text", "input_image")
        kind = part.get("type")
        if kind == text:
            self.texts.append(_string(part.get("text"), f"{param}.text"))
        elif kind == image:
            self._picture(part, param)
        else:
            raise invalid_value(
                f"{param}.type",
                f"Invalid value: '{kind}'. Supported values are: '{text}', and '{image}'.",
            )

    def _picture(self, part: Mapping[str, object], param: str) -> None:
        holder = _object(part.get("image_url"), f"{param}.image_url") if self._chat else part
        url = holder.get("url" if self._chat else "image_url")
        detail = holder.get("detail", "auto")
        if detail not in self._model.details:
            raise invalid_value(
                f"{param}.detail",
                f"Invalid value: '{detail}'. Supported values are: {', '.join(self._model.details)}.",
            )
        limits = self._model.images
        formats, most = (limits.formats, limits.max_bytes) if limits else (("png",), 0)
        self.shown.append(from_url(url, f"{param}.image_url", formats, most))


def _asked(
    body: Mapping[str, object], model: Model, told: _Told, effort: tuple[str, object]
) -> WordsAsked:
    return WordsAsked(
        operation=Operation.ANALYZE,
        model=model,
        model_name=str(body["model"]),
        prompt="\n".join(told.texts),
        parameters=frozenset(body),
        shown=tuple(told.shown),
        max_tokens=_max_tokens(body),
        reasoning=_reasoning(model, *effort),
    )


def _check_names(body: Mapping[str, object], known: set[str], model: Model) -> None:
    for name in body:
        if name not in known:
            raise unknown_parameter(name)
        reasons = model.reasoning and name in _NOT_WITH_REASONING
        if reasons or (not model.reasoning and name in ("reasoning", "reasoning_effort")):
            raise unsupported_parameter(name)
    if body.get("stream"):
        raise invalid_value("stream", "The sandbox answers in one piece: leave 'stream' out.")


def _max_tokens(body: Mapping[str, object]) -> int:
    for name in ("max_output_tokens", "max_completion_tokens", "max_tokens"):
        limit = body.get(name)
        if limit is None:
            continue
        if not isinstance(limit, int) or isinstance(limit, bool):
            raise invalid_type(name, "an integer", limit)
        least = _LEAST_TOKENS.get(name, 1)
        if limit < least:
            raise invalid_value(
                name,
                f"Invalid '{name}': integer below minimum value. Expected a value >= {least}, but got {limit} instead.",
                code="integer_below_min_value",
            )
        return limit
    return 0


def _reasoning(model: Model, param: str, effort: object) -> int:
    """The tokens that the model thinks for."""
    if not model.reasoning:
        return 0
    words = list(_EFFORTS)
    allowed = words[words.index(model.reasoning) :]
    if effort is None:
        effort = "medium"
    if effort not in allowed:
        raise invalid_value(
            param,
            f"Unsupported value: '{effort}' is not supported with this model. Supported values are: {', '.join(allowed)}.",
            code="unsupported_value",
        )
    return _EFFORTS[str(effort)]


def _list(value: object, param: str) -> Sequence[object]:
    if not isinstance(value, list):
        raise invalid_type(param, "an array of objects", value)
    if not value:
        raise invalid_value(param, f"Invalid '{param}': empty array.", code="empty_array")
    return value


def _object(value: object, param: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise invalid_type(param, "an object", value)
    return value


def _string(value: object, param: str) -> str:
    if not isinstance(value, str):
        raise invalid_type(param, "a string", value)
    return value
