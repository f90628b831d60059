"""The JSON that Okta answers with, and the attributes that its filters can name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from sandbox.company import Person, Standing
from sandbox.okta.filters import Attributes
from sandbox.okta.state import STATUS, USER_TYPE_ID, OktaGroup, okta_id
from sandbox.okta.switches import CustomAttribute, Switches

Document = dict[str, object]

NEVER_ACTIVATED = frozenset({Standing.STAGED, Standing.INVITED})
DIRECTORY_APP_ID = okta_id("0oa", "active_directory")

BASE_ATTRIBUTES: Mapping[str, tuple[str, Callable[[Person], object]]] = {
    "login": ("Username", lambda person: person.login),
    "firstName": ("First name", lambda person: person.first),
    "lastName": ("Last name", lambda person: person.last),
    "displayName": ("Display name", lambda person: person.display_name),
    "email": ("Primary email", lambda person: person.email),
    "secondEmail": ("Secondary email", lambda _: None),
    "mobilePhone": ("Mobile phone", lambda _: None),
    "title": ("Title", lambda person: person.title),
    "department": ("Department", lambda person: person.department),
    "city": ("City", lambda person: person.city),
    "employeeNumber": ("Employee number", lambda person: person.employee_number),
}


def timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def activated(person: Person) -> datetime | None:
    return None if person.standing is Standing.STAGED else person.created + timedelta(minutes=5)


def profile(person: Person, switches: Switches) -> Document:
    shown: Document = {name: value(person) for name, (_, value) in BASE_ATTRIBUTES.items()}
    shown.update({attribute.name: attribute.value(person) for attribute in switches.custom_attributes})
    return shown


def user(user_id: str, person: Person, base_url: str, switches: Switches) -> Document:
    active_since = activated(person)
    signed_in = None if person.standing in NEVER_ACTIVATED else timestamp(person.created + timedelta(days=1))
    return {
        "id": user_id,
        "status": STATUS[person.standing],
        "created": timestamp(person.created),
        "activated": None if active_since is None else timestamp(active_since),
        "statusChanged": timestamp(person.standing_since),
        "lastLogin": signed_in,
        "lastUpdated": timestamp(person.updated),
        "passwordChanged": signed_in,
        "type": {"id": USER_TYPE_ID},
        "profile": profile(person, switches),
        "credentials": {"password": {}, "provider": {"type": "OKTA", "name": "OKTA"}},
        "_links": {"self": {"href": f"{base_url}/api/v1/users/{user_id}"}},
    }


def user_attributes(user_id: str, person: Person, switches: Switches) -> Attributes:
    custom = {attribute.name: attribute.value for attribute in switches.custom_attributes}

    def value_of(name: str) -> object:
        outer, _, inner = name.partition(".")
        if outer == "profile":
            if inner in BASE_ATTRIBUTES:
                return BASE_ATTRIBUTES[inner][1](person)
            return custom[inner](person) if inner in custom else None
        values: dict[str, Callable[[], object]] = {
            "id": lambda: user_id,
            "status": lambda: STATUS[person.standing],
            "created": lambda: person.created,
            "activated": lambda: activated(person),
            "statusChanged": lambda: person.standing_since,
            "lastUpdated": lambda: person.updated,
            "type.id": lambda: USER_TYPE_ID,
        }
        return values[name]()

    return value_of


def group(shown: OktaGroup, base_url: str, users_count: int | None = None) -> Document:
    """`users_count` is embedded when the request said `expand=stats`."""
    imported = shown.type == "APP_GROUP"
    details: Document = {"name": shown.name, "description": shown.description}
    links: Document = {
        "logo": [
            {"name": size, "href": f"{base_url}/img/logos/groups/odyssey/okta-{size}.png", "type": "image/png"}
            for size in ("medium", "large")
        ],
        "users": {"href": f"{base_url}/api/v1/groups/{shown.id}/users"},
        "apps": {"href": f"{base_url}/api/v1/groups/{shown.id}/apps"},
    }
    if imported:
        details["samAccountName"] = shown.name
        details["dn"] = f"CN={shown.name},OU=Groups,DC=fjordlight,DC=example"
        details["windowsDomainQualifiedName"] = f"FJORDLIGHT\\{shown.name}"
        links["source"] = {"href": f"{base_url}/api/v1/apps/{DIRECTORY_APP_ID}"}
    document: Document = {
        "id": shown.id,
        "created": timestamp(shown.created),
        "lastUpdated": timestamp(shown.updated),
        "lastMembershipUpdated": timestamp(shown.members_updated),
        "objectClass": ["okta:windows_security_principal" if imported else "okta:user_group"],
        "type": shown.type,
        "profile": details,
        "_links": links,
    }
    if users_count is not None:
        stats = {"usersCount": users_count, "appsCount": 0, "groupPushMappingsCount": 0}
        document["_embedded"] = {"stats": stats}
    return document


def group_attributes(shown: OktaGroup) -> Attributes:
    values: dict[str, object] = {
        "id": shown.id,
        "type": shown.type,
        "created": shown.created,
        "lastUpdated": shown.updated,
        "lastMembershipUpdated": shown.members_updated,
        "source.id": DIRECTORY_APP_ID if shown.type == "APP_GROUP" else None,
        "profile.name": shown.name,
        "profile.description": shown.description,
    }
    return values.get


def user_schema(base_url: str, switches: Switches) -> Document:
    """The default user type's schema: `#base` holds Okta's attributes, `#custom` the organisation's."""
    required = ["login", "firstName", "lastName", "email"]
    base = {
        name: _schema_attribute(title, "string", required=name in required)
        for name, (title, _) in BASE_ATTRIBUTES.items()
    }
    custom = {attribute.name: _custom_schema(attribute) for attribute in switches.custom_attributes}
    return {
        "id": f"{base_url}/meta/schemas/user/default",
        "$schema": "http://json-schema.org/draft-04/schema#",
        "name": "user",
        "title": "User",
        "lastUpdated": "2026-01-10T08:00:00.000Z",
        "created": "2018-03-01T09:00:00.000Z",
        "type": "object",
        "definitions": {
            "custom": {"id": "#custom", "type": "object", "properties": custom, "required": []},
            "base": {"id": "#base", "type": "object", "properties": base, "required": required},
        },
        "properties": {"profile": {"allOf": [{"$ref": "#/definitions/custom"}, {"$ref": "#/definitions/base"}]}},
        "_links": {
            "self": {"rel": "self", "href": f"{base_url}/api/v1/meta/schemas/user/default", "method": "GET"},
        },
    }


def _custom_schema(attribute: CustomAttribute) -> Document:
    described = _schema_attribute(attribute.title, attribute.kind, required=False)
    described["externalName"] = attribute.name
    if attribute.kind == "array":
        described["items"] = {"type": "string"}
    return described


def _schema_attribute(title: str, kind: str, *, required: bool) -> Document:
    return {
        "title": title,
        "type": kind,
        "required": required,
        "mutability": "READ_WRITE",
        "scope": "NONE",
        "permissions": [{"principal": "SELF", "action": "READ_ONLY"}],
        "master": {"type": "PROFILE_MASTER"},
    }
