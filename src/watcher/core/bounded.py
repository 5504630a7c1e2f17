"""The Jinja2 that templates are filled in with: a sandbox in which nothing takes long or grows large.

What could is left out (macros, formats, most filters and methods) or counted (loops, texts, numbers).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jinja2
from jinja2 import nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import missing
from jinja2.visitor import NodeTransformer

MAX_TEXT = 200_000  # characters, or entries, of anything that a template makes on its way
MAX_ROUNDS = 10_000  # rounds of all loops of one rendering together
MAX_RANGE = 1_000
_MAX_NUMBER = 10**30
_MAX_POWER = 64

ROUNDS = "_rounds"  # where the counter of loops stands among the values
# Of jinja2's own: those that make nothing large out of little, for texts and for any value.
_TEXT_FILTERS = ("capitalize", "lower", "striptags", "title", "trim", "upper", "wordcount")
_FILTERS = (
    "abs", "default", "first", "float", "int", "last", "length", "list", "max", "min", "reverse",
    "sort", "truncate", "unique",
)  # fmt: skip
_TESTS = (
    "boolean", "defined", "divisibleby", "eq", "even", "false", "float", "ge", "gt", "in", "integer",
    "iterable", "le", "lower", "lt", "mapping", "ne", "none", "number", "odd", "sameas", "sequence",
    "string", "true", "undefined", "upper",
)  # fmt: skip
_METHODS = frozenset((
    "capitalize", "casefold", "count", "endswith", "find", "get", "index", "items", "keys", "lower",
    "lstrip", "removeprefix", "removesuffix", "rstrip", "split", "splitlines", "startswith", "strip",
    "title", "upper", "values",
))  # fmt: skip
# Statements that a template may be made of. Not: macros, blocks, imports, inheritance.
_STATEMENTS = (nodes.Output, nodes.If, nodes.For, nodes.Assign, nodes.With)


class Rounds:
    """Counts the rounds of all loops of one rendering."""

    def __init__(self) -> None:
        self._left = MAX_ROUNDS

    def counted(self, entries: Iterable[object]) -> Iterator[object]:
        for entry in entries:
            self._left -= 1
            if self._left < 0:
                raise SecurityError(f"its loops take more than {MAX_ROUNDS:,} rounds")
            yield entry


class MissingColumnError(jinja2.UndefinedError):
    """The template asks for a column that is not there; the message is its bare name."""


class _Missing(jinja2.StrictUndefined):
    """What stands for a missing value until it is used."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,  # noqa: ANN401 - jinja2's signature
        name: str | None = None,
        exc: type[jinja2.TemplateRuntimeError] = jinja2.UndefinedError,
    ) -> None:
        if hint is None and (obj is missing or isinstance(obj, Mapping)):
            hint, exc = name, MissingColumnError
        super().__init__(hint=hint, obj=obj, name=name, exc=exc)


