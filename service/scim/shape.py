"""What a connector serves: schemas, resource types and capabilities, as models of scim2-models.

The ready-made models of scim2-models are not used: their e-mail addresses must be deliverable ones, and Okta's own
example is not. `password` is taken out of the schema of users, so that there is nowhere to keep one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, cast

from pydantic import ValidationError
from scim2_models import (
    Resource,
    ResourceType,
    Schema,
    SchemaExtension,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
)
from scim2_models.provider import ScimProviderError
from scim2_server.utils import load_default_resource_types, load_default_schemas

from directory.errors import ConfigurationError
from ledger.scim.connectors import Connector
from service.scim.settings import Limits

__all__ = ["CORE_GROUP", "CORE_USER", "ENTERPRISE", "Shape", "checked_schemas", "shape_of"]

CORE_USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
CORE_GROUP: Final = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

ResourceKind = Literal["User", "Group"]

_MENDING: Final = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)
_STRICT: Final = ScimPolicy()


@dataclass(frozen=True)
class Shape:
    """What one connector serves."""

    provider: ScimProvider
    types: Mapping[ResourceKind, ResourceType]
    models: Mapping[ResourceKind, type[Resource[Any]]]
    always_whole: bool
    """Whether every attribute is answered unless a client leaves it out, so that a stored document is an answer."""
    secret: bytes
    """Seals cursors. They hold a place in what the client may read anyway, so it need not be unknown, only the same in
    every process."""

    def kind_of(self, resource_type: ResourceType) -> ResourceKind:
        return cast("ResourceKind", resource_type.name)


def shape_of(connector: Connector, limits: Limits) -> Shape:
    """Kept for each connector, because building models takes a quarter of a second."""
    schemas = json.dumps([dict(each) for each in connector.schemas])
    return _shape(connector.id, schemas, connector.strict, limits)


def checked_schemas(raw: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Schemas of further attributes of users. Raises ConfigurationError for what is none, or cannot be served."""
    found = []
    for each in raw:
        name = str(each.get("id", "a schema without id"))
        try:
            schema = Schema.model_validate(dict(each))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise _no_schema(name, f"it is not a schema of RFC 7643, section 7: {where}: {first['msg']}") from None
        if not str(schema.id or "").lower().startswith("urn:") or '"' in str(schema.id):
            raise _no_schema(name, "its id is not a URN")
        if not schema.attributes:
            raise _no_schema(name, "it names no attributes")
        for attribute in schema.attributes:
            for part in (attribute, *(attribute.sub_attributes or ())):
                if part.returned is not None and part.returned.value == "never":
                    raise _no_schema(name, f"{part.name} is never to be returned, and what is secret is not kept")
        found.append(schema.model_dump())
    try:
        _provider([Schema.model_validate(each) for each in found], Limits(), strict=False)
    except (ScimProviderError, ValueError) as error:
        raise _no_schema(", ".join(str(each["id"]) for each in found), str(error)) from None
    return found


def _no_schema(name: str, what: str) -> ConfigurationError:
    return ConfigurationError(
        what, subject=name, not_done="no connector was added", next_step="mend the file of schemas"
    )


@lru_cache(maxsize=64)
def _shape(connector_id: str, schemas: str, strict: bool, limits: Limits) -> Shape:  # noqa: FBT001 -- a key
    provider = _provider([Schema.model_validate(each) for each in json.loads(schemas)], limits, strict=strict)
    types = {cast("ResourceKind", each.name): each for each in provider.resource_types}
    return Shape(
        provider=provider,
        types=types,
        models={kind: cast("type[Resource[Any]]", provider.model_for(each)) for kind, each in types.items()},
        always_whole=all(_always_whole(schema) for schema in provider.schemas),
        secret=hashlib.sha256(b"usersync scim cursor " + connector_id.encode()).digest(),
    )


def _provider(further: Sequence[Schema], limits: Limits, *, strict: bool) -> ScimProvider:
    schemas = load_default_schemas()
    user = schemas[CORE_USER]
    user.attributes = [each for each in user.attributes or [] if each.name != "password"]
    types = load_default_resource_types()
    for schema in further:
        types["User"].schema_extensions = [
            *(types["User"].schema_extensions or []),
            SchemaExtension.model_validate({"schema": schema.id, "required": False}),
        ]
    return ScimProvider.from_discovery(
        [*schemas.values(), *further],
        types.values(),
        config=_config(limits),
        policy=_STRICT if strict else _MENDING,
    )


def _config(limits: Limits) -> ServiceProviderConfig:
    return ServiceProviderConfig.model_validate(
        {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
            "documentationUri": None,
            "patch": {"supported": True},
            "bulk": {
                "supported": True,
                "maxOperations": limits.operations,
                "maxPayloadSize": limits.group_bytes,
            },
            "filter": {"supported": True, "maxResults": limits.page},
            "changePassword": {"supported": False},
            "sort": {"supported": True},
            "etag": {"supported": True},
            "pagination": {
                "cursor": True,
                "index": True,
                "defaultPaginationMethod": "index",
                "defaultPageSize": limits.page_unasked,
                "maxPageSize": limits.page,
                "cursorTimeout": 3600,
            },
            "authenticationSchemes": [
                {
                    "type": "oauthbearertoken",
                    "name": "Bearer token",
                    "description": "A token that `usersync scim token` made for this connector",
                    "primary": True,
                }
            ],
        }
    )


def _always_whole(schema: Schema) -> bool:
    parts = [part for each in schema.attributes or [] for part in (each, *(each.sub_attributes or ()))]
    return all(part.returned is None or part.returned.value in {"always", "default"} for part in parts)
