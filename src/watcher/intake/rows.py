"""The rows of a drop on their way into the ledger: planned, priced, and named."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

from watcher.core.catalogue import Catalogue
from watcher.core.estimates import Estimate, RowCost, row_cost
from watcher.core.jobs import Item, Json, Problem, SourceRow
from watcher.core.naming import assign_stems, kept_stems
from watcher.core.parsing import Parsed
from watcher.core.planning import Planner, RowRules, item_to_json
from watcher.core.planning.judging import ask_about
from watcher.core.reuse import fingerprint
from watcher.core.templates import Template, TemplateError
from watcher.intake.pictures import RowPictures
from watcher.ledger import NewRow, dump

_REMEMBERED = 4096  # estimates that are looked up instead of made again
_LOOKED_UP = 500  # rows that are looked up among the paid ones before they are accepted
_PLAIN_NAMES = "{{ name or row }}-{{ index }}"


class Pricing:
    """What rows will cost, summed up as they come in. `server`: whom they are asked of."""

    def __init__(self, catalogue: Catalogue, server: str, rules: RowRules) -> None:
        self._catalogue = catalogue
        self._server = server
        self._rules = rules
        self._known: dict[object, tuple[Mapping[str, Json], RowCost]] = {}
        self._asked: list[tuple[str, RowCost]] = []
        self.sum = Estimate()

    def add(self, item: Item) -> None:
        cost = self._cost(item)
        self.sum.add(cost)
        if item.reuse and len(self._asked) < _LOOKED_UP:
            self._asked.append((fingerprint(item, self._server), cost))

    def count_reused(self, paid: Callable[[Collection[str]], Collection[str]]) -> None:
        """`paid`: which of some fingerprints are paid for already; asked for the first rows only."""
        known = paid({same for same, _ in self._asked if same})
        for same, cost in self._asked:
            if same in known:
                self.sum.reuse(cost)

    def _cost(self, item: Item) -> RowCost:
        """Looked up where an earlier row was alike: rows that say the same share their `parameters`."""
        own = (len(item.prompt.encode("utf-8", "replace")), item.n, len(item.images), item.markup,
               item.checklist)  # fmt: skip
        key = (item.model, item.operation, id(item.parameters), *own)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            # The parameters are held, so that their id stays theirs.
            found = self._known[key] = (item.parameters, self._whole_cost(item))
        return found[1]

    def _whole_cost(self, item: Item) -> RowCost:
        """With that of judging its pictures."""
        cost = row_cost(item, self._catalogue)
        question = ask_about(item, None, self._rules, self._catalogue) if item.checklist else None
        if not isinstance(question, Item):
            return cost
        return cost.with_calls(item.n, row_cost(question, self._catalogue))


def new_rows(
    parsed: Parsed,
    planner: Planner,
    pictures: RowPictures,
    filename: Template,
    pricing: Pricing,
    *,
    anew: bool = False,
) -> Iterator[NewRow]:
    """Every row of a drop, planned, with its pictures and the names of what it will give; in row order.

    `anew`: nothing of it is to be reused.
    """
    planned: deque[tuple[SourceRow, Item | Problem]] = deque()

    def names() -> Iterator[tuple[int, tuple[str, ...]]]:
        for source in parsed.rows:
            plan = planner.plan(source)
            if isinstance(plan, Item) and plan.images:
                plan = pictures.settle(source.number, plan)
            if anew and isinstance(plan, Item):
                plan = replace(plan, reuse=False)
            planned.append((source, plan))
            yield source.number, _rendered(filename, source, plan, parsed.columns)

    for _, stems in assign_stems(names()):
        source, plan = planned.popleft()
        if isinstance(plan, Problem):
            yield NewRow(number=source.number, values=source.values, item=None, problem=plan)
            continue
        pricing.add(plan)
        yield NewRow(
            number=source.number,
            values=source.values,
            item=dump(item_to_json(plan)),
            stem=kept_stems(stems),
        )


def _rendered(
    filename: Template, source: SourceRow, plan: Item | Problem, columns: list[str]
) -> tuple[str, ...]:
    """What the inbox's `filename` says for each picture of a row; its number where that says nothing."""
    if isinstance(plan, Problem):
        return ()
    name = plan.name or str(source.number)
    if filename.source == _PLAIN_NAMES:  # what nearly every inbox says, ten times as fast
        return (
            (f"{name}-1",) if plan.n == 1 else tuple(f"{name}-{at}" for at in range(1, plan.n + 1))
        )
    own = dict(zip(columns, source.values, strict=False))
    values = {**own, "name": plan.name, "row": source.number}
    try:
        return tuple(filename.render({**values, "index": at}) for at in range(1, plan.n + 1))
    except TemplateError:
        return tuple(f"{name}-{at}" for at in range(1, plan.n + 1))
