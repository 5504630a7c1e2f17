"""Plans the rows of one drop. What rows have in common is settled once and looked up afterwards."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from watcher.core.catalogue import Catalogue
from watcher.core.checklist import LONGEST_POINT, MOST_POINTS, points_of
from watcher.core.jobs import Adjustment, Item, Json, Operation, Problem, SourceRow
from watcher.core.planning.columns import Meanings
from watcher.core.planning.draft import LEFT_OUT, Pictures, wrong_type
from watcher.core.planning.prompts import Prompts, prompt_text, refuse_garbled
from watcher.core.planning.reading import Defaults, RowReader
from watcher.core.planning.rules import Refused, RowRules, Said
from watcher.core.planning.settling import Settled, settle
from watcher.core.planning.values import as_parameter, as_references, as_text, shown

_REMEMBERED = 4096  # distinct rows of values that are looked up instead of settled again
_NO_PICTURES = Pictures()
_WEB = re.compile(r"https?://", re.IGNORECASE)
_LARGEST = 2**63  # whole numbers beyond it do not fit into JSON as it is read everywhere


class Planner:
    """Plans the rows of one drop. `columns` is the drop's live list: it may grow while rows come.

    `defaults` are the drop's own (`{"defaults": …}`); they win over the inbox's.
    """

    def __init__(
        self,
        rules: RowRules,
        catalogue: Catalogue,
        columns: Sequence[str],
        defaults: Mapping[str, Json] | None = None,
    ) -> None:
        self._rules, self._catalogue, self._columns = rules, catalogue, columns
        extras = rules.profile.extra_parameters | rules.extra_parameters
        self._meanings = Meanings.of(rules.aliases, extras, catalogue.legacy.strangers)
        self._defaults = Defaults.of(rules.defaults, defaults or {}, self._meanings)
        self._prompts = Prompts(rules)
        self._remembered: dict[object, Settled | Problem] = {}
        self._reader = self._new_reader()

    def plan(self, row: SourceRow) -> Item | Problem:
        """The row as an item, or why it cannot be one. Never raises."""
        if row.problem is not None:
            return row.problem
        if len(self._columns) != self._reader.width:
            self._reader = self._new_reader()
        missing = self._reader.width - len(row.values)
        values = row.values + ("",) * missing if missing > 0 else row.values  # empty, as in a table
        try:
            return self._item(values)
        except Refused as refused:
            return refused.problem

    def _new_reader(self) -> RowReader:
        self._remembered.clear()
        return RowReader(self._columns, self._meanings, self._defaults, self._prompts.names)

    def _item(self, values: Sequence[Json]) -> Item:
        if self._reader.is_plain:  # the most frequent, and twice as fast
            settled = self._settled(values, _NO_PICTURES)
            return self._made(values, settled, settled.parameters, settled.adjustments)
        images = tuple(
            ref for said in self._reader.images(values) for ref in self._references(said)
        )
        mask, markup = self._reference("mask", values), self._reference("markup", values)
        pictures = Pictures(images=len(images), mask=bool(mask), markup=bool(markup))
        settled = self._settled(values, pictures)
        extra = self._extra(values)
        parameters, adjustments = self._with_user(values, settled)
        adjustments += self._strangers(values)
        item = self._made(values, settled, parameters, adjustments)
        checklist = self._checklist(values, settled)
        return replace(
            item, extra=extra, images=images, mask=mask, markup=markup, checklist=checklist
        )

    def _made(
        self,
        values: Sequence[Json],
        settled: Settled,
        parameters: Mapping[str, Json],
        adjustments: tuple[Adjustment, ...],
    ) -> Item:
        strict = self._rules.coercion == "strict"
        if adjustments and strict:
            raise _not_as_written(adjustments)
        return Item(
            operation=settled.operation,
            model=settled.model,
            prompt=self._prompt(values, settled),
            n=settled.n,
            parameters=parameters,
            mask_mode=settled.mask_mode,
            name=self._name(values),
            resize_to=settled.resize_to,
            response_url_wanted=settled.url_wanted,
            reuse=settled.reuse,
            adjustments=adjustments,
            model_named_by_row=settled.named_by_row,
            strict=strict,
        )

    def _settled(self, values: Sequence[Json], pictures: Pictures) -> Settled:
        """Looked up where an earlier row said the same; settled now where none did."""
        key = (self._reader.key(values), pictures)
        try:
            found = self._remembered.get(key)
        except TypeError:  # a list or a group in a cell: rare, and not worth remembering
            return settle(self._reader.shared(values), pictures, self._rules, self._catalogue)
        if found is None:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            found = self._remembered[key] = self._settle(values, pictures)
        if isinstance(found, Problem):
            raise Refused.because(found)
        return found

    def _settle(self, values: Sequence[Json], pictures: Pictures) -> Settled | Problem:
        try:
            return settle(self._reader.shared(values), pictures, self._rules, self._catalogue)
        except Refused as refused:
            return refused.problem

    def _prompt(self, values: Sequence[Json], settled: Settled) -> str:
        column = ""
        if self._prompts.uses_template:
            text = self._prompts.from_template(self._reader.for_template(values))
        elif said := self._reader.own("prompt", values):
            text, column = prompt_text(said), said.column
        else:
            text = settled.fallback_prompt or self._reader.refuse_without_prompt()
        return self._prompts.finished(text, settled.style_words, settled.prompt_max_chars, column)

    def _name(self, values: Sequence[Json]) -> str:
        said = self._reader.own("name", values)
        return _plain_text(said, "a name") if said else ""

    def _with_user(
        self, values: Sequence[Json], settled: Settled
    ) -> tuple[Mapping[str, Json], tuple[Adjustment, ...]]:
        """OpenAI wants a stable name that tells nothing: a hash of 64 characters."""
        said = self._reader.own("user", values)
        if said is None:
            return settled.parameters, settled.adjustments
        profile = self._rules.profile
        text = _plain_text(said, "a name")
        if profile.user_field in profile.drops:
            return settled.parameters, (*settled.adjustments, _left_out(said, "it is not taken"))
        if profile.user_field == "safety_identifier":
            text = hashlib.sha256(text.encode()).hexdigest()
        return {**settled.parameters, profile.user_field: text}, settled.adjustments

    def _extra(self, values: Sequence[Json]) -> dict[str, Json]:
        return {name: _sane(said) for name, said in self._reader.extras(values).items()}

    def _strangers(self, values: Sequence[Json]) -> tuple[Adjustment, ...]:
        said = self._reader.strangers(values).values()
        return tuple(_left_out(each, "the API has no such parameter") for each in said)

    def _checklist(self, values: Sequence[Json], settled: Settled) -> tuple[str, ...]:
        """A text is judged by nobody."""
        said = self._reader.own("checklist", values)
        if said is None or not self._rules.judges or settled.operation is Operation.ANALYZE:
            return ()
        return _points(said)

    def _reference(self, field: str, values: Sequence[Json]) -> str:
        said = self._reader.own(field, values)
        references = self._references(said) if said else ()
        if said and len(references) > 1:
            raise Refused(
                "wrong_type",
                f"{said.column}: {len(references)} pictures were found where one is wanted.",
                "Name one picture.",
                said.column,
            )
        return references[0] if references else ""

    def _references(self, said: Said) -> tuple[str, ...]:
        references = as_references(said.value)
        if references is None:
            raise wrong_type(said, "the name of a picture")
        for reference in references:
            refuse_garbled(reference, said.column)
            if _WEB.match(reference) and not self._rules.allow_urls:
                raise Refused(
                    "url_not_allowed",
                    f"{said.column}: {shown(reference)} is an address; this inbox takes files only.",
                    "Put the picture beside the drop, or set allow_urls for the inbox.",
                    said.column,
                )
        return references


def _plain_text(said: Said, wanted: str) -> str:
    text = as_text(said.value)
    if text is None:
        raise wrong_type(said, wanted)
    refuse_garbled(text, said.column)
    return text


def _sane(said: Said) -> Json:
    """A value that any server's JSON reader takes: text, truth, or a number of usual size."""
    value = as_parameter(said.value)
    odd = (isinstance(value, float) and not math.isfinite(value)) or (
        isinstance(value, int) and not -_LARGEST <= value < _LARGEST
    )
    if odd or not isinstance(value, (str, int, float)):
        raise wrong_type(said, "text or a number")
    if isinstance(value, str):
        refuse_garbled(value, said.column)
    return value


def _points(said: Said) -> tuple[str, ...]:
    points = points_of(said.value)
    if points is None:
        raise wrong_type(said, "a list of points")
    refuse_garbled("\n".join(points), said.column)
    longest = max(map(len, points), default=0)
    if len(points) > MOST_POINTS or longest > LONGEST_POINT:
        raise Refused(
            "checklist_too_long",
            f"{said.column}: {len(points)} points, the longest of {longest:,} characters, were found.",
            f"Allowed: {MOST_POINTS} points of {LONGEST_POINT} characters, one a line or with ; between them.",
            said.column,
        )
    return points


def _left_out(said: Said, why: str) -> Adjustment:
    return Adjustment(column=said.column, found=shown(said.value), used=LEFT_OUT, why=why)


def _not_as_written(adjustments: Sequence[Adjustment]) -> Refused:
    return Refused(
        "not_as_written",
        f"The row cannot be sent as it is written: {'; '.join(map(str, adjustments))}.",
        "Write it so, or set coercion to lenient.",
        adjustments[0].column,
    )
