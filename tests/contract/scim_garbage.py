"""What clients of SCIM send, and what no client would: strategies of hypothesis.

Bodies are written as text and not as values, so that they may hold what no value in Python stands for: a key twice, a
number without end, half a character, bytes that are no UTF-8.
"""

from __future__ import annotations

import json
from typing import Any, Final

from hypothesis import strategies as st

from tests.contract.test_scim_tester import CUSTOM

__all__ = [
    "ATTRIBUTES",
    "BADGE",
    "badges",
    "bodies",
    "bulks",
    "filters",
    "groups",
    "headers",
    "patches",
    "paths",
    "queries",
    "searches",
    "users",
]

USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
MESSAGES: Final = "urn:ietf:params:scim:api:messages:2.0"
_SUB: Final = {"required": False, "mutability": "readWrite", "returned": "default", "uniqueness": "none"}
BADGE: Final[dict[str, Any]] = {
    **CUSTOM,
    "attributes": [
        *CUSTOM["attributes"],
        *(
            {"name": name, "type": kind, "multiValued": many, "description": name, "caseExact": False, **_SUB}
            for name, kind, many in (
                ("weight", "decimal", False),
                ("made", "dateTime", False),
                ("chip", "binary", False),
                ("good", "boolean", False),
                ("maker", "reference", False),
                ("rooms", "integer", True),
                ("weights", "decimal", True),
                ("days", "dateTime", True),
            )
        ),
    ],
}
"""A schema with an attribute of every type that there is."""
ATTRIBUTES: Final = (
    *[
        "userName",
        "displayName",
        "externalId",
        "id",
        "active",
        "title",
        "groups",
        "members",
        "members.value",
        "meta",
        "schemas",
        "password",
    ],
    *[
        "meta.created",
        "meta.lastModified",
        "meta.version",
        "meta.resourceType",
        "meta.location",
        "name",
        "name.familyName",
    ],
    *[
        "emails",
        "emails.value",
        "emails.type",
        "emails.primary",
        "phoneNumbers",
        "addresses",
        "roles",
        "ims",
        "photos.value",
    ],
    *["x509Certificates", "x509Certificates.value", "manager", "department"],
    *(f"{ENTERPRISE}:manager", f"{ENTERPRISE}:manager.value", f"{ENTERPRISE}:department", ENTERPRISE, USER),
    *(f"{BADGE['id']}:{each['name']}" for each in BADGE["attributes"]),
    *(f"{USER}:userName", BADGE["id"], "shoeSize", "", ".", "a..b", "emails[", "value", "$ref", "members[0]"),
)

_BADGES: Final = [f"{BADGE['id']}:{each['name']}" for each in BADGE["attributes"]]

_ANY_TEXT: Final = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
_INSTANTS: Final = (
    "2026-11-24T06:05:12Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-02-30T00:00:00Z",
)
_WORDS: Final = st.sampled_from(
    [
        *("jane", "JANE", "work", "true", "False", "None", "null", "", " ", "%", "_", "'", '"', "\\", "\n"),
        *("$USER", "$GROUP", "bulkId:a", "bulkId:", "é", "e\u0301", "İ", "ß", "ﬃ", "\U0001f600", "\ufdd0"),
        *("aGVsbG8=", "a", "https://example.com/é", "Users/$USER", "x" * 300, "\r\n", "\u2028"),
        *_INSTANTS,
    ]
)
TEXT: Final = _WORDS | _ANY_TEXT
WILD_TEXT: Final = (
    TEXT
    | st.text(st.characters(exclude_categories=()), max_size=12)
    | st.sampled_from(["\0", "a\0b", "\x1f", "\x7f", "\ud800", "\udfff\ud800", "x" * 5000])
)
"""With what no text may hold."""
_EDGES: Final = st.sampled_from(
    [
        *("0", "-0", "1", "2147483648", "9223372036854775807", "9223372036854775808", "-9223372036854775809"),
        *("1" + "0" * 30, "-" + "1" * 400, "1e400", "-1e400", "1E308", "1e-400", "0.1", "12345678901234567890.5"),
    ]
)
_NUMBERS: Final = st.one_of(
    _EDGES, _EDGES, st.integers().map(str), st.floats(allow_nan=False, allow_infinity=False).map(repr)
)
_NUMBERS_AS_TEXT: Final = _NUMBERS.map(lambda number: f'"{number}"') | st.sampled_from(['"Infinity"', '"NaN"'])
_NO_NUMBERS: Final = st.sampled_from(["NaN", "Infinity", "-Infinity", "01", "+1", "1.", ".5", "0x10", "1" * 5000])


def _quoted(text: str) -> str:
    return json.dumps(text)


_SCALARS: Final = st.sampled_from(["null", "true", "false"]) | _NUMBERS | TEXT.map(_quoted)
_KEYS: Final = st.sampled_from([*ATTRIBUTES, "VALUE", "Type", "primary", "display", "displayName"]) | TEXT


