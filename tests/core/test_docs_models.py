"""docs/models.md, against what the catalogue and planning say today."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_models_is_fresh() -> None:
    """The committed page is what `make docs` writes: neither the catalogue nor planning moved on without it."""
    made = runpy.run_path(str(DOCS / "make_models.py"))
    assert made["page"]() == (DOCS / "models.md").read_text("utf-8")
