"""An item in the making: what a row says, what has been settled of it, and what was mended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from watcher.core.catalogue import Catalogue, Model
from watcher.core.jobs import Adjustment, Json, Operation
from watcher.core.planning.rules import Refused, RowRules, Said
from watcher.core.planning.values import as_integer, as_word, shown

LEFT_OUT = "(left out)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Which pictures a row names: how many to look at, and whether a mask and a markup."""

    images: int = 0
    mask: bool = False
    markup: bool = False


@dataclass(slots=True, kw_only=True)
class Draft:
    """Filled in step by step: first the operation, then the model, then what the model takes."""

    said: Mapping[str, Said]
    pictures: Pictures
    rules: RowRules
    catalogue: Catalogue
    operation: Operation = Operation.GENERATE
    model_name: str = ""
    model: Model | None = None
    named_by_row: bool = False
    n: int = 1
    parameters: dict[str, Json] = field(default_factory=dict)
    adjustments: list[Adjustment] = field(default_factory=list)
    resize_to: str = ""
    style_words: str = ""
    mask_mode: str = "alpha"
    url_wanted: bool = False
    reuse: bool = True
    fallback_prompt: str = ""

    def adjust(self, said: Said, used: str, why: str) -> None:
        """Something is mended, and will be told."""
        found = shown(said.value)
        self.adjustments.append(Adjustment(column=said.column, found=found, used=used, why=why))

    def leave_out(self, said: Said, why: str) -> None:
        self.adjust(said, LEFT_OUT, why)

    def put(self, name: str, value: Json, said: Said | None = None) -> None:
        """The parameter is sent, unless the server is known not to take it; `said`: who wants it."""
        if name not in self.rules.profile.drops:
            self.parameters[name] = value
        elif said is not None:
            self.leave_out(said, f"{self.rules.profile.name} does not take {name}")

    def word(self, name: str) -> tuple[Said, str] | None:
        """What is said of a parameter whose values are words, in lower case."""
        said = self.said.get(name)
        if said is None:
            return None
        word = as_word(said.value)
        if word is None:
            raise wrong_type(said, "a word")
        return said, word

    def integer(self, name: str, least: int, most: int) -> tuple[Said, int] | None:
        """What is said of a parameter that is a whole number within bounds, both included."""
        said = self.said.get(name)
        if said is None:
            return None
        number = as_integer(said.value)
        if number is None:
            raise wrong_type(said, f"a whole number from {least} to {most}")
        if not least <= number <= most:
            raise Refused(
                "out_of_range",
                f"{said.column}: {shown(said.value)} is out of range.",
                f"Allowed: {least} to {most}." if least < most else f"Allowed: {least}.",
                said.column,
            )
        if isinstance(said.value, str) and not said.value.strip().lstrip("+").isdecimal():
            self.adjust(said, str(number), "a whole number is wanted")
        return said, number


def leave_out_all(draft: Draft, names: tuple[str, ...], why: str) -> None:
    """Values that do not apply are told where the row itself says them, not where defaults do."""
    for name in names:
        said = draft.said.get(name)
        if (
            said is not None
            and said.by == "row"
            and (name, said.value) not in (("n", 1), ("n", "1"))
        ):
            draft.leave_out(said, why)


def wrong_type(said: Said, wanted: str) -> Refused:
    return Refused(
        "wrong_type",
        f"{said.column}: {shown(said.value)} was found where {wanted} is wanted.",
        f"Write {wanted}, or leave it empty.",
        said.column,
    )


def not_allowed(said: Said, allowed: Sequence[str], model: str, hint: str = "") -> Refused:
    return Refused(
        "not_allowed",
        f"{said.column}: {shown(said.value)} is not taken by {model}.",
        f"Allowed: {one_of(allowed)}.{hint}",
        said.column,
    )


def one_of(words: Sequence[str]) -> str:
    """Several words as a sentence has them: "a, b or c"."""
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else "".join(words)
