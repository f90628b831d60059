"""From an image file as a source gives it to the PNG that Bitbucket takes."""

from __future__ import annotations

import base64
import binascii
import io
import warnings
from typing import Final

from PIL import Image, ImageOps

from directory.errors import SourceUnreadable

__all__ = ["MOST_BYTES", "decoded", "made"]

MOST_BYTES: Final = 1024 * 1024
"""What Bitbucket takes (REST description, `/users/{slug}/avatar.png`)."""

_MOST_PIXELS: Final = 50_000_000
"""A photo of a good camera; a file of a few kilobytes may claim to be a thousand times as large."""

_FORMATS: Final = ("PNG", "JPEG", "GIF", "WEBP")
_SMALLEST: Final = 16


def decoded(text: str) -> bytes:
    """The file that stands in a column as base64, with or without `data:...;base64,` before it.

    Raises `SourceUnreadable`.
    """
    _, _, data = text.partition(",") if text.startswith("data:") else ("", "", text)
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except binascii.Error:
        raise SourceUnreadable("the picture's column holds neither base64 nor an address") from None


def made(file: bytes, size: int) -> bytes:
    """A square PNG of at most `size` pixels and 1 MB: upright, cut at the longer sides, never enlarged.

    Raises `SourceUnreadable` for what is no image, or one that is too large to be opened.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about broken metadata, and sizes that are judged below
            image = _opened(file)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise SourceUnreadable(f"the picture is broken or of no known format ({type(error).__name__})") from None
    width = min(size, *image.size)
    while True:
        content = _png(ImageOps.fit(image, (width, width), Image.Resampling.LANCZOS))
        if len(content) <= MOST_BYTES or width <= _SMALLEST:
            return content
        width = width * 3 // 4


def _opened(file: bytes) -> Image.Image:
    # Opening reads the head alone; what it claims is judged before a pixel is decoded.
    image = Image.open(io.BytesIO(file), formats=_FORMATS)
    width, height = image.size
    if width * height > _MOST_PIXELS:
        raise SourceUnreadable(f"the picture has {width:,} x {height:,} pixels, more than are opened")
    image.load()
    upright = ImageOps.exif_transpose(image)
    return upright.convert("RGBA" if upright.has_transparency_data else "RGB")


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    # Without the source's metadata: where a photo was taken is nobody's business.
    Image.frombytes(image.mode, image.size, image.tobytes()).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
