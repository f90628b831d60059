"""What the library's errors mean for a read."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import pytest

from connectors.sources.ldap import LdapSettings
from connectors.sources.ldap.connection import NoSuchObject, RefusedSearch, UnavailableControl
from connectors.sources.ldap.native import open_connection
from directory.errors import ConfigurationError, CredentialsRefused, SourceUnavailable, UsersyncError

if find_spec("ldap") is None:
    pytest.skip("python-ldap is not installed (make ldap)", allow_module_level=True)

SETTINGS = LdapSettings.model_validate(
    {"product": "openldap", "url": "ldap://127.0.0.1:1", "encryption": "none", "base": "dc=example"}
)


def judged(name: str, number: int, doing: str = "searching") -> UsersyncError:
    error = getattr(import_module("ldap"), name)({"result": number, "desc": "as the server says"})
    return open_connection(SETTINGS)._failure(error, doing)


@pytest.mark.parametrize(
    ("name", "number", "means"),
    [
        ("BUSY", 51, SourceUnavailable),
        ("UNAVAILABLE", 52, SourceUnavailable),
        ("SERVER_DOWN", -1, SourceUnavailable),
        ("TIMEOUT", -5, SourceUnavailable),
        ("TIMELIMIT_EXCEEDED", 3, RefusedSearch),
        ("SIZELIMIT_EXCEEDED", 4, RefusedSearch),
        ("ADMINLIMIT_EXCEEDED", 11, RefusedSearch),
        ("REFERRAL", 10, RefusedSearch),
        ("UNWILLING_TO_PERFORM", 53, RefusedSearch),
        ("OPERATIONS_ERROR", 1, RefusedSearch),
        ("NO_SUCH_OBJECT", 32, NoSuchObject),
        ("UNAVAILABLE_CRITICAL_EXTENSION", 12, UnavailableControl),
        ("STRONG_AUTH_REQUIRED", 8, CredentialsRefused),
        ("CONFIDENTIALITY_REQUIRED", 13, CredentialsRefused),
        ("INVALID_CREDENTIALS", 49, CredentialsRefused),
        ("INSUFFICIENT_ACCESS", 50, CredentialsRefused),
        ("FILTER_ERROR", -7, ConfigurationError),
    ],
)
def test_every_result_but_success_is_an_error(name: str, number: int, means: type[UsersyncError]):
    found = judged(name, number)
    assert type(found) is means
    assert found.what
    if isinstance(found, RefusedSearch):
        assert found.code == number


def test_a_bind_that_the_server_is_unwilling_to_do_is_about_credentials():
    assert isinstance(judged("UNWILLING_TO_PERFORM", 53, "connecting"), CredentialsRefused)
