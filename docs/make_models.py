# noqa: INP001 - a program of its own, run by `make docs`
"""Writes docs/models.md: what is done with every value of a row, for every model, as planning really does it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from watcher.core.catalogue import Catalogue, Model
from watcher.core.jobs import Item, Json, Operation, Problem, SourceRow
from watcher.core.planning import Planner, RowRules
from watcher.core.planning.draft import LEFT_OUT
from watcher.core.profiles import Profile, load_profiles

PAGE = Path(__file__).parent / "models.md"
CATALOGUE = Catalogue.shipped()
RULES = RowRules(
    models={
        Operation.GENERATE: "gpt-image-2.5-flare",
        Operation.EDIT: "gpt-image-2.5-sunburst",
        Operation.ANALYZE: "gpt-6-luna",
    },
    profile=load_profiles()["openai"],
    today=CATALOGUE.as_of,
)
# The same models where they have no end: other servers may serve them on.
ELSEWHERE = replace(RULES, profile=load_profiles()["generic"])
INTRO = f"""\
# Models

This page is made from the catalogue and from planning itself by `make docs`; do not correct it by hand. It holds for the
catalogue of {CATALOGUE.as_of}. `image-watcher models` shows the same models beside what your API lists today.

**How it works.** What a model takes is data, in `src/watcher/core/data/catalogue.yaml`. Every row is held against it before
anything is paid. Once a day `GET /models` is looked at; a model that the settings or open jobs name and that is gone, or goes
within 30 days, is told in the log (`model.retiring`) and in `image-watcher status`. A parameter that a server refuses as
unknown is left out, told in the row's `result_adjustments`, and not sent to that server and model again for a week.

**Your own entries.** `api.models` in the settings is laid over the catalogue, field by field; a model of your own says which
one it is like. What cannot be used is refused at start, in sentences.

```yaml
api:
  models:
    gpt-image-2.5-flare: {{price: {{text_in: 4.0, image_in: 6.4, image_out: 24.0}}}}   # your prices, USD per million tokens
    house-model: {{like: gpt-image-2.5-flare, n_max: 4, output_formats: [png]}}       # a model of your own server
```

