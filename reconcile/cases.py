"""Policy tests: a few people in, the accounts and groups that a sync file should make of them out.

A case is decided exactly as a run is: the same snapshots, the same decisions, the same plan. Only the people are
invented.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self

import polars as pl
from pydantic import ConfigDict, Field, model_validator

from directory.normalize import normalize_source
from directory.snapshot import (
    ACCOUNTS,
    MEMBERS,
    MEMBERSHIPS,
    PEOPLE,
    SOURCE_GROUPS,
    TARGET_GROUPS,
    Completeness,
    SourceSnapshot,
    TargetSnapshot,
    conform,
)
from reconcile.correlate import LINKS
from reconcile.decide import Names, decide
from reconcile.diff import Present
from reconcile.plan import Plan
from reconcile.policy import Policy, Section
from reconcile.results import Outcome

__all__ = ["Case", "CaseAccount", "CasePerson", "Expectation", "ExpectedAccount", "ExpectedOutcome", "failures_of"]

_PRINCIPAL = "usersync"
_OF_THE_LEDGER = {"groups", "linked_to", "access_removed", "gone_for_days", "no_login_for_days"}
_THEN = datetime(2026, 1, 1, tzinfo=UTC)


class CasePerson(Section):
    """A person of the source. Further keys are attributes under the source's own names."""

    model_config = ConfigDict(extra="allow")

    username: str | None
    external_id: str | None = None
    """The username where it is not given."""
    email: str | None = None
    display_name: str | None = None
    active: bool | None = True
    groups: tuple[str, ...] = ()
    """Source groups, by name, that the person is directly in."""

    @property
    def id(self) -> str | None:
        return self.external_id or self.username


class CaseAccount(Section):
    """An account that Bitbucket has before."""

    username: str
    email: str | None = None
    display_name: str | None = None
    groups: tuple[str, ...] = ()
    permission: str | None = None
    """The direct global grant."""
    linked_to: str | None = None
    """The external id of the person whose account it is since an earlier run."""
    access_removed: bool = False
    """Whether an earlier run took its access away."""
    gone_for_days: Annotated[int, Field(ge=0)] | None = None
    """Days since a run first acted on the leaver whose account it is, for `leavers.stages`."""
    no_login_for_days: Annotated[int, Field(ge=0)] | None = None
    """Days since the last login, for `inactive`. Not given: it never logged in, and has had access for a day."""


class ExpectedAccount(Section):
    """What an account should be afterwards. What is not given is not compared."""

    email: str | None = None
    display_name: str | None = None
    groups: tuple[str, ...] | None = None
    """All of its groups, in any order."""
    permission: str | None = None


class ExpectedOutcome(Section):
    """What should become of a person."""

    outcome: Outcome
    reason: str | None = None
    """A part of the reason."""


