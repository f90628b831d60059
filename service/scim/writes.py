"""Requests that change something, each within one part of a transaction.

The members of a group are changed by what comes and goes, and are never part of a model: a group of 50,000 takes one
more as a group of ten does. PATCH and PUT without If-Match work on what is there when their turn comes, so that two at
once are both carried out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scim2_models import NotFoundException, Resource
from scim2_server.conditions import Conditions
from scim2_server.handler import ScimHandler

from ledger.scim.reading import ResourceKind, Stored
from ledger.scim.store import Open
from ledger.scim.writing import Writer
from service.scim.answers import Answer
from service.scim.drafts import draft_of, model_of, version_tag
from service.scim.members import MemberChange, apart, wanted_members
from service.scim.protocol import Desk, Payload, Request, answered, for_protocol
from service.scim.reads import memberships_of, whole
from service.scim.storage import LedgerStorage, not_found, said

__all__ = ["write"]


def write(desk: Desk, transaction: Open, request: Request) -> Answer:
    """Raises SCIMException and Refused; then nothing is changed."""
    match request.method, request.segments:
        case "POST", (name,) if name.lower() == "bulk":
            return _bulk(desk, transaction, request)
        case "POST", (_,) if request.kind is not None:
            return _create(desk, transaction, request, request.kind)
        case "PUT", (_, resource_id) if request.kind is not None:
            return _replace(desk, transaction, request, request.kind, resource_id)
        case "PATCH", (_, resource_id) if request.kind is not None:
            return _patch(desk, transaction, request, request.kind, resource_id)
        case "DELETE", (_, resource_id) if request.kind is not None:
            return _delete(desk, transaction, request, request.kind, resource_id)
    # What is nowhere, and methods that something does not have, is said by scim2-server.
    storage = LedgerStorage(desk.shape, transaction.writer(desk.connector.id, request.actor("")))
    answered(ScimHandler(desk.protocol, storage).handle(for_protocol(desk, request)))
    raise NotFoundException(detail="there is nothing here to write to")


def _create(desk: Desk, transaction: Open, request: Request, kind: ResourceKind) -> Answer:
    writer = transaction.writer(desk.connector.id, request.actor("create"))
    content, members = _without_members(kind, request.content)
    with desk.shape.provider:
        resource = desk.protocol.read_creation(desk.shape.types[kind], Payload.of(content), None)
        draft = draft_of(desk.shape, kind, resource)
    stored = said(lambda: writer.insert(draft))
    if members:
        stored = said(lambda: writer.change_members(stored, add=members, remove=()))
    return whole(desk, writer, stored, 201)


def _replace(desk: Desk, transaction: Open, request: Request, kind: ResourceKind, resource_id: str) -> Answer:
    writer = transaction.writer(desk.connector.id, request.actor("replace"))
    stored = _found(writer, kind, resource_id, request)
    content, members = _without_members(kind, request.content)
    with desk.shape.provider:
        current = model_of(desk.shape, stored)
        replacement = desk.protocol.read_replacement(desk.shape.types[kind], Payload.of(content), None)
        replaced = desk.protocol.apply_replacement(current, replacement, Conditions())
    if replaced is not None:
        stored = _updated(desk, writer, stored, replaced)
    if kind == "Group":
        group = stored
        stored = said(lambda: writer.change_members(group, add=members, remove=None))
    return _told(desk, writer, stored, request)


def _patch(desk: Desk, transaction: Open, request: Request, kind: ResourceKind, resource_id: str) -> Answer:
    operations = request.content.get("Operations")
    separate = apart(operations) if kind == "Group" and isinstance(operations, list) else (None, operations)
    if separate is None:
        storage = LedgerStorage(desk.shape, transaction.writer(desk.connector.id, request.actor("patch")), transaction)
        return answered(ScimHandler(desk.protocol, storage).patch(for_protocol(desk, request)))
    change, rest = separate
    writer = transaction.writer(desk.connector.id, request.actor("patch"))
    stored = _found(writer, kind, resource_id, request)
    if rest or change is None:
        stored = _patched(desk, writer, stored, {**request.content, "Operations": rest}, asked=operations)
    if change is not None:
        stored = _with(writer, stored, change)
    if kind == "Group" and not request.projects:
        return Answer(204, b"", {"ETag": version_tag(stored.version)})
    return _told(desk, writer, stored, request)


def _patched(desk: Desk, writer: Writer, stored: Stored, content: Mapping[str, Any], *, asked: Any) -> Stored:
    if asked == []:  # all that it asked for is ours to say, such as a password that nobody keeps
        return stored
    with desk.shape.provider:
        current = model_of(desk.shape, stored)
        patch = desk.protocol.read_patch(desk.shape.types[stored.kind], Payload.of(content), None)
        patched = desk.protocol.apply_patch(current, patch, Conditions())
    return stored if patched is None else _updated(desk, writer, stored, patched)


def _with(writer: Writer, stored: Stored, change: MemberChange) -> Stored:
    return said(lambda: writer.change_members(stored, add=change.add, remove=change.remove))


def _delete(desk: Desk, transaction: Open, request: Request, kind: ResourceKind, resource_id: str) -> Answer:
    writer = transaction.writer(desk.connector.id, request.actor("delete"))
    writer.delete(_found(writer, kind, resource_id, request))
    return Answer(204)


def _bulk(desk: Desk, transaction: Open, request: Request) -> Answer:
    writer = transaction.writer(desk.connector.id, request.actor("bulk"))
    storage = LedgerStorage(desk.shape, writer, transaction)
    return answered(ScimHandler(desk.protocol, storage).bulk(for_protocol(desk, request)))


def _found(writer: Writer, kind: ResourceKind, resource_id: str, request: Request) -> Stored:
    """The resource, if it is as the client thinks it is."""
    stored = writer.get(kind, resource_id) or not_found(kind, resource_id)
    conditions = Conditions(request.headers.get("if-match"), request.headers.get("if-none-match"))
    conditions.check(version_tag(stored.version), request.method)
    return stored


def _updated(desk: Desk, writer: Writer, stored: Stored, resource: Resource[Any]) -> Stored:
    draft = draft_of(desk.shape, stored.kind, resource)
    return said(lambda: writer.update(stored, draft))


def _told(desk: Desk, writer: Writer, stored: Stored, request: Request) -> Answer:
    if desk.shape.always_whole and not request.projects:
        return whole(desk, writer, stored)
    with desk.shape.provider:
        resource_type = desk.shape.types[stored.kind]
        parameters = desk.protocol.read_response_parameters(resource_type, request.query)
        members = None if request.without_members else memberships_of(writer, stored)
        model = model_of(desk.shape, stored, members)
        return answered(desk.protocol.replacement_response(desk.base_url, model, parameters))


def _without_members(kind: ResourceKind, content: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str | None]]:
    if kind == "User":
        return dict(content), {}
    rest = {name: value for name, value in content.items() if name.lower() != "members"}
    given = next((value for name, value in content.items() if name.lower() == "members"), None)
    return rest, wanted_members([] if given is None else given)
