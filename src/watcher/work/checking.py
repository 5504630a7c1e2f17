"""Pictures looked at after they are paid for: what is found is told, or asks for another one, once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from watcher.core.checks import Checked, CheckRules, Finding, findings
from watcher.core.jobs import Adjustment, OpenItem, Operation, Picture
from watcher.ledger import Ledger
from watcher.outbox import PictureFacts, look_of

_JOBS = 16  # whose prints are remembered; those of others are read again


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`print` is to be kept with the picture. `redo`: it is put aside and asked for again."""

    print: str = ""
    told: tuple[Adjustment, ...] = ()
    redo: bool = False


@dataclass(slots=True, kw_only=True)
class Checking:
    """For any thread. `rules` of an inbox."""

    rules: Callable[[str], CheckRules]
    ledger: Ledger
    _prints: OrderedDict[str, dict[str, str]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self, item: OpenItem, picture: Picture, facts: PictureFacts) -> Found:
        """A picture that is whole in the outbox. A row is asked again once at most, for whatever reason."""
        rules = self.rules(item.inbox)
        if not rules.any or item.item.operation is Operation.ANALYZE:
            return Found()
        seen = look_of(facts.thumbnail)
        one = Checked(file=picture.file, format=picture.format, width=picture.width,
                      height=picture.height, look=seen)  # fmt: skip
        mark = seen.print if seen else ""
        with self._lock:
            known = self._known(item.job_id)
            found = findings(rules, item.item, one, known.items())
            redo = not item.asked_again and any(each.redo for each in found)
            if mark and not redo:
                known[picture.file] = mark
        told = tuple(_put_aside(each) if redo else each.adjustment for each in found)
        return Found(print=mark, told=told, redo=redo)

    def _known(self, job: str) -> dict[str, str]:
        if job not in self._prints:
            self._prints[job] = self.ledger.items.prints(job)
            while len(self._prints) > _JOBS:
                self._prints.popitem(last=False)
        self._prints.move_to_end(job)
        return self._prints[job]


def _put_aside(found: Finding) -> Adjustment:
    return replace(found.adjustment, used=f"{found.adjustment.used}, asked for again")
