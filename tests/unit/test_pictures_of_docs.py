"""Pictures of the documentation: each is shown on a page, with words for who cannot see it, and is quickly loaded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
PICTURES = sorted((ROOT / "docs" / "pictures").glob("*"))
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]

MOST_BYTES = 150_000
WIDTH = 1280


def shown() -> dict[Path, str]:
    """Every picture of the checkout that a page shows, and the words in its place."""
    found = {}
    for page in PAGES:
        for words, file in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if not file.startswith(("http://", "https://")):
                found[(page.parent / file).resolve()] = words
    return found


def test_every_picture_is_shown_and_every_one_that_is_shown_exists() -> None:
    assert sorted(path for path in shown() if path.parent.name == "pictures") == PICTURES


def test_every_picture_has_words_in_its_place() -> None:
    assert [path.name for path, words in shown().items() if len(words.split()) < 4] == []


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_every_picture_is_a_small_png_of_the_same_width(path: Path) -> None:
    with Image.open(path) as picture:
        assert (picture.format, picture.width) == ("PNG", WIDTH)
    assert path.stat().st_size < MOST_BYTES
