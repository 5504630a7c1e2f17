"""When a happening is news: each cause once an hour at most, its end once, and nothing twice."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from watcher.core.alerting.values import Alert, Happening, Told

HOUR = 3600.0
_RARER = (1, 5, 15, 60)  # times the first wait: what keeps coming is told in ever fewer messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`told`: what is to be remembered together with the alerts."""

    alerts: tuple[Alert, ...] = ()
    told: tuple[Told, ...] = ()


def decide(
    happenings: Sequence[Happening],
    told: Iterable[Told],
    *,
    now: float,
    unsure: Collection[str] = (),
) -> Decision:
    """What is news of all that is the case now.

    `told`: what was told of these causes, and whatever is open. `unsure`: places of which is not
    known how they are, so that nobody says that all is well there.
    """
    known = {(one.place, one.reason): one for one in told}
    news = [one for one in happenings if _is_news(one, known.get((one.place, one.reason)), now)]
    over = _over(known.values(), {one.place for one in happenings}.union(unsure))
    return Decision(
        alerts=(*map(_alert, news), *_all_clears(over)),
        told=(*(_as_told(one, now) for one in news), *(replace(one, open=False) for one in over)),
    )


def may_tell_of_jobs(sent: Iterable[float], *, first: float, now: float) -> bool:
    """Whether it is time for another message about jobs that ended, after those that went at `sent`.

    The more of them in the last hour, the longer it gathers, beginning with five times `first`
    seconds. Times are seconds since the epoch.
    """
    recent = [at for at in sent if 0 <= now - at < HOUR]
    gap = first * _RARER[min(len(recent), len(_RARER) - 1)]
    return not recent or now - max(recent) >= min(gap, HOUR)


def _is_news(one: Happening, before: Told | None, now: float) -> bool:
    return before is None or (_happened_again(one, before) and not _recent(before, now))


def _happened_again(one: Happening, before: Told) -> bool:
    """What lasts is told again only after its end was; what does not, when it is another time."""
    return not before.open if one.all_clear else one.since != before.since


def _recent(before: Told, now: float) -> bool:
    return 0 <= now - before.at < HOUR  # a clock that went back silences nothing


def _over(told: Iterable[Told], still: Collection[str]) -> list[Told]:
    return [one for one in told if one.open and one.place not in still]


def _all_clears(over: Sequence[Told]) -> Iterable[Alert]:
    """One for each place, whatever was the matter with it."""
    last = {one.place: one for one in sorted(over, key=lambda one: one.at)}
    for one in last.values():
        yield Alert(occasion=one.occasion, title=one.all_clear, inbox=one.inbox, good=True)


def _alert(one: Happening) -> Alert:
    return Alert(occasion=one.occasion, title=one.title, lines=one.lines, inbox=one.inbox)


def _as_told(one: Happening, now: float) -> Told:
    return Told(
        place=one.place,
        reason=one.reason,
        occasion=one.occasion,
        since=one.since,
        at=now,
        inbox=one.inbox,
        all_clear=one.all_clear,
        open=bool(one.all_clear),
    )
