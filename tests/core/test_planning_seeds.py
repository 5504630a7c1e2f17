"""What files and workflows of older days say, against today's API: how each of them is honoured.

One case for each way in which five known systems write a row: a workflow guide, two workflow nodes
for "OpenAI-compatible" and GPT images, n8n's own operations, and ComfyUI's node.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date

import pytest
from tests.planning_rows import GENERIC, RULES, STRICT, item, plan, problem, told

from watcher.core.jobs import Item, Json, Operation, Problem

FLARE, SUNBURST = "gpt-image-2.5-flare", "gpt-image-2.5-sunburst"


@pytest.mark.parametrize("name", ["gpt-image-1", "dall-e-3", "dall-e-2", "dalle-3", "DALL-E-3"])
@pytest.mark.parametrize(("image", "model"), [(None, FLARE), ("a.png", SUNBURST)])
def test_models_that_are_gone_are_replaced(name: str, image: Json, model: str) -> None:
    """A retired name is accepted: today's model is asked, and the results say so."""
    planned = item({"model": name, "image": image})
    assert planned.model == model
    assert ("model", name, model) in told(planned)
    assert not planned.model_named_by_row


def test_models_that_are_gone_can_be_refused_or_sent() -> None:
    """`refuse` names the successor and costs nothing; `send` leaves the name to the server."""
    refused = problem({"model": "gpt-image-1"}, replace(RULES, retired_models="refuse"))
    assert refused.code == "model_retired"
    assert refused.what == "model: gpt-image-1 was shut down on 2026-10-23."
    assert refused.hint == "Use gpt-image-2.5-flare."
    sent = item({"model": "gpt-image-1"}, replace(RULES, retired_models="send"))
    assert (sent.model, sent.adjustments, sent.model_named_by_row) == ("gpt-image-1", (), True)


def test_models_that_are_gone_live_on_elsewhere() -> None:
    """A server without retirement dates may serve them on: the name is sent."""
    assert item({"model": "gpt-image-1"}, replace(RULES, profile=GENERIC)).model == "gpt-image-1"


def test_models_that_will_go_are_used_until_their_day() -> None:
    """gpt-image-1.5 is asked until 2026-11-30 and replaced from 2026-12-01 on."""
    last = replace(RULES, today=date(2026, 11, 30))
    after = replace(RULES, today=date(2026, 12, 1))
    assert item({"model": "gpt-image-1.5"}, last).model == "gpt-image-1.5"
    assert item({"model": "gpt-image-1.5-2025-12-16"}, after).model == FLARE


def test_vision_models_that_are_gone_are_replaced() -> None:
    """A retired model of an analyze row gives way to one that looks at pictures."""
    planned = item({"operation": "analyze", "image": "a.png", "model": "gpt-4-turbo"})
    assert planned.model == "gpt-6-luna"


@pytest.mark.parametrize(
    "column", ["n", "count", "number", "images_count", "number_of_images", "Count"]
)
@pytest.mark.parametrize("value", ["3", 3, 3.0, " 3 "])
def test_counts(column: str, value: Json) -> None:
    """n under each of its names, as text or number: read, not mended."""
    planned = item({column: value})
    assert (planned.n, planned.adjustments) == (3, ())


@pytest.mark.parametrize("value", ["0", 11, "-1", "two", 1.5, True, [1], {"n": 1}, 10**30])
def test_counts_that_are_none(value: Json) -> None:
    """Anything but 1 to 10 is the row's problem, with what was found and what is allowed."""
    found = problem({"n": value})
    assert found.column == "n"
    assert "1 to 10" in found.hint or "1 to 10" in found.what


def test_width_and_height_are_a_size() -> None:
    """width and height, text or number, are the size; a lone one is left out and told."""
    assert item({"width": "1536", "height": 1024.0}).parameters["size"] == "1536x1024"
    lone = item({"width": "1536"})
    assert lone.parameters["size"] == "1024x1024"
    assert told(lone) == [("width", "1536", "(left out)")]


@pytest.mark.parametrize(
    "name", ["temperature", "seed", "steps", "cfg_scale", "top_p", "Guidance Scale"]
)
def test_parameters_of_other_apis_are_left_out(name: str) -> None:
    """What no image API of OpenAI takes is not sent, and told."""
    planned = item({name: "0.7"})
    assert told(planned) == [(name, "0.7", "(left out)")]
    assert set(planned.parameters) == {"quality", "size"}
    assert planned.extra == {}


