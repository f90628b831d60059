"""Leavers, returners and who does not log in, over random days and rules, judged by a clock of the test's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconcile.plan import REMOVING, Plan
from reconcile.policy import Policy
from tests.builders import NOW, person, plan_of, policy, source, target
from tests.model_target import Ledger, Model, carry_out

STAFF = ("ann", "bob", "cem")
ADMIN = "cem"
ACCESS, MANAGED, LOCAL, SPARED = "stash-users", "dev", "local", "spared"
DEEDS = ("remove_access", "strip_groups", "anonymise", "delete", "erase")
AFTER_DAYS = 20


@st.composite
def rules(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """The sections `leavers` and `inactive`."""
    leavers: dict[str, Any]
    if draw(st.booleans()):
        deeds = [deed for deed in DEEDS if draw(st.booleans())]
        days = sorted(draw(st.lists(st.integers(0, 12), min_size=len(deeds), max_size=len(deeds))))
        stages = [{"after_days": day, "do": deed} for day, deed in zip(days, deeds, strict=True)]
        leavers = {"stages": stages} if stages else {}
    else:
        leavers = {
            "method": draw(st.sampled_from(["remove_access", "keep", "anonymise", "delete", "erase"])),
            "strip_groups": draw(st.booleans()),
        }
    strips = leavers.get("strip_groups") or any(stage["do"] == "strip_groups" for stage in leavers.get("stages", ()))
    if strips and draw(st.booleans()):
        leavers["keep_groups"] = ["sp*"]
    inactive: dict[str, Any] = {}
    if draw(st.booleans()):
        inactive = {
            "after_days": AFTER_DAYS,
            "never_logged_in": draw(st.booleans()),
            "groups": draw(st.sampled_from([None, [ACCESS], [LOCAL]])),
            "method": draw(st.sampled_from(["remove_access", "anonymise"])),
        }
    return leavers, inactive


@dataclass
class Company:
    """The source as it is, Bitbucket, the ledger, and since when a run knows that somebody is gone."""

    policy: Policy
    model: Model
    ledger: Ledger
    here: set[str] = field(default_factory=lambda: set(STAFF))
    gone_since: dict[str, datetime] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    """Whose account was ever deleted."""
    now: datetime = NOW

    def plan(self, *, complete: bool = True) -> Plan:
        self.ledger.now = self.now
        people = [person(name) for name in sorted(self.here)]
        findings = [] if complete else ["page 3 never came"]
        wanted = source(people, {MANAGED: sorted(self.here)}, findings=findings)
        return plan_of(wanted, self.model.snapshot(), self.ledger.present(), self.policy)

    def row_of(self, name: str) -> dict[str, Any] | None:
        """By the number that the account had at first: it outlives every name."""
        return self.model.accounts.get(f"made {name}")

    def day_of(self, name: str) -> int:
        return (self.now.date() - self.gone_since.get(name, self.now).date()).days

    def due(self, name: str) -> set[str]:
        """What should have been done to a leaver by now, in the test's own words."""
        rules = self.policy.leavers
        if rules.stages:
            found: set[str] = {stage.do for stage in rules.stages if self.day_of(name) >= stage.after_days}
        else:
            found = {rules.method} - {"keep"} | ({"strip_groups"} if rules.strip_groups else set())
        return found | ({"remove_access"} if "anonymise" in found else set())


def at_work(leavers: dict[str, Any], inactive: dict[str, Any]) -> Company:
    """Everybody has an account, with a group that the sync knows nothing of."""
    there = target([], {ACCESS: [], MANAGED: [], LOCAL: [], SPARED: []}, permissions={ACCESS: "LICENSED_USER"})
    rules = policy(groups={"always": [ACCESS]}, leavers=leavers, inactive=inactive)
    company = Company(rules, Model.of(there), Ledger(now=NOW))
    carry_out(company.plan(), company.model, company.ledger)
    # The ledger learns an account's number when it is first read.
    for name, one in company.ledger.links.items():
        one[0] = company.model.named(name)["account_id"]
        company.model.members |= {(one[0], LOCAL), (one[0], SPARED)}
    company.model.named(ADMIN)["permission"] = "ADMIN"
    return company


