"""Prefect's pages as a person uses them: what is written on buttons and fields, no more.

Of the newer interface, which Prefect 3.8 shows at `/`; under `/v2` it is there in either case.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Response, expect
from playwright.sync_api import TimeoutError as WaitedInVain

from tests.flow.server import BUSY, PrefectServer

__all__ = ["Visitor"]

KNOWN_OUTSIDE = frozenset({"sr-client-cfg.amplitude.com"})
"""What these pages ask of the world, whatever the server is told about analytics. It is never answered here."""

PATIENCE_MS = 90_000
"""The first page takes more than 30 seconds of a machine that does much else."""
expect.set_options(timeout=PATIENCE_MS)
_COLOURS = 256
_PRESSES = 3


class Visitor:
    """Somebody with a browser in front of one Prefect server."""

    def __init__(self, browser: Browser, server: PrefectServer) -> None:
        self._base = server.url.removesuffix("/api")
        self._server = server
        context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
        context.set_default_timeout(PATIENCE_MS)
        self.asked_outside: set[str] = set()
        context.route(lambda url: not url.startswith(self._base), lambda route: route.abort())
        context.on("request", lambda request: self._note(request.url))
        self.page: Page = context.new_page()

    def _note(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme.startswith("http") and not url.startswith(self._base):
            self.asked_outside.add(str(parts.hostname))

    def leave(self) -> None:
        self.page.context.close()
        assert self.asked_outside <= KNOWN_OUTSIDE

    def open_form(self, flow: str, deployment: str) -> None:
        """The form that starts a run of a deployment, from the deployment's page."""
        found = self._server.get(f"/deployments/name/{flow}/{deployment}")
        self.page.goto(f"{self._base}/v2/deployments/deployment/{found['id']}")
        self.page.get_by_role("button", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Custom run").click()
        expect(self.page.get_by_label("sync_file")).to_be_visible()

    def write(self, label: str, text: str) -> None:
        field = self.page.get_by_label(label, exact=True)
        field.fill(text)
        field.blur()

    def _press(self, button: Locator, sends: str) -> Response:
        """Until it sends its request, and that is answered: these forms lose a click that comes right after a field
        was written in, and a server with SQLite says now and then that it is busy.
        """
        for _ in range(_PRESSES):
            try:
                with self.page.expect_response(lambda got: got.url.endswith(sends), timeout=PATIENCE_MS / 3) as answer:
                    button.click()
            except WaitedInVain:
                continue
            if answer.value.status != BUSY:
                return answer.value
        raise AssertionError(f"pressed {_PRESSES} times, and {sends} was not asked for or not answered")

    def submit(self) -> str:
        """Send the form; returns the id of the flow run that it started, whose page is open then.

        Not by way of the notice that leads there: it goes away by itself after a few seconds.
        """
        answer = self._press(self.page.get_by_role("button", name="Submit"), "/create_flow_run")
        assert answer.ok, answer.text()
        flow_run_id = str(answer.json()["id"])
        self.open_run(flow_run_id)
        return flow_run_id

    def open_run(self, flow_run_id: str) -> None:
        self.page.goto(f"{self._base}/v2/runs/flow-run/{flow_run_id}")
        expect(self.page.get_by_role("tab", name="Artifacts")).to_be_visible()

    def see_state(self, name: str) -> None:
        """Wait until the run's page says so by itself."""
        expect(self.page.get_by_text(name, exact=True).first).to_be_visible(timeout=2 * PATIENCE_MS)

    def open_question(self) -> Locator:
        """The form of a suspended run whose page is open: what it asks, and the fields for the answer."""
        self.choose("Resume")
        form = self.page.get_by_role("dialog")
        expect(form.get_by_label("Decision")).to_be_attached()
        return form

    def answer(self, decision: str, name: str) -> None:
        """Fill the form of a suspended run."""
        form = self.page.get_by_role("dialog")
        form.get_by_label("Decision").click()
        self.page.get_by_role("option", name=decision, exact=True).click()
        self.write("Your name", name)
        expect(form.get_by_label("Decision")).to_contain_text(decision)

    def resume(self) -> None:
        """Send the form until it is taken: what was written in last may come too late for the first time."""
        form = self.page.get_by_role("dialog")
        for _ in range(_PRESSES):
            self.try_to_resume()
            try:
                form.wait_for(state="hidden", timeout=PATIENCE_MS / 3)
            except WaitedInVain:
                continue
            return
        raise AssertionError(f"refused {_PRESSES} times")

    def try_to_resume(self) -> None:
        button = self.page.get_by_role("dialog").get_by_role("button", name="Resume", exact=True)
        self._press(button, "/resume")

    def choose(self, item: str) -> None:
        """An item of the menu of three dots."""
        self.page.locator("button:has(svg.lucide-ellipsis-vertical)").first.click()
        self.page.get_by_role("menuitem", name=item).click()

    def retry(self) -> None:
        """Retry the run whose page is open, and say yes when asked whether that is meant."""
        self.choose("Retry")
        self.page.get_by_role("alertdialog").get_by_role("button", name="Retry").click()

    def make_block(self, type_slug: str, name: str, **fields: str) -> None:
        """Fill in the form of a type of blocks, from its place in the catalog, by the labels of its fields."""
        self.page.goto(f"{self._base}/v2/blocks/catalog/{type_slug}")
        self.page.get_by_role("link", name="Create").click()
        self.page.get_by_label("Name", exact=True).fill(name)
        for label, text in fields.items():
            self.write(f"{label} (Optional)", text)
        self.photograph("block")
        save = self.page.get_by_role("button", name="Save", exact=True)
        self._press(save, "/block_documents/")
        self.page.wait_for_url("**/blocks/block/**")
        # The address changes before the page does.
        expect(save).to_have_count(0)
        expect(self.page.get_by_text(name, exact=True).first).to_be_visible()

    def open_artifact(self, flow_run_id: str, key: str) -> None:
        """By way of the run's tab of artifacts."""
        self.open_run(flow_run_id)
        self.page.get_by_role("tab", name="Artifacts").click()
        expect(self.page.get_by_text(key, exact=True).first).to_be_visible()
        self.page.goto(f"{self._base}/v2/artifacts/artifact/{self._server.artifacts(flow_run_id)[key]['id']}")
        expect(self.page.get_by_text(key, exact=True).first).to_be_visible()

    def photograph(self, name: str) -> None:
        """For the documentation, where $USERSYNC_SCREENSHOTS names a folder.

        Few colours make small files; the rare ones are kept, for they carry the meaning.
        """
        folder = os.environ.get("USERSYNC_SCREENSHOTS")
        if folder is None:
            return
        picture = Image.open(io.BytesIO(self.page.screenshot(animations="disabled")))
        Path(folder).mkdir(parents=True, exist_ok=True)
        few = picture.convert("RGB").quantize(_COLOURS, Image.Quantize.MAXCOVERAGE)
        few.save(Path(folder) / f"{name}.png", optimize=True)
