"""Every state of an account against everything that can be seen of its person: the table in docs/leavers.md."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from directory.snapshot import SourceSnapshot
from reconcile.diff import Present
from reconcile.policy import Policy
from tests.builders import NOW, Link, account, account_number, link, person, plan_of, policy, present, source, target
from tests.model_target import Ledger, Model, carry_out

PAGE = Path(__file__).parents[3] / "docs" / "leavers.md"

STAGES = [
    {"after_days": 7, "do": "remove_access"},
    {"after_days": 30, "do": "strip_groups"},
    {"after_days": 60, "do": "anonymise"},
    {"after_days": 90, "do": "delete"},
    {"after_days": 97, "do": "erase"},
]
STATES = ("none", "active", "leaving", "access removed", "stripped", "anonymised", "inactive", "deleted")
COLUMNS = (
    "wanted",
    "wanted, no login",
    "gone, nothing due",
    "gone, next stage due",
    "gone, read incomplete",
    "gone, protected",
)
TABLE = """
| none           | create, add_membership → active | create, add_membership → active | — | — | — | — |
| active         | — | remove_access → inactive | leave → leaving | leave → leaving | — | — |
| leaving        | restore_access → active | restore_access → active | — | remove_access → access removed | — | — |
| access removed | restore_access, add_membership → active | restore_access, add_membership → active | — | strip_groups → stripped | — | — |
| stripped       | restore_access, add_membership → active | restore_access, add_membership → active | — | anonymise → anonymised | — | — |
| anonymised     | rename, update, restore_access, add_membership → active | rename, update, restore_access, add_membership → active | — | delete → deleted | — | — |
| inactive       | restore_access, add_membership → active | — | leave → access removed | leave → access removed | — | — |
| deleted        | create, add_membership → active | create, add_membership → active | — | erase → none | — | — |
"""  # noqa: E501 - a table is read in columns
EXPECTED = {
    (cells[0], column): cell
    for line in TABLE.strip().splitlines()
    if (cells := [cell.strip() for cell in line.strip("|").split("|")])
    for column, cell in zip(COLUMNS, cells[1:], strict=True)
}

WAITED = {"leaving": 0, "access removed": 7, "stripped": 30, "anonymised": 60, "deleted": 90}
"""On which day a leaver comes into a state; in the middle of the next wait nothing is due."""
DUE = {"leaving": 7, "access removed": 30, "stripped": 60, "anonymised": 90, "deleted": 97}
LONG_AGO = NOW - timedelta(days=300)
NUMBER = account_number("ann")
TAKEN = [("ann", "group", "stash-users"), ("ann", "group", "dev"), ("ann", "permission", "PROJECT_CREATE")]


@dataclass(frozen=True)
class Before:
    """Bitbucket and the ledger as they are in a state."""

    groups: tuple[str, ...] = ()
    account: dict[str, Any] | None = None
    link: Callable[[datetime | None], Link] | None = None
    memories: list[tuple[str, str, str]] = field(default_factory=list)


def _linked(state: str, name: str = "ann") -> Callable[[datetime | None], Link]:
    return lambda left_at: link("ann", name, account_id=NUMBER, state=state, left_at=left_at, access_since=LONG_AGO)


ANN = account("ann", account_id=NUMBER)
ENTITLED = {**ANN, "permission": "PROJECT_CREATE"}
PSEUDONYM = f"user-{NUMBER}"
NAMELESS = account(PSEUDONYM, f"{PSEUDONYM}@user.invalid", PSEUDONYM, account_id=NUMBER)
EVERYTHING = ("stash-users", "dev", "local")
ALL_TAKEN = [*TAKEN, ("ann", "group", "local")]
NAMES = [("ann", "username", "ann"), ("ann", "email", "ann@example.com"), ("ann", "display_name", "Ann")]
BEFORE = {
    "none": Before(),
    "active": Before(EVERYTHING, ENTITLED, _linked("active")),
    "leaving": Before(EVERYTHING, ENTITLED, _linked("active")),
    "access removed": Before(("local",), ANN, _linked("access_removed"), TAKEN),
    "stripped": Before((), ANN, _linked("access_removed"), ALL_TAKEN),
    "anonymised": Before((), NAMELESS, _linked("anonymised", PSEUDONYM), [*ALL_TAKEN, *NAMES]),
    "inactive": Before(("local",), ANN, _linked("inactive"), TAKEN),
    "deleted": Before((), None, _linked("deleted")),
}


@dataclass(frozen=True)
class Case:
    source: SourceSnapshot
    model: Model
    present: Present
    policy: Policy


def case_of(state: str, column: str) -> Case:
    before = BEFORE[state]
    gone = column.startswith("gone")
    nobody_home = column == "wanted, no login"
    days = (WAITED if column == "gone, nothing due" else DUE).get(state)
    left_at = None if days is None else NOW - timedelta(days=days)
    row = before.account and {**before.account, "last_login": LONG_AGO if nobody_home else NOW - timedelta(days=1)}
    names = {group: ([row["username"]] if row and group in before.groups else []) for group in EVERYTHING}
    there = target([row] if row else [], names, permissions={"stash-users": "LICENSED_USER"})
    model = Model.of(there)
    if state == "deleted":
        model.deleted["ann"] = {"account_id": NUMBER}
    everybody = ["other", *([] if gone else ["ann"])]
    return Case(
        source(
            [person(one) for one in ([] if gone else ["ann"])],
            {"dev": [one for one in everybody if one != "other"]},
            findings=["page 3 never came"] if column == "gone, read incomplete" else [],
        ),
        model,
        present([before.link(left_at)] if before.link else [], before.memories, ["dev"]),
        policy(
            people={"protect": ["ann", "user-*"] if column == "gone, protected" else []},
            groups={"always": ["stash-users"]},
            leavers={"stages": STAGES},
            inactive={"after_days": 180},
        ),
    )


def state_after(ledger: Ledger, model: Model) -> str:
    """Told by what the ledger and Bitbucket show."""
    if "ann" not in ledger.links:
        return "none"
    number, _, state = ledger.links["ann"]
    if state == "deleted":
        assert number not in model.accounts
        return "deleted"
    account_id = number or model.named("ann")["account_id"]
    groups = model.groups_of(account_id)
    has_access = "stash-users" in groups or model.accounts[account_id]["permission"] is not None
    assert has_access == (state == "active")
    if state == "active":
        return "leaving" if "ann" in ledger.left else "active"
    if state == "access_removed":
        return "access removed" if groups else "stripped"
    if state == "anonymised":
        row = model.accounts[account_id]
        assert (row["username"], row["display_name"]) == (PSEUDONYM, PSEUDONYM)
    return str(state)


@pytest.mark.parametrize(("state", "column"), EXPECTED, ids=[f"{state}-{column}" for state, column in EXPECTED])
def test_a_cell_of_the_table(state: str, column: str) -> None:
    case = case_of(state, column)
    model, ledger = case.model, Ledger.of(case.present)
    at_first = model.copy()
    assert state_after(ledger, model) == state
    plan = plan_of(case.source, model.snapshot(), case.present, case.policy)
    kinds = list(dict.fromkeys(plan.operations["kind"]))

    carry_out(plan, model, ledger)

    after = state_after(ledger, model)
    found = f"{', '.join(kinds)} → {after}" if kinds else "—"
    assert found == EXPECTED[state, column]
    if not kinds:
        assert (after, model) == (state, at_first)
    if after == "active" and kinds:
        _assert_regained(state, model, ledger)
    assert plan_of(case.source, model.snapshot(), ledger.present(), case.policy).empty


def _assert_regained(state: str, model: Model, ledger: Ledger) -> None:
    row = model.named("ann")
    local = state not in {"none", "deleted"}
    assert model.groups_of(row["account_id"]) == {"stash-users", "dev"} | ({"local"} if local else set())
    assert row["permission"] == ("PROJECT_CREATE" if local else None)
    assert (row["email"], row["display_name"]) == ("ann@example.com", "Ann")
    assert ledger.memories == set()
    assert "ann" not in ledger.left


def test_the_table_of_the_docs_is_the_one_that_is_tested() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").replace("`", "").split("|")]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| ") and line.count("|") == len(COLUMNS) + 2
    ]
    header, *body = [row for row in rows if not re.fullmatch(r"-+", row[0])]
    assert tuple(header[1:]) == COLUMNS
    assert [row[0] for row in body] == list(STATES)
    documented = {(row[0], column): cell for row in body for column, cell in zip(COLUMNS, row[1:], strict=True)}
    assert documented == EXPECTED
