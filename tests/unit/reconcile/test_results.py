"""What became of everybody: statuses from the journal, and the document of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import jsonschema
import polars as pl
import pytest

from reconcile.plan import Plan
from reconcile.results import (
    JOURNAL,
    PEOPLE_RESULTS,
    RunDocument,
    RunHeader,
    document,
    group_results,
    operation_counts,
    people_results,
    schema,
)
from tests.builders import account, link, person, plan_of, policy, present, source, target

AT = datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)


def eventful() -> Plan:
    """Somebody of every kind: joiner, mover, leaver, renamed, in conflict, filtered, unchanged."""
    wanted = source(
        ["joe", "mia", person("1", "lee"), person("bad", "a/b"), person("off", active=False), "same"],
        {"dev": ["joe", "mia"]},
        nested={"all": ["dev"]},
    )
    there = target(["mia", "old", "same", account("lea", permission="LICENSED_USER")], {"dev": [], "ops": ["mia"]})
    remembered = present(["mia", "same", "lea", link("1", "old")], managed_groups=["ops"])
    return plan_of(wanted, there, remembered, policy())


def journal(*rows: tuple[int, str, str | None]) -> pl.DataFrame:
    entries = [(seq, status, error, None if status == "sent" else AT) for seq, status, error in rows]
    return pl.DataFrame(entries, schema=JOURNAL, orient="row")


def seqs(plan: Plan, external_id: str) -> list[int]:
    return plan.operations.filter(external_id=external_id)["seq"].to_list()


def everything_done(plan: Plan) -> list[tuple[int, str, str | None]]:
    return [(seq, "done", None) for seq in plan.operations["seq"]]


def records(plan: Plan, entries: pl.DataFrame, unsent: Literal["planned", "held", "not_sent"] = "not_sent") -> Any:
    people = people_results(plan, entries, unsent=unsent)
    assert dict(people.schema) == PEOPLE_RESULTS
    return {row["external_id"]: row for row in people.iter_rows(named=True)}


def statuses(record: dict[str, Any]) -> list[str]:
    return [operation["status"] for operation in record["operations"]]


def test_when_all_is_done_everybody_is_what_the_plan_made_of_them():
    plan = eventful()
    found = records(plan, journal(*everything_done(plan)))
    assert {key: row["outcome"] for key, row in found.items()} == {
        "joe": "created",
        "mia": "updated",
        "1": "renamed",
        "bad": "conflict",
        "off": "filtered",
        "same": "unchanged",
        "lea": "access_removed",
    }
    assert set(statuses(found["joe"])) == {"done"}
    assert found["joe"]["operations"][0]["at"] == "2026-01-02T03:04:05.678900Z"
    assert found["same"]["operations"] == []
    assert operation_counts(plan, journal(*everything_done(plan))) == {"done": plan.operations.height}


def test_everybody_has_the_groups_they_should_have_and_the_path():
    found = records(eventful(), journal())
    assert found["mia"]["groups"] == [{"group": "all", "path": "all > dev"}, {"group": "dev", "path": "dev"}]
    assert found["same"]["groups"] == found["lea"]["groups"] == found["off"]["groups"] == []


@pytest.mark.parametrize(("status", "seen"), [("failed", "failed"), ("skipped", "skipped"), ("sent", "unknown")])
def test_one_operation_that_did_not_succeed_makes_the_person_failed(status: str, seen: str):
    plan = eventful()
    bad = seqs(plan, "mia")[-1]
    rows = [row for row in everything_done(plan) if row[0] != bad]
    found = records(plan, journal(*rows, (bad, status, "403 licence limit")))
    assert found["mia"]["outcome"] == "failed"
    assert statuses(found["mia"])[-1] == seen
    assert found["mia"]["operations"][-1]["error"] == "403 licence limit"
    assert found["joe"]["outcome"] == "created"


def test_what_was_never_sent_is_failed_in_a_run_that_should_have_sent_it():
    found = records(eventful(), journal(), unsent="not_sent")
    assert {found[key]["outcome"] for key in ("joe", "mia", "1", "lea")} == {"failed"}
    assert set(statuses(found["joe"])) == {"not_sent"}
    assert found["same"]["outcome"] == "unchanged"


def test_a_dry_run_leaves_the_outcomes_as_planned():
    found = records(eventful(), journal(), unsent="planned")
    assert found["joe"]["outcome"] == "created"
    assert set(statuses(found["joe"])) == {"planned"}


def test_a_held_plan_holds_everybody_with_an_operation():
    found = records(eventful(), journal(), unsent="held")
    assert {found[key]["outcome"] for key in ("joe", "mia", "1", "lea")} == {"held"}
    assert found["bad"]["outcome"] == "conflict"
    assert found["off"]["outcome"] == "filtered"


def test_operations_on_groups_belong_to_nobody():
    plan = eventful()
    (group,) = group_results(plan.operations, plan.origins, journal((0, "done", None)), unsent="not_sent")
    assert (group.kind, group.group, group.status, group.at) == ("create_group", "all", "done", AT)


def test_pending_operations_are_counted():
    plan = eventful()
    counts = operation_counts(plan, journal((0, "done", None), (1, "failed", "x")))
    assert counts == {"done": 1, "failed": 1, "pending": plan.operations.height - 2}
    assert operation_counts(plan_of(source(), target()), journal()) == {}


def test_a_document_of_many_is_made_of_a_part_at_a_time():
    plan = eventful()
    people = people_results(plan, journal(), unsent="planned")
    taken: list[int] = []

    def parts() -> Iterator[pl.DataFrame]:
        for part in people.iter_slices(2):
            taken.append(part.height)
            yield part

    pieces = document(header(plan), parts)
    next(pieces)
    assert taken == []
    next(pieces)
    assert sum(taken) < people.height
    whole = b"".join(document(header(plan), lambda: [people]))
    assert json.loads(b"".join(document(header(plan), parts))) == json.loads(whole)


def header(plan: Plan) -> RunHeader:
    return RunHeader(
        id="r1", sync="test", mode="sync", status="applied", exit_code=0, plan_id=plan.id, source="s", target="t",
        started_at=AT, ended_at=AT, guard="clear", findings=list(plan.header.held), counts=plan.header.counts,
        groups=group_results(plan.operations, plan.origins, journal(), unsent="planned"),
    )  # fmt: skip


@pytest.mark.parametrize(
    "plan",
    [
        eventful(),
        plan_of(source(), target()),
        plan_of(source(["ann"]), target(["ann"]), present(["ann"])),
        plan_of(source(["ann"], findings=["page lost"]), target(), rules=policy(people={"required_groups": ["x"]})),
    ],
    ids=["eventful", "nobody", "nothing to do", "held"],
)
def test_the_document_of_a_run_is_valid_by_its_own_schema(plan: Plan):
    people = people_results(plan, journal((0, "sent", None)), unsent="not_sent")
    text = b"".join(document(header(plan), lambda: [people]))
    content = json.loads(text)
    jsonschema.Draft202012Validator(schema(), format_checker=jsonschema.FormatChecker()).validate(content)
    RunDocument.model_validate_json(text)
    assert len(content["people"]) == plan.verdicts.height
    assert {row["external_id"] for row in content["people"]} == set(plan.verdicts["external_id"])


def test_a_document_has_one_person_a_line_those_with_operations_first():
    plan = eventful()
    people = people_results(plan, journal(), unsent="planned")
    lines = b"".join(document(header(plan), lambda: [people])).splitlines()
    assert len(lines) == 1 + plan.verdicts.height + 1
    touched = [bool(json.loads(line.rstrip(b","))["operations"]) for line in lines[1:-1]]
    assert touched == sorted(touched, reverse=True)
    rename = next(row for row in json.loads(b"".join(lines))["people"] if row["external_id"] == "1")["operations"][0]
    assert rename["before"] == {"username": "old"}
    assert rename["after"] == {"username": "lee"}


def test_the_document_carries_further_attributes_of_everybody_as_they_are():
    extra = {"department": "department", "skills": "skills", "level": "level"}
    people = [
        person("joe", department='R"D\n{}', skills=["a", "ü"], level=3),
        person("same", department=None, skills=None, level=None),
    ]
    there = target(["same", account("gone", permission="LICENSED_USER")])
    plan = plan_of(source(people), there, present(["same", "gone"]), policy(attributes={"extra": extra}))
    text = b"".join(document(header(plan), lambda: [people_results(plan, journal(), unsent="planned")]))
    content = json.loads(text)
    jsonschema.Draft202012Validator(schema()).validate(content)
    RunDocument.model_validate_json(text)
    assert {row["external_id"]: row["attributes"] for row in content["people"]} == {
        "joe": {"department": 'R"D\n{}', "skills": ["a", "ü"], "level": 3},
        "same": {"department": None, "skills": None, "level": None},
        "gone": {},
    }


def test_the_schema_refuses_an_outcome_that_nobody_declared():
    plan = eventful()
    people = people_results(plan, journal(), unsent="planned").with_columns(pl.lit("vanished").alias("outcome"))
    content = json.loads(b"".join(document(header(plan), lambda: [people])))
    with pytest.raises(jsonschema.ValidationError, match="vanished"):
        jsonschema.validate(content, schema())