def test_parameters_that_a_server_takes_are_sent() -> None:
    """seed and steps go out where profile or settings list them, as numbers."""
    rules = replace(RULES, extra_parameters=frozenset({"seed", "steps", "cfg_scale", "lora"}))
    planned = item({"seed": "42", "Steps": 20, "cfg-scale": "7.5", "lora": "glow"}, rules)
    assert planned.extra == {"seed": 42, "steps": 20, "cfg_scale": 7.5, "lora": "glow"}
    assert planned.adjustments == ()


def test_size_and_quality_are_always_said() -> None:
    """A row that says nothing asks for one 1024x1024 picture of medium quality."""
    planned = item({})
    assert (planned.n, planned.operation, planned.model) == (1, Operation.GENERATE, FLARE)
    assert planned.parameters == {"size": "1024x1024", "quality": "medium"}


@pytest.mark.parametrize(
    ("said", "sent"),
    [("standard", "medium"), ("hd", "high"), ("Standard", "medium"), ("HD", "high"), ("high", "high"),
     ("low", "low"), ("auto", "auto"), ("max", "max")],
)  # fmt: skip
def test_qualities(said: str, sent: str) -> None:
    """standard and hd are medium and high, and told; today's words are sent as they are."""
    planned = item({"quality": said})
    assert planned.parameters["quality"] == sent
    assert bool(planned.adjustments) is (said.lower() != sent)


@pytest.mark.parametrize("said", ["xhigh", "max"])
def test_qualities_that_the_model_lacks(said: str) -> None:
    """The highest qualities are high on models without them."""
    planned = item({"quality": said, "model": "gpt-image-2"})
    assert planned.parameters["quality"] == "high"
    assert told(planned) == [("quality", said, "high")]


@pytest.mark.parametrize("model", [None, "gpt-image-1", "dall-e-3", "a-model-of-our-own"])
def test_response_format_is_never_sent(model: Json) -> None:
    """A wish for URLs is answered by result_urls; the parameter itself does not go out."""
    planned = item({"response_format": "url", "model": model})
    assert planned.response_url_wanted
    assert "response_format" not in planned.parameters
    assert ("response_format", "url", "result_urls") in told(planned)
    assert item({"response_format": "b64_json"}).adjustments == ()


@pytest.mark.parametrize(
    ("style", "prompt"),
    [
        ("vivid", "a red cup. Hyper-real, dramatic style."),
        ("Natural", "a red cup. Natural, less hyper-real style."),
        ("watercolour", "a red cup. Style: watercolour."),
    ],
)
def test_styles_become_words(style: str, prompt: str) -> None:
    """There is no style parameter any more: its words stand in the prompt, and it is told."""
    planned = item({"style": style})
    assert planned.prompt == prompt
    assert "style" not in planned.parameters
    assert [column for column, _, _ in told(planned)] == ["style"]


def test_styles_are_sent_where_they_are_taken() -> None:
    """A server that still serves dall-e-3 gets its own words."""
    rules = replace(RULES, profile=GENERIC)
    planned = item({"style": "vivid", "model": "dall-e-3", "quality": "hd"}, rules)
    assert planned.parameters == {"style": "vivid", "quality": "hd", "size": "1024x1024"}
    assert (planned.prompt, planned.adjustments) == ("a red cup", ())


def test_a_style_that_the_template_reads_is_not_added() -> None:
    """Where the inbox's template places the style, it is not added a second time."""
    rules = replace(RULES, prompt_template="{{ prompt }} in {{ style }} style")
    planned = item({"style": "vivid"}, rules)
    assert (planned.prompt, planned.adjustments) == ("a red cup in vivid style", ())


def test_suffix_and_prefix() -> None:
    """An inbox's suffix and prefix stand around every prompt, with one space where one is needed."""
    rules = replace(RULES, prompt_prefix="Product photo:", prompt_suffix=", on white")
    assert item({}, rules).prompt == "Product photo: a red cup, on white"
    rules = replace(RULES, prompt_suffix="on white")
    assert item({}, rules).prompt == "a red cup on white"


def test_variations_are_edits() -> None:
    """The retired variations are an edit, with a prompt for rows that have none."""
    planned = plan({"operation": "variation", "image": "a.png"})
    assert isinstance(planned, Item)
    assert planned.operation is Operation.EDIT
    assert planned.prompt == "A variation of this picture."
    assert told(planned) == [("operation", "variation", "edit")]


@pytest.mark.parametrize("size", ["256x256", "512x512"])
def test_small_sizes_are_made_here(size: str) -> None:
    """Sizes that no model makes any more: asked for larger, a copy of the wanted size made here."""
    planned = item({"size": size})
    assert (planned.parameters["size"], planned.resize_to) == ("1024x1024", size)
    assert told(planned) == [("size", size, "1024x1024")]
    assert problem({"size": size}, STRICT).code == "not_as_written"


