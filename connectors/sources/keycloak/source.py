"""A source that is a Keycloak realm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from connectors.contract import CheckFinding, Progress
from connectors.http.auth import ClientSecret, TokenProvider
from connectors.http.client import HttpClient
from connectors.http.ratelimit import Limits
from connectors.secret import resolve_secret
from connectors.sources.keycloak.frames import groups_frame, memberships_frame, people_frame
from connectors.sources.keycloak.groups import read_members, read_tree
from connectors.sources.keycloak.people import count_people, read_people
from connectors.sources.keycloak.settings import KeycloakSettings
from connectors.sources.keycloak.token import READING_ROLES, SEES_EVERYBODY, RealmTokens
from connectors.sources.keycloak.wire import GroupCount
from directory.errors import CredentialsRefused, UsersyncError
from directory.snapshot import Completeness, SourceSnapshot

__all__ = ["KeycloakSource"]

_ASSIGN: Final = "Clients > {client} > Service accounts roles > Assign role > view-users of realm-management"

_ADVICE: Final = {
    "invalid_client": "check client_id: the realm has no such client, or it is disabled",
    "unauthorized_client": (
        "check the client's secret, and that Client authentication and Service accounts roles are on for it"
    ),
    "Realm does not exist": "check `realm`, which is its name as it stands in addresses",
}


class KeycloakSource:
    """Reads `KeycloakSettings`.

    People are read after the members of groups, so a member who is not among the people is a service account or was
    deleted, never somebody who came between. A read takes a request for each group, for each group with groups below
    it, for every `page_size` people, and three more.
    """

    def __init__(self, settings: KeycloakSettings) -> None:
        """Raises `ConfigurationError` where the secret cannot be looked up or the address is none."""
        self._settings = settings
        url = settings.url.rstrip("/")
        credential = ClientSecret(settings.client_id, resolve_secret(settings.client_secret), in_body=True)
        token_url = f"{url}/realms/{settings.realm}/protocol/openid-connect/token"
        self._tokens = RealmTokens(TokenProvider(token_url, credential, advice=_ADVICE))
        self._client = HttpClient(
            f"{url}/admin/realms/{settings.realm}",
            name="Keycloak",
            side="source",
            auth=self._tokens,
            limits=Limits(concurrency=settings.concurrency),
            ca_file=settings.ca_file,
        )

    async def read(self, progress: Progress | None = None) -> SourceSnapshot:
        """Read everything. Raises `SourceUnavailable`, `SourceUnreadable` or `CredentialsRefused`.

        The last one also where the token shows that the service account would not be shown everybody.
        """
        settings, client = self._settings, self._client
        read_at = datetime.now(UTC)
        requests_before = client.requests
        with self._naming_the_role():
            tree = await read_tree(client, settings)
            self._require_role()
            _counter(progress, "groups")(len(tree.groups))
            members = await read_members(client, settings, tree, _counter(progress, "memberships"))
            people = await read_people(client, settings, _counter(progress, "people"))
        frame = await asyncio.to_thread(people_frame, list(people.rows.values()), settings.attributes)
        return SourceSnapshot(
            completeness=Completeness((*tree.problems, *members.problems, *people.problems)),
            read_at=read_at,
            requests=client.requests - requests_before,
            people=frame,
            groups=groups_frame(tree),
            memberships=memberships_frame(tree, members, frame, nested=settings.inherit_subgroups),
        )

    async def check(self) -> list[CheckFinding]:
        """Ask for a token and both counts, and judge what rights the token has."""
        realm = f"realm {self._settings.realm}"
        try:
            with self._naming_the_role():
                people = await count_people(self._client)
                self._require_role()
                groups = (await self._client.get_json("groups/count", decode=GroupCount)).count
        except UsersyncError as error:
            what = f"{error.subject}: {error.what}" if error.subject else error.what
            return [CheckFinding("problem", what, error.next_step)]
        counted = CheckFinding("ok" if people else "problem", f"{realm} counts {people} people and {groups} groups")
        return [counted, *self._on_token()]

    async def close(self) -> None:
        await self._client.aclose()

    def _on_token(self) -> Iterator[CheckFinding]:
        claims = self._tokens.claims
        if claims.lifespan is not None:
            yield CheckFinding("ok", f"access tokens live for {claims.lifespan} s and are renewed while reading")
        if claims.roles is None:
            yield CheckFinding("note", "the access token does not show its roles, so they cannot be judged")
            return
        yield CheckFinding("ok", f"roles of the service account: {', '.join(sorted(claims.roles))}")
        if further := claims.roles - READING_ROLES:
            yield CheckFinding(
                "note",
                f"the service account has more rights than reading needs: {', '.join(sorted(further))}",
                "take them away; view-users is enough",
            )

    def _require_role(self) -> None:
        roles = self._tokens.claims.roles
        if roles is not None and not roles & SEES_EVERYBODY:
            has = ", ".join(sorted(roles)) or "none"
            raise self._role_missing(f"its roles of realm-management are: {has}; Keycloak would not show everybody")

    @contextmanager
    def _naming_the_role(self) -> Iterator[None]:
        try:
            yield
        except CredentialsRefused as error:
            if "HTTP 403" not in error.what:
                raise
            raise self._role_missing(f"{error.what} to {error.subject}") from error

    def _role_missing(self, what: str) -> CredentialsRefused:
        return CredentialsRefused(
            f"the service account lacks the role view-users of realm-management ({what})",
            subject=f"client {self._settings.client_id} of realm {self._settings.realm}",
            not_done="the read did not finish",
            next_step=f"{_ASSIGN.format(client=self._settings.client_id)}, then run `usersync check`",
        )


def _counter(progress: Progress | None, what: str) -> Callable[[int], None]:
    total = 0

    def tell(count: int) -> None:
        nonlocal total
        total += count
        if progress is not None:
            progress(what, total)

    return tell
