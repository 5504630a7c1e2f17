"""Pages as text: escaped by default, style and script within, allowed by their hashes alone (see core.report.page)."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

_ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" \
rx="3.5" fill="#2f5d50"/><circle cx="11" cy="5" r="1.6" fill="#f6f3ec"/><path d="M2.5 13l4-6 3 4 \
1.5-2 2.5 4z" fill="#f6f3ec"/></svg>"""


def rendered(template: str, **values: object) -> str:
    """A part of a page, or one of ours whole."""
    return _templates().get_template(template).render(**values)


def page(
    template: str, *, up: str = "./", status_code: int = 200, **values: object
) -> HTMLResponse:
    """A whole page. `up`: where the status page is, relative to this one."""
    css, js = _style(), _packaged("page.js")
    text = rendered(
        template,
        **values,
        up=up,
        status_code=status_code,
        style=Markup(css),  # noqa: S704 - our own file
        script=Markup(js),  # noqa: S704 - our own file
        icon=f"data:image/svg+xml,{quote(_ICON)}",
    )
    return HTMLResponse(text, status_code, {"content-security-policy": policy(css, js)})


def policy(css: str, js: str) -> str:
    """What a page of ours may do. https://www.w3.org/TR/CSP3/#external-hash"""
    style, script = (b64encode(sha256(text.encode()).digest()).decode() for text in (css, js))
    return (
        f"default-src 'none'; img-src 'self' data:; style-src 'sha256-{style}'; script-src 'sha256-{script}'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


@cache
def _style() -> str:
    """The gallery's look, and what only these pages have."""
    gallery = files("watcher.core.report").joinpath("gallery.css").read_text("utf-8")
    return gallery + _packaged("page.css")


@cache
def _packaged(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


@cache
def _templates() -> Environment:
    return Environment(
        loader=FunctionLoader(lambda name: _packaged(f"templates/{name}")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
