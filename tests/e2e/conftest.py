import os
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.e2e.keycloak_distribution import KeycloakUnavailable
from tests.e2e.keycloak_realm import CLIENT_ID, READING_ROLES, ReadingClient, Realm, invented_realm
from tests.e2e.keycloak_server import KeycloakServer, keycloak
from tests.e2e.samba_company import SambaCompany, samba_company
from tests.samba import missing as missing_samba

CLIENTS = (
    ReadingClient(CLIENT_ID, READING_ROLES),
    ReadingClient("eventful", ("view-users", "view-events")),
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


@pytest.fixture(scope="package")
def samba_server() -> Iterator[SambaCompany]:
    """One domain controller for all tests, which leave the company as they found it.

    Where Samba or python-ldap cannot be had the tests are skipped; `USERSYNC_REQUIRE=samba` makes that a failure.
    """
    reason = missing_samba()
    if reason is None and find_spec("ldap") is None:
        reason = "python-ldap is not installed (make ldap)"
    if reason is not None:
        if "samba" in os.environ.get("USERSYNC_REQUIRE", "").split(","):
            pytest.fail(reason)
        pytest.skip(reason)
    with samba_company() as served:
        yield served
