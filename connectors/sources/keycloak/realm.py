"""The connection to a realm: one client, its tokens, and errors that name the role that is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from connectors.http.auth import ClientSecret, TokenProvider
from connectors.http.client import HttpClient
from connectors.http.ratelimit import Limits, Sleep
from connectors.http.retry import RetryPolicy
from connectors.secret import resolve_secret
from connectors.sources.keycloak.settings import KeycloakSettings
from connectors.sources.keycloak.token import SEES_EVERYBODY, Claims, RealmTokens
from directory.errors import CredentialsRefused

__all__ = ["Realm"]

_ADVICE: Final = {
    "invalid_client": "check client_id: the realm has no such client, or it is disabled",
    "unauthorized_client": (
        "check the client's secret, and that `Client authentication` and `Service accounts roles` are on for it"
    ),
    "Realm does not exist": "check `realm`, which is its name as it stands in addresses",
    "Unable to find matching target resource method": "check `url`: older installations have /auth behind the host",
}


class Realm:
    def __init__(
        self, settings: KeycloakSettings, *, retry: RetryPolicy | None = None, sleep: Sleep = asyncio.sleep
    ) -> None:
        """Raises `ConfigurationError` where the secret cannot be looked up or the address is none."""
        self._settings = settings
        url = settings.url.rstrip("/")
        # In the body, where nobody disagrees about how a special character is written.
        credential = ClientSecret(settings.client_id, resolve_secret(settings.client_secret), in_body=True)
        token_url = f"{url}/realms/{settings.realm}/protocol/openid-connect/token"
        self._tokens = RealmTokens(TokenProvider(token_url, credential, advice=_ADVICE))
        self.client = HttpClient(
            f"{url}/admin/realms/{settings.realm}",
            name="Keycloak",
            side="source",
            auth=self._tokens,
            retry=retry,
            limits=Limits(concurrency=settings.concurrency),
            ca_file=settings.ca_file,
            sleep=sleep,
        )

    @property
    def claims(self) -> Claims:
        """What the last token says."""
        return self._tokens.claims

    def require_role(self) -> None:
        """Raises `CredentialsRefused` where a token shows that its holder would not be shown everybody.

        Keycloak answers 200 then, with those people that the holder may see, perhaps none.
        """
        roles = self.claims.roles
        if roles is not None and not roles & SEES_EVERYBODY:
            has = ", ".join(sorted(roles)) or "none"
            raise self._role_missing(f"it has: {has}; Keycloak would not show everybody")

    @contextmanager
    def naming_the_role(self) -> Iterator[None]:
        """A 403 below becomes an error that names the role that is missing."""
        try:
            yield
        except CredentialsRefused as error:
            if "HTTP 403" not in error.what:
                raise
            raise self._role_missing(f"{error.what} to {error.subject}") from error

    def _role_missing(self, what: str) -> CredentialsRefused:
        client_id = self._settings.client_id
        return CredentialsRefused(
            f"the service account lacks the role view-users of realm-management ({what})",
            subject=f"client {client_id} of realm {self._settings.realm}",
            not_done="the read did not finish",
            next_step=(
                f"in the admin console assign it: Clients > {client_id} > Service accounts roles > Assign role > "
                "realm-management view-users; then run `usersync check`"
            ),
        )
