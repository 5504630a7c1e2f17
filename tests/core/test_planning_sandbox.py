"""Planning against the sandbox, which checks calls as strictly as the real API does."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.planning_rows import CATALOGUE, OPENAI, RULES, plan
from watcher.core.jobs import Item, Json, Operation
from watcher.core.planning import RowRules
from watcher.core.wire import call_for
from watcher.sandbox.checks import check_pictures, find_model

_ROWS = st.fixed_dictionaries(
    {
        "prompt": st.just("a red cup"),
        "model": st.sampled_from([*CATALOGUE.models, None]),
        "n": st.sampled_from([None, 1, 2, 10]),
        "size": st.sampled_from([None, "auto", "512x512", "1792x1024", "1024x1024", "3840x2160", "816x816"]),
        "quality": st.sampled_from([None, "auto", "standard", "hd", "low", "max"]),
        "background": st.sampled_from([None, "auto", "opaque", "transparent"]),
        "output_format": st.sampled_from([None, "png", "jpg", "webp", "gif", "svg"]),
        "output_compression": st.sampled_from([None, 0, 80, 100]),
        "moderation": st.sampled_from([None, "auto", "low"]),
        "style": st.sampled_from([None, "vivid"]),
        "response_format": st.sampled_from([None, "url", "b64_json"]),
        "complexity": st.sampled_from([None, "low", "high"]),
        "frame_count": st.sampled_from([None, 2, 12, 16]),
        "frame_duration_ms": st.sampled_from([None, 5, 200]),
        "user": st.sampled_from([None, "ann"]),
        "seed": st.sampled_from([None, 42]),
        "temperature": st.sampled_from([None, 0.7]),
    }
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(row=_ROWS, rules=st.sampled_from([RULES, replace(RULES, retired_models="refuse")]))
def test_nothing_that_is_planned_is_refused(row: dict[str, Json], rules: RowRules) -> None:
    """Every generate that comes out of planning passes the strict checks of the sandbox."""
    planned = plan(row, rules)
    if isinstance(planned, Item):
        body = dict(call_for(planned, OPENAI).body)
        model = find_model(body, Operation.GENERATE, CATALOGUE, RULES.today)
        asked = check_pictures(body, model=model, operation=Operation.GENERATE)
        assert asked.prompt == planned.prompt
