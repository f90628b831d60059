"""A source that is a Keycloak realm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from connectors.contract import CheckFinding, Progress
from connectors.http.ratelimit import Sleep
from connectors.http.retry import RetryPolicy
from connectors.sources.keycloak.frames import groups_frame, memberships_frame, people_frame
from connectors.sources.keycloak.groups import read_members, read_tree
from connectors.sources.keycloak.people import count_people, read_people
from connectors.sources.keycloak.realm import Realm
from connectors.sources.keycloak.settings import KeycloakSettings
from connectors.sources.keycloak.token import READING_ROLES, Claims
from connectors.sources.keycloak.wire import GroupCount
from directory.errors import UsersyncError
from directory.snapshot import Completeness, SourceSnapshot

__all__ = ["KeycloakSource"]


class KeycloakSource:
    """Reads `KeycloakSettings`.

    People are read after the members of groups, so a member who is not among the people is a service account or was
    deleted, never somebody who came between. A read takes a request for each group, one for each group with groups
    below it, one for every `page_size` people, and four more; further ones where somebody changes what is being read.
    """

    def __init__(
        self, settings: KeycloakSettings, *, retry: RetryPolicy | None = None, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._settings = settings
        self._retry = retry
        self._sleep = sleep
        self._realm: Realm | None = None

    async def read(self, progress: Progress | None = None) -> SourceSnapshot:
        """Read everything. Raises `ConfigurationError`, `SourceUnavailable`, `SourceUnreadable` or
        `CredentialsRefused`, the last one also where the service account would not be shown everybody.
        """
        settings, realm = self._settings, self._opened()
        client = realm.client
        read_at = datetime.now(UTC)
        requests_before = client.requests
        with realm.naming_the_role():
            tree = await read_tree(client, settings)
            realm.require_role()
            _counter(progress, "groups")(len(tree.groups))
            members = await read_members(client, settings, tree, _counter(progress, "memberships"))
            people = await read_people(client, settings, _counter(progress, "people"))
        findings = [*tree.problems, *members.problems, *people.problems]
        if not people.rows and not tree.groups and realm.claims.roles is None:
            # Members of a group are shown to nobody without the role; here nothing proves that we have it.
            findings.append("the realm shows neither people nor groups, and the token does not show its roles")
        frame = await asyncio.to_thread(people_frame, list(people.rows.values()), settings.attributes)
        return SourceSnapshot(
            completeness=Completeness(tuple(findings)),
            read_at=read_at,
            requests=client.requests - requests_before,
            people=frame,
            groups=groups_frame(tree),
            memberships=memberships_frame(tree, members, frame, nested=settings.inherit_subgroups),
        )

    async def check(self) -> list[CheckFinding]:
        """Ask for a token and both counts, and judge what rights the token gives."""
        try:
            realm = self._opened()
            with realm.naming_the_role():
                people = await count_people(realm.client)
                realm.require_role()
                groups = (await realm.client.get_json("groups/count", decode=GroupCount)).count
        except UsersyncError as error:
            return [CheckFinding.of(error)]
        counted = f"the realm {self._settings.realm} counts {people} people and {groups} groups"
        return [CheckFinding("ok" if people else "note", counted), *_on_token(realm.claims)]

    async def close(self) -> None:
        if self._realm is not None:
            await self._realm.client.aclose()

    def _opened(self) -> Realm:
        if self._realm is None:
            self._realm = Realm(self._settings, retry=self._retry, sleep=self._sleep)
        return self._realm


def _on_token(claims: Claims) -> Iterator[CheckFinding]:
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


def _counter(progress: Progress | None, what: str) -> Callable[[int], None]:
    total = 0

    def tell(count: int) -> None:
        nonlocal total
        total += count
        if progress is not None:
            progress(what, total)

    return tell
