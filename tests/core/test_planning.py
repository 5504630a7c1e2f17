"""Planning: what a row means, whose word counts, and what is refused before anything is paid."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from tests.planning_rows import CATALOGUE, GENERIC, OPENAI, RULES, STRICT, item, plan, problem, told

from watcher.core.jobs import Item, Json, Operation, Problem, SourceRow
from watcher.core.planning import FIELDS, Planner

PLAIN = {"size": "1024x1024", "quality": "medium"}


@pytest.mark.parametrize(
    ("alias", "field"), [(alias, field) for field, further in FIELDS.items() for alias in further]
)
def test_every_alias_means_its_field(alias: str, field: str) -> None:
    """A row under an alias, in any spelling, is planned as under the field's own name."""
    values: dict[str, Json] = {
        "prompt": "b", "operation": "edit", "n": 3, "size": "1536x1024", "output_format": "webp",
        "output_compression": 50, "image": "z.png", "max_tokens": 400,
    }  # fmt: skip
    rest: dict[str, Json] = {"prompt": "a", "image": "a.png"}
    if field in ("image", "prompt"):
        del rest[field]
    if field == "output_compression":
        rest["output_format"] = "webp"
    if field == "max_tokens":
        rest["operation"] = "analyze"
    spelt = alias.replace("_", " ").title()
    value = values.get(field, "x")
    assert plan({**rest, spelt: value}) == plan({**rest, field: value})


def test_the_better_name_of_a_field_wins() -> None:
    """Of several columns for one field, its own name comes first, then the earlier alias."""
    planned = item({"sku": "S1", "name": "cup", "description": "about it", "number": 2, "count": 3})
    assert (planned.name, planned.prompt, planned.n) == ("cup", "a red cup", 3)


def test_a_cell_that_is_empty_says_so() -> None:
    """A table's empty prompt is not made good from the column beside it; a record's missing one may be."""
    assert problem({"prompt": "", "description": "about it"}).code == "empty_prompt"
    assert item({"prompt": None, "description": "about it"}).prompt == "about it"
    planner = Planner(RULES, CATALOGUE, ["description", "prompt"])
    short = planner.plan(SourceRow(number=1, values=("about it",)))
    assert isinstance(short, Problem)
    template = replace(RULES, prompt_template="{{ prompt }}, {{ description }}.")
    assert (
        item({"prompt": None, "text": "a cup", "description": "red"}, template).prompt
        == "a cup, red."
    )


def test_the_inboxs_own_aliases() -> None:
    """Settings name further headers; one that stands for nothing makes a field a plain column."""
    rules = replace(RULES, aliases={"Beschreibung": "prompt", "size": "-", "Format": "size"})
    planned = plan({"beschreibung": "eine Tasse", "size": "XL", "format": "1536x1024"}, rules)
    assert isinstance(planned, Item)
    assert (planned.prompt, planned.parameters["size"]) == ("eine Tasse", "1536x1024")


def test_our_own_columns_are_never_read() -> None:
    """A results file can be dropped again: its result_ columns mean nothing."""
    planned = item({"result_model": "dall-e-3", "Result_N": 5, "result_": "x"})
    assert (planned.model, planned.n, planned.adjustments) == ("gpt-image-2.5-flare", 1, ())


def test_columns_that_mean_nothing_are_no_matter() -> None:
    """Strange columns, and cells that hold only spaces, say nothing."""
    planned = item({"colour": "red", "size": "  ", "model": "", "n": None, "quality": "\n"})
    assert (planned.parameters, planned.adjustments) == (PLAIN, ())


def test_short_rows_are_empty_at_their_end() -> None:
    """A row may hold fewer values than there are columns."""
    planner = Planner(RULES, CATALOGUE, ["prompt", "n", "size"])
    planned = planner.plan(SourceRow(number=1, values=("a cup",)))
    assert isinstance(planned, Item)
    assert planned.parameters == PLAIN


