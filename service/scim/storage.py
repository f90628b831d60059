"""The storage of scim2-server over the ledger, within one transaction."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NoReturn, TypeVar, cast

from scim2_models import (
    InvalidCursorException,
    InvalidValueException,
    NotFoundException,
    PreconditionFailedException,
    Resource,
    ResourceType,
    ResponseParameters,
    SearchRequest,
    UniquenessException,
)
from scim2_server.storage import ScimStorage, SearchPage

from ledger.scim import predicates as sql
from ledger.scim.reading import Keyset, Order, Page, Reader, ResourceKind, Stored
from ledger.scim.store import Open
from ledger.scim.writing import NameTaken, UnknownMembers, Writer
from service.scim.drafts import draft_of, model_of, version_tag
from service.scim.filters import condition_of, order_of
from service.scim.shape import Shape

__all__ = ["LedgerStorage", "not_found", "said", "search_condition"]

T = TypeVar("T")


class LedgerStorage(ScimStorage):
    """Of one connector. `members` says whether groups come with their members, which for a large one takes seconds."""

    supports_cursors = True

    def __init__(self, shape: Shape, reader: Reader, transaction: Open | None = None, *, members: bool = True) -> None:
        self._shape = shape
        self._reader = reader
        self._transaction = transaction
        self._members = members

    @property
    def _writer(self) -> Writer:
        return cast("Writer", self._reader)

    def operation(self) -> AbstractContextManager[None]:
        return nullcontext() if self._transaction is None else self._transaction.part()

    def get(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        response_parameters: ResponseParameters[Any] | None = None,
    ) -> Resource[Any]:
        del response_parameters
        return self._models([self._stored(resource_type, resource_id)])[0]

    def search(
        self,
        resource_types: list[ResourceType],
        search_request: SearchRequest[Any],
        *,
        position: Any = None,
    ) -> SearchPage:
        kinds = [self._shape.kind_of(each) for each in resource_types]
        condition = search_condition(self._shape, kinds, search_request)
        order = self._order(kinds, search_request)
        if search_request.cursor is None:
            page = self._reader.page(
                kinds, condition, offset=search_request.start_index_0 or 0, limit=search_request.count, order=order
            )
            return SearchPage(page.total, self._models(page.resources))
        return self._by_cursor(kinds, condition, order, search_request.count, position)

    def create(self, resource_type: ResourceType, resource: Resource[Any]) -> Resource[Any]:
        draft = draft_of(self._shape, self._shape.kind_of(resource_type), resource)
        stored = said(lambda: self._writer.insert(draft))
        return self._model(self._with_members(stored, resource))

    def update(
        self, resource_type: ResourceType, resource: Resource[Any], *, expected_version: str | None = None
    ) -> Resource[Any]:
        stored = self._stored(resource_type, str(resource.id))
        _expect(stored, expected_version)
        draft = draft_of(self._shape, stored.kind, resource)
        after = said(lambda: self._writer.update(stored, draft))
        return self._model(self._with_members(after, resource))

    def delete(self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None) -> None:
        stored = self._stored(resource_type, resource_id)
        _expect(stored, expected_version)
        self._writer.delete(stored)

    def _with_members(self, stored: Stored, resource: Resource[Any]) -> Stored:
        if stored.kind != "Group" or not self._members:
            return stored
        wanted: dict[str, str | None] = {}
        for each in cast("Any", resource).members or []:
            if each.value is None:
                raise InvalidValueException(detail="a member has no value")
            wanted[str(each.value)] = getattr(each, "display", None)
        return said(lambda: self._writer.change_members(stored, add=wanted, remove=None))

    def _stored(self, resource_type: ResourceType, resource_id: str) -> Stored:
        kind = self._shape.kind_of(resource_type)
        return self._reader.get(kind, resource_id) or not_found(kind, resource_id)

    def _model(self, stored: Stored) -> Resource[Any]:
        return self._models([stored])[0]

    def _models(self, found: Sequence[Stored]) -> list[Resource[Any]]:
        groups = [each.id for each in found if each.kind == "Group"]
        people = [each.id for each in found if each.kind == "User"]
        members = self._reader.members_of(groups) if groups and self._members else {}
        groups_of = self._reader.groups_of(people) if people else {}
        memberships = {**members, **groups_of}
        return [model_of(self._shape, each, memberships.get(each.id)) for each in found]

    def _order(self, kinds: Sequence[ResourceKind], request: SearchRequest[Any]) -> Order | None:
        if request.sort_by is None:
            return None
        found = [order_of(self._shape, kind, request) for kind in kinds]
        orders = [each for each in found if each is not None]
        # Of several kinds, one that lacks the attribute has nothing there, as its keys say by themselves.
        return orders[0] if orders else Order(descending=request.sort_order == SearchRequest.SortOrder.descending)

    def _by_cursor(
        self,
        kinds: Sequence[ResourceKind],
        condition: sql.Condition | None,
        order: Order | None,
        count: int | None,
        position: Any,
    ) -> SearchPage:
        total = self._reader.count(kinds, condition)
        if count == 0:
            return SearchPage(total, [])
        place = _place(position)
        page = self._reader.page_from(kinds, condition, place=place, limit=count, order=order)
        backward = place is not None and place.backward
        following = (page.more or backward) and bool(page.resources)
        preceding = (page.more if backward else place is not None) and bool(page.resources)
        return SearchPage(
            total,
            self._models(page.resources),
            next=_position(page, -1, backward=False) if following else None,
            previous=_position(page, 0, backward=True) if preceding else None,
        )


def search_condition(shape: Shape, kinds: Sequence[ResourceKind], request: SearchRequest[Any]) -> sql.Condition | None:
    """What a search is for, over all the kinds that it walks."""
    if request.filter is None:
        return None
    if len(kinds) == 1:
        return condition_of(shape, kinds[0], request.filter)
    parts = [
        sql.All((sql.Compared(sql.Column("kind"), "eq", kind), condition_of(shape, kind, request.filter)))
        for kind in kinds
    ]
    return sql.Any_(tuple(parts))


def said(write: Callable[[], T]) -> T:
    """What a write comes to; what the ledger refuses is said in the words of SCIM."""
    try:
        return write()
    except NameTaken:
        raise UniquenessException(detail="another resource of this connector has this name already") from None
    except UnknownMembers as error:
        named = ", ".join(each[:64] for each in error.ids[:3])
        more = f" and {len(error.ids) - 3} more" if len(error.ids) > 3 else ""
        raise InvalidValueException(
            detail=f"no user or group has the id {named}{more}; create it before it becomes a member"
        ) from None


def not_found(kind: str, resource_id: str) -> NoReturn:
    raise NotFoundException(detail=f"there is no {kind} with the id {resource_id[:64]!r}")


def _expect(stored: Stored, version: str | None) -> None:
    if version is not None and version != version_tag(stored.version):
        raise PreconditionFailedException


def _position(page: Page, number: int, *, backward: bool) -> list[Any]:
    value = page.values[number]
    return [float(value) if type(value).__name__ == "Decimal" else value, page.resources[number].id, backward]


def _place(position: Any) -> Keyset | None:
    match position:
        case None:
            return None
        case [value, str(resource_id), bool(backward)] if not (isinstance(value, float) and math.isnan(value)):
            return Keyset(value, resource_id, backward)
    raise InvalidCursorException(detail="this cursor leads nowhere")
