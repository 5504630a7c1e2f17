"""The sandbox's pictures: of the asked size and format, recognisable, and each tied to its prompt."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from watcher.core.catalogue import Catalogue
from watcher.core.jobs import Operation
from watcher.sandbox.asked import PicturesAsked, Shown
from watcher.sandbox.encoding import blank, read_description, render

MODEL = Catalogue.shipped().models["gpt-image-2.6-flare"]
FORMATS = ["png", "jpeg", "webp", "gif"]


def asked(prompt: str = "A red fox", **fields: Any) -> PicturesAsked:  # noqa: ANN401
    return PicturesAsked(
        operation=Operation.GENERATE,
        model=MODEL,
        model_name=MODEL.id,
        prompt=prompt,
        parameters=frozenset(),
        **{"width": 160, "height": 96, **fields},
    )


def opened(content: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(content))
    picture.load()
    return picture


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_picture_has_the_size_and_format_that_were_asked_for(output_format: str) -> None:
    """What is asked for is what the file really is."""
    picture = opened(render(asked(output_format=output_format), "", "req_1"))
    assert (output_format.upper(), (160, 96)) == (picture.format, picture.size)


@pytest.mark.parametrize("output_format", [*FORMATS, "svg"])
def test_every_format_carries_its_prompt(output_format: str) -> None:
    """A file can be shown to belong to its row."""
    prompt = 'Größe "42" <b>& 中文 🦊'
    assert prompt == read_description(render(asked(prompt, output_format=output_format), "", "r"))


@settings(deadline=None, max_examples=60)
@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.sampled_from(["png", "svg"])
)
def test_any_prompt_can_be_drawn_and_read_back(prompt: str, output_format: str) -> None:
    """No prompt breaks the drawing, and none comes back changed."""
    content = render(asked(prompt, output_format=output_format), "1/2", "r")
    assert prompt == read_description(content)


def test_a_long_prompt_is_whole_in_a_png_and_begun_in_a_jpeg() -> None:
    """JPEG has no room for more than 60,000 bytes of description."""
    prompt = "long " * 16_000
    assert prompt == read_description(render(asked(prompt), "", "r"))
    assert prompt[:60_000] == read_description(render(asked(prompt, output_format="jpeg"), "", "r"))


def test_another_prompt_has_other_colours_and_the_same_prompt_the_same() -> None:
    """Pictures of different rows can be told apart at a glance."""
    fields = [opened(render(asked(prompt), "", "r")).getpalette() for prompt in "aab"]
    assert fields[0] == fields[1]
    assert fields[0] != fields[2]


def test_two_calls_never_give_the_same_file() -> None:
    """Generated anew is told from kept, even for equal prompts."""
    assert render(asked(), "", "req_1") != render(asked(), "", "req_2")


@pytest.mark.parametrize("output_format", ["png", "webp", "gif"])
def test_a_transparent_background_is_transparent(output_format: str) -> None:
    """Some of the picture lets through, some of it does not."""
    content = render(asked(transparent=True, output_format=output_format), "", "r")
    assert opened(content).convert("RGBA").getchannel("A").getextrema() == (0, 255)


def test_an_opaque_background_has_no_hole() -> None:
    """Nothing is transparent unless asked for."""
    alpha = opened(render(asked(), "", "r")).convert("RGBA").getchannel("A")
    assert alpha.getextrema() == (255, 255)


def test_a_gif_moves() -> None:
    """As many frames as asked for, each shown as long as asked for, no two alike."""
    content = render(asked(output_format="gif", frames=3, frame_ms=150), "", "r")
    with Image.open(io.BytesIO(content)) as picture:
        assert (getattr(picture, "n_frames", 1), picture.info["duration"]) == (3, 150)
        frames = set()
        for number in range(3):
            picture.seek(number)
            frames.add(picture.convert("RGB").tobytes())
    assert len(frames) == 3


@pytest.mark.parametrize("wanted", [200_000, 1_500_000])
def test_a_png_grows_to_the_wanted_size(wanted: int) -> None:
    """Within a tenth of the wanted bytes, still a whole picture of the prompt."""
    content = render(asked(width=1024, height=1024), "", "r", wanted=wanted)
    assert wanted * 0.9 < len(content) < wanted * 1.1
    assert (opened(content).mode, opened(content).size) == ("RGB", (1024, 1024))
    assert read_description(content) == "A red fox"
    plain = opened(render(asked(width=1024, height=1024), "", "r")).convert("RGB")
    foot = (0, 960, 1024, 1024)
    assert opened(content).crop(foot).tobytes() == plain.crop(foot).tobytes()


@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp"])
def test_an_edit_shows_the_picture_that_was_given(output_format: str) -> None:
    """The input is visibly inside the output, in its own colour."""
    shown = Shown(name="image", picture=Image.new("RGB", (50, 80), (0, 250, 0)), format="png")
    content = render(
        asked(shown=(shown,), output_format=output_format, width=512, height=512), "", "r"
    )
    red, green, blue = opened(content).convert("RGB").resize((512, 512)).getpixel((256, 312))  # type: ignore[misc]
    assert (red < 12, green > 240, blue < 12) == (True, True, True)


def test_what_a_mask_frees_is_tinted_and_the_rest_is_not() -> None:
    """A mask that was turned round would show."""
    mask = Image.new("RGBA", (80, 80), (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, 40, 80))
    shown = Shown(name="image", picture=Image.new("RGB", (80, 80), (0, 250, 0)), format="png")
    content = render(asked(shown=(shown,), mask=mask, width=512, height=512), "", "r")
    picture = opened(content).convert("RGB")
    assert picture.getpixel((200, 312)) != (0, 250, 0)
    assert picture.getpixel((312, 312)) == (0, 250, 0)


def test_sixteen_pictures_of_any_shape_fit_into_an_edit() -> None:
    """The most that the API takes, thin and wide ones among them."""
    shapes = [(1, 300), (300, 1), (20, 20), (3, 2)] * 4
    shown = tuple(Shown(name="i", picture=Image.new("L", shape, 200)) for shape in shapes)
    assert opened(render(asked(shown=shown), "", "r")).size == (160, 96)


def test_a_blank_picture_has_one_colour() -> None:
    """For trying out what finds blank pictures."""
    assert len(opened(blank(asked())).getcolors() or []) == 1