def test_columns_may_come_later() -> None:
    """The list of columns may grow while rows come; later rows are read by it."""
    columns = ["prompt"]
    planner = Planner(
        replace(RULES, prompt_template="{{ prompt }} {{ title }}"), CATALOGUE, columns
    )
    first = planner.plan(SourceRow(number=1, values=("a",)))
    columns += ["title", "n"]
    second = planner.plan(SourceRow(number=2, values=("a", "cup", 2)))
    assert isinstance(first, Problem)
    assert first.column == "title"
    assert isinstance(second, Item)
    assert (second.prompt, second.n) == ("a cup", 2)


def test_unreadable_rows_keep_their_problem() -> None:
    """What the reader of the file found wrong with a row is the row's problem."""
    broken = Problem(code="bad_line", what="Line 3 is cut.")
    planner = Planner(RULES, CATALOGUE, ["prompt"])
    assert planner.plan(SourceRow(number=3, values=("a",), problem=broken)) is broken


def test_whose_word_counts() -> None:
    """The row, then the drop's defaults, then the inbox's, then ours, by whatever name."""
    rules = replace(
        RULES, defaults={"n": 2, "quality": "low", "size": "2048x2048", "Format": "webp"}
    )
    drop: dict[str, Json] = {"count": 3, "Quality": "high"}
    planned = item({"number of images": 4}, rules, drop)
    assert (planned.n, planned.parameters["quality"]) == (4, "high")
    assert planned.parameters["size"] == "2048x2048"
    assert planned.parameters["output_format"] == "webp"
    assert item({}, rules, drop).n == 3
    assert item({"width": 1024, "height": 1536}, rules).parameters["size"] == "1024x1536"


def test_who_named_the_model() -> None:
    """A model of the row or the drop is the row's affair; the inbox's is not."""
    assert item({"model": "gpt-image-2"}).model_named_by_row
    assert item({}, drop={"model": "gpt-image-2"}).model_named_by_row
    assert not item({}, replace(RULES, defaults={"model": "gpt-image-2"})).model_named_by_row
    assert not item({}).model_named_by_row


def test_an_inboxs_default_model_only_does_what_it_can() -> None:
    """The default model of an inbox is not asked to look at pictures when it makes them."""
    rules = replace(RULES, defaults={"model": "gpt-image-2"})
    assert item({"operation": "analyze", "image": "a.png"}, rules).model == "gpt-6-luna"
    refused = problem({"operation": "analyze", "image": "a.png", "model": "gpt-image-2"})
    assert (refused.code, refused.column) == ("model_unable", "model")


def test_the_inboxs_retired_model() -> None:
    """A model that is gone is replaced in the settings' own word too, or sent so that the lane says so."""
    models = {**RULES.models, Operation.GENERATE: "gpt-image-1"}
    assert item({}, replace(RULES, models=models)).model == "gpt-image-2.5-flare"
    refusing = replace(RULES, models=models, retired_models="refuse")
    assert item({}, refusing).model == "gpt-image-1"


@pytest.mark.parametrize(
    ("row", "operation"),
    [
        ({}, Operation.GENERATE),
        ({"operation": "Generate"}, Operation.GENERATE),
        ({"image": "a.png"}, Operation.EDIT),
        ({"action": "EDIT", "image": "a.png"}, Operation.EDIT),
        ({"op": "describe", "image": "a.png"}, Operation.ANALYZE),
    ],
)
def test_operations(row: dict[str, Json], operation: Operation) -> None:
    """A picture makes an edit, analyze is said by name, everything else is a generate."""
    assert item(row).operation is operation


