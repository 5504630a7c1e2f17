"""What an inbox and the API settings say about rows, and the one error of this room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from watcher.core.jobs import Json, Operation, Problem
from watcher.core.profiles import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRules:
    """SETTINGS of one inbox and of `api`, as far as rows are concerned.

    `aliases`: header name → what it means. `defaults`: values for rows that do not say.
    `extra_parameters` are sent besides those of the profile. `today` decides which models are gone.
    `judges`: pictures are judged by the checklist of their row.
    """

    models: Mapping[Operation, str]
    profile: Profile
    today: date
    prompt_template: str | None = None
    prompt_prefix: str = ""
    prompt_suffix: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Json] = field(default_factory=dict)
    coercion: Literal["lenient", "strict"] = "lenient"
    retired_models: Literal["replace", "refuse", "send"] = "replace"
    extra_parameters: frozenset[str] = frozenset()
    allow_urls: bool = False
    judges: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One value and who said it; `column` is its header as the drop writes it. Never blank."""

    column: str
    value: Json
    by: Literal["row", "drop", "inbox"] = "row"


class Refused(Exception):  # noqa: N818 - it is no fault: the row cannot become an item
    """Leaves planning with the row's problem."""

    def __init__(self, code: str, what: str, hint: str = "", column: str = "") -> None:
        super().__init__(what)
        self.problem = Problem(code=code, what=what, hint=hint, column=column)

    @classmethod
    def because(cls, problem: Problem) -> Refused:
        """With a problem that is known already."""
        return cls(problem.code, problem.what, problem.hint, problem.column)