def _list(items: list[str]) -> str:
    return f"[{','.join(items)}]"


def _object(pairs: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{_quoted(key)}:{value}" for key, value in pairs) + "}"


ANYTHING: Final = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4).map(_list)
        | st.lists(st.tuples(_KEYS, inner), max_size=4, unique_by=lambda one: one[0]).map(_object)
    ),
    max_leaves=6,
)
"""JSON that passes the door, so that something looks into it."""
WILD: Final = st.recursive(
    _SCALARS | _NO_NUMBERS | WILD_TEXT.map(_quoted),
    lambda inner: (
        st.lists(inner, max_size=4).map(_list)
        | st.lists(st.tuples(_KEYS | WILD_TEXT, inner), max_size=4).map(_object)
        | inner.map(lambda one: "[" * 15 + one + "]" * 15)
        | inner.map(lambda one: '{"name":' * 15 + one + "}" * 15)
    ),
    max_leaves=8,
)
"""JSON, or nearly."""


def _value_of_many() -> st.SearchStrategy[str]:
    part = st.tuples(st.sampled_from(["value", "type", "primary", "display", "$ref", "formatted"]), _SCALARS | ANYTHING)
    whole = st.lists(part, max_size=4, unique_by=lambda one: one[0]).map(_object)
    return st.lists(whole | whole | _SCALARS, max_size=3).map(_list)


_MEMBER: Final = st.sampled_from(
    ['{"value":"$USER"}', '{"value":"$GROUP"}', '{"value":"nobody"}', '{"$ref":null}', '"$USER"']
)
_MANY: Final = ("emails", "phoneNumbers", "addresses", "roles", "x509Certificates", "ims", "photos", "entitlements")
_FITTING: Final[dict[str, st.SearchStrategy[str]]] = {
    **dict.fromkeys(_MANY, _value_of_many()),
    **dict.fromkeys(("active", "good"), st.sampled_from(["true", "false", '"True"', '"no"', "1"])),
    **dict.fromkeys(("doors", "weight"), _NUMBERS | _NUMBERS_AS_TEXT),
    **dict.fromkeys(("rooms", "weights"), st.lists(_NUMBERS | _NUMBERS_AS_TEXT, min_size=1, max_size=2).map(_list)),
    "members": st.lists(_MEMBER, max_size=3).map(_list) | _MEMBER,
    "made": st.sampled_from(_INSTANTS).map(_quoted),
    "days": st.lists(st.sampled_from(_INSTANTS).map(_quoted), max_size=2).map(_list),
    "name": st.lists(
        st.tuples(st.sampled_from(["familyName", "givenName", "formatted"]), TEXT.map(_quoted)),
        max_size=3,
        unique_by=lambda one: one[0],
    ).map(_object),
}


def _likely(name: str) -> st.SearchStrategy[str]:
    """What fits an attribute, more often than not."""
    return _FITTING.get(name.rpartition(":")[2], TEXT.map(_quoted))


def _mostly_likely(name: str) -> st.SearchStrategy[str]:
    return st.integers(0, 9).flatmap(lambda number: _likely(name) if number else ANYTHING)


def _pairs(names: tuple[str, ...]) -> st.SearchStrategy[list[tuple[str, str]]]:
    pair = st.sampled_from(names).flatmap(lambda name: st.tuples(st.just(name), _mostly_likely(name)))
    odd = st.integers(0, 9).flatmap(lambda number: pair if number else st.tuples(_KEYS, ANYTHING))
    return st.lists(odd, max_size=4, unique_by=lambda one: one[0])


_BADGE_PARTS: Final = _pairs(tuple(str(each["name"]) for each in BADGE["attributes"]))
_USER_PARTS: Final = _pairs(
    (
        *[
            "displayName",
            "externalId",
            "active",
            "title",
            "name",
            "emails",
            "phoneNumbers",
            "addresses",
            "roles",
            "ims",
            "photos",
            "entitlements",
        ],
        *[
            "x509Certificates",
            "profileUrl",
            "locale",
            "manager",
            "department",
            "groups",
            "id",
            "meta",
            "password",
            "schemas",
        ],
        *["preferredLanguage", "nickName", "timezone", "userType"],
    )
)
_NAMES: Final = st.one_of(st.just("$NEW"), st.just("$NEW"), TEXT)


def _mostly_object(pairs: st.SearchStrategy[list[tuple[str, str]]]) -> st.SearchStrategy[str]:
    return st.integers(0, 9).flatmap(lambda number: pairs.map(_object) if number else ANYTHING)


