import os
from collections.abc import Iterator

import pytest

from tests.e2e.keycloak_distribution import KeycloakUnavailable
from tests.e2e.keycloak_realm import CLIENT_ID, READING_ROLES, ReadingClient, Realm, invented_realm
from tests.e2e.keycloak_server import KeycloakServer, keycloak

CLIENTS = (
    ReadingClient(CLIENT_ID, READING_ROLES),
    ReadingClient("short-lived", ("view-users",), token_seconds=3),
    ReadingClient("view-only", ("view-users",)),
    ReadingClient("query-only", ("query-users", "query-groups")),
    ReadingClient("no-role", ()),
    ReadingClient("manager", (*READING_ROLES, "manage-users")),
)


@pytest.fixture(scope="package")
def keycloak_realm() -> Realm:
    return invented_realm(clients=CLIENTS)


@pytest.fixture(scope="package")
def keycloak_server(keycloak_realm: Realm) -> Iterator[KeycloakServer]:
    """One server for all tests, which leave the realm as they found it.

    Where Java or Keycloak cannot be had the tests are skipped; `USERSYNC_REQUIRE=keycloak` makes that a failure.
    """
    try:
        with keycloak(keycloak_realm.representation()) as server:
            yield server
    except KeycloakUnavailable as reason:
        if "keycloak" in os.environ.get("USERSYNC_REQUIRE", "").split(","):
            pytest.fail(str(reason))
        pytest.skip(str(reason))
