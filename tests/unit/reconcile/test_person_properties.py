"""The plan for one person against the plan for everybody, on random small worlds."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from directory.snapshot import SourceSnapshot, TargetSnapshot
from reconcile.diff import Present
from reconcile.person import OnePerson, groups_to_confirm, only, plan_person, rivals, with_groups
from reconcile.plan import Plan
from reconcile.policy import Policy
from reconcile.select import select
from tests.builders import NAMES, plan_of
from tests.one_person import read_alone
from tests.unit.reconcile.worlds import PERSONS, World, worlds

_FREEING = ["set_aside", "rename", "delete"]
"""Operations on somebody that may free a name for somebody else."""


@settings(max_examples=settings().max_examples // 2, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(), st.sampled_from(PERSONS))
def test_the_plan_for_one_person_holds_what_the_plan_for_everybody_holds_of_them(world: World, person: str) -> None:
    whole = plan_of(world.source, world.target, world.present, world.policy)

    alone = plan_alone(world.source, world.target, world.present, world.policy, person)

    assert set(alone.verdicts["external_id"]) <= {person}
    others = pl.col("external_id").is_not_null() & (pl.col("external_id") != person)
    assert alone.operations.filter(others).is_empty()
    if _waits_for_others(whole, person):
        # A name that is free only after a change of somebody else is not given; the sync of everybody does that.
        assert _outcome(alone, person) == ["conflict"] or not _names_given(alone)
        return
    expected = whole.operations.filter(pl.col("external_id") == person)
    groups = expected.filter(pl.col("kind") == "add_membership").select("group")
    created = whole.operations.filter(pl.col("kind") == "create_group").join(groups, on="group", how="semi")
    assert alone.operations.drop("seq").equals(pl.concat([created, expected]).drop("seq"))
    assert _outcome(alone, person) == _outcome(whole, person)


@settings(max_examples=settings().max_examples // 3, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(), st.sampled_from(PERSONS))
def test_what_is_not_looked_up_makes_no_difference(world: World, person: str) -> None:
    """Of a source that reads everybody and of one that reads one person the plan is the same."""
    small = plan_alone(world.source, world.target, world.present, world.policy, person)
    selection = select(only(world.source, person), world.policy)
    everybody = select(world.source, world.policy)
    large = plan_person(
        OnePerson(person, world.source.completeness, selection, rivals(everybody, person, selection, world.target)),
        world.target,
        world.present,
        world.policy,
        NAMES,
    )
    assert small.operations.equals(large.operations)


def plan_alone(source: SourceSnapshot, target: TargetSnapshot, present: Present, policy: Policy, person: str) -> Plan:
    """As a run does it: the person with their groups, the accounts that matter, the groups that a removal rests on."""
    read = read_alone(source, person)
    selection = select(read, policy)
    seen = _looked_up(target, present, selection.people, person)
    ids = seen.accounts["account_id"]
    asked = groups_to_confirm(selection, read, seen, ids, policy, present.feeds, source.groups)
    found = source.groups.filter(pl.col("name").str.to_lowercase().is_in([name.lower() for name in asked]))
    selection = select(with_groups(read, found), policy)
    others = rivals(select(source, policy), person, selection, seen)
    return plan_person(OnePerson(person, source.completeness, selection, others), seen, present, policy, NAMES)


def _looked_up(target: TargetSnapshot, present: Present, people: pl.DataFrame, person: str) -> TargetSnapshot:
    """The accounts of the person's link, name (and what shares its address) and e-mail address."""
    link = present.links.filter(pl.col("external_id") == person)
    slots = [name.lower().replace("@", "_") for name in [*people["username"], *link["username"]] if name is not None]
    emails = people["email"].drop_nulls().str.to_lowercase()
    accounts = target.accounts.filter(
        pl.col("account_id").is_in(link["account_id"].implode()).fill_null(value=False)
        | pl.col("username").str.to_lowercase().str.replace_all("@", "_", literal=True).is_in(slots)
        | pl.col("email").str.to_lowercase().is_in(emails.implode()).fill_null(value=False)
    )
    memberships = target.memberships.join(accounts, on="account_id", how="semi")
    return replace(target, accounts=accounts, memberships=memberships)


def _waits_for_others(whole: Plan, person: str) -> bool:
    """Whether the person gets a name that somebody else gives up in the same plan, or gives theirs up to somebody."""
    moves = whole.operations.filter(pl.col("kind").is_in([*_FREEING, "create"])).select(
        "external_id",
        pl.when(pl.col("kind") != "create").then(_place(pl.col("username"))).alias("left"),
        _place(pl.col("after").str.json_path_match("$.username")).alias("taken"),
    )
    mine, theirs = moves.filter(pl.col("external_id") == person), moves.filter(pl.col("external_id") != person)
    return any(
        set(one["taken"].drop_nulls()) & set(other["left"].drop_nulls())
        for one, other in ((mine, theirs), (theirs, mine))
    )


def _place(name: pl.Expr) -> pl.Expr:
    return name.str.to_lowercase().str.replace_all("@", "_", literal=True)


def _names_given(plan: Plan) -> int:
    return plan.operations.filter(pl.col("kind").is_in(["create", "rename"])).height


def _outcome(plan: Plan, person: str) -> list[str]:
    return plan.verdicts.filter(pl.col("external_id") == person)["outcome"].to_list()