@st.composite
def users(draw: st.DrawFn) -> str:
    pairs = draw(_USER_PARTS)
    pairs = [pair for pair in pairs if pair[0] not in {"userName", BADGE["id"], ENTERPRISE}]
    pairs.insert(0, ("userName", draw(_NAMES.map(_quoted) if draw(st.integers(0, 7)) else ANYTHING)))
    if draw(st.booleans()):
        pairs.append((str(BADGE["id"]), draw(_mostly_object(_BADGE_PARTS))))
    if draw(st.booleans()):
        pairs.append((ENTERPRISE, draw(_mostly_object(_pairs(("manager", "department", "employeeNumber"))))))
    return _object(pairs)


def badges() -> st.SearchStrategy[str]:
    """Users who are as they should be, but for one attribute of the further schema."""
    one = st.sampled_from([*(str(each["name"]) for each in BADGE["attributes"]), "weight", "weights", "doors"]).flatmap(
        lambda name: st.tuples(st.just(name), _likely(name))
    )
    return one.map(lambda pair: _object([("userName", '"$NEW"'), (str(BADGE["id"]), _object([pair]))]))


@st.composite
def groups(draw: st.DrawFn) -> str:
    pairs = draw(_pairs(("members", "externalId", "schemas", "id", "meta", "userName")))
    pairs = [pair for pair in pairs if pair[0] != "displayName"]
    return _object([("displayName", draw(_NAMES.map(_quoted) if draw(st.integers(0, 7)) else ANYTHING)), *pairs])


def _mostly_scalar() -> st.SearchStrategy[str]:
    quoted = st.sampled_from(_INSTANTS).map(_quoted) | TEXT.map(_quoted)
    return st.one_of(_SCALARS, _NUMBERS, quoted, mostly('""', TEXT), WILD_TEXT.map(_quoted))


@st.composite
def _comparisons(draw: st.DrawFn) -> str:
    operator = draw(st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "EQ", "is"]))
    name = draw(st.sampled_from(_BADGES) | st.sampled_from(ATTRIBUTES))
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return f"{name} pr"
    if kind == 1:
        name = draw(st.sampled_from(["doors", "weight", "rooms", "weights", "made", "good"]))
        value = draw(st.one_of(_EDGES, _EDGES, st.sampled_from(["true", "null", *map(_quoted, _INSTANTS)])))
        return f"{BADGE['id']}:{name} {operator} {value}"
    if kind == 2:
        name = draw(st.sampled_from(["userName", "title", "emails.value", "members", "id", "externalId"]))
        return f"{name} {operator} {_quoted(draw(WILD_TEXT))}"
    if kind == 3:
        return str(draw(mostly("id pr", TEXT)))
    return f"{name} {operator} {draw(_mostly_scalar())}"


@st.composite
def filters(draw: st.DrawFn, deep: int = 2) -> str:
    kind = draw(st.integers(0, 8)) if deep else 0
    if kind < 6:
        return draw(_comparisons())
    left = draw(filters(deep - 1))
    if kind == 6:
        return f"not ({left})"
    if kind == 7:
        return f"{draw(st.sampled_from(['emails', 'members', 'groups', 'name', *ATTRIBUTES]))}[{left}]"
    return f"{left} {draw(st.sampled_from(['and', 'or', 'xor']))} {draw(filters(deep - 1))}"


@st.composite
def operations(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(ATTRIBUTES))
    path = name
    if draw(st.integers(0, 3)) == 0:
        path = f"{name}[{draw(filters(1))}]{draw(st.sampled_from(['', '.value', '.type', '.x']))}"
    pairs = [("op", draw(mostly('"add"', ANYTHING) | st.sampled_from(['"Replace"', '"remove"', '"Add"', '"replace"'])))]
    if draw(st.integers(0, 4)):
        pairs.append(("path", draw(mostly(_quoted(path), TEXT.map(_quoted) | ANYTHING))))
    if draw(st.integers(0, 4)):
        pairs.append(("value", draw(_likely(name) | users() | groups() | ANYTHING)))
    return _object(pairs)


def patches() -> st.SearchStrategy[str]:
    listed = st.lists(operations(), min_size=1, max_size=3).map(_list)
    named = f'["{MESSAGES}:PatchOp"]'
    return st.tuples(st.one_of(listed, listed, listed, ANYTHING), mostly(named, ANYTHING)).map(
        lambda given: _object([("schemas", given[1]), ("Operations", given[0])])
    )