@pytest.mark.parametrize(
    ("row", "code", "column"),
    [
        ({"operation": "paint"}, "operation_unknown", "operation"),
        ({"operation": 7}, "operation_unknown", "operation"),
        ({"operation": ["edit"]}, "wrong_type", "operation"),
        ({"operation": "edit"}, "image_missing", "image"),
        ({"operation": "analyze"}, "image_missing", "image"),
        ({"mask": "m.png"}, "mask_without_image", "mask"),
        ({"markup": "m.png"}, "markup_without_image", "markup"),
        ({"operation": "generate", "image": "a.png"}, "picture_unused", "operation"),
        ({"image": "a.png", "mask": "m.png", "markup": "u.png"}, "mask_and_markup", ""),
        ({"image": "a.png", "mask": "m.png;n.png"}, "wrong_type", "mask"),
        ({"image": "a.png", "markup": "u.png", "model": "gpt-image-2"}, "markup_unused", "markup"),
        ({"op": "analyze", "image": "a.png", "mask": "m.png"}, "mask_unused", "mask"),
        ({"image": 5}, "wrong_type", "image"),
        ({"image": ["a.png", 5]}, "wrong_type", "image"),
        ({"image": "a\0.png"}, "garbled_text", "image"),
        ({"image": "https://h/a.png"}, "url_not_allowed", "image"),
        ({"image": "a.png", "mask": "HTTP://h/m.png"}, "url_not_allowed", "mask"),
        ({"name": ["x"]}, "wrong_type", "name"),
        ({"user": {"id": 1}}, "wrong_type", "user"),
        ({"reuse": "perhaps"}, "wrong_type", "reuse"),
        ({"model": 3.5}, None, ""),
        ({"model": ["gpt-image-2"]}, "wrong_type", "model"),
        ({"quality": "ultra"}, "not_allowed", "quality"),
        ({"quality": ["high"]}, "wrong_type", "quality"),
        ({"background": "blue"}, "not_allowed", "background"),
        ({"moderation": "off"}, "not_allowed", "moderation"),
        ({"output_format": "bmp"}, "not_allowed", "output_format"),
        ({"response_format": "zip"}, "not_allowed", "response_format"),
        ({"output_format": "webp", "compression": "much"}, "wrong_type", "compression"),
        ({"width": "wide", "height": 5}, "wrong_type", "width"),
        ({"Resolution": "800x800"}, "size_not_allowed", "Resolution"),
    ],
)  # fmt: skip
def test_refusals_name_the_column(row: dict[str, Json], code: str | None, column: str) -> None:
    """A row that cannot be used says which column is to blame, as the drop spells it."""
    if code is None:
        assert item(row).model == "3.5"
    else:
        found = problem(row)
        assert (found.code, found.column) == (code, column)
        assert found.what.endswith(".")


def test_a_refusal_says_what_was_found_and_what_is_allowed() -> None:
    """The words of a refusal: column, value found, values allowed."""
    found = problem({"Quality": "ultra", "model": "gpt-image-2"})
    assert found.what == "Quality: ultra is not taken by gpt-image-2."
    assert found.hint == "Allowed: auto, low, medium or high."
    found = problem({"format": "gif"})
    assert found.hint == (
        "Allowed: png, jpeg or webp. gif is made by gpt-image-2.6-flare or gpt-image-2.6-sunburst."
    )


@pytest.mark.parametrize(
    ("prompt", "code"),
    [("", "empty_prompt"), (" \n\t", "empty_prompt"), (None, "empty_prompt"), (["x"], "wrong_type"),
     ({"x": 1}, "wrong_type"), (True, "wrong_type"), ("caf\ufffd", "garbled_text"),
     ("a\0b", "garbled_text"), ("a\ud800b", "garbled_text"), ("x" * 32_001, "prompt_too_long")],
)  # fmt: skip
def test_prompts_that_are_never_paid(prompt: Json, code: str) -> None:
    """Blank, garbled, overlong and wrongly typed prompts are refused."""
    assert problem({"prompt": prompt}).code == code


@pytest.mark.parametrize(
    ("cell", "prompt"),
    [
        (" a cup \n", "a cup"),
        ("a\n\n cup", "a\n\n cup"),
        ("Größe: 5 µm 🏠", "Größe: 5 µm 🏠"),
        (7, "7"),
        (2.0, "2"),
    ],
)
def test_prompts_are_sent_as_written(cell: Json, prompt: str) -> None:
    """Spaces at the ends are taken off; inside nothing is touched."""
    assert item({"prompt": cell}).prompt == prompt


def test_no_column_for_the_prompt() -> None:
    """A drop without a prompt column, or without a header, is told which columns it has and where they stand."""
    found = plan({"title": "cup", "farbe": "rot"})
    assert isinstance(found, Problem)
    assert found.code == "empty_prompt"
    assert found.what == "There is no column for the prompt among these: title, farbe."
    assert found.hint.startswith("The first line of the file must hold the names of the columns")


