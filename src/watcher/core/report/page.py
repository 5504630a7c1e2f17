"""One HTML page that needs no other file: style and script within, allowed by their hashes alone.

A Content-Security-Policy forbids everything else but pictures beside the page, so that text which
slipped through the escaping could still do nothing. https://www.w3.org/TR/CSP3/#external-hash
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib.resources import files
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

_STATEMENTS = 64  # of the template, joined before they are handed on
_ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" \
rx="3.5" fill="#2f5d50"/><circle cx="11" cy="5" r="1.6" fill="#f6f3ec"/><path d="M2.5 13l4-6 3 4 \
1.5-2 2.5 4z" fill="#f6f3ec"/></svg>"""


def page(template: str, *, style: str, script: str, **values: object) -> Iterator[str]:
    """The page in pieces. `template`, `style`, `script`: names of files beside this one."""
    css, js = _packaged(style), _packaged(script)
    stream = (
        _templates()
        .get_template(template)
        .stream(
            **values,
            style=Markup(css),  # noqa: S704 - our own file
            script=Markup(js),  # noqa: S704 - our own file
            policy=_policy(css, js),
            icon=f"data:image/svg+xml,{quote(_ICON)}",
        )
    )
    stream.enable_buffering(_STATEMENTS)
    return iter(stream)


def relative(path: str) -> str:
    """The address of a file beside the page: percent-encoded, and never anything but a relative one."""
    return f"./{quote(path)}"


def shown(text: str, most: int) -> str:
    """At most `most` characters, with marks in place of the control characters that HTML forbids."""
    cut = text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
    return cut if cut.isprintable() else "".join(map(_visible, cut))


def _visible(char: str) -> str:
    """Controls and lone surrogates are none of the characters of HTML."""
    bad = (char < " " and char not in "\t\n\r") or "\x7f" <= char < "\xa0"
    return "\ufffd" if bad or "\ud800" <= char <= "\udfff" else char


@cache
def _packaged(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def _templates() -> Environment:
    return Environment(
        loader=FunctionLoader(_packaged),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def _policy(css: str, js: str) -> str:
    style, script = (b64encode(sha256(text.encode()).digest()).decode() for text in (css, js))
    return (
        f"default-src 'none'; img-src 'self' file: data:; style-src 'sha256-{style}'; "
        f"script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
