"""Small random worlds: a source, a target, what the ledger remembers, and a policy, drawn from few names so that they
collide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from directory.snapshot import SourceSnapshot, TargetSnapshot
from reconcile.diff import Present
from reconcile.policy import Policy
from tests.builders import account, account_number, link, person, policy, present, source, target

PERSONS = ["p0", "p1", "p2", "p3", "p4"]
USERNAMES = ["ann", "Ann", "bob", "cem", "straße", "STRASSE", "İx", "i̇x", "dora", "root", "usersync"]
EMAILS = ["ann@x", "ANN@x", "bob@x", "cem@x", "usersync@x"]
DISPLAYS = ["Ann", "Bob", "Çem İx"]
SOURCE_GROUPS = ["dev", "ops", "Ops", "all"]
TARGET_GROUPS = ["Dev", "ops", "all", "stash-users", "local"]
ENTRY = {"stash-users": "LICENSED_USER", "all": "LICENSED_USER"}


@dataclass(frozen=True)
class World:
    """`nested` and `groups` are what the source was built from: group to inner groups, group to external ids."""

    source: SourceSnapshot
    target: TargetSnapshot
    present: Present
    policy: Policy
    nested: dict[str, list[str]]
    groups: dict[str, list[str]]


def _some(names: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(names), unique=True)


def _maybe(values: list[str], none: int = 1) -> st.SearchStrategy[str | None]:
    return st.sampled_from([*values, *[None] * none])


@st.composite
def people(draw: st.DrawFn) -> list[dict[str, Any]]:
    return [
        person(
            external_id,
            draw(_maybe(USERNAMES)),
            draw(_maybe(EMAILS)),
            draw(_maybe(DISPLAYS)),
            active=draw(st.sampled_from([True, True, True, False, None])),
        )
        for external_id in draw(_some(PERSONS))
    ]


@st.composite
def accounts(draw: st.DrawFn) -> list[dict[str, Any]]:
    names = draw(st.lists(st.sampled_from([*USERNAMES, "local-1"]), unique_by=str.lower))
    if "usersync" not in names:
        names.append("usersync")
    rows = []
    for name in names:
        writable = draw(st.sampled_from([True, True, True, False]))
        rows.append(
            account(
                name,
                draw(_maybe(EMAILS)),
                draw(_maybe(DISPLAYS)),
                permission=draw(_maybe(["LICENSED_USER", "ADMIN"], none=3)),
                mutable_details=writable,
                mutable_groups=writable or draw(st.booleans()),
                deletable=writable,
            )
        )
    return rows


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    return policy(
        people={
            "required_groups": draw(st.sampled_from([[], [], ["all"], ["dev", "OPS"]])),
            "adopt": draw(st.sampled_from([["username", "email"], ["username"], ["email"], []])),
            "protect": draw(st.sampled_from([[], ["ro?t"]])),
        },
        groups={
            "ignore": draw(st.sampled_from([[], ["all"]])),
            "remove_from": draw(st.sampled_from([None, None, [], ["dev"], ["local", "ops"]])),
            "always": draw(st.sampled_from([[], ["stash-users"]])),
            "create": draw(st.booleans()),
            "rename": draw(
                st.sampled_from([[], [], [{"exact": "DEV", "to": "all"}], [{"match": "^[oO]p", "to": "d"}]])
            ),
            "local": draw(st.sampled_from([[], [], [], ["d?"], ["OPS"]])),
            "vanished": draw(st.sampled_from(["empty", "keep"])),
            "orphaned": draw(st.sampled_from(["keep", "remove"])),
        },
        leavers={"method": draw(st.sampled_from(["remove_access", "remove_access", "keep", "delete"]))},
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    groups = {name: draw(_some(PERSONS)) for name in draw(_some(SOURCE_GROUPS))}
    nested = {name: draw(_some(SOURCE_GROUPS)) for name in draw(_some(SOURCE_GROUPS))}
    rows = draw(accounts())
    names = [row["username"] for row in rows]
    members = {name: draw(_some(names)) for name in draw(_some(TARGET_GROUPS))}
    links, memories = [], []
    for external_id in draw(_some(PERSONS)):
        name = draw(st.sampled_from([*names, "vanished"]))
        number = draw(st.sampled_from([account_number(name)] * 4 + [None]))
        state = draw(st.sampled_from(["active", "active", "access_removed"]))
        links.append(link(external_id, name, account_id=number, state=state))
        if state == "access_removed":
            memories += [
                (external_id, "group", group) for group in draw(_some(["stash-users", "local", "Gone", "dev"]))
            ]
            memories += [(external_id, "permission", grant) for grant in draw(_some(["LICENSED_USER", "ADMIN"]))]
    return World(
        source=source(draw(people()), groups, nested=nested),
        target=target(rows, members, permissions={name: grant for name, grant in ENTRY.items() if name in members}),
        present=present(links, memories, draw(_some(["dev", "Vanished", "local"]))),
        policy=draw(policies()),
        nested=nested,
        groups=groups,
    )
