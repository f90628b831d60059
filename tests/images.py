"""Small image files for tests."""

from __future__ import annotations

import io

from PIL import Image

__all__ = ["png"]


def png(colour: str, width: int = 96) -> bytes:
    """A square of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, width), colour).save(buffer, "PNG")
    return buffer.getvalue()
