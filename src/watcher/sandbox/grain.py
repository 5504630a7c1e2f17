"""PNG files put together by hand: as large as wanted, cheaply, and ones that lie about their size.

A large file needs pixels that do not compress. Packing those anew for each picture would cost more
than drawing it, so rows of grain are packed once and laid below the drawing.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from PIL import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB = 2
_BLOCK_ROWS = 16
_LAST_BLOCK = b"\x03\x00"  # an empty deflate block that ends the stream


@dataclass(frozen=True, slots=True)
class _Grain:
    raw: bytes
    packed: bytes


def chunk(name: bytes, content: bytes) -> bytes:
    """One chunk of a PNG file (W3C PNG, section 5.3)."""
    check = zlib.crc32(content, zlib.crc32(name))
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def png(
    size: tuple[int, int], *, depth: int, colour: int, packed: bytes, texts: Sequence[bytes] = ()
) -> bytes:
    """A PNG file of pixel rows that are `packed` already. `texts`: contents of iTXt chunks."""
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    chunks = [chunk(b"IHDR", header), *(chunk(b"iTXt", text) for text in texts)]
    return b"".join([_SIGNATURE, *chunks, chunk(b"IDAT", packed), chunk(b"IEND", b"")])


def international_text(keyword: str, text: str) -> bytes:
    """The content of an iTXt chunk: not packed, no language."""
    return keyword.encode("latin-1") + bytes(5) + text.encode()


def grained_png(picture: Image.Image, wanted: int, texts: Sequence[bytes]) -> bytes:
    """The RGB picture as a PNG of about `wanted` bytes: grain covers its lower rows, as many as it takes.

    At most three quarters of the rows are grain, so that the file may stay smaller than wanted. The
    last rows, where the mark stands, are never covered.
    """
    width, height = picture.size
    grain = _grain(width)
    blocks = min(wanted // len(grain.packed), height * 3 // 4 // _BLOCK_ROWS)
    foot = height - height // 12
    above = _rows(picture.crop((0, 0, width, foot - blocks * _BLOCK_ROWS)))
    below = _rows(picture.crop((0, foot, width, height)))
    check = zlib.adler32(below, zlib.adler32(grain.raw * blocks, zlib.adler32(above)))
    packed = [
        b"\x78\x01",
        _pack(above),
        grain.packed * blocks,
        _pack(below),
        _LAST_BLOCK,
        struct.pack(">I", check),
    ]
    return png(picture.size, depth=8, colour=_RGB, packed=b"".join(packed), texts=texts)


@lru_cache(maxsize=32)
def _grain(width: int) -> _Grain:
    """Grey-violet grain of that width, and the same packed so that it can stand anywhere."""
    noise = Random(width).randbytes(width * 3 * _BLOCK_ROWS)  # noqa: S311 - no secret
    # 7 of 8 bits are noise: the client has to unpack it as it does a photo.
    picture = Image.frombytes("RGB", (width, _BLOCK_ROWS), noise).point(lambda tone: tone // 2 + 64)
    raw = _rows(picture)
    return _Grain(raw, _pack(raw))


def _pack(rows: bytes) -> bytes:
    """A piece of a deflate stream that can stand anywhere: it ends on a byte and refers to nothing outside."""
    packer = zlib.compressobj(level=1, wbits=-15)
    return packer.compress(rows) + packer.flush(zlib.Z_FULL_FLUSH)


def _rows(picture: Image.Image) -> bytes:
    """Pixel rows as PNG wants them before packing: each after a byte that names its filter (none)."""
    content, stride = picture.tobytes(), picture.width * 3
    return b"".join(b"\0" + content[at : at + stride] for at in range(0, len(content), stride))
