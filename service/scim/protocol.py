"""scim2-server as we use it: the steps of the protocol, on bodies that were parsed and mended before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError
from scim2_models import Context, Error, Resource, ResponseParameters, SCIMException
from scim2_models.base import BaseModel
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse
from scim2_server.service import ScimService

from ledger.scim.connectors import Connector, Token
from ledger.scim.writing import Actor
from service.scim.answers import Answer, document
from service.scim.settings import Limits
from service.scim.shape import ResourceKind, Shape

__all__ = ["ENDPOINTS", "Desk", "Payload", "Protocol", "Request", "answered", "for_protocol"]

ModelT = TypeVar("ModelT", bound=BaseModel)

ENDPOINTS: Mapping[str, ResourceKind] = {"users": "User", "groups": "Group"}


class Payload(bytes):
    """A body that was parsed already."""

    content: Any

    @classmethod
    def of(cls, content: Any, body: bytes = b"") -> Payload:
        made = cls(body)
        made.content = content
        return made


class Protocol(ScimService):
    """Bodies are `Payload`; a PATCH of a user is answered with the user, one of a group with nothing."""

    def read_body(self, model: type[ModelT], body: bytes, content_type: str | None, scim_ctx: Context) -> ModelT:
        del content_type  # looked at before the body was read
        try:
            return model.model_validate(_content(body), scim_ctx=scim_ctx)
        except ValidationError as failure:
            error = Error.from_validation_errors(failure)[0]
            first = failure.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            error.detail = f"{where}: {first['msg']}" if where else str(first["msg"])
            raise SCIMException.from_error(error) from None

    def decode_body(self, body: bytes, content_type: str | None) -> Any:
        del content_type
        return _content(body)

    def patch_response(
        self, base_url: str, resource: Resource[Any], response_parameters: ResponseParameters[Any]
    ) -> ScimResponse:
        meta = resource.meta
        if meta is not None and meta.resource_type == "User":
            return self.replacement_response(base_url, resource, response_parameters)
        return super().patch_response(base_url, resource, response_parameters)


@dataclass(frozen=True)
class Desk:
    """Where one connector is served."""

    connector: Connector
    shape: Shape
    protocol: Protocol
    base_url: str
    limits: Limits


@dataclass
class Request:
    """A request whose sender is known."""

    method: str
    path: str
    """Behind the base URL."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    token: Token
    client: str | None
    id: str
    content: Any = None
    body: bytes = b""
    mended: tuple[str, ...] = ()
    segments: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.segments = tuple(part for part in self.path.split("/") if part)

    @property
    def kind(self) -> ResourceKind | None:
        return ENDPOINTS.get(self.segments[0].lower()) if self.segments else None

    @property
    def projects(self) -> bool:
        """Whether the client says which attributes it wants."""
        return bool(self.query.get("attributes") or self.query.get("excludedAttributes"))

    @property
    def without_members(self) -> bool:
        """Whether it wants all but the members of groups, as Microsoft Entra does."""
        return not self.query.get("attributes") and self.query.get("excludedAttributes") == "members"

    def actor(self, action: str) -> Actor:
        return Actor(self.token.id, self.client, self.id, action, self.mended)


def for_protocol(desk: Desk, request: Request, content: Any = None) -> ScimRequest:
    return ScimRequest(
        method=request.method,
        base_url=desk.base_url,
        path=request.path,
        query=request.query,
        headers=request.headers,
        body=Payload.of(request.content if content is None else content, request.body),
    )


def answered(response: ScimResponse) -> Answer:
    """What scim2-server answers, as ours."""
    headers = {name: value for name, value in response.headers.items() if name.lower() != "content-type"}
    if response.body is None:
        return Answer(int(response.status), b"", headers)
    return document(int(response.status), response.body, headers)


def _content(body: bytes) -> Any:
    if not isinstance(body, Payload):
        raise TypeError("bodies are parsed before the protocol sees them")
    return body.content
