"""Orders that another process gives about the invented company: hire two, let somebody leave, lose a tenth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from sandbox.company import Company, Person, Standing

Deed = Literal[
    "hire",
    "move",
    "leave",
    "return",
    "suspend",
    "rename",
    "erase",
    "lose",
    "join",
    "quit",
    "empty-group",
    "close-group",
    "rename-group",
]


class Mutation(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`person` is an id, login or username and `group` a name; without a person, `count` people are drawn."""

    do: Deed
    person: str | None = None
    group: str | None = None
    name: str | None = None
    count: int = 1
    fraction: float = 0.0


def carry_out(company: Company, mutation: Mutation) -> list[Person]:
    """Return the people concerned. Raises KeyError for an unknown person or group, ValueError for nonsense."""
    with company.lock:
        if mutation.do == "hire":
            return company.hire(mutation.count)
        if mutation.do == "lose":
            return company.lose(mutation.fraction)
        if mutation.do in ("empty-group", "close-group", "rename-group"):
            _to_group(company, mutation)
            return []
        chosen = [company.person(mutation.person)] if mutation.person else company.pick(mutation.count)
        deed = _deed_to_person(company, mutation)
        for person in chosen:
            deed(person.id)
        return [company.people.get(person.id, person) for person in chosen]


def _to_group(company: Company, mutation: Mutation) -> None:
    group_id = _group_id(company, mutation)
    if mutation.do == "empty-group":
        company.empty_group(group_id)
    elif mutation.do == "close-group":
        company.close_group(group_id)
    else:
        company.rename_group(group_id, _name(mutation))


def _deed_to_person(company: Company, mutation: Mutation) -> Callable[[str], object]:
    if mutation.do == "move":
        target = _group_id(company, mutation) if mutation.group else None
        return lambda person_id: company.move(person_id, target)
    if mutation.do == "rename":
        return lambda person_id: company.rename(person_id, mutation.name)
    if mutation.do in ("join", "quit"):
        group_id = _group_id(company, mutation)
        act = company.join if mutation.do == "join" else company.quit
        return lambda person_id: act(person_id, group_id)
    simple: dict[str, Callable[[str], object]] = {
        "leave": company.leave,
        "return": company.return_,
        "erase": company.erase,
        "suspend": lambda person_id: company.set_standing(person_id, Standing.SUSPENDED),
    }
    return simple[mutation.do]


def _group_id(company: Company, mutation: Mutation) -> str:
    if mutation.group is None:
        raise ValueError(f"{mutation.do} needs a group")
    return company.group(mutation.group).id


def _name(mutation: Mutation) -> str:
    if not mutation.name:
        raise ValueError(f"{mutation.do} needs a name")
    return mutation.name
