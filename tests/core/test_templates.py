"""Templates: columns by name, row values are data, nothing takes long or grows large."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.bounded import MAX_TEXT
from watcher.core.headers import header_key, is_result_column
from watcher.core.jobs import Json
from watcher.core.templates import Template, TemplateError


def _error(source: str, **values: Json) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        Template(source).render(values)
    return caught.value


@pytest.mark.parametrize(
    "name", ["Product Title", "product_title", "PRODUCT-TITLE", "producttitle", " product title "]
)
def test_columns_by_any_spelling_of_their_header(name: str) -> None:
    """A template names a column as written or without case, spaces, `_` and `-`."""
    assert Template("{{ Product_Title }}!").render({name: "cup"}) == "cup!"
    assert Template("{{ columns[name_of_it] }}").render({name: "cup", "name_of_it": name}) == "cup"


def test_the_header_as_written_wins() -> None:
    """Of two columns with the same key, the one that is spelt as in the template is taken."""
    assert Template("{{ Title }}").render({"title": "b", "Title": "a"}) == "a"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ title }}, {{ description }}, high quality", "cup, , high quality"),
        ("{{ qty }} pieces of {{ tags }}", "3 pieces of red, 2"),
        ("{{ title|upper }} {{ title.upper() }} {{ price|round(1) }}", "CUP CUP 1.5"),
        ("{% if missing is defined %}x{% endif %}{{ description or 'plain' }}", "plain"),
        ("{% for tag in tags %}{{ loop.index }}{{ tag }}{% endfor %}", "1red22"),
        ("{{ title ~ '-' ~ qty }}{{ new }}", "cup-3true"),
        ("{{ columns['Prix (€)'] }} {{ tags|join('+') }}", "12 red+2"),
        ("{{ title|replace('c', 'k') }}{{ [1, 2]|sum }}{{ 2 ** 3 }}", "kup38"),
    ],
)
def test_what_templates_can_do(source: str, text: str) -> None:
    """Conditions, loops, defaults and the usual filters; 3.0 is 3, nothing is nothing."""
    values: dict[str, Json] = {
        "title": "cup", "description": None, "qty": 3.0, "price": 1.49, "tags": ["red", 2],
        "new": True, "Prix (€)": "12",
    }  # fmt: skip
    assert Template(source).render(values) == text


@pytest.mark.parametrize(
    "value", ["{{ 7 * 7 }}", "{% for x in y %}", "{# #}", "{0.__class__}", "%s"]
)
def test_rows_are_data(value: str) -> None:
    """What a row says is never read as a template."""
    assert Template("{{ title }}").render({"title": value}) == value


def test_a_missing_column_is_named() -> None:
    """An undefined column is an error that names it, with the one that may be meant."""
    error = _error("a {{ titel }}", title="cup")
    assert (
        str(error)
        == "The template asks for the column “titel”, which is not there. Is “title” meant?"
    )
    assert error.column == "titel"
    assert _error("{{ columns['x'] }}", y=1).column == "x"
    assert _error("{{ x ~ 'a' }}").column == "x"


@pytest.mark.parametrize(
    "source",
    [
        "{{ title",
        "{% for x in %}",
        "{% macro m() %}{% endmacro %}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% set ns.x = 1 %}",
        "{% for x in y recursive %}{% endfor %}",
        "{{ x|no_such_filter }}",
        "{% if false %}{{ x|center(10) }}{% endif %}",
        "{{ x is no_such_test }}",
        "{{" + "(" * 3000,
        "x" * 20_001,
    ],
)
def test_what_cannot_be_read_is_refused_when_it_is_made(source: str) -> None:
    """Broken templates, and those made of what is not allowed, are refused before any row."""
    with pytest.raises(TemplateError) as caught:
        Template(source)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    "source",
    [
        "{{ title.__class__ }}",
        "{{ title.__class__.__mro__ }}",
        "{{ ''.__class__ }}",
        "{{ title.format(1) }}",
        "{{ title.encode() }}",
        "{{ title() }}",
        "{{ lipsum() }}",
        "{{ range }}",
        "{{ group }}",
        "{{ 1 / 0 }}",
        "{{ title + 1 }}",
        "{{ '%s' % title }}",
        "{% for x in 5 %}{% endfor %}",
    ],
)
def test_what_cannot_be_filled_in_is_refused_in_words(source: str) -> None:
    """Doors out of the sandbox and plain mistakes end as a sentence."""
    assert str(_error(source, title="cup", group={"a": 1})).startswith("The template")


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'a' * 1000000000 }}",
        "{{ title * 1000000 * 1000000 }}",
        "{{ [title] * 1000000000 }}",
        "{{ 10 ** 10 ** 10 }}",
        "{{ 2 ** 1000000000 }}",
        "{% set x = 9 %}" + "{% set x = x * x %}" * 40,
        "{% set x = title %}" + "{% set x = x ~ x %}" * 40,
        "{% set x = title %}" + "{% set x = x + x %}" * 40,
        "{% set x = [title] %}" + "{% set x = x + x %}" * 40,
        "{% set x = [title] %}" + "{% set x = [x, x] %}" * 40 + "{{ x }}",
        "{% set x = [title] %}" + "{% set x = [x, x] %}" * 40 + "{{ x|upper }}",
        "{{ [[title] * 9999] * 9999 }}",
        "{{ 'aaaaa'|replace('a', 'b' * 100000) }}",
        "{{ ['b' * 100000] * 5 }}",
        "{% for a in range(1001) %}{% endfor %}",
        "{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}",
        "{% for a in range(1000) %}{{ 'a' * 1000 }}{% endfor %}",
        "{{ '%1000000000d' % 1 }}",
    ],
)
def test_bombs_are_defused_in_no_time(source: str) -> None:
    """No template takes longer than two seconds or makes more than its bound."""
    start = time.monotonic()
    error = _error(source, title="cup")
    assert time.monotonic() - start < 2
    assert str(error).startswith("The template")


@given(source=st.text(alphabet="{}%# abx.|()[]'\"~+*1,:is", max_size=40))
def test_any_source_is_a_template_or_an_error(source: str) -> None:
    """Whatever stands in the settings: a text within the bound, or a TemplateError."""
    with suppress(TemplateError):
        assert len(Template(source).render({"a": "1", "b": [1], "x": 2})) <= MAX_TEXT


@given(value=st.text(max_size=50))
def test_text_comes_through_untouched(value: str) -> None:
    """A text is written as it is, whatever it holds."""
    assert Template("<{{ a }}>").render({"a": value}) == f"<{value}>"


@pytest.mark.parametrize(
    ("name", "key"),
    [("Output Format", "outputformat"), ("output-format", "outputformat"), ("N", "n"), ("Größe", "grösse")],
)  # fmt: skip
def test_header_keys(name: str, key: str) -> None:
    """Headers agree without case, spaces, `_` and `-`."""
    assert header_key(name) == header_key(key)


@pytest.mark.parametrize(
    ("name", "ours"), [("result_status", True), (" Result_Files", True), ("results", False), ("result", False)]
)  # fmt: skip
def test_our_own_columns_are_known(name: str, ours: bool) -> None:  # noqa: FBT001
    """Columns that begin with result_ came from us."""
    assert is_result_column(name) is ours
