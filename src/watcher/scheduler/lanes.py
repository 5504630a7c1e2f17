"""Which lanes are halted, why, and when one call may probe them. One call at a time, one reopening for all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from watcher.core.jobs import LaneKey, Problem, Scope
from watcher.ledger import AT_ONCE, HaltedLane

# Waits before the probes, in seconds. Money and keys need a person: 5, 15, then 60 minutes. A server
# that is away comes back by itself: look soon. A look at a disk costs nothing, a lost answer does.
PATIENT = (300.0, 900.0, 3600.0)
SOON = (5.0, 15.0, 30.0, 60.0)
_COMES_BACK = dict.fromkeys(("connection", "server_error", "outage"), SOON) | {
    **dict.fromkeys(("disk_full", "disk_away"), (5.0, 15.0, 30.0)),
    **dict.fromkeys(("reply_lost", "unanswered"), (30.0, 300.0, 900.0, 3600.0)),
}
_PROBE = 10.0  # seconds that the others leave a probe alone
# Rows in a row that used up their attempts, or calls that were paid for nothing: then it is the server.
_OUTAGE_ROWS = 10


class LaneHalted(Exception):  # noqa: N818 - a state, not a fault
    """Nothing may be sent now; `probe_at` in seconds since the epoch."""

    def __init__(self, lane: HaltedLane) -> None:
        super().__init__(lane.problem.what)
        self.lane = lane
        self.probe_at = lane.probe_at

    @property
    def is_for_all(self) -> bool:
        """The provider, or an outbox, is halted, and not one model."""
        return self.lane.outbox != "" or "/" not in self.lane.key


class Lanes:
    """Halted lanes by key (see LaneKey.keys): a provider, one model of it, or an outbox, whose calls would
    bring what cannot be kept.
    """

    def __init__(
        self,
        halted: Iterable[HaltedLane],
        *,
        clock: Callable[[], float],
        patient: Sequence[float] = PATIENT,
    ) -> None:
        """`clock` tells seconds since the epoch. `patient`: seconds before each probe of a lane that
        waits for a person, the last one repeats; may be changed. Lanes that were halted before a
        start are probed at once.
        """
        self._clock = clock
        self.patient = tuple(patient)
        now = clock()
        self._halted = {
            lane.key: lane if is_by_hand(lane) else replace(lane, probe_at=min(lane.probe_at, now))
            for lane in halted
        }
        self._probing: set[str] = set()
        self._exhausted: dict[str, int] = {}

    @property
    def halted(self) -> tuple[HaltedLane, ...]:
        return tuple(self._halted.values())

    def halted_for(self, account: str, outbox: str = "") -> tuple[HaltedLane, ...]:
        """The account as a whole first, then the outbox and its models."""
        mine = (
            lane
            for lane in self.halted
            if lane.key.partition("/")[0] == account or (outbox and lane.outbox == outbox)
        )
        return tuple(sorted(mine, key=lambda lane: (not lane.outbox, "/" in lane.key)))

    def is_halted(self, key: str) -> bool:
        return key in self._halted

    def closed_until(self, key: str) -> float:
        """When the next call of this account, or model, may be made, in seconds since the epoch; 0: now."""
        found = self._halted.get(key)
        if found is None:
            return 0.0
        return max(found.probe_at, self._clock() + _PROBE if key in self._probing else 0.0)

    def admit(self, lane: LaneKey) -> bool:
        """Let a call pass; True: as the one probe of a halted lane whose probe is due. Else LaneHalted."""
        closed = [self._halted[key] for key in lane.keys.values() if key in self._halted]
        for found in closed:
            now = self._clock()
            if found.key in self._probing:
                # Nobody need look again before the probe can have ended; if it ends well, all are woken.
                raise LaneHalted(replace(found, probe_at=max(found.probe_at, now + _PROBE)))
            if now < found.probe_at:
                raise LaneHalted(found)
        self._probing.update(found.key for found in closed)
        return bool(closed)

    def unprobed(self, lane: LaneKey) -> None:
        """The probe was not sent after all: the next call may be it."""
        self._probing.difference_update(lane.keys.values())

    def is_probe(self, lane: LaneKey) -> bool:
        return any(key in self._probing for key in lane.keys.values())

    def halt(self, lane: LaneKey, problem: Problem, scope: Scope) -> tuple[HaltedLane, bool]:
        """Close the lane, or put off the next probe of a closed one after a probe; True when it was open.

        A probe tells nothing about what else it was a probe of: that is put off as well.
        """
        key = lane.keys[scope]
        before = self._halted.get(key)
        steps = _COMES_BACK.get(problem.code, self.patient)
        probed = key in self._probing
        probes = 0 if before is None else before.probes + probed
        now = self._clock()
        probe_at = now + steps[min(probes, len(steps) - 1)]
        halted = HaltedLane(
            key=key,
            problem=problem,
            since=now if before is None else before.since,
            probe_at=probe_at if before is None or probed else before.probe_at,
            probes=probes,
        )
        self._probing.discard(key)
        self.undecided(lane)
        if before is not None and is_by_hand(before):
            return before, False
        self._halted[key] = halted
        return halted, before is None

    def passed(self, lane: LaneKey, *, kept: bool = True) -> tuple[str, ...]:
        """The API worked for this lane: reopen it. Returns the keys that were halted.

        `kept`: what it brought is in the outbox; else that says nothing of it, but as its probe.
        """
        keys = [
            key
            for scope, key in lane.keys.items()
            if kept or scope != "outbox" or key in self._probing
        ]
        shut = (self._halted.get(key) for key in keys)
        opened = tuple(one.key for one in shut if one is not None and not is_by_hand(one))
        for key in opened:
            del self._halted[key]
        for key in keys:
            self._probing.discard(key)
        self._exhausted.pop(str(lane), None)
        return opened

    def undecided(self, lane: LaneKey) -> None:
        """A probe ended without telling anything: the lane stays halted until the next probe."""
        for scope, key in lane.keys.items():
            if key in self._probing:
                self.halt(lane, self._halted[key].problem, scope)

    def failing(self, lane: LaneKey) -> bool:
        """True when so many in a row came to nothing that the next one shows an outage."""
        return self._exhausted.get(str(lane), 0) >= _OUTAGE_ROWS - 1

    def exhausted(self, lane: LaneKey) -> None:
        """A row used up its attempts on server errors, or a call may have been paid for nothing."""
        self._exhausted[str(lane)] = self._exhausted.get(str(lane), 0) + 1

    def probe_now(self) -> None:
        """Settings were reloaded or the key changed: probe every halted lane at once. What a probe brings that
        is under way says nothing about that.
        """
        now = self._clock()
        self._probing.clear()
        self._halted = {
            key: lane if is_by_hand(lane) else replace(lane, probe_at=now, probes=0)
            for key, lane in self._halted.items()
        }

    def follow(self, ordered: Iterable[HaltedLane]) -> tuple[list[HaltedLane], list[str]]:
        """What people ordered, as the ledger has it. Returns the lanes that are paused by hand from now
        on, and the keys of those that may be used, or probed, from now on.
        """
        known = {lane.key: lane for lane in ordered}
        mine = {key: lane for key, lane in self._halted.items() if is_by_hand(lane)}
        paused = [one for one in known.values() if is_by_hand(one) and one.key not in mine]
        over = [key for key in mine if key not in known]
        due = [
            key
            for key, lane in self._halted.items()
            if key in known and known[key].probe_at == AT_ONCE < lane.probe_at - self._clock()
        ]
        for lane in paused:
            self._halted[lane.key] = lane
            self._probing.discard(lane.key)
        for key in over:
            del self._halted[key]
        for key in due:
            self._halted[key] = replace(self._halted[key], probe_at=self._clock())
        return paused, over + due

    def only(self, accounts: Collection[str], outboxes: Collection[str] = ()) -> tuple[str, ...]:
        """Forget what is halted of other accounts, whose keys are in use no more, and other outboxes. Returns
        their keys.
        """
        others = tuple(
            key
            for key, lane in self._halted.items()
            if key.partition("/")[0] not in accounts
            and lane.outbox not in outboxes
            and not is_by_hand(lane)
        )
        for key in others:
            del self._halted[key]
            self._probing.discard(key)
        return others

    def is_shut(self) -> bool:
        """Some lane is halted, and its next probe is still to come."""
        now = self._clock()
        return any(
            key not in self._probing and now < lane.probe_at for key, lane in self._halted.items()
        )

    def next_probe(self) -> float | None:
        return min((lane.probe_at for lane in self._halted.values()), default=None)


def unanswered(last: Problem) -> Problem:
    """Why nobody pays for more; `last`: what came of the last call."""
    return Problem(
        code="unanswered",
        what=f"Call after call may have been charged and brought nothing. The last one: {last.what}",
        hint="Look at the server, the network and the time limits of proxies; one row at a time tries it again.",
    )


def is_by_hand(lane: HaltedLane) -> bool:
    """Somebody paused it: nothing but that person opens it."""
    return lane.problem.code == "paused"
