"""The question about a picture, planned as a row of its own would be: by the inbox's model for texts."""

from __future__ import annotations

from dataclasses import replace

from watcher.core.catalogue import Catalogue
from watcher.core.checklist import question, tokens
from watcher.core.jobs import Item, Json, Operation, Problem, SourceRow
from watcher.core.pictures import KeptPicture
from watcher.core.planning.planner import Planner
from watcher.core.planning.rules import RowRules


def ask_about(
    item: Item, picture: KeptPicture | None, rules: RowRules, catalogue: Catalogue
) -> Item | Problem:
    """What is asked about a picture of `item`, or why it cannot be; about one to come, for its cost."""
    plain = replace(
        rules, prompt_template=None, prompt_prefix="", prompt_suffix="", coercion="lenient",
        aliases={}, defaults={},
    )  # fmt: skip
    said: dict[str, Json] = {
        "operation": Operation.ANALYZE.value,
        "image": "the picture",
        "prompt": question(item.checklist),
        "max_tokens": tokens(item.checklist),
    }
    planned = Planner(plain, catalogue, list(said)).plan(
        SourceRow(number=1, values=tuple(said.values()))
    )
    if isinstance(planned, Problem):
        return planned
    return replace(planned, images=(str(picture or "it"),), name=item.name, reuse=item.reuse)
