"""A plan in words, for people."""

from __future__ import annotations

import polars as pl

from reconcile.explain import CHANGES, changes, headline, kind_title, markdown, why
from reconcile.plan import KINDS
from tests.builders import UNGUARDED, account, link, person, plan_of, policy, present, source, target

WANTED = source(["joe", person("1", "lee", "lee@x", "Lee"), "mia"], {"dev": ["joe", "1"]}, nested={"all": ["dev"]})
THERE = target(
    [account("ann", "ann@x", "Ann"), account("lea", permission="LICENSED_USER"), "mia"],
    {"dev": [], "ops": ["ann", "lea"], "stash-users": ["lea"]},
    permissions={"stash-users": "LICENSED_USER"},
)
PLAN = plan_of(WANTED, THERE, present([link("1", "ann"), "lea"], managed_groups=["ops"]))


def test_every_change_says_what_to_whom_and_why():
    rows, more = changes(PLAN, most=100)
    assert more == 0
    assert dict(rows.schema) == CHANGES
    assert rows.rows() == [
        ("create group", "all", "all", "the source has it, the target has not"),
        ("adopt account", "mia", "", "the account exists with the same username"),
        ("remove access", "lea", "out of ops, stash-users; grant LICENSED_USER", "not in the source any more"),
        ("rename", "ann", "ann → lee", "the source calls them so now"),
        ("create account", "joe", "Joe <joe@example.com>", "everybody of the source is synced"),
        ("update details", "lee", "display_name: Ann → Lee; email: ann@x → lee@x", "the source's attributes changed"),
        ("add to group", "joe", "all", "all > dev"),
        ("add to group", "joe", "dev", "dev"),
        ("add to group", "lee", "all", "all > dev"),
        ("add to group", "lee", "dev", "dev"),
        ("remove from group", "lee", "ops", "the source has no such group any more"),
    ]


def test_the_first_few_of_one_kind_and_how_many_more():
    rows, more = changes(PLAN, most=1, kind="add_membership")
    assert rows["who"].to_list() == ["joe"]
    assert more == 3


def test_a_grant_alone_is_said_without_groups():
    plan = plan_of(source(), target([account("ann", permission="ADMIN")]), present(["ann"]))
    assert changes(plan, most=1)[0]["detail"].item() == "grant ADMIN"


def test_every_kind_has_a_title():
    assert len({kind_title(kind) for kind in KINDS}) == len(KINDS)


def test_why_finds_a_person_by_name_or_id_and_tells_their_groups():
    for sought in ("LEE", "1"):
        (row,) = why(PLAN, sought).iter_rows(named=True)
        assert (row["external_id"], row["outcome"]) == ("1", "renamed")
        assert row["groups"] == [{"group": "all", "path": "all > dev"}, {"group": "dev", "path": "dev"}]
    assert why(PLAN, "mia")["groups"].to_list() == [None]
    assert why(PLAN, "nobody").is_empty()


def test_the_headline_says_whether_the_read_was_complete():
    assert headline(PLAN).startswith(f"Plan {PLAN.id[:8]}: source → target; 4 people, complete read")
    assert "INCOMPLETE" in headline(plan_of(source(findings=["page lost"]), target()))


def test_a_summary_holds_counts_outcomes_findings_and_what_to_do_next():
    rules = policy(guard={**UNGUARDED, "deactivations": {"count": 0}})
    wanted = source(["ann"], findings=["page lost"])
    text = markdown(plan_of(wanted, target(seats=3, seats_used=1), rules=rules), status="planned", next_step="look")
    assert "| create account | 1 |" in text
    assert "- page lost" in text
    assert "Seats: 1 now, 1 after, 3 licensed." in text
    assert text.rstrip().endswith("**Next:** look")

    held = markdown(
        plan_of(source(), target([account("ann", permission="ADMIN")]), present(["ann"]), rules),
        status="held", next_step="approve", applied={"pending": 1},
    )  # fmt: skip
    assert "- 1 deactivations, at most 0 allowed (limit 0)" in held
    assert "| pending | 1 |" in held
    assert "Nothing to do" in markdown(plan_of(source(), target()), status="planned", next_step="nothing")


def test_verdicts_hold_everybody_of_the_source_and_every_leaver_touched():
    assert PLAN.verdicts.select("external_id").equals(pl.DataFrame({"external_id": ["1", "joe", "lea", "mia"]}))
