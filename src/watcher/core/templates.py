"""Prompt and file name templates: the columns of a row put into a text.

A template is the operator's; what a row says is data, and is never read as a template.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import jinja2
from jinja2 import meta
from jinja2.utils import missing

from watcher.core.bounded import (
    ENVIRONMENT,
    ROUNDS,
    Counting,
    MissingColumnError,
    Rounds,
    joined,
    refuse_strangers,
)
from watcher.core.headers import header_key
from watcher.core.jobs import Json

MAX_SOURCE = 20_000  # characters of a template
COLUMNS = "columns"  # all columns by header, for headers that are no names: columns["Prix (€)"]

# What comes of a template that asks for the impossible, besides jinja2's own errors.
_FAULTS = (
    TypeError, ValueError, ArithmeticError, AttributeError, LookupError, RecursionError, MemoryError,
)  # fmt: skip


class TemplateError(ValueError):
    """A template cannot be read, or not be filled in. `column`: the one that it asks for in vain."""

    def __init__(self, sentence: str, column: str = "") -> None:
        super().__init__(sentence)
        self.column = column


class Template:
    """A template that has been read. `names`: the columns that it asks for, as it writes them."""

    def __init__(self, source: str) -> None:
        """Raises TemplateError when the source cannot be read, or does what is not allowed."""
        if len(source) > MAX_SOURCE:
            raise TemplateError(f"The template is longer than {MAX_SOURCE:,} characters.")
        self.source = source
        try:
            tree = ENVIRONMENT.parse(source)
            refuse_strangers(tree)
            self.names = frozenset(meta.find_undeclared_variables(tree) - {"range", ROUNDS})
            self._template = ENVIRONMENT.from_string(Counting().visit(tree))
        except jinja2.TemplateSyntaxError as error:
            reason = (error.message or "it is not whole").rstrip(".")
            raise TemplateError(f"Line {error.lineno} of the template: {reason}.") from None
        except (SyntaxError, *_FAULTS) as error:
            raise TemplateError(f"The template cannot be used: {_reason(error)}.") from None

    def render(self, values: Mapping[str, Json]) -> str:
        """The text for one row. `values` by column; a name finds its column as headers are matched.

        Raises TemplateError when a column is not there, or when it takes too long or grows too large.
        """
        by_key = {header_key(column): value for column, value in values.items()}
        found = {
            name: values.get(name, by_key.get(header_key(name), missing)) for name in self.names
        }
        there = {name: value for name, value in found.items() if value is not missing}
        return self.fill({COLUMNS: values, **there})

    def fill(self, values: Mapping[str, Json]) -> str:
        """As `render`, for values that stand under the very names that the template writes."""
        try:
            return joined(self._template.generate({**values, ROUNDS: Rounds()}))
        except MissingColumnError as error:
            name = str(error.message)
            raise TemplateError(_not_there(name, values), name) from None
        except jinja2.TemplateError as error:
            reason = (error.message or "it cannot be").rstrip(".")
            raise TemplateError(f"The template cannot be filled in: {reason}.") from None
        except _FAULTS as error:
            raise TemplateError(f"The template cannot be filled in: {_reason(error)}.") from None


def _not_there(name: str, values: Mapping[str, Json]) -> str:
    columns = values.get(COLUMNS, values)
    known = list(columns) if isinstance(columns, Mapping) else []
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Is “{close[0]}” meant?" if close else ""
    return f"The template asks for the column “{name}”, which is not there.{hint}"


def _reason(error: BaseException) -> str:
    return str(error).rstrip(".") or type(error).__name__
