"""Debian's Chromium, without a window, driven by Playwright: what a person sees of a page, and clicks on it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["chromium", "missing"]

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def missing() -> str | None:
    """Why no page can be looked at here."""
    if find_spec("playwright") is None:
        return "Playwright is not installed"
    return None if _program() else "Chromium is not installed"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that is gone afterwards. Contexts of it are people who share nothing: no cookies, no storage."""
    from playwright.sync_api import sync_playwright

    # Chromium refuses its sandbox to root, as whom a container of CI runs.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_program(), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def _program() -> str | None:
    return next(filter(None, map(shutil.which, _PROGRAMS)), None)