@pytest.mark.parametrize(
    ("model", "said", "sent"),
    [
        (None, "1792x1024", "1792x1024"),
        ("gpt-image-2.6-flare", "1024x1792", "1024x1792"),
        ("gpt-image-1.5", "1792x1024", "1536x1024"),
        ("chatgpt-image-latest", "1024x1792", "1024x1536"),
        ("gpt-image-1.5", "1536x1024", "1536x1024"),
        ("gpt-image-1.5", "auto", "auto"),
        (None, "3840x2160", "3840x2160"),
        (None, "2048x2048", "2048x2048"),
    ],
)
def test_sizes_by_model(model: Json, said: str, sent: str) -> None:
    """Wide and tall sizes pass where the model makes them, else the nearest is asked for."""
    planned = item({"model": model, "size": said})
    assert planned.parameters["size"] == sent
    assert planned.resize_to == ""
    assert bool(planned.adjustments) is (said != sent)


@pytest.mark.parametrize(
    ("written", "size"),
    [
        (" 1024×1024 ", "1024x1024"),
        ("1024*1024", "1024x1024"),
        ("1536 x 1024", "1536x1024"),
        ("1536X1024px", "1536x1024"),
        ("1024", "1024x1024"),
        (2048, "2048x2048"),
        ("Auto", "auto"),
    ],
)
def test_spellings_of_sizes(written: Json, size: str) -> None:
    """Sizes as people write them are understood."""
    assert item({"size": written}).parameters["size"] == size


@pytest.mark.parametrize(
    ("size", "rule"),
    [
        ("1000x1000", "Width and height must be multiples of 16."),
        ("800x800", "640,000 pixels are too few: at least 655,360."),
        ("4096x2048", "No edge may be longer than 3840 pixels."),
        ("3840x1024", "The long edge may be at most 3 times the short one."),
        ("3840x3840", "14,745,600 pixels are too many: at most 8,294,400."),
    ],
)
def test_sizes_that_break_a_rule(size: str, rule: str) -> None:
    """A size that no rule of ours mends is refused with the rule and a size that would do."""
    found = problem({"size": size})
    assert (found.code, found.column) == ("size_not_allowed", "size")
    assert found.what == f"size: {size} is not made by {FLARE}. {rule}"
    assert "comes closest" in found.hint


@pytest.mark.parametrize(
    "size", ["large", "16:9", "1024x", "x", [1024, 1024], {"w": 1}, 1.5, False]
)
def test_sizes_that_are_none(size: Json) -> None:
    """What is no size is refused with an example of one."""
    assert problem({"size": size}).code == "wrong_type"


@pytest.mark.parametrize(
    ("model", "characters", "fits"),
    [
        (None, 32_000, True),
        (None, 32_001, False),
        ("dall-e-2", 1001, False),
        ("dall-e-3", 4001, False),
    ],
)
def test_lengths_of_prompts(model: Json, characters: int, fits: bool) -> None:  # noqa: FBT001
    """32,000 characters today; the old limits hold only where the old models are really asked."""
    rules = replace(RULES, profile=GENERIC)
    planned = plan({"prompt": "x" * characters, "model": model}, rules)
    assert isinstance(planned, Item if fits else Problem)
    assert isinstance(plan({"prompt": "x" * 4001, "model": "dall-e-3"}), Item)


@pytest.mark.parametrize("said", ["jpg", "JPG", ".jpg", "image/jpeg", "jpeg"])
def test_jpg_is_jpeg(said: str) -> None:
    """The API's word is jpeg."""
    assert item({"format": said}).parameters["output_format"] == "jpeg"


@pytest.mark.parametrize(
    ("format_said", "compression", "sent"),
    [("jpeg", 80, 80), ("webp", "0", 0), ("webp", "80%", 80), ("png", 80, None), (None, 80, None)],
)
def test_compression(format_said: Json, compression: Json, sent: int | None) -> None:
    """Sent for jpeg and webp; elsewhere left out and told."""
    planned = item({"output_format": format_said, "output_compression": compression})
    assert planned.parameters.get("output_compression") == sent
    assert bool(planned.adjustments) is (sent is None)
    assert problem({"output_format": "webp", "output_compression": 101}).code == "out_of_range"


@pytest.mark.parametrize("count", [1, 2, 16])
def test_pictures_make_an_edit(count: int) -> None:
    """A row with up to 16 pictures and no operation is an edit."""
    planned = item({"image": ";".join(f"p{number}.png" for number in range(count))})
    assert planned.operation is Operation.EDIT
    assert len(planned.images) == count
    assert planned.model == SUNBURST


