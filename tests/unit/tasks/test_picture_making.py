"""From an image file to the PNG that Bitbucket takes."""

from __future__ import annotations

import base64
import io
import os
import struct
import zlib

import pytest
from PIL import Image

from directory.errors import SourceUnreadable
from tasks.picture_making import MOST_BYTES, decoded, made


def file_of(image: Image.Image, kind: str = "PNG", **more: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **more)
    return buffer.getvalue()


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def colour(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    found = image.convert("RGB").getpixel((x, y))
    assert isinstance(found, tuple)
    return found


def left_red_right_blue(width: int, height: int) -> Image.Image:
    image = Image.new("RGB", (width, height), (255, 0, 0))
    image.paste((0, 0, 255), (width // 2, 0, width, height))
    return image


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_every_format_becomes_a_square_png_of_the_size_that_is_wanted(kind: str):
    content = made(file_of(left_red_right_blue(300, 200), kind), 96)
    image = opened(content)
    assert (image.format, image.size) == ("PNG", (96, 96))
    red, blue = colour(image, 10, 48), colour(image, 85, 48)
    assert red[0] > 200
    assert red[2] < 60
    assert blue[2] > 200
    assert blue[0] < 60


def test_a_small_picture_is_not_enlarged():
    assert opened(made(file_of(Image.new("RGB", (40, 50))), 96)).size == (40, 40)


def test_the_same_file_makes_the_same_bytes():
    file = file_of(left_red_right_blue(300, 200), "JPEG")
    assert made(file, 96) == made(file, 96)


def test_a_photo_taken_with_the_camera_turned_stands_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image = opened(made(file_of(left_red_right_blue(100, 100), "JPEG", exif=exif), 100)).convert("RGB")
    top, bottom = colour(image, 50, 10), colour(image, 50, 90)
    assert top[0] > 200
    assert bottom[2] > 200


def test_nothing_of_the_sources_metadata_is_passed_on():
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    assert b"taken at home" not in made(file_of(Image.new("RGB", (50, 50)), "JPEG", exif=exif), 96)


def test_what_is_transparent_stays_so():
    image = opened(made(file_of(Image.new("RGBA", (50, 50), (0, 0, 0, 0))), 96))
    assert image.getchannel("A").getextrema() == (0, 0)


def test_a_picture_that_would_be_over_a_megabyte_is_made_smaller():
    noise = Image.frombytes("RGB", (1024, 1024), os.urandom(3 * 1024 * 1024))
    content = made(file_of(noise), 1024)
    assert len(content) <= MOST_BYTES
    assert 256 < opened(content).size[0] < 1024


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims so many pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(8000, 8000), (60_000, 60_000)], ids=["large", "enormous"])
def test_a_file_that_claims_too_many_pixels_is_not_opened(size: tuple[int, int]):
    with pytest.raises(SourceUnreadable):
        made(bomb(*size), 96)


@pytest.mark.parametrize(
    "file",
    [b"", b"<svg/>", file_of(Image.new("RGB", (90, 90)))[:60], file_of(Image.new("RGB", (9, 9)), "BMP")],
    ids=["empty", "svg", "cut short", "bmp"],
)
def test_what_is_no_picture_is_refused_with_a_reason(file: bytes):
    with pytest.raises(SourceUnreadable, match="broken or of no known format"):
        made(file, 96)


@pytest.mark.parametrize("before", ["", "data:image/png;base64,", "  "])
def test_a_column_holds_base64_with_or_without_a_data_address(before: str):
    assert decoded(before + base64.encodebytes(b"a picture" * 20).decode()) == b"a picture" * 20


def test_a_column_that_holds_anything_else_is_refused():
    with pytest.raises(SourceUnreadable, match="neither base64 nor an address"):
        decoded("jane.png?")