class _Environment(SandboxedEnvironment):
    """Jinja2's sandbox, with fewer things to call and everything that can grow bounded."""

    intercepted_binops = frozenset(["+", "*", "**", "%"])

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - jinja2's signature
        if obj is not _range and getattr(obj, "__name__", "") not in _METHODS:
            raise SecurityError("it calls what a template may not call")
        return super().call(context, obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401
        if operator == "%" and isinstance(left, str):
            raise SecurityError("it writes numbers with %, use the filter round instead")
        if operator == "**" and (abs(left) > MAX_RANGE or abs(right) > _MAX_POWER):
            raise SecurityError("a number grows too large")
        if operator == "*" and _entries(left, right) > MAX_TEXT:
            raise SecurityError(f"a text grows longer than {MAX_TEXT:,} characters")
        return _bounded(super().call_binop(context, operator, left, right))


class Counting(NodeTransformer):
    """Puts a counter around each loop, and a bound on texts that are joined by `~`."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 - jinja2 finds it by this name
        self.generic_visit(node)
        node.iter = _filtered(node.iter, "counted")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), "join")


def refuse_strangers(tree: nodes.Template) -> None:
    for node in tree.find_all(nodes.Node):
        if (
            (isinstance(node, nodes.Stmt) and not isinstance(node, _STATEMENTS))
            or isinstance(node, nodes.NSRef)
            or (isinstance(node, nodes.For) and node.recursive)
            or (isinstance(node, nodes.Filter) and node.name not in ENVIRONMENT.filters)
            or (isinstance(node, nodes.Test) and node.name not in ENVIRONMENT.tests)
        ):
            what = getattr(node, "name", None) or type(node).__name__.lower()
            raise ValueError(f"“{what}” in line {node.lineno} is not allowed in a template")


def joined(chunks: Iterable[str]) -> str:
    kept, length = [], 0
    for chunk in chunks:
        kept.append(chunk)
        length += len(chunk)
        if length > MAX_TEXT:
            raise SecurityError(f"its text grows longer than {MAX_TEXT:,} characters")
    return "".join(kept)


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _entries(left: object, right: object) -> int:
    """How long `left * right` becomes where one of them is a text or a list."""
    for some, times in ((left, right), (right, left)):
        if isinstance(some, (str, list, tuple)) and isinstance(times, int):
            return len(some) * times
    return 0


def _bounded(value: Any) -> Any:  # noqa: ANN401 - whatever an expression made
    if isinstance(value, (str, list, tuple)) and len(value) > MAX_TEXT:
        raise SecurityError(f"a text grows longer than {MAX_TEXT:,} characters")
    if isinstance(value, int) and abs(value) > _MAX_NUMBER:
        raise SecurityError("a number grows too large")
    return value


def _range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > MAX_RANGE:
        raise SecurityError(f"range is longer than {MAX_RANGE:,}")
    return numbers


@pass_context
def _counted(context: Context, entries: Iterable[object]) -> Iterator[object]:
    rounds: Rounds = context[ROUNDS]
    return rounds.counted(entries)


def _join(entries: Iterable[object], between: str = "") -> str:
    texts, length = [], 0
    for entry in entries:  # counted while they are made: a list of lists can be short and huge
        texts.append(_shown(entry))
        length += len(texts[-1]) + len(between)
        if length > MAX_TEXT:
            raise SecurityError(f"a text grows longer than {MAX_TEXT:,} characters")
    return between.join(texts)


def _replace(text: object, old: str, new: str) -> str:
    whole = _shown(text)
    if len(whole) + whole.count(old) * len(new) > MAX_TEXT:
        raise SecurityError(f"a text grows longer than {MAX_TEXT:,} characters")
    return whole.replace(old, new)


def _round(number: float, digits: int = 0) -> float:
    return round(float(number), max(0, min(digits, 10)))


def _sum(entries: Iterable[float]) -> float:
    return sum(entries)


def _of_text(plain: Callable[..., object]) -> Callable[..., object]:
    """The filter for what a value is written as, so that a list of lists is never spelt out."""
    return lambda value, *more: plain(_shown(value), *more)


def _shown(value: object) -> str:
    """A value as text: nothing for none, 3 for the 3.0 of a spreadsheet, lists with commas."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (list, tuple)):
        return _join(value, ", ")
    if isinstance(value, (int, float, jinja2.Undefined)):
        return str(value)
    raise TypeError("a group of values cannot be written into a text")


def _new_environment() -> _Environment:
    environment = _Environment(
        undefined=_Missing,
        finalize=lambda value: value if isinstance(value, jinja2.Undefined) else _shown(value),
        autoescape=False,  # prompts and file names are no markup
    )
    jinjas = environment.filters
    environment.filters = {
        **{name: jinjas[name] for name in _FILTERS},
        **{name: _of_text(jinjas[name]) for name in _TEXT_FILTERS},
        "counted": _counted,
        "join": _join,
        "replace": _replace,
        "round": _round,
        "string": _shown,
        "sum": _sum,
    }
    environment.tests = {name: environment.tests[name] for name in _TESTS}
    environment.globals = {"range": _range}
    return environment


ENVIRONMENT = _new_environment()