**How to read the tables.** *sent*: as it is written. → *value*: mended, sent, and told in `result_adjustments`. *left out*:
not sent, and told. *no*: the row is refused in words, before anything is paid. With `coercion: strict` everything that would
be mended or left out is *no*. A value may be written as people write it: `"1"`, `1.0`, ` 1024×1024 `, `1024*1024`, `JPG`.
"""
Row = tuple[str, Mapping[str, Json]]

_PICTURE: Mapping[str, Json] = {"image": "a.png"}
_GENERATE: Sequence[Row] = (
    ("n", {}), ("n", {"n": 1}), ("n", {"n": 10}), ("n", {"n": 11}),
    *(("size", {"size": size}) for size in (
        "auto", "1024x1024", "1536x1024", "1792x1024", "512x512", "256x256", "816x816", "2048x2048",
        "3840x2160", "1000x1000", "4096x4096")),
    *(("quality", {"quality": word}) for word in (
        "auto", "low", "medium", "high", "xhigh", "max", "standard", "hd")),
    ("quality", {}),
    *(("background", {"background": word}) for word in ("auto", "opaque", "transparent")),
    ("background", {"background": "transparent", "output_format": "jpeg"}),
    *(("output_format", {"output_format": word}) for word in ("png", "jpg", "webp", "gif", "svg")),
    ("output_compression", {"output_compression": 80, "output_format": "jpeg"}),
    ("output_compression", {"output_compression": 80}),
    ("moderation", {"moderation": "low"}),
    ("complexity", {"complexity": "high"}),
    ("frame_count", {"frame_count": 4, "output_format": "gif"}),
    ("frame_count", {"frame_count": 4}),
    ("style", {"style": "vivid"}),
    ("response_format", {"response_format": "url"}),
    ("user", {"user": "ann"}),
    ("seed", {"seed": 42}),
    ("temperature", {"temperature": 0.7}),
    ("prompt", {"prompt": "x" * 1001}), ("prompt", {"prompt": "x" * 4001}),
    ("prompt", {"prompt": "x" * 32001}),
)  # fmt: skip
_EDIT: Sequence[Row] = (
    ("image", _PICTURE),
    ("image", {"image": [f"{at}.png" for at in range(16)]}),
    ("image", {"image": [f"{at}.png" for at in range(17)]}),
    ("mask", {**_PICTURE, "mask": "mask.png"}),
    ("mask", {**_PICTURE, "mask": "mask.png", "output_format": "gif"}),
    ("markup", {**_PICTURE, "markup": "arrows.png"}),
    ("markup", {**_PICTURE, "markup": "arrows.png", "mask": "mask.png"}),
    ("input_fidelity", {**_PICTURE, "input_fidelity": "low"}),
    ("input_fidelity", {**_PICTURE, "input_fidelity": "high"}),
    ("size", _PICTURE),
)
_ANALYZE: Sequence[Row] = (
    *(("detail", {**_PICTURE, "detail": word}) for word in ("auto", "low", "high", "original")),
    ("max_tokens", _PICTURE),
    ("max_tokens", {**_PICTURE, "max_tokens": 1000}),
    ("reasoning_effort", _PICTURE),
    ("quality", {**_PICTURE, "quality": "high"}),
    ("mask", {**_PICTURE, "mask": "mask.png"}),
)


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """The whole of docs/models.md."""
    alive = [one for one in _pictures() if not _gone(one)]
    gone = [one for one in _pictures() if _gone(one)]
    lookers = [one for one in CATALOGUE.models.values() if one.takes(Operation.ANALYZE)]
    alive_lookers = [one for one in lookers if not _gone(one)]
    sections = (
        ("Until when they live", "", _life()),
        ("Generate", "", _matrix(_GENERATE, alive, Operation.GENERATE, RULES)),
        ("Edit", "Besides what generate takes.", _matrix(_EDIT, alive, Operation.EDIT, RULES)),
        ("Models that OpenAI has shut down", _GONE, ()),
        ("Where they live on: generate", _ON, _matrix(_GENERATE, gone, Operation.GENERATE, ELSEWHERE)),
        ("Where they live on: edit", "", _matrix(_EDIT, gone, Operation.EDIT, ELSEWHERE)),
        ("Analyze", "", _matrix(_ANALYZE, alive_lookers, Operation.ANALYZE, RULES)),
        ("Kinds of servers", _SERVERS, _profiles()),
    )  # fmt: skip
    parts = (
        "\n".join([f"## {heading}", "", *([about, ""] if about else []), *lines])
        for heading, about, lines in sections
    )
    return f"{INTRO}\n" + "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


_GONE = """\
`api.retired_models` says what happens to a row that names one of them. `replace`: the replacement of the table above is
asked, as the tables above say, and told. `refuse`: *no*, with the name of the replacement. `send`: the name is sent."""
_ON = "On other servers than OpenAI and Azure no model has an end, and the names mean what they meant."
_SERVERS = """\
`api.profile` says how a server differs from OpenAI. What it does not take is left out and told. Further parameters that
your server takes are named in `api.extra_parameters`."""


def _pictures() -> list[Model]:
    return [one for one in CATALOGUE.models.values() if not one.takes(Operation.ANALYZE)]


def _gone(model: Model) -> bool:
    return model.state_on(RULES.today, RULES.profile.provider) == "retired"


def _life() -> Iterator[str]:
    """Only models that have an end."""
    yield "| model | gone from OpenAI | gone from Azure | replacement |"
    yield "|---|---|---|---|"
    for model in CATALOGUE.models.values():
        if model.shutdown:
            days = " | ".join(str(model.shutdown_on(one) or "") for one in ("openai", "azure"))
            instead = ", ".join(f"{key}: `{name}`" for key, name in model.replacements.items())
            yield f"| `{model.id}` | {days} | {instead} |"


def _matrix(
    rows: Sequence[Row], models: Sequence[Model], operation: Operation, rules: RowRules
) -> Iterator[str]:
    """Models that are treated alike share a column."""
    alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for model in models:
        if model.takes(operation):
            column = tuple(_cell(name, said, model.id, operation, rules) for name, said in rows)
            alike[column].append(model.id)
    yield f"| parameter | the row says | {' | '.join(map(_heading, alike.values()))} |"
    yield "|---" * (2 + len(alike)) + "|"
    for at, (name, said) in enumerate(rows):
        cells = " | ".join(column[at] for column in alike)
        yield f"| `{name}` | {_said(name, said)} | {cells} |"


def _heading(names: Sequence[str]) -> str:
    return "<br>".join(f"`{name}`" for name in names)


def _said(name: str, said: Mapping[str, Json]) -> str:
    value = said.get(name)
    if isinstance(value, list):
        found = f"{len(value)} pictures"
    elif isinstance(value, str) and len(value) > 1000:  # noqa: PLR2004 - a prompt
        found = f"{len(value):,} characters"
    else:
        found = "nothing" if value is None else f"`{value}`"
    beside = (
        f"`{key}: {value}`" for key, value in said.items() if key not in (name, "image", "prompt")
    )
    return ", with ".join([found, " and ".join(beside)]).removesuffix(", with ")


def _cell(
    name: str, said: Mapping[str, Json], model: str, operation: Operation, rules: RowRules
) -> str:
    row: dict[str, Json] = {"prompt": "a cup", "operation": str(operation), "model": model, **said}
    planner = Planner(rules, CATALOGUE, list(row))
    planned = planner.plan(SourceRow(number=1, values=tuple(row.values())))
    if isinstance(planned, Problem):
        return "no"
    elsewhere = f" on `{planned.model}`" if planned.model != model else ""
    beside = "".join(
        f", {one.column} → `{one.used}`"
        for one in planned.adjustments
        if one.column in said and one.column != name and one.used != LEFT_OUT
    )
    return _done(name, said, planned) + elsewhere + beside


def _done(name: str, said: Mapping[str, Json], planned: Item) -> str:
    told = [one for one in planned.adjustments if one.column == name]
    if told and told[0].used == LEFT_OUT:
        return "left out"
    copy = ", and a copy of the size" if planned.resize_to and name == "size" else ""
    if told:
        words = {"style": "words in the prompt", "response_format": "`result_urls`"}
        return f"→ {words.get(name, f'`{told[0].used}`')}{copy}"
    sent = planned.n if name == "n" else planned.parameters.get(name)
    if name not in said:
        return "" if sent is None else f"`{sent}`"
    if name == "user":
        return "sent, hashed" if "safety_identifier" in planned.parameters else "sent"
    return "sent"


def _profiles() -> Iterator[str]:
    yield "| profile | does | edits | analyzes by | never sent | takes besides |"
    yield "|---|---|---|---|---|---|"
    for profile in load_profiles().values():
        does = [str(one) for one in Operation if one.value in profile.operations]
        cells = (
            f"`{profile.name}`",
            ", ".join(does) + (" (by chat)" if profile.picture_api == "chat" else ""),
            _edits(profile),
            "" if "analyze" not in does else f"/{profile.analyze_api}".replace("/chat", "/chat/completions"),
            ", ".join(sorted(profile.drops)),
            ", ".join(sorted(profile.extra_parameters)),
        )  # fmt: skip
        yield f"| {' | '.join(cells)} |"


def _edits(profile: Profile) -> str:
    if "edit" not in profile.operations or profile.picture_api == "chat":
        return ""
    mask = f"mask as `{profile.mask_field}`" + (", white" if profile.mask_mode == "white" else "")
    return f"{profile.edit_transport}, {mask}"


if __name__ == "__main__":
    main()
