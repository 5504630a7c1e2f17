"""What a server was found not to take is left out by the rows that follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from watcher.core.jobs import LaneKey, No, OpenItem, Refusal
from watcher.core.log import Log
from watcher.ledger import Ledger
from watcher.work.keeping import OnDisk
from watcher.work.values import Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """By account and model, remembered for some days."""

    ledger: Ledger
    on_disk: OnDisk
    clock: Callable[[], float]
    log: Log

    async def learn(self, asked: Asked, refusal: Refusal) -> None:
        """What the server does not take is not sent by the rows that follow; a text's cap is no such case."""
        if refusal.no is not No.MEND or refusal.code == "text_cut":
            return
        # A model without transparency still takes the other backgrounds.
        only = refusal.code == "transparent_background"
        value = str(asked.item.item.parameters.get(refusal.param, "")) if only else ""
        await self.on_disk(
            lambda: self.ledger.call(
                self.ledger.refused.learn, asked.lane, refusal.param, value=value, now=self.clock()
            )
        )
        self.log.warning("parameter.refused", lane=str(asked.lane), parameter=refusal.param,
                         value=value, what=refusal.what,
                         what_to_do="Rows are asked for without it, for a week.")  # fmt: skip

    def without_refused(self, item: OpenItem, lane: LaneKey) -> OpenItem:
        known = self.ledger.refused.of(lane, now=self.clock())
        said, strict = item.item.parameters, item.item.strict
        names = (
            one.parameter
            for one in known
            if not one.value or (one.value == said.get(one.parameter) and not strict)
        )
        dropped = tuple(dict.fromkeys((*item.dropped, *names)))
        if dropped == item.dropped:
            return item
        return replace(item, dropped=dropped, fingerprint="")  # it asks for something else now