def test_templates() -> None:
    """The inbox's template makes the prompt out of columns, defaults and aliases."""
    template = "{{ title }}, {{ Brand_Name }}, {{ prompt }}"
    rules = replace(RULES, prompt_template=template, defaults={"brand name": "Acme"})
    row: dict[str, Json] = {"Title": "{{ cup }}", "description": "red", "brand-name": ""}
    planned = plan(row, rules)
    assert isinstance(planned, Item)
    assert planned.prompt == "{{ cup }}, Acme, red"
    assert item({"title": "x", "brand name": "Own"}, rules).prompt == "x, Own, a red cup"


@pytest.mark.parametrize(
    ("template", "code"),
    [
        ("{{ titel }}", "template_column_missing"),
        ("{{ title }} {{ title.nope }}", "template_failed"),
        ("{{ title", "template_unusable"),
        ("{{ empty }}, high quality", "empty_prompt"),
        ("{% if title == 'x' %}y{% endif %}", "empty_prompt"),
        ("{{ title * 20000 }}", "prompt_too_long"),
    ],
)
def test_templates_that_make_no_prompt(template: str, code: str) -> None:
    """Missing columns, broken templates and prompts without anything of the row are refused."""
    found = problem({"title": "cup", "empty": ""}, replace(RULES, prompt_template=template))
    assert found.code == code


def test_strict_coercion() -> None:
    """Strict: what would be mended is the row's problem; what is written right passes."""
    fine: dict[str, Json] = {
        "size": "1536x1024",
        "n": "2",
        "quality": "high",
        "output_format": "jpeg",
    }
    assert item(fine, STRICT).adjustments == ()
    found = problem({"format": "jpg", "quality": "hd"}, STRICT)
    assert found.code == "not_as_written"
    assert "quality: hd → high" in found.what
    assert "format: jpg → jpeg" in found.what
    assert problem({"temperature": 0.5}, STRICT).code == "not_as_written"


def test_unknown_models_get_what_the_row_says() -> None:
    """A new or self-hosted model is not judged by rules of others, only by types."""
    row: dict[str, Json] = {
        "model": "our-sdxl", "size": "512 x 768", "quality": "ultra", "background": "green",
        "style": "anime", "format": "jpg", "output_compression": "85", "n": "2",
    }  # fmt: skip
    planned = item(row)
    assert planned.model == "our-sdxl"
    assert planned.parameters == {
        "size": "512x768", "quality": "ultra", "background": "green", "style": "anime",
        "output_format": "jpeg", "output_compression": 85,
    }  # fmt: skip
    assert (planned.n, planned.resize_to, planned.model_named_by_row) == (2, "", True)
    assert problem({"model": "our-sdxl", "n": 0}).code == "out_of_range"


def test_what_a_server_does_not_take() -> None:
    """Parameters that the profile drops are not sent; told where somebody asked for them."""
    profile = replace(GENERIC, drops=frozenset({"quality", "background", "user"}))
    rules = replace(RULES, profile=profile)
    assert item({}, rules).parameters == {"size": "1024x1024"}
    planned = item({"quality": "low", "background": "opaque", "user": "ann"}, rules)
    assert planned.parameters == {"size": "1024x1024"}
    assert {column for column, _, used in told(planned) if used == "(left out)"} == {
        "quality", "background", "user",
    }  # fmt: skip


def test_what_a_server_cannot_do() -> None:
    """An operation that the profile has no door for is refused."""
    rules = replace(RULES, profile=replace(OPENAI, operations=frozenset({"analyze"})))
    assert problem({}, rules).code == "operation_unavailable"
    assert item({"op": "analyze", "image": "a.png"}, rules).operation is Operation.ANALYZE


@pytest.mark.parametrize("value", [[1], {"a": 1}, 2**63, float("nan"), float("inf")])
def test_extra_parameters_are_sane(value: Json) -> None:
    """A server's own parameter is text, truth or a usual number."""
    rules = replace(RULES, extra_parameters=frozenset({"steps"}))
    assert problem({"steps": value}, rules).code == "wrong_type"


def test_extra_parameters_by_default() -> None:
    """Inbox and drop may set a server's own parameters for all rows."""
    rules = replace(RULES, extra_parameters=frozenset({"steps"}), defaults={"Steps": "20"})
    assert item({}, rules).extra == {"steps": 20}
    assert item({"steps": ""}, rules, {"steps": 30}).extra == {"steps": 30}
    assert item({"STEPS": "40"}, rules, {"steps": 30}).extra == {"steps": 40}


