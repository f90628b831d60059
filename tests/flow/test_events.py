"""What a run tells Prefect, read back from its server: events, and the picture in the summary."""

from __future__ import annotations

import base64
import re
from typing import Any
from xml.etree import ElementTree as ET

from tests.e2e.stage import PASSWORD, Stage
from tests.flow.server import FlowHost, PrefectServer, wait_for


def events_of(server: PrefectServer, flow_run_id: str, *last: str) -> list[dict[str, Any]]:
    """Our events of a flow run, oldest first, once those of the names `last` are among them."""

    def arrived() -> list[dict[str, Any]] | None:
        wanted = {
            "event": {"prefix": ["usersync."]},
            "any_resource": {"id": [f"prefect.flow-run.{flow_run_id}"]},
            "order": "ASC",
        }
        found: list[dict[str, Any]] = server.post("/events/filter", filter=wanted, limit=50)["events"]
        return found if set(last) <= {event["event"] for event in found} else None

    return wait_for(arrived, f"the events {last}")


def test_a_held_plan_is_told_with_its_reasons_and_what_to_do(
    server: PrefectServer, host: FlowHost, stage: Stage
) -> None:
    assert stage.sync().ending.exit_code == 0
    stage.company.lose(0.15)
    held = host.sync(stage)
    (event,) = events_of(server, held.id, "usersync.plan.held")
    assert event["resource"]["prefect.resource.id"] == "usersync.sync.staff"
    payload = event["payload"]
    assert payload["findings"]
    assert f"usersync apply {payload['plan'][:8]} --approved-by NAME" in payload["next_step"]
    assert PASSWORD not in str(event)


def test_a_run_that_succeeds_is_told_and_so_is_who_lost_access_and_which_secret_ends(
    server: PrefectServer, host: FlowHost, stage: Stage
) -> None:
    assert stage.sync().ending.exit_code == 0
    gone = stage.company.leave(stage.active(1)[0].id).username.partition("@")[0].lower()
    stage.write_sync_file(secrets={"source_expires": "2020-02-29"})
    done = host.sync(stage)
    assert done.name == "Completed"
    told = events_of(server, done.id, "usersync.run.succeeded", "usersync.secret.expiring")
    by_name = {event["event"]: event for event in told}
    assert by_name["usersync.run.succeeded"]["payload"]["status"] == "succeeded"
    assert by_name["usersync.secret.expiring"]["payload"]["message"] == "the source's secret expired on 2020-02-29"
    alone = by_name["usersync.person.deactivated"]
    assert alone["payload"]["username"] == gone
    related = {one["prefect.resource.role"]: one["prefect.resource.id"] for one in alone["related"]}
    assert related["sync"] == "usersync.sync.staff"
    assert related["flow-run"] == f"prefect.flow-run.{done.id}"
    assert by_name["usersync.people.deactivated"]["payload"]["usernames"] == [gone]


def test_a_refused_run_is_told_as_one_that_failed(server: PrefectServer, host: FlowHost, stage: Stage) -> None:
    stage.write_sync_file(guard={"deactivation": {"count": 1}})
    refused = host.sync(stage)
    (event,) = events_of(server, refused.id, "usersync.run.failed")
    assert event["resource"]["prefect.resource.id"] == "usersync.sync.staff"
    assert event["payload"]["status"] == "refused"
    assert "deactivations" in event["payload"]["message"]


def test_the_summary_ends_with_a_picture_of_the_last_runs(server: PrefectServer, host: FlowHost, stage: Stage) -> None:
    host.sync(stage)
    again = host.sync(stage)
    summary = server.artifacts(again.id)["staff-summary"]["data"]
    found = re.search(r"!\[(The last 2 runs, [^\]]+)\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", summary)
    assert found is not None
    assert "2 ended well" in found[1]
    tree = ET.fromstring(base64.b64decode(found[2]))
    drawn = {path.attrib.get("class") for path in tree.iter("{http://www.w3.org/2000/svg}path")}
    assert {"given", "well"} <= drawn
    assert len(summary) < 10_000