@st.composite
def bulks(draw: st.DrawFn) -> str:
    found = []
    for number in range(draw(st.integers(0, 4))):
        method, path, data = draw(
            st.one_of(
                st.tuples(st.just("POST"), st.just("/Users"), users()),
                st.tuples(st.just("POST"), st.just("/Groups"), groups()),
                st.tuples(st.just("PUT"), st.just("/Users/$USER"), users()),
                st.tuples(st.just("PUT"), st.just("/Groups/$GROUP"), groups()),
                st.tuples(st.just("PATCH"), st.sampled_from(["/Users/$USER", "/Groups/$GROUP"]), patches()),
                st.tuples(st.just("DELETE"), st.just("/Users/bulkId:b0"), ANYTHING),
            )
        )
        pairs = [
            ("method", draw(mostly(f'"{method}"', ANYTHING))),
            ("path", draw(mostly(_quoted(path), paths().map(_quoted) | ANYTHING))),
            ("data", draw(mostly(data, ANYTHING))),
            ("bulkId", draw(mostly(f'"b{number}"', st.just('"b0"') | ANYTHING))),
            ("version", draw(ANYTHING)),
        ]
        found.append(_object([pair for pair in pairs if draw(st.integers(0, 2 if pair[0] == "version" else 9))]))
    pairs = [("schemas", f'["{MESSAGES}:BulkRequest"]'), ("Operations", _list(found))]
    if draw(st.integers(0, 3)) == 0:
        pairs.append(("failOnErrors", draw(ANYTHING)))
    return _object(pairs)


@st.composite
def searches(draw: st.DrawFn) -> str:
    names = ("filter", "sortBy", "sortOrder", "startIndex", "count", "cursor", "attributes", "excludedAttributes")
    pairs = [("schemas", f'["{MESSAGES}:SearchRequest"]')]
    for name in draw(st.lists(st.sampled_from(names), unique=True, max_size=3)):
        numbers = _NUMBERS if name in {"startIndex", "count"} else _value_of_query(name).map(_quoted)
        pairs.append((name, draw(st.one_of(numbers, numbers, ANYTHING))))
    return _object(pairs)


def bodies() -> st.SearchStrategy[bytes]:
    """Of any request: mostly JSON, sometimes bytes."""
    text = users() | groups() | patches() | bulks() | searches() | WILD
    broken = st.tuples(text, st.integers(0, 200)).map(lambda given: given[0][: given[1]])
    return (text | broken).map(lambda one: one.encode("utf-8", "surrogatepass")) | st.binary(max_size=40)


def _value_of_query(name: str) -> st.SearchStrategy[str]:
    if name == "filter":
        return st.one_of(filters(), filters(), WILD_TEXT)
    if name in {"startIndex", "count"}:
        return _NUMBERS | TEXT
    if name == "sortOrder":
        return st.sampled_from(["ascending", "descending", "DESCENDING", "up"])
    if name == "cursor":
        return st.sampled_from(["", "AAAA", "A" * 43]) | TEXT
    attributes = st.sampled_from(ATTRIBUTES)
    return attributes | st.lists(attributes, max_size=3).map(",".join) | TEXT


def mostly(nothing: Any, some: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """So that a request is not refused for all of its parts at once."""
    return st.integers(0, 5).flatmap(lambda number: st.just(nothing) if number else some)


def queries() -> st.SearchStrategy[list[tuple[str, str]]]:
    names = ("filter", "sortBy", "sortOrder", "startIndex", "count", "cursor", "attributes", "excludedAttributes", "x")
    one = st.sampled_from(names).flatmap(lambda name: st.tuples(st.just(name), _value_of_query(name)))
    return st.lists(one, max_size=3)


def paths() -> st.SearchStrategy[str]:
    kind = st.sampled_from(
        ["Users", "Groups", "users", "Bulk", "Me", "Schemas", "ResourceTypes", "ServiceProviderConfig"]
    )
    rest = st.sampled_from(["$USER", "$GROUP", ".search", "nobody", "..", "", BADGE["id"], USER, "User"]) | WILD_TEXT
    return st.one_of(
        kind.map(lambda one: f"/{one}"),
        st.tuples(kind, rest).map(lambda one: f"/{one[0]}/{one[1]}"),
        st.tuples(kind, rest, rest).map("/".join).map(lambda one: f"/{one}"),
        st.sampled_from(["", "/", "//", "/.search", "/Bulk", "//Users"]),
        TEXT.map(lambda one: f"/{one}"),
    )


def headers() -> st.SearchStrategy[list[tuple[str, str]]]:
    tags = st.sampled_from(['W/"1"', '"1"', "*", 'W/"1", W/"2"', "", "W/", '"', "W/1", 'W/"x"', ",", "é"])
    types = st.sampled_from(
        [
            "application/scim+json",
            "application/json; charset=utf-8",
            "text/plain",
            "",
            "é",
            "application/json;charset=x",
        ]
    )
    latin = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=8)
    one = st.one_of(
        st.tuples(st.sampled_from(["if-match", "if-none-match"]), tags | latin),
        st.tuples(st.just("content-type"), types | latin),
        st.tuples(st.sampled_from(["accept", "content-length", "x-forwarded-for", "host", "prefer"]), latin),
    )
    return mostly([], st.lists(one, min_size=1, max_size=3))
