"""What is sent besides model and prompt: each value mended to what the model takes, or refused.

A model that the catalogue does not know gets what the row says, once it is of the right type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from watcher.core.catalogue import Catalogue
from watcher.core.jobs import Adjustment, Json, Operation
from watcher.core.planning.choosing import choose_model, choose_operation
from watcher.core.planning.draft import (
    Draft,
    Pictures,
    leave_out_all,
    not_allowed,
    one_of,
    wrong_type,
)
from watcher.core.planning.parameters import refuse_pictures, settle_pictures
from watcher.core.planning.rules import RowRules, Said
from watcher.core.planning.values import as_truth

_MOST_TOKENS = 100_000
_DEFAULT_TOKENS = 300  # of the text that people get to read
_DETAILS = ("auto", "low", "high", "original")
# What analyze has no use for.
_OF_PICTURES = (
    "n", "size", "width", "height", "quality", "background", "output_format", "output_compression",
    "moderation", "style", "response_format", "input_fidelity", "complexity", "frame_count",
    "frame_duration_ms",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Everything about an item that rows which say the same have in common."""

    operation: Operation
    model: str
    named_by_row: bool
    n: int
    parameters: Mapping[str, Json]
    adjustments: tuple[Adjustment, ...]
    resize_to: str
    style_words: str
    mask_mode: str
    url_wanted: bool
    reuse: bool
    fallback_prompt: str
    prompt_max_chars: int  # 0: not known


def settle(
    said: Mapping[str, Said], pictures: Pictures, rules: RowRules, catalogue: Catalogue
) -> Settled:
    """What is said, made sendable. Raises Refused with the row's problem."""
    draft = Draft(said=said, pictures=pictures, rules=rules, catalogue=catalogue)
    choose_operation(draft)
    choose_model(draft)
    _settle_row(draft)
    if draft.operation is Operation.ANALYZE:
        _settle_text(draft)
    else:
        settle_pictures(draft)
    return Settled(
        operation=draft.operation,
        model=draft.model_name,
        named_by_row=draft.named_by_row,
        n=draft.n,
        parameters=draft.parameters,
        adjustments=tuple(draft.adjustments),
        resize_to=draft.resize_to,
        style_words=draft.style_words,
        mask_mode=draft.mask_mode,
        url_wanted=draft.url_wanted,
        reuse=draft.reuse,
        fallback_prompt=draft.fallback_prompt,
        prompt_max_chars=draft.model.prompt_max_chars if draft.model else 0,
    )


def _settle_row(draft: Draft) -> None:
    """What concerns us and not the API."""
    said = draft.said.get("reuse")
    if said is not None:
        truth = as_truth(said.value)
        if truth is None:
            raise wrong_type(said, "yes or no")
        draft.reuse = truth
    mode = draft.word("mask_mode")
    if mode is not None:
        said, word = mode
        if word not in ("alpha", "white"):
            raise wrong_type(said, "alpha or white")
        draft.mask_mode = word


def _settle_text(draft: Draft) -> None:
    """An analyze row."""
    leave_out_all(draft, _OF_PICTURES, "a text is asked for, not a picture")
    refuse_pictures(draft)
    _settle_detail(draft)
    tokens = draft.integer("max_tokens", 1, _MOST_TOKENS)
    draft.put("max_tokens", tokens[1] if tokens else _DEFAULT_TOKENS, tokens and tokens[0])
    if draft.model and draft.model.reasoning:
        draft.put("reasoning_effort", draft.model.reasoning)


def _settle_detail(draft: Draft) -> None:
    found = draft.word("detail")
    if found is None:
        return
    said, word = found
    details = draft.model.details if draft.model else _DETAILS
    if word not in _DETAILS:
        raise not_allowed(said, details, draft.model_name)
    if word in details:
        draft.put("detail", word, said)
    else:
        draft.put("detail", "high", said)
        draft.adjust(said, "high", f"{draft.model_name} takes {one_of(details)}")