class Expectation(Section):
    """What should come out."""

    accounts: Mapping[str, ExpectedAccount] = Field(default_factory=dict)
    """Every account of a person afterwards, and each local one that matters, by username. An account of a person that
    is not named here fails the case."""
    outcomes: Mapping[str, Outcome | ExpectedOutcome] = Field(default_factory=dict)
    """By external id or username."""
    held: bool | tuple[str, ...] | None = None
    """Whether the guard holds the plan, or the kinds of its findings. Not compared where it is not given."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("a case that expects nothing cannot fail; give accounts, outcomes or held")
        return self


class Case(Section):
    """One case of a policy test."""

    about: str | None = None
    people: tuple[CasePerson, ...] = ()
    nested: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    """Source groups that stand within others: the outer group, and those within it."""
    accounts: tuple[CaseAccount, ...] = ()
    target_groups: Mapping[str, str | None] = Field(default_factory=dict)
    """Groups that Bitbucket has besides those of `accounts`, each with the global permission that it gives."""
    assigned_before: tuple[str, ...] = ()
    """Bitbucket groups that earlier runs assigned."""
    memories: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    """Local groups that an earlier run took from a leaver: external id to groups."""
    incomplete: bool = False
    """Whether the source is read incompletely."""
    expect: Expectation


def failures_of(case: Case, policy: Policy) -> tuple[str, ...]:
    """What comes out otherwise than the case expects, one sentence each; empty where it holds.

    Raises `ConfigurationError` for an expression of the sync file that the people of the case give no column for.
    """
    target = _target(case)
    source, names = normalize_source(_source(case)), Names("case", "case", "case")
    plan = decide(source, target, _present(case), policy.undivided, names)
    return tuple(_differences(case, plan, _Afterwards(target, plan)))


def _source(case: Case) -> SourceSnapshot:
    rows = [{**person.model_dump(exclude={"groups"}), "external_id": person.id} for person in case.people]
    people = pl.DataFrame(rows, infer_schema_length=None) if rows else pl.DataFrame(schema=PEOPLE)
    direct = [(group, person.id, False) for person in case.people for group in person.groups]
    within = [(outer, inner, True) for outer, inners in case.nested.items() for inner in inners]
    names = dict.fromkeys([group for group, *_ in direct + within] + [inner for _, inner, _ in within])
    return SourceSnapshot(
        Completeness(("the case says so",) if case.incomplete else ()),
        _THEN,
        0,
        people=conform(people, PEOPLE),
        groups=pl.DataFrame([(name, name) for name in names], schema=SOURCE_GROUPS, orient="row"),
        memberships=pl.DataFrame([*direct, *within], schema=MEMBERSHIPS, orient="row"),
    )


def _target(case: Case) -> TargetSnapshot:
    rows = [
        {
            **account.model_dump(exclude=_OF_THE_LEDGER),
            "account_id": f"account {number}",
            "active": True,
            "directory": "Internal",
            "mutable_details": True,
            "mutable_groups": True,
            "deletable": True,
            "last_login": _days_ago(account.no_login_for_days),
        }
        for number, account in enumerate(case.accounts)
    ]
    groups = {group: None for account in case.accounts for group in account.groups} | dict(case.target_groups)
    members = [(group, f"account {number}") for number, one in enumerate(case.accounts) for group in one.groups]
    return TargetSnapshot(
        Completeness(),
        _THEN,
        0,
        accounts=conform(pl.DataFrame(rows, infer_schema_length=None), ACCOUNTS)
        if rows
        else pl.DataFrame(schema=ACCOUNTS),
        groups=pl.DataFrame(
            [(name, grant, True) for name, grant in groups.items()], schema=TARGET_GROUPS, orient="row"
        ),
        memberships=pl.DataFrame(members, schema=MEMBERS, orient="row"),
        principal=_PRINCIPAL,
    )


def _present(case: Case) -> Present:
    links = [
        (
            *(one.linked_to, f"account {number}", one.username, "access_removed" if one.access_removed else "active"),
            *(_days_ago(one.gone_for_days), _days_ago(1 if one.no_login_for_days is None else one.no_login_for_days)),
        )
        for number, one in enumerate(case.accounts)
        if one.linked_to is not None
    ]
    memories = [(person, "group", group) for person, groups in case.memories.items() for group in groups]
    return Present(
        links=pl.DataFrame(links, schema=LINKS, orient="row"),
        memories=pl.DataFrame(
            memories, schema=dict.fromkeys(("external_id", "kind", "name"), pl.String()), orient="row"
        ),
        managed_groups=frozenset(case.assigned_before),
        now=_THEN,
    )


def _days_ago(days: int | None) -> datetime | None:
    return None if days is None else _THEN - timedelta(days=days)


class _Afterwards:
    """The accounts once the plan is applied, by folded username, as its operations say."""

    def __init__(self, target: TargetSnapshot, plan: Plan) -> None:
        self._by_id = {row["account_id"]: {**row, "groups": {}} for row in target.accounts.iter_rows(named=True)}
        for group, holder in target.memberships.iter_rows():
            self._by_id[holder]["groups"][group.lower()] = group
        made: dict[str, dict[str, Any]] = {}
        for row in plan.operations.iter_rows(named=True):
            if row["external_id"] is None:
                continue
            blank = {"username": row["username"], "email": None, "display_name": None, "groups": {}, "permission": None}
            account = (
                self._by_id[row["account_id"]] if row["account_id"] else made.setdefault(row["external_id"], blank)
            )
            _carry_out(row, account)
        kept = [one for one in (*self._by_id.values(), *made.values()) if not one.get("gone")]
        self.accounts = {one["username"].lower(): one for one in kept}


def _carry_out(row: Mapping[str, Any], account: dict[str, Any]) -> None:
    before: dict[str, Any] = json.loads(row["before"] or "{}")
    after: dict[str, Any] = json.loads(row["after"] or "{}")
    match row["kind"]:
        case "add_membership":
            account["groups"][row["group"].lower()] = row["group"]
        case "remove_membership":
            account["groups"].pop(row["group"].lower(), None)
        case "delete" | "erase":
            account["gone"] = True
        case _:
            for group in before.get("groups", ()):
                account["groups"].pop(group.lower(), None)
            account["groups"] |= {group.lower(): group for group in after.get("groups", ())}
            if before.get("permission"):
                account["permission"] = None
            for key in ("username", "email", "display_name", "permission"):
                if after.get(key) is not None:
                    account[key] = after[key]


def _differences(case: Case, plan: Plan, afterwards: _Afterwards) -> Iterator[str]:
    expected = {name.lower(): (name, account) for name, account in case.expect.accounts.items()}
    if "accounts" in case.expect.model_fields_set:
        for key, (name, account) in expected.items():
            found = afterwards.accounts.get(key)
            if found is None:
                yield f"there is no account {name} ({_why(plan, name)})"
            else:
                yield from _unlike(name, account, found)
        before = {one.username.lower(): one for one in case.accounts}
        for key in sorted(afterwards.accounts.keys() - expected.keys()):
            if key not in before or before[key].linked_to is not None:
                yield f"there is an account {afterwards.accounts[key]['username']} that the case does not expect"
    yield from _outcomes(case, plan)
    yield from _holds(case, plan)


def _unlike(name: str, expected: ExpectedAccount, found: Mapping[str, Any]) -> Iterator[str]:
    for field in sorted(expected.model_fields_set - {"groups"}):
        wanted = getattr(expected, field)
        if wanted != found[field]:
            yield f"{name} has the {field.replace('_', ' ')} {found[field]!r}, expected {wanted!r}"
    if expected.groups is None:
        return
    wanted_groups = {group.lower(): group for group in expected.groups}
    for key in sorted(wanted_groups.keys() - found["groups"].keys()):
        yield f"{name} is not in {wanted_groups[key]}"
    for key in sorted(found["groups"].keys() - wanted_groups.keys()):
        yield f"{name} is in {found['groups'][key]}, which the case does not expect"


def _outcomes(case: Case, plan: Plan) -> Iterator[str]:
    for person, expected in case.expect.outcomes.items():
        verdict = _verdict(plan, person)
        wanted = expected if isinstance(expected, ExpectedOutcome) else ExpectedOutcome(outcome=expected)
        if verdict is None:
            yield f"{person} is nobody of whom the plan says anything"
        elif verdict["outcome"] != wanted.outcome:
            yield f"{person} is {verdict['outcome']} ({verdict['reason']}), expected {wanted.outcome}"
        elif wanted.reason is not None and wanted.reason.lower() not in (verdict["reason"] or "").lower():
            yield f"{person} is {verdict['outcome']} because {verdict['reason']!r}, expected {wanted.reason!r}"


def _holds(case: Case, plan: Plan) -> Iterator[str]:
    expected = case.expect.held
    found = sorted({finding.kind for finding in plan.header.held})
    said = f"is held for {', '.join(found)}" if found else "is not held"
    if isinstance(expected, bool) and expected != plan.held:
        yield f"the plan {said}, expected {'that it is held' if expected else 'that it is clear'}"
    elif isinstance(expected, tuple) and sorted(set(expected)) != found:
        yield f"the plan {said}, expected {', '.join(expected) or 'that it is clear'}"


def _why(plan: Plan, name: str) -> str:
    verdict = _verdict(plan, name)
    return f"{verdict['outcome']}: {verdict['reason']}" if verdict else "nobody would be called so"


def _verdict(plan: Plan, person: str) -> dict[str, Any] | None:
    sought = person.lower()
    either = (pl.col("external_id").str.to_lowercase() == sought) | (pl.col("username").str.to_lowercase() == sought)
    return next(plan.verdicts.filter(either).iter_rows(named=True), None)