def test_pictures_from_several_columns() -> None:
    """Pictures of all picture columns are taken, in the order of the columns."""
    planned = item({"reference": "b.png", "image": "a.png; c.png", "images": ["d.png"]})
    assert planned.images == ("b.png", "a.png", "c.png", "d.png")
    assert item({}, replace(RULES, defaults={"image": "logo.png"})).images == ("logo.png",)


def test_pictures_by_address() -> None:
    """Addresses are taken where the inbox allows them; pictures inside the row always are."""
    rules = replace(RULES, allow_urls=True)
    assert item({"image": "https://h/a.png"}, rules).images == ("https://h/a.png",)
    inline = "data:image/png;base64,iVBORw0KGgo="
    assert item({"image": inline}).images == (inline,)


def test_edits_keep_the_shape_of_their_picture() -> None:
    """An edit without a size leaves it to the model; a size that is said counts."""
    assert item({"image": "a.png"}).parameters["size"] == "auto"
    assert item({"image": "a.png", "size": "1024x1024"}).parameters["size"] == "1024x1024"
    assert "size" not in item({"image": "a.png", "model": "our-sdxl"}).parameters
    assert item({"image": "a.png", "markup": "u.png"}).markup == "u.png"


def test_moving_pictures() -> None:
    """gif: frames between 2 and 16, steps of 10 ms, a size that fits on the sheet."""
    row: dict[str, Json] = {"model": "gpt-image-2.6-flare", "format": "gif"}
    assert item(row).parameters["size"] == "960x960"
    planned = item({**row, "size": "1024x1024", "frame_count": "12", "frame_duration_ms": 123})
    assert planned.parameters["size"] == "816x816"
    assert (planned.parameters["frame_count"], planned.parameters["frame_duration_ms"]) == (12, 120)
    assert [column for column, _, _ in told(planned)] == ["frame_duration_ms", "size"]
    assert problem({**row, "frame_count": 17}).code == "out_of_range"
    assert problem({**row, "image": "a.png", "mask": "m.png"}).code == "mask_unused"
    assert problem({**row, "size": "64x64"}).code == "size_not_allowed"
    assert told(item({"frame_count": 4})) == [("frame_count", "4", "(left out)")]


def test_drawings() -> None:
    """svg is made one at a time, by the models that can."""
    row: dict[str, Json] = {"model": "gpt-image-2.6-sunburst", "format": "svg"}
    assert item(row).parameters["output_format"] == "svg"
    assert problem({**row, "n": 2}).code == "out_of_range"
    assert item({**row, "background": "transparent"}).parameters["background"] == "auto"


def test_complexity() -> None:
    """Sent to 2.6, left out and told elsewhere."""
    assert (
        item({"model": "gpt-image-2.6-flare", "complexity": "low"}).parameters["complexity"]
        == "low"
    )
    assert told(item({"complexity": "low"})) == [("complexity", "low", "(left out)")]


@pytest.mark.parametrize(
    ("said", "reuse"), [("no", False), (False, False), ("yes", True), ("", True)]
)
def test_reuse(said: Json, reuse: bool) -> None:  # noqa: FBT001
    """A row can say that it wants to be paid for anew."""
    assert item({"reuse": said}).reuse is reuse


@pytest.mark.parametrize(
    ("name", "said"), [("Ü 1", "Ü 1"), (12.0, "12"), (4006381333931, "4006381333931")]
)
def test_names(name: Json, said: str) -> None:
    """A row's name, also one that is a number."""
    assert item({"sku": name}).name == said


def test_many_rows_in_little_time() -> None:
    """10,000 simple rows are planned in well under a second on any machine that runs this."""
    planner = Planner(RULES, CATALOGUE, ["prompt", "size", "n", "quality", "sku"])
    rows = [
        SourceRow(number=number, values=(f"cup {number}", "1024x1024", "1", "high", f"S{number}"))
        for number in range(10_000)
    ]
    start = time.process_time()
    assert all(isinstance(planner.plan(row), Item) for row in rows)
    assert time.process_time() - start < 1
