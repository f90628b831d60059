"""Histories of a realm at random: its changes, read now and then, are what a full read finds."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from sandbox.keycloak import CLIENT_SECRET
from sandbox.population import company as found_company
from tests.contract.equal_readings import assert_equal
from tests.contract.keycloak_stage import keycloak


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYCLOAK_SECRET", CLIENT_SECRET)


class Histories(RuleBasedStateMachine):
    """Anything may happen in the realm between two readings, and now and then its changes are read."""

    @initialize(users=st.booleans())
    def begin(self, users: bool) -> None:
        """`users`: whether the realm keeps their events. A gap then shows in those, too."""
        self.firm = found_company(people=30, groups=14)
        self.loop = asyncio.new_event_loop()
        self.users = users
        self.held = keycloak(self.firm, users=users, page_size=20, member_page_size=3)
        self.simulator, self.source = self.held.__enter__()
        self.last = self.loop.run_until_complete(self.source.read_all())
        self.has_gap = False
        self.founded = 0

    def teardown(self) -> None:
        self.loop.run_until_complete(self.source.close())
        self.held.__exit__(None, None, None)
        self.loop.close()

    def person(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.firm.people)))

    def group(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.firm.groups)))

    def place(self, data: st.DataObject) -> str | None:
        """Below a department, where whoever is hired finds one; or the top."""
        departments = {group.description for group in self.firm.groups.values() if group.kind.value == "department"}
        roots = {known: self.firm.groups[self.firm.lineage(known)[-1]] for known in self.firm.groups}
        below = sorted(known for known, root in roots.items() if root.description in departments)
        return data.draw(st.sampled_from([None, *below]))

    @rule(count=st.integers(1, 3))
    def hire(self, count: int) -> None:
        self.firm.hire(count)

    @rule(data=st.data(), deed=st.sampled_from(["leave", "return_", "rename", "erase", "move"]))
    @precondition(lambda self: len(self.firm.people) > 1)
    def happens_to_somebody(self, data: st.DataObject, deed: str) -> None:
        getattr(self.firm, deed)(self.person(data))

    @rule(data=st.data(), deed=st.sampled_from(["rename", "erase", "leave", "hire"]))
    @precondition(lambda self: self.users and len(self.firm.people) > 1)
    def somebody_does_it_themselves(self, data: st.DataObject, deed: str) -> None:
        with self.simulator.audit.by_themselves():
            if deed == "hire":
                self.firm.hire(1)
            else:
                getattr(self.firm, deed)(self.person(data))

    @rule(data=st.data())
    @precondition(lambda self: self.firm.people)
    def joins_or_quits(self, data: st.DataObject) -> None:
        person, group = self.person(data), self.group(data)
        (self.firm.quit if group in self.firm.memberships[person] else self.firm.join)(person, group)

    @rule(data=st.data())
    def everybody_joins(self, data: st.DataObject) -> None:
        group = self.group(data)
        for person in set(self.firm.people) - self.firm.direct[group].keys():
            self.firm.join(person, group)

    @rule(data=st.data(), deed=st.sampled_from(["rename", "empty", "close"]))
    @precondition(lambda self: len(self.firm.groups) > 6)
    def happens_to_a_group(self, data: st.DataObject, deed: str) -> None:
        group = self.group(data)
        if deed == "rename":
            self.firm.rename_group(group, f"renamed {self.firm.version}")
        elif deed == "empty":
            self.firm.empty_group(group)
        elif self.firm.groups[group].parent is not None:
            self.firm.close_group(group)

    @rule(data=st.data())
    def a_group_is_founded(self, data: st.DataObject) -> None:
        self.founded += 1
        self.simulator.audit.found_group(f"founded {self.founded}", self.place(data))

    @rule(data=st.data())
    def a_group_is_moved(self, data: st.DataObject) -> None:
        group, place = self.group(data), self.place(data)
        if place is None or place not in self.firm.subtree(group):
            self.simulator.audit.move_group(group, place)

    @rule(gap=st.sampled_from(["clear", "expire", "off", "import"]))
    def what_happened_is_not_all_told(self, gap: str) -> None:
        self.has_gap = True
        audit = self.simulator.audit
        if gap == "clear":
            audit.clear()
        elif gap == "expire":
            audit.take_in()
            audit.expire(admin=len(audit.admin) // 2, user=len(audit.user) // 2)
        elif gap == "off":
            audit.switch(admin=False, user=False)
            self.firm.hire(1)
            audit.switch(admin=True, user=self.users)
        else:
            audit.tell("CREATE", "REALM", "users/somebody")

    @rule()
    def changes_are_read(self) -> None:
        found = self.loop.run_until_complete(self.source.read_changes(self.last))
        assert found is not None or self.has_gap
        if found is None:
            found = self.loop.run_until_complete(self.source.read_all())
        else:
            # Until then a gap may show again: what happened in the moment of the last event is listened to once more.
            self.has_gap = False
        self.last = found
        assert_equal(found.snapshot, self.loop.run_until_complete(self.source.read()))


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
