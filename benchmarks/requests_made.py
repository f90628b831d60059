"""Requests that Bitbucket and Okta are asked for a first load, a run without a change, and ten changed people.

Run: `.venv/bin/python benchmarks/requests_made.py [people] [groups]`. The simulators count; what stands beside it is
computed from the invented company alone. Where the two differ the exit code is 1.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from sandbox.company import Company, Standing
from tests import request_formulas
from tests.e2e.matching import greatest_matching
from tests.e2e.stage import Stage, staged

CAP = 1000
"""Rows of a page of Bitbucket."""
EVERYBODY = "stash-users"

Memberships = Mapping[str, frozenset[str]]


def wanted(company: Company) -> Memberships:
    """Person id to the groups that they should be in, for everybody who should have an account."""
    away = {Standing.LEFT, Standing.SUSPENDED, Standing.STAGED}
    return {
        person.id: frozenset({EVERYBODY, *(company.groups[key].name for key in company.effective_groups(person.id))})
        for person in company.people.values()
        if person.standing not in away
    }


def source_reads(company: Company) -> int:
    return request_formulas.okta(len(company.people), [len(company.effective_members(key)) for key in company.groups])


def target_reads(accounts: int, sizes: Iterable[int]) -> int:
    """Grants of users and of groups, the licence, pages of accounts, of groups, and of each group's members.

    Where a group is empty or longer than a page the list of groups is read once more, to see whether it vanished.
    """
    members = list(sizes)
    doubtful = any(size == 0 or size > CAP for size in members)
    groups = math.ceil(len(members) / CAP)
    return 3 + math.ceil(accounts / CAP) + groups * (2 if doubtful else 1) + sum(max(1, -(-n // CAP)) for n in members)


def writes(before: Memberships, after: Memberships, groups_before: set[str], details: int) -> int:
    """A creation a person and a group, a minimum cover of the memberships gained, a removal a membership lost, and
    `details`: one request for each rename and each change of a display name or address.
    """
    gained = {person: groups - before.get(person, frozenset()) for person, groups in after.items()}
    lost = sum(len(groups - after.get(person, frozenset())) for person, groups in before.items())
    new_groups = set().union(*gained.values()) - groups_before
    return len(after.keys() - before.keys()) + len(new_groups) + greatest_matching(gained) + lost + details


def ten_people_change(company: Company) -> int:
    """Two each leave, move, join, are renamed, and get another address; requests for their details."""
    active = [person.id for person in company.people.values() if person.standing is Standing.ACTIVE][:8]
    for person in active[:2]:
        company.leave(person)
    for person in active[2:4]:
        company.move(person)
    for person in active[4:6]:
        company.rename(person)
    for person in active[6:8]:
        company.rename(person, company.people[person].last)
    company.hire(2)
    # A rename is two requests: Bitbucket changes the username, and the display name and address, at two places.
    return 4 * 2


def show(what: str, stage: Stage, expected: tuple[int, int, int]) -> bool:
    """One line a run: made and computed."""
    asked = len(stage.okta.requests)
    stage.mark()
    played = stage.sync()
    assert played.ending.exit_code == 0, played.ending.message
    made = (len(stage.okta.requests) - asked, len(stage.requests) - len(stage.writes), len(stage.writes))
    paths = Counter(f"{r.method} {r.path.rpartition('/rest/api/latest')[2]}" for r in stage.writes)
    print(f"{what:22}", *(f"{m:>8,} = {e:<8,}" for m, e in zip(made, expected, strict=True)), sep="  ")
    for path, count in sorted(paths.items()):
        print(f"{'':26}{count:>8,}  {path}")
    return made == expected


def main() -> None:
    people, groups = (int(argument) for argument in (sys.argv[1:] + ["1000", "100"][len(sys.argv) - 1 :]))
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as monkeypatch,
        staged(Path(folder), monkeypatch, staff=(people, groups)) as stage,
    ):
        company = stage.company
        print(f"{people:,} people, {groups:,} groups; made = computed\n")
        print(f"{'':22}", *(f"{title:^19}" for title in ("Okta", "Bitbucket reads", "Bitbucket writes")), sep="  ")
        first = wanted(company)
        same = show(
            "first load",
            stage,
            (source_reads(company), target_reads(1, [0]), writes({}, first, {EVERYBODY}, 0)),
        )
        sizes = Counter(group for groups_of in first.values() for group in groups_of)
        settled = target_reads(1 + len(first), sizes.values())
        same &= show("no change", stage, (source_reads(company), settled, 0))
        details = ten_people_change(company)
        second = wanted(company)
        changes = writes(first, second, set(sizes), details)
        same &= show("10 people changed", stage, (source_reads(company), settled, changes))
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
