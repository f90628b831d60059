"""What holds for every way of mapping attributes and filtering people, on random small worlds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from directory.snapshot import Completeness
from reconcile.accounts import CLEARING
from reconcile.filters import Filter
from reconcile.plan import REMOVING
from reconcile.policy import Policy
from reconcile.select import select
from tests.builders import plan_of
from tests.model_target import Ledger, Model, carry_out
from tests.unit.reconcile.worlds import World, worlds

COLUMNS = st.sampled_from(["username", "email", "display_name", "external_id"])
CONDITIONS = st.sampled_from(
    ["email LIKE 'a%'", "display_name IS NULL", "array_contains(groups, 'dev')", "username = 'ann'", "true", "false"]
)
GROUPS = st.sampled_from(["dev", "o*", "/^all$/", "nowhere"])
TABLES = st.fixed_dictionaries(
    {"column": COLUMNS, "table": st.just({"ann": "dora", "bob": "cem", "Ann": "Dr Ann", "ann@x": "ann@y"})}
)
WAYS = st.one_of(
    st.fixed_dictionaries({"strip_domain": COLUMNS}),
    st.fixed_dictionaries({"first_of": st.lists(COLUMNS, min_size=1, max_size=2)}),
    st.fixed_dictionaries({"combine": st.sampled_from(["{username}.{external_id}", "{display_name} ({email})"])}),
    st.fixed_dictionaries({"lookup": TABLES}),
    st.fixed_dictionaries(
        {"match": st.fixed_dictionaries({"column": COLUMNS, "pattern": st.just("^(.)(.*)$"), "to": st.just("$2$1")})}
    ),
    st.fixed_dictionaries({"sql": st.sampled_from(["lower(username)", "NULL", "' '", "upper(display_name)"])}),
)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    return {**draw(WAYS)} | ({"when": draw(CONDITIONS)} if draw(st.booleans()) else {})


@st.composite
def sections(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "rules": draw(st.lists(rules(), max_size=3)),
        "otherwise": draw(st.sampled_from(["untransformed", "ignore", "clear", "drop"])),
    } | ({"column": draw(COLUMNS)} if draw(st.booleans()) else {})


@st.composite
def filters(draw: st.DrawFn) -> dict[str, Any]:
    asked = draw(st.sampled_from(["when", "groups", "both"]))
    found: dict[str, Any] = {}
    if asked != "groups":
        found["when"] = draw(CONDITIONS)
    if asked != "when":
        found["groups"] = draw(st.lists(GROUPS, min_size=1, max_size=2))
    return found


@st.composite
def mapped_worlds(draw: st.DrawFn) -> World:
    world = draw(worlds())
    policy = world.policy.model_dump(exclude={"attributes"})
    policy["people"] |= {
        "include": draw(st.none() | CONDITIONS | st.lists(filters(), min_size=1, max_size=3)),
        "exclude": draw(st.none() | filters()),
        "create": draw(st.sampled_from([True, True, False])),
    }
    policy["attributes"] = {
        name: draw(sections()) for name in ("username", "email", "display_name") if draw(st.booleans())
    } | {"extra": {"groups": "groups", "mail": {"column": "email", **draw(sections())}}}
    return replace(world, policy=Policy.model_validate(policy))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(mapped_worlds())
def test_whatever_the_rules_are_the_plan_after_a_full_apply_is_empty(world: World) -> None:
    model, ledger = Model.of(world.target), Ledger.of(world.present)
    carry_out(plan_of(world.source, world.target, world.present, world.policy), model, ledger)
    following = plan_of(world.source, model.snapshot(), ledger.present(), world.policy)
    assert following.empty, following.operations


@settings(max_examples=settings().max_examples // 2, suppress_health_check=[HealthCheck.too_slow])
@given(mapped_worlds())
def test_an_incomplete_read_neither_removes_nor_clears(world: World) -> None:
    source = replace(world.source, completeness=Completeness(("page 3 never came",)))
    complete = plan_of(world.source, world.target, world.present, world.policy)
    partial = plan_of(source, world.target, world.present, world.policy)
    assert not set(partial.operations["kind"]) & REMOVING
    assert CLEARING not in partial.operations["reason"]
    cleared = complete.operations.filter(pl.col("reason") == CLEARING).height
    assert partial.header.withheld.get("update", 0) == cleared
    assert {kind for kind in partial.header.withheld if kind != "update"} == set(complete.header.counts) & REMOVING


@settings(max_examples=settings().max_examples // 2, suppress_health_check=[HealthCheck.too_slow])
@given(mapped_worlds(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_value_and_no_reason(world: World, random: Any) -> None:
    def mixed(frame: pl.DataFrame) -> pl.DataFrame:
        order = list(range(frame.height))
        random.shuffle(order)
        return frame[order]

    source = replace(
        world.source,
        people=mixed(world.source.people),
        groups=mixed(world.source.groups),
        memberships=mixed(world.source.memberships),
    )
    one = plan_of(world.source, world.target, world.present, world.policy)
    other = plan_of(source, world.target, world.present, world.policy)
    assert one.id == other.id
    assert one.verdicts.drop("grants").equals(other.verdicts.drop("grants"))


@settings(max_examples=settings().max_examples // 4, suppress_health_check=[HealthCheck.too_slow])
@given(mapped_worlds(), st.lists(filters(), min_size=1, max_size=3))
def test_filters_are_or_and_what_stands_in_one_is_and(world: World, asked: list[dict[str, Any]]) -> None:
    """A list admits whom any of its filters admits alone; a filter of two parts whom both parts admit alone."""

    def admitted(given: Any) -> set[str]:
        people = {**world.policy.people.model_dump(), "include": given, "exclude": None}
        policy = Policy.model_validate({**world.policy.model_dump(), "people": people})
        reasons = select(world.source, policy).people
        return set(reasons.filter(pl.col("reason") != "not met: people.include")["external_id"])

    assert admitted(asked) == set().union(*(admitted(one) for one in asked))
    for one in asked:
        parts = [{key: value} for key, value in one.items()]
        assert admitted(one) == set.intersection(*(admitted(part) for part in parts))
        assert Filter.model_validate(one).label


@settings(max_examples=settings().max_examples // 4, suppress_health_check=[HealthCheck.too_slow])
@given(mapped_worlds())
def test_a_policy_survives_the_way_through_json(world: World) -> None:
    assert Policy.model_validate_json(world.policy.model_dump_json()) == world.policy
