"""A source that is a Keycloak realm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from connectors.contract import CheckFinding, Progress, Reading
from connectors.http.ratelimit import Sleep
from connectors.http.retry import RetryPolicy
from connectors.sources.keycloak.changes import OVERLAP, Update, Watermark
from connectors.sources.keycloak.checking import BY_ITSELF, BY_THEMSELVES, on_events, on_token
from connectors.sources.keycloak.events import newest, recording
from connectors.sources.keycloak.frames import groups_frame, memberships_frame, people_frame
from connectors.sources.keycloak.groups import read_members, read_tree
from connectors.sources.keycloak.people import count_people, read_people
from connectors.sources.keycloak.person import Found, find_groups, find_people, groups_of_people
from connectors.sources.keycloak.realm import Realm
from connectors.sources.keycloak.settings import KeycloakSettings
from connectors.sources.keycloak.wire import GroupCount, PersonRow
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
        self,
        settings: KeycloakSettings,
        *,
        retry: RetryPolicy | None = None,
        sleep: Sleep = asyncio.sleep,
        overlap: timedelta = OVERLAP,
    ) -> None:
        """`overlap`: how long before an earlier reading events are listened to once more."""
        self._settings = settings
        self._overlap = overlap
        self._hears_users = False
        self._retry = retry
        self._sleep = sleep
        self._realm: Realm | None = None

    @property
    def blind_to(self) -> tuple[str, ...]:
        """What no event tells. It is known after the first read whether the realm keeps the events of its users."""
        return (BY_ITSELF,) if self._hears_users else (BY_ITSELF, BY_THEMSELVES)

    async def read(self, progress: Progress | None = None) -> SourceSnapshot:
        """Read everything. Raises `ConfigurationError`, `SourceUnavailable`, `SourceUnreadable` or
        `CredentialsRefused`, the last one also where the service account would not be shown everybody.
        """
        snapshot, _ = await self._read(progress)
        return snapshot

    async def read_all(self, progress: Progress | None = None) -> Reading:
        """As `read`. There is no watermark where the realm keeps no admin events or the service account may not see
        them, where there is none yet, and where somebody comes from another directory: what is synchronized from LDAP
        has no events.
        """
        client = self._opened().client
        sent = client.requests
        kept = await recording(self._opened())
        mark = await Watermark.begin(client, self._settings, kept, self._overlap)
        snapshot, has_federated = await self._read(progress)
        snapshot = replace(snapshot, requests=client.requests - sent)
        if mark is None or has_federated or not snapshot.completeness.complete:
            return Reading(snapshot, None)
        self._hears_users = mark.users is not None
        return Reading(snapshot, mark.written())

    async def read_changes(self, last: Reading, progress: Progress | None = None) -> Reading | None:
        """Five requests where nothing changed, nine where events of users are kept; two more where the token ended."""
        mark = Watermark.read(last.watermark, self._settings)
        if mark is None:
            return None
        realm = self._opened()
        read_at, sent = datetime.now(UTC), realm.client.requests
        kept = await recording(realm)
        if kept is None or not kept.of_administrators:
            return None
        with realm.naming_the_role():
            realm.require_role()
            update = Update(realm.client, self._settings, last.snapshot, mark, kept)
            frames = await update.run()
        if frames is None:
            return None
        for what, frame in vars(frames).items():
            _counter(progress, what)(frame.height)
        following = update.following(self._overlap)
        self._hears_users = following.users is not None
        snapshot = SourceSnapshot(
            completeness=Completeness(),
            read_at=read_at,
            requests=realm.client.requests - sent,
            people=frames.people,
            groups=frames.groups,
            memberships=frames.memberships,
        )
        return Reading(snapshot, following.written())

    async def _read(self, progress: Progress | None) -> tuple[SourceSnapshot, bool]:
        """Everything, and whether somebody comes from another directory."""
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
        snapshot = SourceSnapshot(
            completeness=Completeness(tuple(findings)),
            read_at=read_at,
            requests=client.requests - requests_before,
            people=frame,
            groups=groups_frame(tree),
            memberships=memberships_frame(tree, members, frame, nested=settings.inherit_subgroups),
        )
        return snapshot, any(person.is_federated for person in people.rows.values())

    async def read_person(self, name: str, *, by_id: bool = False) -> SourceSnapshot:
        """See `connectors.sources.keycloak.person`. A group that a sync file names by its path and that is gone is not
        noticed here."""
        realm, read_at = self._opened(), datetime.now(UTC)
        before = realm.client.requests
        with realm.naming_the_role():
            people = await find_people(realm.client, name, by_id=by_id)
            realm.require_role()
            found = await groups_of_people(realm.client, self._settings, people)
        return self._found(people, found, read_at, realm.client.requests - before)

    async def find_groups(self, names: Collection[str]) -> SourceSnapshot:
        """A request for each name, or as many as the tree takes."""
        realm, read_at = self._opened(), datetime.now(UTC)
        before = realm.client.requests
        with realm.naming_the_role():
            found = await find_groups(realm.client, self._settings, names)
            realm.require_role()
        return self._found([], found, read_at, realm.client.requests - before)

    def _found(self, people: list[PersonRow], found: Found, read_at: datetime, requests: int) -> SourceSnapshot:
        frame = people_frame(people, self._settings.attributes)
        nested = self._settings.inherit_subgroups
        return SourceSnapshot(
            completeness=Completeness((*found.tree.problems, *found.members.problems)),
            read_at=read_at,
            requests=requests,
            people=frame,
            groups=groups_frame(found.tree),
            memberships=memberships_frame(found.tree, found.members, frame, nested=nested),
        )

    async def check(self) -> list[CheckFinding]:
        """Ask for a token, both counts and the events that are kept, and judge what rights the token gives."""
        try:
            realm = self._opened()
            with realm.naming_the_role():
                people = await count_people(realm.client)
                realm.require_role()
                groups = (await realm.client.get_json("groups/count", decode=GroupCount)).count
            kept = await recording(realm)
            has_event = kept is not None and await newest(realm.client, "admin-events") is not None
        except UsersyncError as error:
            return [CheckFinding.of(error)]
        counted = f"the realm {self._settings.realm} counts {people} people and {groups} groups"
        return [
            CheckFinding("ok" if people else "note", counted),
            *on_token(realm.claims),
            *on_events(kept, has_event=has_event),
        ]

    async def close(self) -> None:
        if self._realm is not None:
            await self._realm.client.aclose()

    def _opened(self) -> Realm:
        if self._realm is None:
            self._realm = Realm(self._settings, retry=self._retry, sleep=self._sleep)
        return self._realm


def _counter(progress: Progress | None, what: str) -> Callable[[int], None]:
    total = 0

    def tell(count: int) -> None:
        nonlocal total
        total += count
        if progress is not None:
            progress(what, total)

    return tell