def test_too_many_pictures() -> None:
    """17 pictures are the row's problem."""
    assert problem({"image": ";".join(["a.png"] * 17)}).code == "too_many_images"


def test_masks() -> None:
    """A mask, alpha or white, goes with a picture; without one it is the row's problem."""
    planned = item({"image": "a.png", "mask": "m.png", "mask_mode": "White"})
    assert (planned.mask, planned.mask_mode) == ("m.png", "white")
    assert item({"image": "a.png", "mask": "m.png"}).mask_mode == "alpha"
    assert problem({"mask": "m.png"}).code == "mask_without_image"
    assert problem({"image": "a.png", "mask": "m.png", "mask_mode": "red"}).column == "mask_mode"


@pytest.mark.parametrize(
    ("model", "said", "sent"),
    [
        (None, "high", None),
        ("gpt-image-2", "low", None),
        ("gpt-image-1.5", "high", "high"),
        ("gpt-image-1-mini", "high", "low"),
        ("chatgpt-image-latest", "high", None),
    ],
)
def test_input_fidelity(model: Json, said: str, sent: str | None) -> None:
    """Sent where the model takes it, left out where it does not, always told when not as said."""
    planned = item({"model": model, "image": "a.png", "input_fidelity": said})
    assert planned.parameters.get("input_fidelity") == sent
    assert bool(planned.adjustments) is (said != sent)


@pytest.mark.parametrize("model", [None, "gpt-image-2.6-sunburst", "gpt-image-1.5"])
def test_transparent_backgrounds(model: Json) -> None:
    """Sent to the models that make them."""
    planned = item({"background": "transparent", "model": model})
    assert planned.parameters["background"] == "transparent"
    assert planned.adjustments == ()


def test_transparent_on_gpt_image_2() -> None:
    """gpt-image-2 gives way to a model that can; where models are not replaced it is refused."""
    planned = item({"background": "transparent", "model": "gpt-image-2"})
    assert planned.model == FLARE
    assert told(planned) == [("model", "gpt-image-2", FLARE)]
    row: dict[str, Json] = {"background": "transparent", "model": "gpt-image-2"}
    assert item({**row, "image": "a.png"}).model == SUNBURST
    found = problem(row, replace(RULES, retired_models="refuse"))
    assert (found.code, found.hint) == ("not_allowed", "Allowed: auto or opaque.")


def test_transparent_jpeg_is_png() -> None:
    """jpeg cannot hold transparency: png is asked for, and told."""
    planned = item({"background": "transparent", "format": "jpg"})
    assert planned.parameters["output_format"] == "png"
    assert ("format", "jpg", "png") in told(planned)


def test_users_are_hashed_for_openai() -> None:
    """A person's name leaves as a hash of 64 characters, and as it is on servers of one's own."""
    sent = item({"user": "ann@example.org"}).parameters["safety_identifier"]
    assert sent == hashlib.sha256(b"ann@example.org").hexdigest()
    own = item({"safety_identifier": "ann"}, replace(RULES, profile=GENERIC))
    assert own.parameters["user"] == "ann"


@pytest.mark.parametrize("operation", ["analyze", "Describe", "analyse"])
def test_analyze(operation: str) -> None:
    """Pictures by a list with commas, detail, and 300 tokens of text unless the row says more."""
    planned = item({"operation": operation, "images": "a.png, b.jpg", "detail": "High"})
    assert (planned.operation, planned.model) == (Operation.ANALYZE, "gpt-6-luna")
    assert planned.images == ("a.png", "b.jpg")
    assert planned.parameters["detail"] == "high"
    assert planned.parameters["max_tokens"] == 300
    longer = item({"operation": operation, "image": "a.png", "length_of_description": "900"})
    assert longer.parameters["max_tokens"] == 900


def test_analyze_details() -> None:
    """`original` is sent to the models that know it and is high on the others."""
    row: dict[str, Json] = {"operation": "analyze", "image": "a.png", "detail": "original"}
    assert item(row).parameters["detail"] == "original"
    older = item({**row, "model": "gpt-4.1"})
    assert older.parameters["detail"] == "high"
    assert told(older) == [("detail", "original", "high")]
    assert problem({**row, "detail": "fine"}).code == "not_allowed"


def test_analyze_has_no_use_for_picture_parameters() -> None:
    """What describes pictures is left out of an analyze row: told when the row says it, else not."""
    row: dict[str, Json] = {"operation": "analyze", "image": "a.png"}
    assert told(item({**row, "size": "512x512"})) == [("size", "512x512", "(left out)")]
    assert item(row, replace(RULES, defaults={"size": "512x512"})).adjustments == ()
