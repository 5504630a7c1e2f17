"""How the sandbox can be told to misbehave: the words for it, and what each of them means.

A fault is written

    KIND[=VALUE][@NAME=VALUE…][:TIMES] [CHANCE%] [prompt~WORD]

    429:2                       the first two calls are answered 429, without Retry-After
    429@retry_after=1:2         … with Retry-After: 1
    quota                       every call: the money is gone
    slow=5                      every call takes 5 seconds longer, and goes well
    500 30%                     three calls in ten are answered 500
    reset:1 prompt~red fox      the first call whose prompt holds "red fox" is cut off

A row can ask for a fault itself: a prompt that holds [fault:500x2] misbehaves for the first two
calls of exactly that prompt and is fine after that; [fault:500] never gets well. Several stand
one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from watcher.core.errors import SettingsError

# Answered instead of a picture; nothing is drawn and nothing is paid.
REFUSING: Mapping[str, str] = {
    "400 … 599": "that status with the API's error of that status, or @code=…, @type=…, @param=…",
    "quota": "429 insufficient_quota: no money left",
    "slow_down": "429 slow_down: calls came up too fast",
    "moderation": "400 moderation_blocked",
    "unknown_parameter": "400 for every call that has the parameter @param=…, as a narrower server does",
    "html": "200 with a page instead of JSON, as a proxy does",
    "error_in_200": "200 with an error object inside",
    "empty": "200 with no picture in it",
}
# Drawn and paid, then spoiled on the way.
SPOILING: Mapping[str, str] = {
    "520 … 529": "that status with a proxy's page, after the picture was paid",
    "reset": "the connection is reset instead of an answer",
    "truncated": "half an answer, then the connection closes",
    "not_an_image": "text where the picture should be",
    "fewer": "one picture fewer than asked for, when several were",
    "blank": "a picture of one plain colour",
    "bomb": "a small file that claims to be 60000×60000 pixels",
    "wrong_format": "a PNG, whatever was asked for",
    "url": "an address instead of the picture; @relative=yes, @gone=2 (404 for the first two visits), @lag=5 (seconds a visit)",
    "data_url": "a data: address instead of the picture",
    "data_prefix": "the picture with `data:…;base64,` before it",
    "no_usage": "no word on tokens",
    "zero_usage": "all tokens 0",
    "incomplete": "a text that is cut short",
    "unmet": "no to every point of a checklist",
    "vague": "neither yes nor no to the points of a checklist",
}
# Takes longer, then goes on to the next fault.
DELAYING: Mapping[str, str] = {"slow": "=SECONDS more before the answer"}

SETTINGS: Mapping[str, str] = {
    "retry_after": "seconds in a Retry-After header",
    "retry_after_ms": "milliseconds in a retry-after-ms header",
    "retry_date": "seconds from now, as a date in a Retry-After header",
    "code": "the error's code (none: null)",
    "type": "the error's type",
    "param": "the parameter that it names",
    "shape": "text, detail or html instead of the API's error object",
    "relative": "yes: the address without its server",
    "gone": "how many visits to the address are answered 404",
    "lag": "seconds that a visit to the address takes",
}
_NUMBERS = ("retry_after", "retry_after_ms", "retry_date", "gone", "lag")
_SHAPES = ("text", "detail", "html")
_ERROR_STATUS = range(400, 600)
_PROXY_STATUS = range(520, 530)

_WHAT = re.compile(
    r"(?P<kind>[^=@:]+)(=(?P<value>[^@:]*))?(?P<settings>(@[^@:]*)*)(:(?P<times>.*))?"
)
_IN_PROMPT = re.compile(r"\[fault:(?P<what>[^\]]*?)(x(?P<times>\d+))?\]")
_HINT = "Write it like 429:2, slow=5, reset 30% or 500:1 prompt~word."


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRule:
    """One way to misbehave. `times` None: for ever. `chance` from 0 to 1; `word` "": any prompt."""

    kind: str
    value: float = 0.0
    settings: Mapping[str, str] = field(default_factory=dict)
    times: int | None = None
    chance: float = 1.0
    word: str = ""

    def __str__(self) -> str:
        value = f"={self.value:g}" if self.value else ""
        settings = "".join(f"@{name}={text}" for name, text in self.settings.items())
        times = "" if self.times is None else f":{self.times}"
        chance = "" if self.chance == 1 else f" {self.chance * 100:g}%"
        return f"{self.kind}{value}{settings}{times}{chance}" + (
            f" prompt~{self.word}" if self.word else ""
        )

    @property
    def delays(self) -> bool:
        return self.kind in DELAYING

    @property
    def status(self) -> int:
        """The status that the kind names; 0 when it is a word."""
        return int(self.kind) if self.kind.isdecimal() else 0

    @property
    def spoils(self) -> bool:
        """Whether the picture is drawn and paid before anything goes wrong."""
        return self.kind in SPOILING or self.status in _PROXY_STATUS


def fault_help() -> str:
    """How faults are written, and every kind with what it does: text for a help page."""
    tables = (
        ("Not paid", REFUSING),
        ("Paid", SPOILING),
        ("Later", DELAYING),
        ("Settings", SETTINGS),
    )
    lines = [(__doc__ or "").strip()]
    for title, words in tables:
        lines += ["", f"{title}:", *(f"    {word:18} {means}" for word, means in words.items())]
    return "\n".join(lines)


def parse_fault(text: str) -> FaultRule:
    """The rule that `text` writes down. Raises SettingsError with a sentence when it is none."""
    before, found, word = text.strip().partition("prompt~")
    what, *rest = before.split() or [""]
    parts = _WHAT.fullmatch(what)
    if parts is None:
        raise _unusable(text, f"{what!r} is no kind of fault.")
    if len(rest) > 1 or (found and not word.strip()):
        raise _unusable(text, "it has words that mean nothing.")
    rule = FaultRule(
        kind=_kind(text, parts["kind"]),
        value=_value(text, parts["kind"], parts["value"]),
        settings=_settings(text, parts["settings"]),
        times=_times(text, parts["times"]),
        chance=_chance(text, rest[0]) if rest else 1.0,
        word=word.strip(),
    )
    if rule.kind == "unknown_parameter" and "param" not in rule.settings:
        raise _unusable(text, "name the parameter, such as unknown_parameter@param=quality.")
    return rule


def faults_in(prompt: str) -> tuple[FaultRule, ...]:
    """The faults that a prompt asks for itself. Raises SettingsError when one cannot be read."""
    return tuple(
        parse_fault(found["what"] + (f":{found['times']}" if found["times"] else ""))
        for found in _IN_PROMPT.finditer(prompt)
    )


def _kind(text: str, kind: str) -> str:
    known = {**REFUSING, **SPOILING, **DELAYING}
    if kind in known or (kind.isascii() and kind.isdecimal() and int(kind) in _ERROR_STATUS):
        return kind
    words = ", ".join(sorted(word for word in known if word.isidentifier()))
    raise _unusable(
        text, f"{kind!r} is no kind of fault. There are: a status from 400 to 599, {words}."
    )


def _value(text: str, kind: str, value: str | None) -> float:
    if kind in DELAYING:
        if value is None:
            raise _unusable(text, f"{kind} needs a number of seconds, such as {kind}=5.")
        return _number(text, kind, value)
    if value is not None:
        raise _unusable(text, f"{kind} takes no value.")
    return 0.0


def _settings(text: str, written: str) -> Mapping[str, str]:
    settings = {}
    for setting in written.split("@")[1:]:
        name, _, value = setting.partition("=")
        if name not in SETTINGS or not value:
            raise _unusable(text, f"@{setting} is no setting. There are: {', '.join(SETTINGS)}.")
        if name in _NUMBERS:
            _number(text, name, value)
        if name == "shape" and value not in _SHAPES:
            raise _unusable(text, f"the shape must be one of {', '.join(_SHAPES)}.")
        settings[name] = value
    return settings


def _times(text: str, times: str | None) -> int | None:
    if times is None:
        return None
    if not (times.isascii() and times.isdecimal()):
        raise _unusable(text, f"after the colon stands how many times, not {times!r}.")
    return int(times)


def _chance(text: str, written: str) -> float:
    percent = _number(text, "chance", written.removesuffix("%"))
    if not written.endswith("%") or percent > 100:  # noqa: PLR2004 - per cent
        raise _unusable(text, f"a chance is written like 30%, not {written!r}.")
    return percent / 100


def _number(text: str, name: str, written: str) -> float:
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", written, re.ASCII) is None:
        raise _unusable(text, f"{name} must be a number, not {written!r}.")
    return float(written)


def _unusable(text: str, why: str) -> SettingsError:
    return SettingsError(f"The fault {text!r} cannot be used: {why}", _HINT, code="fault")
