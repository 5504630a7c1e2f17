"""Alerts become one message: a single one in its own words, many as a digest. No secret gets through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from watcher.core.alerting.values import Alert, Message
from watcher.core.masking import mask
from watcher.core.report.times import counted, one_line

_MOST = 10  # alerts that a digest names; the others are counted
_LINES = 2  # lines that it shows of each
_TITLE = 120  # characters
_BODY = (
    3500  # the smallest limit of the widely used services (Telegram, SMS gateways aside) is 4,096
)


def message(alerts: Sequence[Alert], *, foot: str = "") -> Message:
    """At least one alert. `foot`: the last line, as where it comes from."""
    ordered = sorted(alerts, key=_rank)
    if len(ordered) == 1:
        title, lines = ordered[0].title, list(ordered[0].lines)
    else:
        title, lines = _digest_title(ordered), list(_digest(ordered))
    body = _cut("\n".join(map(_line, lines)), _BODY)
    text = "\n\n".join(filter(None, (body, _line(foot)))) or _line(title)
    return Message(
        title=_cut(_line(title), _TITLE).strip(),
        body=text,
        bad=any(not one.good for one in ordered),
    )


def _rank(alert: Alert) -> tuple[bool, bool]:
    """What stops everybody first, then single jobs, then what is over."""
    return alert.good, alert.occasion.startswith("job")


def _digest_title(alerts: Sequence[Alert]) -> str:
    if all(one.occasion == "job_failed" for one in alerts):
        return f"{counted(len(alerts), 'job')} failed"
    if all(one.occasion in {"job_failed", "job_done_with_errors"} for one in alerts):
        return f"{counted(len(alerts), 'job')} with errors"
    return f"{alerts[0].title}, and {len(alerts) - 1:,} more"


def _digest(alerts: Sequence[Alert]) -> Iterator[str]:
    for one in alerts[:_MOST]:
        yield f"• {one.title}"
        yield from (f"  {line}" for line in filter(None, one.lines[:_LINES]))
    if len(alerts) > _MOST:
        yield f"… and {len(alerts) - _MOST:,} more."


def _line(text: str) -> str:
    indent = text[: len(text) - len(text.lstrip(" "))]
    return mask(indent + one_line(text))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
