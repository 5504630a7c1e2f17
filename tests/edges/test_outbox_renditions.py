"""Smaller copies of pictures: of the size that was asked for, in the picture's own format."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from watcher.core.channels import size_recipe
from watcher.core.errors import DiskError
from watcher.outbox import BadPicture, Outbox, copied, opened
from watcher.outbox.renditions import Copy


def resized(content: bytes, real_format: str, size: str) -> bytes:
    image = opened(content, real_format)
    return copied(image, size_recipe(size), own_format=real_format).content


def copy_of(content: bytes) -> Copy:
    return Copy(content=content, format="png", width=1, height=1)


def picture(real_format: str, mode: str = "RGB", size: tuple[int, int] = (64, 64)) -> bytes:
    sink = io.BytesIO()
    Image.new(mode, size).save(sink, real_format)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("real_format", "mode"),
    [("png", "RGB"), ("png", "RGBA"), ("png", "P"), ("png", "L"), ("png", "1"), ("jpeg", "RGB"),
     ("jpeg", "CMYK"), ("webp", "RGBA")],
)  # fmt: skip
def test_a_copy_has_the_size_and_the_format(real_format: str, mode: str) -> None:
    """Whatever the picture's colours are: the copy is a whole picture of that size and format."""
    copy = resized(picture(real_format, mode), real_format, "32x16")
    with Image.open(io.BytesIO(copy)) as image:
        image.load()
        assert ((32, 16), real_format.upper()) == (image.size, image.format)


def test_what_is_transparent_stays_so() -> None:
    """The hidden colour of transparent pixels does not bleed into the copy."""
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 32, 64))
    sink = io.BytesIO()
    image.save(sink, "PNG")
    with Image.open(io.BytesIO(resized(sink.getvalue(), "png", "16x16"))) as copy:
        pixels = [copy.getpixel((x, 8)) for x in range(16)]
    assert all(isinstance(pixel, tuple) for pixel in pixels)
    seen = [pixel for pixel in pixels if isinstance(pixel, tuple) and pixel[3] > 0]
    assert seen
    assert all(pixel[0] == 0 for pixel in seen)


@pytest.mark.parametrize(
    ("content", "real_format"), [(b"<svg/>", "svg"), (picture("gif"), "gif"), (b"no", "png")]
)
def test_what_has_no_copy_is_said(content: bytes, real_format: str) -> None:
    """Drawings scale by themselves, moving pictures stay as they are, the rest is damaged."""
    with pytest.raises(BadPicture):
        resized(content, real_format, "32x32")


def test_a_copy_lies_under_its_size(tmp_path: Path) -> None:
    """`renditions/<size>/<name>` in the job's folder; a second time it is replaced."""
    outbox = Outbox(tmp_path)
    outbox.prepare("job")
    for content in (b"one", b"two"):
        name = outbox.save_rendition("job", "512x512", "images/a-1.png", copy_of(content))
        assert name == "renditions/512x512/a-1.png"
    assert (tmp_path / "job" / name).read_bytes() == b"two"
    assert list((tmp_path / "job" / "renditions").rglob("*.part")) == []


def test_no_copy_follows_a_link(tmp_path: Path) -> None:
    """A link where the folder of copies would be is refused; nothing is written through it."""
    (tmp_path / "elsewhere").mkdir()
    outbox = Outbox(tmp_path / "outbox")
    outbox.create()
    outbox.prepare("job")
    (tmp_path / "outbox/job/renditions").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DiskError):
        outbox.save_rendition("job", "512x512", "images/a-1.png", copy_of(b"one"))
    assert list((tmp_path / "elsewhere").iterdir()) == []
