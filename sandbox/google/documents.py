"""The JSON that the Directory API answers with."""

from __future__ import annotations

import base64
from collections.abc import Collection
from datetime import UTC, datetime

from sandbox.company import Group, Person, Standing
from sandbox.google.state import is_suspended
from sandbox.google.switches import CUSTOMER_ID, CustomField, Member, Switches

Document = dict[str, object]


def timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def photo(user_id: str, person: Person, content: bytes) -> Document:
    """Web-safe base64: besides the alphabet of RFC 4648 the padding differs (UserPhoto.photoData)."""
    return {
        "kind": "admin#directory#user#photo",
        "id": user_id,
        "etag": f'"{user_id}-photo"',
        "primaryEmail": person.email,
        "mimeType": "PNG",
        "width": 96,
        "height": 96,
        "photoData": base64.urlsafe_b64encode(content).decode().replace("=", "."),
    }


def user(user_id: str, person: Person, switches: Switches, schemas: Collection[str]) -> Document:
    """`schemas` are the custom schemas that the projection asks for."""
    suspended = is_suspended(person)
    document: Document = {
        "kind": "admin#directory#user",
        "id": user_id,
        "etag": f'"{user_id}-{person.updated.timestamp():.3f}"',
        "primaryEmail": person.email,
        "name": {"givenName": person.first, "familyName": person.last, "fullName": person.display_name},
        "isAdmin": False,
        "isDelegatedAdmin": False,
        "creationTime": timestamp(person.created),
        "lastLoginTime": "1970-01-01T00:00:00.000Z",
        "agreedToTerms": person.standing is not Standing.INVITED,
        "suspended": suspended,
        "archived": suspended and switches.archive_the_suspended,
        "changePasswordAtNextLogin": person.standing is Standing.PASSWORD_EXPIRED,
        "ipWhitelisted": False,
        "emails": [{"address": person.email, "primary": True}],
        "externalIds": [{"type": "organization", "value": person.employee_number}],
        "organizations": [
            {"title": "Volunteer", "department": "None", "primary": False},
            {"title": person.title, "department": person.department, "primary": True, "customType": ""},
        ],
        "addresses": [{"type": "work", "locality": person.city}],
        "customerId": CUSTOMER_ID,
        "orgUnitPath": f"/{person.department}",
        "isMailboxSetup": True,
        "isEnrolledIn2Sv": False,
        "isEnforcedIn2Sv": False,
        "includeInGlobalAddressList": True,
    }
    if suspended:
        document["suspensionReason"] = "ADMIN"
    custom = {name: _custom(person, name, switches.custom_fields) for name in schemas}
    if any(custom.values()):
        document["customSchemas"] = {name: fields for name, fields in custom.items() if fields}
    return document


def _custom(person: Person, schema: str, fields: Collection[CustomField]) -> Document:
    shown: Document = {}
    for field in fields:
        if field.schema == schema:
            value = field.value(person)
            if isinstance(value, list):
                value = [{"type": "work", "value": one} for one in value]
            shown[field.name] = value
    return shown


def group(group_id: str, shown: Group, address: str, count: int) -> Document:
    return {
        "kind": "admin#directory#group",
        "id": group_id,
        "etag": f'"{group_id}-{shown.updated.timestamp():.3f}"',
        "email": address,
        "name": shown.name,
        "directMembersCount": str(count),
        "description": shown.description,
        "adminCreated": True,
    }


def member(shown: Member, person: Person | None) -> Document:
    """Everybody (CUSTOMER) has no address, and only people have a status."""
    document: Document = {
        "kind": "admin#directory#member",
        "etag": f'"{shown.id}"',
        "id": shown.id,
        "role": "MEMBER",
        "type": shown.kind,
    }
    if shown.email is not None:
        document["email"] = shown.email
    if shown.kind == "USER":
        document["status"] = "SUSPENDED" if person is not None and is_suspended(person) else "ACTIVE"
    return document


def schemas(fields: Collection[CustomField]) -> Document:
    names = dict.fromkeys(field.schema for field in fields)
    shown = [
        {
            "kind": "admin#directory#schema",
            "schemaId": f"schema-{name}",
            "schemaName": name,
            "displayName": name,
            "etag": f'"{name}"',
            "fields": [
                {
                    "kind": "admin#directory#schema#fieldspec",
                    "fieldId": f"field-{field.name}",
                    "fieldName": field.name,
                    "fieldType": field.kind,
                    "etag": f'"{field.name}"',
                }
                for field in fields
                if field.schema == name
            ],
        }
        for name in names
    ]
    document: Document = {"kind": "admin#directory#schemas", "etag": '"schemas"'}
    return {**document, "schemas": shown} if shown else document