@settings(max_examples=settings().max_examples // 2, suppress_health_check=[HealthCheck.too_slow])
@given(rules(), st.data())
def test_every_day_settles_at_once_and_everybody_has_what_the_rules_of_the_day_say(
    sections: tuple[dict[str, Any], dict[str, Any]], data: st.DataObject
) -> None:
    company = at_work(*sections)
    for _ in range(data.draw(st.integers(1, 5), label="days that something happens on")):
        company.now += timedelta(days=data.draw(st.sampled_from([0, 1, 5, 12, 21, 40]), label="days later"), hours=1)
        for name in data.draw(st.lists(st.sampled_from(STAFF), unique=True), label="who leaves or comes back"):
            company.here ^= {name}
        for name in data.draw(st.lists(st.sampled_from(STAFF), unique=True), label="who logs in"):
            row = company.row_of(name)
            if row is not None and name in company.here:
                row["last_login"] = company.now
        complete = data.draw(st.sampled_from([True, True, True, False]), label="read completely")
        one_day(company, complete=complete)


def one_day(company: Company, *, complete: bool) -> None:
    before = company.model.copy()
    plan = company.plan(complete=complete)
    carry_out(plan, company.model, company.ledger)
    numbers = {name: one for name, one in company.ledger.links.items() if one[0] is None}
    for name, one in numbers.items():
        one[0] = company.model.named(name)["account_id"]
    assert company.plan(complete=complete).empty

    for name in company.here:
        company.gone_since.pop(name, None)
    for name in set(STAFF) - company.here:
        if complete:
            company.gone_since.setdefault(name, company.now)
            assert_gone(company, name)
        else:
            assert company.row_of(name) == before.accounts.get(f"made {name}")
            assert company.model.groups_of(f"made {name}") == before.groups_of(f"made {name}")
    if complete:
        for name in company.here:
            assert_here(company, plan, name, before)
    else:
        assert not set(plan.operations["kind"]) & REMOVING


def assert_gone(company: Company, name: str) -> None:
    row, groups, due = company.row_of(name), company.model.groups_of(f"made {name}"), company.due(name)
    if name not in company.ledger.links or company.ledger.links[name][2] == "deleted":
        company.deleted.add(name)
        assert row is None
        assert due & {"delete", "erase"}
        # An erasure follows its deletion at once or in a later stage, and the link is kept until then.
        waits = not due & {"erase"} and any(stage.do == "erase" for stage in company.policy.leavers.stages)
        assert (name in company.ledger.links) == waits
        return
    assert row is not None
    assert not due & {"delete", "erase"}
    assert (row["username"] == f"user-made {name}") >= ("anonymise" in due)
    if "remove_access" in due:
        assert row["permission"] is None
        assert not groups & {ACCESS, MANAGED}
    if "strip_groups" in due:
        assert groups <= ({SPARED} if company.policy.leavers.keep_groups else set())


def assert_here(company: Company, plan: Plan, name: str, before: Model) -> None:
    row = company.row_of(name)
    assert row is not None
    outcome = dict(plan.verdicts.select("external_id", "outcome").iter_rows())[name]
    has = company.model.groups_of(row["account_id"])
    if company.ledger.links[name][2] == "inactive":
        assert outcome in {"access_removed", "anonymised", "inactive"}
        assert before.accounts[f"made {name}"]["permission"] is None, "an administrator is never inactive"
        assert row["permission"] is None
        assert row["last_login"] or company.policy.inactive.never_logged_in
        assert has <= {LOCAL, SPARED}
        last = max(row["last_login"] or NOW, company.ledger.since[name])
        assert (company.now.date() - last.date()).days >= AFTER_DAYS
        return
    assert {ACCESS, MANAGED} <= has
    assert (row["username"], row["email"], row["display_name"]) == (name, f"{name}@example.com", name.title())
    assert has >= {LOCAL, SPARED} or name in company.deleted, "what was taken comes back"
    assert (row["permission"] == "ADMIN") == (name == ADMIN) or name in company.deleted
