"""The pages as people use them: in Chromium, in both themes, with the keyboard, of a run of 10,000 people."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from PIL import Image

from tests.browser import chromium, missing
from tests.e2e.served_office import ServedOffice, prepared_office, row, served_office

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PEOPLE = 10_000
LEAVERS = 2_000
MOST_TABS = 20
PATIENCE_MS = 20_000
Theme = Literal["light", "dark"]
DOCUMENTED: set[tuple[str, Theme]] = {("overview", "light"), ("run", "light")}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    reason = missing()
    if reason is not None:
        if "chromium" in os.environ.get("USERSYNC_REQUIRE", "").split(","):
            pytest.fail(reason)
        pytest.skip(reason)
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedOffice]:
    """10,000 people were synced; then so many left that the guard holds the plan."""
    folder = tmp_path_factory.mktemp("office")
    with pytest.MonkeyPatch.context() as monkeypatch, prepared_office(folder, monkeypatch) as prepared:
        prepared.write_people([row(number, groups=f"bb-{number % 7}") for number in range(PEOPLE)])
        assert prepared.run().status == "succeeded"
        prepared.write_people([row(number, groups=f"bb-{number % 7}", active=number >= 3) for number in range(PEOPLE)])
        assert prepared.run().status == "succeeded"
        prepared.write_people([row(number, groups=f"bb-{number % 7}") for number in range(LEAVERS, PEOPLE + 3)])
        assert prepared.run().status == "held"
        with served_office(prepared) as running:
            yield running


def opened(browser: Browser, office: ServedOffice, theme: Theme, **more: Any) -> Page:
    context = browser.new_context(color_scheme=theme, viewport={"width": 1280, "height": 900}, **more)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    troubles: list[str] = []
    # A rule of the Content-Security-Policy that a page of ours breaks is told on the console.
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith(office.address) else troubles.append(asked.url))
    page.troubles = troubles  # type: ignore[attr-defined]
    return page


def signed_in(browser: Browser, office: ServedOffice, theme: Theme, *scopes: Any, **more: Any) -> Page:
    page = opened(browser, office, theme, **more)
    page.goto(f"{office.address}/")
    assert page.url.endswith("/login")
    page.get_by_label("Token").fill(office.token(*scopes))
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Directories and their syncs").wait_for()
    return page


def photograph(page: Page, name: str, theme: Theme) -> None:
    """For the documentation, where $USERSYNC_SCREENSHOTS names a folder; for who mends the pages, all of them."""
    folder = os.environ.get("USERSYNC_SCREENSHOTS")
    if folder is None or ((name, theme) not in DOCUMENTED and "USERSYNC_EVERY_SCREENSHOT" not in os.environ):
        return
    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
    few = picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)
    few.save(Path(folder) / (f"service-{name}.png" if theme == "light" else f"service-{name}-dark.png"), optimize=True)


def contrast(page: Page) -> list[str]:
    """Every text whose contrast with its ground is below 4.5 : 1, reckoned as WCAG 2.2 has it."""
    return page.evaluate(  # type: ignore[no-any-return]
        """() => {
        const part = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        const read = text => text.match(/[\\d.]+/g).map(Number);
        const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
        const ground = node => {
          for (; node; node = node.parentElement) {
            const colour = read(getComputedStyle(node).backgroundColor);
            if (colour.length < 4 || colour[3] > 0.5) return colour;
          }
          return [255, 255, 255];
        };
        const faint = [];
        for (const node of document.querySelectorAll('body *')) {
          const text = [...node.childNodes].filter(n => n.nodeType === 3).map(n => n.data.trim()).join('');
          if (!text || !node.checkVisibility()) continue;
          const style = getComputedStyle(node);
          const ink = read(node.closest('svg') ? style.fill : style.color);
          const [a, b] = [light(ink), light(ground(node))].sort((x, y) => y - x);
          if ((a + 0.05) / (b + 0.05) < 4.5) faint.push(text.slice(0, 40) + ' ' + style.color + ' ' + style.fill);
        }
        return faint;
        }"""
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_whoever_would_rather_look_finds_everything(browser: Browser, office: ServedOffice, theme: Theme) -> None:
    page = signed_in(browser, office, theme)
    assert contrast(page) == []
    photograph(page, "overview", theme)
    page.get_by_role("region", name="Runs").get_by_role("row").nth(1).get_by_role("link").first.click()
    page.get_by_role("heading", name="What became of people").wait_for()
    assert contrast(page) == []
    photograph(page, "run", theme)
    assert page.get_by_role("status").inner_text() == "1 to 50 of 10,000 people"
    page.get_by_role("link", name="Next").click()
    assert page.get_by_role("status").inner_text() == "51 to 100 of 10,000 people"
    page.get_by_label("Name, id or reason").fill("PERSON00042")
    page.keyboard.press("Enter")
    page.get_by_text("1 to 1 of 1 people").wait_for()
    page.get_by_role("link", name="person00042").click()
    page.get_by_role("heading", name="person00042").wait_for()
    assert contrast(page) == []
    photograph(page, "person", theme)
    assert page.get_by_text("bb-0").count()
    page.get_by_role("link", name="staff").click()
    page.get_by_role("heading", name="staff").wait_for()
    assert page.get_by_role("img").get_attribute("aria-label", timeout=PATIENCE_MS).startswith("The last ")  # type: ignore[union-attr]
    assert contrast(page) == []
    photograph(page, "sync", theme)
    page.get_by_role("region", name="Plans").get_by_role("link").first.click()
    page.get_by_role("heading", name="What the guard found").wait_for()
    assert contrast(page) == []
    photograph(page, "plan", theme)
    assert page.get_by_role("button", name="Apply").count() == 0, "it is held"
    page.get_by_label("A person, by username or id").fill("person00005")
    page.get_by_role("button", name="Why?").click()
    page.get_by_role("heading", name="person00005").wait_for()
    assert page.troubles == []  # type: ignore[attr-defined]
    page.context.close()


def test_on_a_narrow_screen_nothing_but_tables_is_wider_than_it(browser: Browser, office: ServedOffice) -> None:
    page = signed_in(browser, office, "light")
    page.set_viewport_size({"width": 360, "height": 740})
    for path in ("/", "/syncs/staff", "/runs/latest", "/runs/latest/people/42"):
        page.goto(office.address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
    photograph(page, "narrow", "light")
    page.context.close()


def test_a_download_holds_everybody_or_those_of_one_outcome(browser: Browser, office: ServedOffice) -> None:
    page = signed_in(browser, office, "light", "read", accept_downloads=True)
    page.get_by_role("link", name="staff", exact=True).first.click()
    page.get_by_role("region", name="Runs").get_by_role("row").last.get_by_role("link").first.click()
    assert saved(page, "Download all as JSON")["run"]["outcomes"] == {"created": PEOPLE}
    everybody = saved(page, "Download all as JSON")["people"]
    assert len(everybody) == PEOPLE
    assert page.get_by_role("button", name="Sync now").count() == 0
    page.get_by_label("Outcome").select_option("created")
    page.get_by_role("button", name="Search").click()
    assert len(saved(page, "Download created as JSON")["people"]) == PEOPLE
    page.context.close()


def saved(page: Page, link: str) -> Any:
    with page.expect_download() as download:
        page.get_by_role("link", name=link).click()
    return json.loads(download.value.path().read_bytes())


def test_with_the_keyboard_alone_one_signs_in_and_reaches_a_run(browser: Browser, office: ServedOffice) -> None:
    page = opened(browser, office, "dark")
    page.goto(f"{office.address}/")
    page.wait_for_function("document.activeElement.id === 'token'")
    page.keyboard.type(office.token())
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Directories and their syncs").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    reached = [""]
    while reached[-1] != "staff" and len(reached) < MOST_TABS:
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim()"))
    assert reached[-1] == "staff", reached
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="staff").wait_for()
    page.context.close()


def test_a_decision_is_made_and_a_person_is_synced_on_the_pages(browser: Browser, office: ServedOffice) -> None:
    page = signed_in(browser, office, "light")
    page.get_by_role("link", name="Plan").first.click()
    page.get_by_role("button", name="Decide").click()
    assert page.url.endswith("/decision") is False, "nothing is chosen, so nothing is sent"
    page.get_by_label("Reject:").check()
    page.get_by_label("Comment").fill("the export was cut <b>short</b>")
    page.get_by_role("button", name="Decide").click()
    page.get_by_role("heading", name="Decided").wait_for()
    page.get_by_role("link", name="Back to plan").click()
    assert page.get_by_text("reject, by ada").inner_text().endswith("the export was cut <b>short</b>")
    page.get_by_role("link", name="staff").click()
    page.get_by_label("Username, e-mail address or id").fill("person02001")
    page.get_by_role("button", name="Bring up to date").click()
    page.get_by_text("person of staff").wait_for()
    page.get_by_role("link", name="staff").click()
    page.get_by_label("Username, e-mail address or id").fill("nobody at all")
    page.get_by_role("button", name="Bring up to date").click()
    page.get_by_text("nobody at all").first.wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Token").wait_for()
    page.goto(f"{office.address}/")
    assert page.url.endswith("/login")
    page.context.close()
