"""What may stand in a request for pictures: names, types and bounds, by model, as the API checks them.

Sources: the request types of the official openai package 3.52 and the published OpenAPI document of
2026-08-21. What a single model takes comes from the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from watcher.core.catalogue import Model
from watcher.core.jobs import Operation
from watcher.sandbox.refusals import (
    Refused,
    invalid_type,
    invalid_value,
    missing_parameter,
    unknown_parameter,
    unsupported_parameter,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of the API. `low` and `high` bound numbers and the length of texts."""

    kind: type
    nullable: bool = False
    low: int | None = None
    high: int | None = None


PARAMETERS: Mapping[str, Parameter] = {
    "model": Parameter(kind=str, low=1),
    "prompt": Parameter(kind=str, low=1),
    "n": Parameter(kind=int, nullable=True, low=1),
    "size": Parameter(kind=str),
    "quality": Parameter(kind=str),
    "background": Parameter(kind=str, nullable=True),
    "output_format": Parameter(kind=str),
    "output_compression": Parameter(kind=int, nullable=True, low=0, high=100),
    "moderation": Parameter(kind=str, nullable=True),
    "response_format": Parameter(kind=str, nullable=True),
    "style": Parameter(kind=str, nullable=True),
    "user": Parameter(kind=str),
    "safety_identifier": Parameter(kind=str),
    "input_fidelity": Parameter(kind=str, nullable=True),
    "complexity": Parameter(kind=str),
    "frame_count": Parameter(kind=int, low=2, high=16),
    "frame_duration_ms": Parameter(kind=int, low=1),
    "svg": Parameter(kind=dict),
    "stream": Parameter(kind=bool, nullable=True),
    "partial_images": Parameter(kind=int, nullable=True, low=0, high=3),
}
# Gone from today's API: unknown, as if they had never been.
_GONE = frozenset({"response_format", "style"})
_TYPES: Mapping[type, str] = {
    str: "a string",
    int: "an integer",
    bool: "a boolean",
    dict: "an object",
}


def check_parameters(body: Mapping[str, object], model: Model, operation: Operation) -> None:
    """Every name, type and single value of `body`. Raises Refused at the first that is not taken."""
    for name in ("model", "prompt"):
        if name not in body:
            raise missing_parameter(name)
    choices = _choices(model)
    taken = _taken(model, operation, choices)
    for name, value in body.items():
        _check_name(name, taken)
        _check_type(name, value)
        _check_bounds(name, value, _high(name, model))
        _check_choice(name, value, choices)


def _taken(model: Model, operation: Operation, choices: Mapping[str, tuple[str, ...]]) -> set[str]:
    names = {"model", "prompt", "n", "size", "user"}
    names |= {name for name, values in choices.items() if values}
    if model.output_formats:
        names |= {"safety_identifier", "stream", "partial_images"}
    if model.compression_formats:
        names.add("output_compression")
    if model.gif:
        names |= {"frame_count", "frame_duration_ms"}
    if model.svg:
        names.add("svg")
    return names - {"input_fidelity"} if operation is Operation.GENERATE else names


def _choices(model: Model) -> dict[str, tuple[str, ...]]:
    return {
        "quality": model.qualities,
        # A transparent background is refused in words of its own, further on.
        "background": model.backgrounds and ("auto", "opaque", "transparent"),
        "output_format": model.output_formats,
        "moderation": model.moderation,
        "response_format": model.response_formats,
        "style": model.styles,
        "input_fidelity": model.input_fidelity,
        "complexity": model.complexity,
    }


def _high(name: str, model: Model) -> int | None:
    highs = {"n": model.n_max, "prompt": model.prompt_max_chars}
    return highs.get(name, PARAMETERS[name].high)


def _check_name(name: str, taken: set[str]) -> None:
    if name not in PARAMETERS or (name in _GONE and name not in taken):
        raise unknown_parameter(name)
    if name not in taken:
        raise unsupported_parameter(name)


def _check_type(name: str, value: object) -> None:
    wanted = PARAMETERS[name]
    if value is None and wanted.nullable:
        return
    boolean_for_number = isinstance(value, bool) and wanted.kind is int
    if not isinstance(value, wanted.kind) or boolean_for_number:
        raise invalid_type(name, _TYPES[wanted.kind], value)


def _check_bounds(name: str, value: object, high: int | None) -> None:
    low = PARAMETERS[name].low
    if isinstance(value, str):
        _check_length(name, value, low or 0, high)
    elif isinstance(value, int) and not isinstance(value, bool):
        if low is not None and value < low:
            raise _beyond(name, value, "integer below minimum", ">=", low)
        if high is not None and value > high:
            raise _beyond(name, value, "integer above maximum", "<=", high)


def _beyond(name: str, value: int, what: str, sign: str, bound: int) -> Refused:
    return invalid_value(
        name,
        f"Invalid '{name}': {what} value. Expected a value {sign} {bound}, but got {value} instead.",
        code=f"{what.replace(' ', '_').replace('minimum', 'min').replace('maximum', 'max')}_value",
    )


def _check_length(name: str, value: str, low: int, high: int | None) -> None:
    if len(value) < low:
        raise invalid_value(
            name,
            f"Invalid '{name}': empty string. Expected a string with minimum length {low}, but got an empty string instead.",
            code="empty_string",
        )
    if high is not None and len(value) > high:
        raise invalid_value(
            name,
            f"Invalid '{name}': string too long. Expected a string with maximum length {high}, but got a string with length {len(value)} instead.",
            code="string_above_max_length",
        )


def _check_choice(name: str, value: object, choices: Mapping[str, tuple[str, ...]]) -> None:
    allowed = choices.get(name)
    if allowed and isinstance(value, str) and value not in allowed:
        *some, last = (f"'{one}'" for one in allowed)
        listed = f"{', '.join(some)}, and {last}" if some else last
        raise invalid_value(name, f"Invalid value: '{value}'. Supported values are: {listed}.")
