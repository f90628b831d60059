"""A data team's day in Prefect's pages: start a sync from its form, read what it left, retry what failed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from sandbox.bitbucket import Fault
from sandbox.okta import SSWS_TOKEN
from tests import browser
from tests.e2e.stage import Stage
from tests.flow.server import PrefectServer
from tests.flow.test_deployed import deployed, office, runs_of, shell, worker
from tests.flow.test_secrets import registered

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.flow.pages import Visitor

__all__ = ["deployed", "office", "registered", "shell", "worker"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Where Chromium is missing the tests are skipped; `USERSYNC_REQUIRE=chromium` makes that a failure."""
    reason = browser.missing()
    if reason is not None:
        if "chromium" in os.environ.get("USERSYNC_REQUIRE", "").split(","):
            pytest.fail(reason)
        pytest.skip(reason)
    with browser.chromium() as running:
        yield running


@pytest.fixture
def visitor(chromium: Browser, server: PrefectServer, worker: None) -> Iterator[Visitor]:
    from tests.flow.pages import Visitor

    person = Visitor(chromium, server)
    yield person
    person.leave()


def assert_settled(stage: Stage) -> None:
    """In a thread of its own: Playwright keeps an event loop running in this one, and a stage starts its own."""
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(stage.assert_settled).result()


def start_from_form(visitor: Visitor, stage: Stage) -> str:
    visitor.open_form("sync", "okta")
    visitor.write("sync_file", str(stage.sync_file))
    return visitor.submit()


def test_a_sync_is_started_from_its_form_and_its_artifacts_are_read(
    server: PrefectServer, office: Stage, visitor: Visitor
) -> None:
    joiners = office.company.hire(3)
    visitor.open_form("sync", "okta")
    visitor.photograph("start-a-sync")
    visitor.write("sync_file", str(office.sync_file))
    flow_run_id = visitor.submit()
    visitor.see_state("Completed")
    assert server.flow_run(flow_run_id)["state_name"] == "Completed"

    page = visitor.page
    visitor.open_artifact(flow_run_id, "staff-summary")
    page.get_by_text("Completed").or_(page.get_by_text("succeeded")).first.wait_for()
    page.get_by_role("cell", name="create account").first.wait_for()
    visitor.photograph("summary")
    page.get_by_text(f"{office.folder}/results/").first.wait_for()
    assert page.get_by_role("link", name="results").count() == 0, "a browser opens no file from a page"
    trend = page.get_by_role("img", name=re.compile("runs"))
    trend.scroll_into_view_if_needed()
    assert trend.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    visitor.open_artifact(flow_run_id, "staff-changes")
    for joiner in joiners:
        page.get_by_text(joiner.username.partition("@")[0]).first.wait_for()
    visitor.photograph("changes")


def test_a_failed_run_is_retried_by_its_button_and_repeats_nothing(
    server: PrefectServer, office: Stage, visitor: Visitor
) -> None:
    office.company.hire(40)
    office.mark()
    office.bitbucket.faults.add(Fault(kind="status", status=401, method="WRITE", skip=25, times=None))
    flow_run_id = start_from_form(visitor, office)
    visitor.see_state("Applied in part")
    assert len(office.effects) >= 25
    office.bitbucket.faults.clear()
    visitor.retry()
    visitor.see_state("Completed")
    stored = server.flow_run(flow_run_id)
    assert (stored["state_name"], stored["run_count"]) == ("Completed", 2)
    assert office.repeated() == []
    (first, plan_id), (second, same_plan_id) = runs_of(office, flow_run_id)
    assert (first, second, same_plan_id) == ("partial", "succeeded", plan_id)
    assert_settled(office)


def test_a_token_is_kept_in_a_block_by_its_form_and_a_sync_reads_it(
    server: PrefectServer, office: Stage, visitor: Visitor, registered: None
) -> None:
    visitor.make_block("usersync-okta", "by-hand", Token=SSWS_TOKEN)
    assert SSWS_TOKEN not in visitor.page.content()
    office.write_sync_file(source={"token": "block:usersync-okta/by-hand/token"})
    try:
        flow_run_id = start_from_form(visitor, office)
        server.wait_for_state(flow_run_id, "Completed", "Nothing to do")
    finally:
        office.write_sync_file()


def test_a_wrong_name_ends_with_words_for_the_person_who_wrote_it(server: PrefectServer, visitor: Visitor) -> None:
    visitor.open_form("sync", "okta")
    visitor.write("sync_file", "otka")
    flow_run_id = visitor.submit()
    visitor.see_state("Refused")
    message = server.flow_run(flow_run_id)["state"]["message"]
    assert "otka" in message
    assert "name a file under syncs/" in message
    assert "Traceback" not in message


@pytest.fixture
def held(office: Stage) -> Iterator[Stage]:
    """A sync that asks, and whose next plan is held."""
    office.write_sync_file(approval={"on_hold": "ask", "ask_for_hours": 1})
    office.company.lose(0.15)
    office.company.hire(2)
    office.mark()
    yield office
    office.write_sync_file()


def test_a_held_plan_is_read_and_approved_on_the_form_of_its_run(
    server: PrefectServer, held: Stage, visitor: Visitor
) -> None:
    flow_run_id = start_from_form(visitor, held)
    visitor.see_state("Suspended")
    ((_, plan_id),) = runs_of(held, flow_run_id)
    form = visitor.open_question()
    form.get_by_text(f"May plan {str(plan_id)[:8]} be applied?").wait_for()
    form.get_by_text(re.compile("deactivations, at most .* allowed")).wait_for()
    visitor.photograph("question")

    visitor.try_to_resume()
    visitor.page.get_by_text("'decision' is a required property").first.wait_for()
    assert server.flow_run(flow_run_id)["state_name"] == "Suspended"
    assert held.writes == []

    visitor.answer("approve", "Ada Lovelace")
    visitor.photograph("answer")
    visitor.resume()
    visitor.see_state("Completed")
    with held.ledger() as ledger:
        stored = ledger.plans.get(str(plan_id))
    assert (stored.state, stored.approved_by) == ("applied", "Ada Lovelace")
    assert_settled(held)


def test_a_held_plan_is_rejected_on_the_form_of_its_run(server: PrefectServer, held: Stage, visitor: Visitor) -> None:
    flow_run_id = start_from_form(visitor, held)
    visitor.see_state("Suspended")
    visitor.open_question()
    visitor.answer("reject", "Grace Hopper")
    visitor.resume()
    visitor.see_state("Rejected")
    assert "rejected by Grace Hopper" in server.flow_run(flow_run_id)["state"]["message"]
    assert held.writes == []
