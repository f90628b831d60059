"""`at_login` of a sync file: who may say that somebody logs in, so that they are brought up to date there and then."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from connectors.secret import SecretReference
from reconcile.policy import Section

__all__ = ["AtLoginSection", "EntraHook", "KeycloakHook", "OktaHook", "OktaOAuth"]

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_GUID = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
_HEADER = r"^[A-Za-z0-9-]+$"


def _safe(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme == "https" and parts.hostname:
        return address
    if parts.scheme == "http" and parts.hostname in _LOOPBACK:
        return address
    raise ValueError("keys that prove who asks are fetched from an address with https:// alone")


SafeAddress = Annotated[str, AfterValidator(_safe)]


class OktaOAuth(Section):
    """The access token that Okta fetches from an authorization server and sends along."""

    issuer: SafeAddress
    """`iss` of the token, such as `https://example.okta.com/oauth2/default`."""
    audience: str
    """`aud` of the token, such as `api://default`."""
    client_id: str
    """The client that stands in the hook's settings in Okta; `cid` of the token, or `client_id`."""
    keys_url: SafeAddress | None = None
    """Where the public keys are; `ISSUER/v1/keys`, if not given."""


class OktaHook(Section):
    """Inline hooks for SAML assertions and tokens, and event hooks."""

    header: str = Field(default="Authorization", pattern=_HEADER)
    """*Authentication field* of the hook in Okta."""
    secret: SecretReference | None = None
    """*Authentication secret* of the hook in Okta: the whole value of the header. Event hooks know no other way."""
    oauth: OktaOAuth | None = None
    """Inline hooks then show a token, and the secret opens nothing but the event hook."""
    max_age_seconds: float = Field(default=300, gt=0, le=3600)
    """An inline hook's request that is older is refused."""
    events_max_age_seconds: float = Field(default=86_400, gt=0, le=604_800)
    """The same for event hooks, which Okta may deliver late."""

    @model_validator(mode="after")
    def _somehow(self) -> Self:
        if self.secret is None and self.oauth is None:
            raise ValueError("give `secret`, or `oauth`, or both: a hook that anybody may call is none")
        return self


class EntraHook(Section):
    """A custom authentication extension for the event OnTokenIssuanceStart."""

    tenant_id: str = Field(pattern=_GUID)
    audience: str
    """*App ID* of the extension's *API Authentication*; `aud` of the token."""
    caller: str = Field(default="99045fe1-7639-4a75-9d4a-577b6ca3810f", pattern=_GUID)
    """The application that calls, `azp` or `appid` of the token: Microsoft's own for authentication events."""
    issuers: tuple[str, ...] = ()
    """`iss` of the token; of a workforce tenant in the public cloud, if not given."""
    keys_url: SafeAddress | None = None
    """Where the public keys are; those of the tenant in the public cloud, if not given."""


class KeycloakHook(Section):
    """An event listener that posts events and signs them with HMAC, such as p2-inc/keycloak-events."""

    secret: SecretReference
    header: str = Field(default="X-Keycloak-Signature", pattern=_HEADER)
    algorithm: Literal["HmacSHA256", "HmacSHA1"] = "HmacSHA256"
    max_age_seconds: float = Field(default=1200, gt=0, le=86_400)
    """An event that is older is refused. The listener sends one for 15 minutes where it gets no answer."""


class AtLoginSection(Section):
    """Hooks that `usersync serve` answers for this sync, each at `/hooks/SYNC/KIND`."""

    wait_seconds: float = Field(default=1.5, ge=0.5, le=2.5)
    """How long a login is kept waiting for the sync of the person; it goes on after that."""
    okta: OktaHook | None = None
    entra: EntraHook | None = None
    keycloak: KeycloakHook | None = None
