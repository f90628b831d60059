"""Which users a request asks for: the query parameters of Keycloak's user list and user count."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sandbox.company import Group, Person
from sandbox.keycloak.documents import is_enabled
from sandbox.keycloak.switches import Switches

FIELDS: Mapping[str, Callable[[Person], str]] = {
    "username": lambda person: person.username,
    "email": lambda person: person.email,
    "firstName": lambda person: person.first,
    "lastName": lambda person: person.last,
}


def selected(people: Sequence[Person], query: Mapping[str, str], switches: Switches) -> Sequence[Person]:
    """In the given order. `search` outranks the single fields, as in Keycloak."""
    conditions: list[Callable[[Person], bool]] = []
    if "search" in query:
        conditions += [_mentions(word) for word in query["search"].split()]
    else:
        exact = query.get("exact") == "true"
        conditions += [_field(FIELDS[name], query[name], exact=exact) for name in FIELDS if name in query]
    if "enabled" in query:
        wanted = query["enabled"] == "true"
        conditions.append(lambda person: is_enabled(person) == wanted)
    for pair in query.get("q", "").split():
        conditions.append(_attribute(pair, switches))
    if not conditions:
        return people
    return [person for person in people if all(condition(person) for condition in conditions)]


def _mentions(word: str) -> Callable[[Person], bool]:
    """`foo` and `foo*` match the beginning, `*foo*` any part, `"foo"` the whole."""
    plain = word.strip('*"').casefold()
    if word.startswith('"'):
        return lambda person: any(value(person).casefold() == plain for value in FIELDS.values())
    if word.startswith("*"):
        return lambda person: any(plain in value(person).casefold() for value in FIELDS.values())
    return lambda person: any(value(person).casefold().startswith(plain) for value in FIELDS.values())


def _field(value: Callable[[Person], str], wanted: str, *, exact: bool) -> Callable[[Person], bool]:
    plain = wanted.casefold()
    if exact:
        return lambda person: value(person).casefold() == plain
    return lambda person: plain in value(person).casefold()


def _attribute(pair: str, switches: Switches) -> Callable[[Person], bool]:
    name, _, wanted = pair.partition(":")
    value = switches.attributes.get(name)
    return lambda person: value is not None and value(person) == wanted


def group_matcher(query: Mapping[str, str]) -> Callable[[Group], bool]:
    """A group search finds any part of the name, or with `exact` the whole."""
    plain = query.get("search", "").casefold()
    if query.get("exact") == "true":
        return lambda group: group.name.casefold() == plain
    return lambda group: plain in group.name.casefold()
