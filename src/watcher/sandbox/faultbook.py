"""Which faults strike a call: counts how often each has, by rule and by prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from watcher.core.errors import SettingsError
from watcher.sandbox.asked import Asked, WordsAsked
from watcher.sandbox.faults import FaultRule, faults_in
from watcher.sandbox.refusals import Refused

# Faults that only a text, or only pictures, can have.
_OF_WORDS = ("incomplete",)
_OF_PICTURES = (
    "empty", "not_an_image", "fewer", "blank", "bomb", "wrong_format", "url", "data_url", "data_prefix",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """What happens to one call: `delay` in seconds, then `fault`; None: nothing more."""

    delay: float = 0.0
    fault: FaultRule | None = None

    @property
    def kind(self) -> str:
        """The kind of the fault; "" when there is none."""
        return self.fault.kind if self.fault else ""


class FaultBook:
    """The rules in force. `random` decides about faults with a chance."""

    def __init__(self, rules: Sequence[FaultRule], random: Random) -> None:
        self._random = random
        self.rules: tuple[FaultRule, ...] = tuple(rules)
        self.struck: Counter[str] = Counter()  # by kind
        self._times: Counter[tuple[str, int]] = Counter()

    def replace(self, rules: Sequence[FaultRule]) -> None:
        """Only `rules` from now on, with fresh counts; a prompt's own faults keep theirs."""
        self.rules = tuple(rules)
        for place in [place for place in self._times if not place[0]]:
            del self._times[place]

    def forget(self) -> None:
        """All counts start anew."""
        self._times.clear()
        self.struck.clear()

    def strike(self, asked: Asked) -> Struck:
        """What happens to this call. Raises Refused when its prompt asks for no known fault."""
        delay = 0.0
        for rule, place in self._in_order(asked.prompt):
            if not self._strikes(rule, place, asked):
                continue
            self._times[place] += 1
            self.struck[rule.kind] += 1
            if not rule.delays:
                return Struck(delay=delay, fault=rule)
            delay += rule.value
        return Struck(delay=delay)

    def _in_order(self, prompt: str) -> Iterator[tuple[FaultRule, tuple[str, int]]]:
        """Every rule with the place where it is counted: a prompt's own first."""
        try:
            own = faults_in(prompt)
        except SettingsError as error:
            raise Refused(str(error), param="prompt", code="sandbox_fault") from error
        yield from ((rule, (prompt, number)) for number, rule in enumerate(own))
        yield from ((rule, ("", number)) for number, rule in enumerate(self.rules))

    def _strikes(self, rule: FaultRule, place: tuple[str, int], asked: Asked) -> bool:
        spent = rule.times is not None and self._times[place] >= rule.times
        return (
            not spent
            and rule.word in asked.prompt
            and _fits(rule, asked)
            and (rule.chance >= 1 or self._random.random() < rule.chance)
        )


def _fits(rule: FaultRule, asked: Asked) -> bool:
    """Whether the rule can happen to such a call at all."""
    if rule.kind == "unknown_parameter":
        return rule.settings.get("param", "") in asked.parameters
    if rule.kind == "fewer":
        return asked.n > 1
    return rule.kind not in (_OF_PICTURES if isinstance(asked, WordsAsked) else _OF_WORDS)
