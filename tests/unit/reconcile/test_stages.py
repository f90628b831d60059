"""When the stages of leavers are due, what starts and stops their clock, and what a plan tells of what comes."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from reconcile.plan import Plan
from reconcile.policy import Leavers
from tests.builders import NOW, account, done, held_for, link, outcome, person, plan_of, policy, present, source, target

ENTRY = {"stash-users": "LICENSED_USER"}
STAGES: list[dict[str, Any]] = [
    {"after_days": 0, "do": "remove_access"},
    {"after_days": 30, "do": "strip_groups"},
    {"after_days": 90, "do": "delete"},
]
THERE = target(["ann"], {"stash-users": ["ann"], "local": ["ann"], "kept-a": ["ann"]}, permissions=ENTRY)


def left(days: float) -> datetime:
    return NOW - timedelta(days=days)


def planned(left_at: datetime | None, *, now: datetime = NOW, **leavers: Any) -> Plan:
    rules = policy(leavers={"stages": STAGES, **leavers})
    return plan_of(source(), THERE, present([link("ann", left_at=left_at)], now=now), rules)


def coming(plan: Plan) -> tuple[str | None, date | None]:
    return plan.verdicts.filter(pl.col("external_id") == "ann").select("next_stage", "next_stage_on").row(0)


def test_the_first_run_starts_the_clock_and_does_what_is_due_at_once():
    plan = planned(None)
    assert done(plan) == [("leave", "ann", None), ("remove_access", "ann", None)]
    assert outcome(plan, "ann") == ("access_removed", "not in the source any more")
    assert coming(plan) == ("strip_groups", NOW.date() + timedelta(days=30))


@pytest.mark.parametrize(
    ("days", "kinds", "next_stage"),
    [
        (0, ["remove_access"], "strip_groups"),
        (29, ["remove_access"], "strip_groups"),
        (30, ["remove_access", "strip_groups"], "delete"),
        (89, ["remove_access", "strip_groups"], "delete"),
        (90, ["delete"], None),
        (900, ["delete"], None),
    ],
)
def test_what_is_due_is_everything_whose_day_has_come(days: int, kinds: list[str], next_stage: str | None):
    plan = planned(left(days))
    assert plan.operations["kind"].to_list() == kinds
    assert coming(plan)[0] == next_stage


def test_days_are_those_of_the_calendar_so_that_a_run_some_seconds_early_does_not_lose_one():
    evening, morning = datetime(2026, 3, 1, 23, 59, tzinfo=UTC), datetime(2026, 3, 31, 0, 1, tzinfo=UTC)
    assert "strip_groups" in planned(evening, now=morning).header.counts
    assert "strip_groups" not in planned(evening, now=morning - timedelta(minutes=2)).header.counts


def test_a_day_more_makes_no_other_plan_as_long_as_nothing_is_due():
    assert planned(left(3)).id == planned(left(4)).id


def test_a_leaver_who_waits_is_told_of_though_nothing_is_done():
    there = target(["ann"], {"local": ["ann"]})
    remembered = present([link("ann", state="access_removed", left_at=left(10))])
    plan = plan_of(source(), there, remembered, policy(leavers={"stages": STAGES}))
    assert plan.empty
    assert outcome(plan, "ann") == ("leaving", "not in the source any more")
    assert coming(plan) == ("strip_groups", left(10).date() + timedelta(days=30))
    assert plan.header.outcomes == {"leaving": 1}


def test_before_the_first_stage_nothing_is_taken():
    plan = planned(None, stages=[{"after_days": 14, "do": "remove_access"}])
    assert done(plan) == [("leave", "ann", None)]
    assert outcome(plan, "ann") == ("leaving", "not in the source any more")


def test_groups_that_are_kept_are_not_stripped():
    plan = planned(left(30), keep_groups=["KEPT-*"])
    stripped = plan.operations.filter(pl.col("kind") == "strip_groups")
    assert json.loads(stripped["before"][0]) == {"groups": ["local"]}


def test_an_account_that_cannot_be_deleted_is_left_without_access():
    there = target([account("ann", deletable=False)], {"stash-users": ["ann"]}, permissions=ENTRY)
    rules = policy(leavers={"stages": [{"after_days": 5, "do": "erase"}]})
    plan = plan_of(source(), there, present([link("ann", left_at=left(5))]), rules)
    assert done(plan) == [("remove_access", "ann", None)]


@pytest.mark.parametrize("protect", [["ann"], ["a*"]])
def test_a_protected_account_is_not_noted(protect: list[str]):
    rules = policy(leavers={"stages": STAGES}, people={"protect": protect})
    assert plan_of(source(), THERE, present(["ann"]), rules).empty


def test_a_read_that_missed_something_neither_starts_a_clock_nor_does_what_is_due():
    wanted = source(findings=["page 3 never came"])
    rules = policy(leavers={"stages": STAGES})
    assert plan_of(wanted, THERE, present(["ann"]), rules).header.withheld == {"leave": 1, "remove_access": 1}
    late = plan_of(wanted, THERE, present([link("ann", left_at=left(100))]), rules)
    assert (late.header.withheld, late.empty) == ({"delete": 1}, True)
    assert outcome(late, "ann")[0] == "held"


def test_whoever_comes_back_before_anything_was_taken_only_stops_the_clock():
    plan = plan_of(source(["ann"]), target(["ann"]), present([link("ann", left_at=left(3))]))
    assert done(plan) == [("restore_access", "ann", None)]


def test_without_stages_there_is_no_clock():
    assert done(plan_of(source(), target(["ann"]), present(["ann"]))) == []


@pytest.mark.parametrize(
    ("leavers", "said"),
    [
        ({"method": "delete", "stages": STAGES}, "take the place of method"),
        ({"strip_groups": True, "stages": STAGES}, "take the place of method"),
        ({"keep_groups": ["x"]}, "not asked for"),
        ({"stages": [STAGES[0], STAGES[0]]}, "stands twice"),
        ({"stages": [STAGES[1], STAGES[0]]}, "in the order of their after_days"),
        ({"stages": [{"after_days": 1, "do": "delete"}, STAGES[1]]}, "only erase can follow"),
        ({"stages": [{"after_days": 1, "do": "erase"}, {"after_days": 2, "do": "delete"}]}, "only erase can follow"),
        ({"stages": [{"after_days": -1, "do": "delete"}]}, "greater than or equal to 0"),
        ({"stages": [{"after_days": 1, "do": "keep"}]}, "Input should be"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_stages_that_cannot_be_meant_are_refused_when_they_are_read(leavers: dict[str, Any], said: str):
    with pytest.raises(ValidationError, match=said):
        Leavers.model_validate(leavers)


def test_an_erasure_is_held_unless_the_guard_is_told_otherwise():
    rules = {"leavers": {"method": "erase"}, "guard": {"deletions": {}, "administrators_touched": {}}}
    plan = plan_of(source(), target(["ann"]), present(["ann"]), policy(**rules))
    assert done(plan) == [("delete", "ann", None), ("erase", "ann", None)]
    assert held_for(plan) == ["erasures"]
    assert outcome(plan, "ann") == ("erased", "not in the source any more")


def test_too_many_anonymisations_are_held():
    people = ["ann", "bob"]
    rules = policy(leavers={"method": "anonymise"}, guard={"anonymisations": {"count": 1}})
    assert held_for(plan_of(source(), target(people), present(people), rules)) == ["anonymisations"]


def test_traces_are_not_erased_while_somebody_else_has_the_name():
    """Whoever has it may even have the number of the deleted account, and is no leaver."""
    remembered = present([link("ann", state="deleted", left_at=left(99))])
    rules = policy(leavers={"stages": [{"after_days": 1, "do": "erase"}]})
    assert plan_of(source(), target(["ann"], {"dev": ["ann"]}), remembered, rules).empty
    assert done(plan_of(source(), target(), remembered, rules)) == [("erase", "ann", None)]
    assert plan_of(source(), target(), remembered).empty


def test_a_returner_whose_name_somebody_has_by_now_is_a_conflict_with_access():
    pseudonym = account("user-1", "user-1@user.invalid", "user-1", account_id="1")
    there = target([pseudonym, "ann"], {"local": []})
    remembered = present(
        [link("ann", "user-1", account_id="1", state="anonymised")],
        [("ann", "group", "local"), ("ann", "username", "ann")],
    )
    plan = plan_of(source(["ann"], {"dev": ["ann"]}), there, remembered)
    assert [kind for kind, *_ in done(plan)] == ["create_group", "update", "restore_access", "add_membership"]
    assert outcome(plan, "ann")[0] == "conflict"
    assert "the username ann is taken" in outcome(plan, "ann")[1]


def test_names_that_the_source_does_not_say_come_back_from_memory():
    there = target([account("user-1", "user-1@user.invalid", "user-1", account_id="1")])
    names = [("ann", "username", "ann"), ("ann", "email", "ann@old"), ("ann", "display_name", "Ann Old")]
    remembered = present([link("ann", "user-1", account_id="1", state="anonymised")], names)
    plan = plan_of(source([person("ann", None, None, None)]), there, remembered)
    assert [kind for kind, *_ in done(plan)] == ["rename", "update", "restore_access"]
    assert json.loads(plan.operations["after"][0]) == {"username": "ann"}
    assert json.loads(plan.operations["after"][1]) == {"display_name": "Ann Old", "email": "ann@old"}
