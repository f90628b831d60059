"""Filters in SQL mean what `ScimFilter.match` of scim2-models means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scim2_models import InvalidFilterException, ScimFilter, SearchRequest

import ledger
from ledger.scim.writing import Actor
from service.scim import Limits
from service.scim.drafts import draft_of, model_of
from service.scim.filters import condition_of
from service.scim.shape import ENTERPRISE, Shape, shape_of

WORDS = ["", "a", "A", "ab", "b%", "B_", "ä", "Ä", "A\u0308", "ß", "'", 'x"y', "a\\b", "work", "zz"]
TEXTS = st.sampled_from(WORDS)
TYPES = st.sampled_from(["work", "home", "Work"])
EMAIL = st.fixed_dictionaries({}, optional={"value": TEXTS, "type": TYPES, "primary": st.booleans(), "display": TEXTS})
PEOPLE = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "title": TEXTS,
            "displayName": TEXTS,
            "externalId": TEXTS,
            "active": st.booleans(),
            "profileUrl": st.sampled_from(["https://a.example/A", "https://a.example/a"]),
            "name": st.fixed_dictionaries({}, optional={"givenName": TEXTS, "familyName": TEXTS}),
            "emails": st.lists(
                EMAIL, min_size=1, max_size=3, unique_by=lambda each: each.get("primary", False) or id(each)
            ),
            ENTERPRISE: st.fixed_dictionaries(
                {},
                optional={
                    "department": TEXTS,
                    "manager": st.fixed_dictionaries({"value": TEXTS}, optional={"displayName": TEXTS}),
                },
            ),
        },
    ),
    min_size=1,
    max_size=6,
)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


OPERATORS = st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"])
ATTRIBUTES = st.sampled_from(
    [
        "userName", "USERNAME", "title", "displayName", "externalId", "profileUrl", "name.givenName", "name.familyName",
        "emails", "emails.value", "emails.type", "emails.display", f"{ENTERPRISE}:department", "schemas", "id",
        f"{ENTERPRISE}:manager.value", f"{ENTERPRISE}:manager.displayName", "meta.resourceType",
    ]
)  # fmt: skip
PRESENT = st.sampled_from(
    ["title", "name", "name.givenName", "emails", "emails.type", "emails.primary", "active", "meta", "schemas", "id",
     f"{ENTERPRISE}:department", f"{ENTERPRISE}:manager", "externalId", "displayName", "meta.location"]
)  # fmt: skip
VALUES = TEXTS.map(quoted) | st.just("null") | st.just('"User"')
COMPARISONS = st.builds(lambda *parts: " ".join(parts), ATTRIBUTES, OPERATORS, VALUES)
EQUALITIES = st.builds(
    lambda *parts: " ".join(parts),
    st.sampled_from(["active", "emails.primary"]),
    st.sampled_from(["eq", "ne"]),
    st.sampled_from(["true", "false", "null"]),
)
INNER = st.recursive(
    st.builds(lambda *parts: " ".join(parts), st.sampled_from(["value", "type", "display"]), OPERATORS, VALUES)
    | st.sampled_from(["primary eq true", "primary ne true", "type pr", "value pr", "primary pr"]),
    lambda inner: st.builds(lambda left, joint, right: f"({left}) {joint} ({right})", inner,
                            st.sampled_from(["and", "or"]), inner)
    | inner.map(lambda each: f"not ({each})"),
    max_leaves=3,
)  # fmt: skip
LEAVES = (
    COMPARISONS
    | EQUALITIES
    | PRESENT.map(lambda each: f"{each} pr")
    | INNER.map(lambda each: f"emails[{each}]")
    | st.sampled_from(
        [
            'emails[type eq "work"].value eq "a"',
            'meta.created gt "2020-01-01T00:00:00Z"',
            'meta.lastModified lt "2020-01-01T00:00:00+01:00"',
            'meta.version eq "W/\\"1\\""',
        ]
    )
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.builds(lambda left, joint, right: f"({left}) {joint} ({right})", inner,
                            st.sampled_from(["and", "or"]), inner)
    | inner.map(lambda each: f"not ({each})"),
    max_leaves=4,
)  # fmt: skip


@pytest.fixture
def book(ledger_url: str) -> Iterator[ledger.Ledger]:
    with ledger.open(ledger_url) as opened:
        yield opened


@pytest.fixture
def shape(book: ledger.Ledger) -> Shape:
    return shape_of(book.scim.connectors.add("entra"), Limits())


class TakenBack(Exception):
    """Ends a transaction without a trace."""


def filter_of(shape: Shape, text: str) -> ScimFilter[Any]:
    bound_to_users: Any = cast("Any", ScimFilter)[shape.models["User"]]
    return cast("ScimFilter[Any]", bound_to_users(text))


def bound(shape: Shape, text: str) -> ScimFilter[Any] | None:
    """None where the value is none of the attribute's, which scim2-models refuses before we see it."""
    try:
        with shape.provider:
            found = filter_of(shape, text)
    except InvalidFilterException:
        return None
    return found


def compared(book: ledger.Ledger, shape: Shape, people: list[dict[str, Any]], filters: list[str]) -> None:
    connector = book.scim.connectors.get("entra")
    try:
        with book.scim.write() as transaction:
            writer = transaction.writer(connector.id, Actor("token", None, "request", "test"))
            model = shape.models["User"]
            for number, person in enumerate(people):
                with shape.provider:
                    resource = model.model_validate({"userName": f"{person.get('title', '')}{number}", **person})
                writer.insert(draft_of(shape, "User", resource))
            stored = writer.page(["User"], None, offset=0, limit=None).resources
            for text in filters:
                asked = bound(shape, text)
                if asked is None:
                    continue
                with shape.provider:
                    wanted = {each.id for each in stored if asked.match(model_of(shape, each))}
                condition = condition_of(shape, "User", asked)
                found = {each.id for each in writer.page(["User"], condition, offset=0, limit=None).resources}
                assert found == wanted, text
                assert writer.count(["User"], condition) == len(wanted)
            raise TakenBack  # noqa: TRY301 -- the way to end a transaction without a trace
    except TakenBack:
        return


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=PEOPLE, filters=st.lists(FILTERS, min_size=1, max_size=6))
def test_a_filter_finds_whom_it_matches(
    book: ledger.Ledger, shape: Shape, people: list[dict[str, Any]], filters: list[str]
):
    compared(book, shape, people, filters)


@pytest.mark.parametrize(
    "text", ['groups.display eq "x"', 'groups[type eq "direct"]', 'groups ne null and groups.type pr or groups co "a"']
)
def test_what_cannot_be_asked_of_memberships_is_refused_and_never_left_out(shape: Shape, text: str):
    with pytest.raises(InvalidFilterException):
        condition_of(shape, "User", filter_of(shape, text))


def test_an_attribute_that_nobody_declares_is_refused(shape: Shape):
    model: Any = shape.models["User"]
    with shape.provider, pytest.raises(Exception, match="shoeSize"):
        SearchRequest[model].model_validate({"filter": 'shoeSize eq "44"'})
