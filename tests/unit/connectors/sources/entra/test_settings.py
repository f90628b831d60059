import pytest
from pydantic import ValidationError

from connectors.sources.entra import EntraSettings

BASE = {"tenant_id": "example.onmicrosoft.com", "client_id": "1111", "client_secret": "env:SECRET"}


def settings(**changed: object) -> EntraSettings:
    return EntraSettings.model_validate({**BASE, **changed})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"certificate": "file:/key.pem"}, "either client_secret or certificate"),
        ({"client_secret": None}, "either client_secret or certificate"),
        ({"client_secret": "hunter2"}, "never as itself"),
        ({"tenant_id": "common"}, "the tenant's id"),
        ({"tenant_id": "a/b"}, "the tenant's id"),
        ({"graph_url": "https://graph.microsoft.com/v1.0"}, "host's address alone"),
        ({"login_url": "login.microsoftonline.us"}, "an address such as"),
        ({"thumbprint": "xyz"}, "hexadecimal digits"),
        ({"attributes": {"email": "mail"}}, "a column of its own"),
        ({"attributes": ["aboutMe"]}, "does not give aboutMe for lists"),
        ({"attributes": ["signInActivity"]}, "does not give signInActivity"),
        ({"attributes": ["two words"]}, "not a property"),
        ({"guests": "maybe"}, "'include' or 'exclude'"),
    ],
)
def test_a_mistake_is_named(changed: dict[str, object], said: str):
    with pytest.raises(ValidationError) as caught:
        settings(**changed)
    assert said in str(caught.value)
    assert "hunter2" not in str([error["msg"] for error in caught.value.errors()])


def test_attributes_know_where_their_values_are_and_what_must_be_selected():
    given = settings(attributes=["manager", "extensionAttribute7", "extension_ab_name", "employeeOrgData.division"])
    assert given.paths == {
        "manager": ("manager", "userPrincipalName"),
        "extensionAttribute7": ("onPremisesExtensionAttributes", "extensionAttribute7"),
        "extension_ab_name": ("extension_ab_name",),
        "employeeOrgData_division": ("employeeOrgData", "division"),
    }
    assert given.properties[-3:] == ["onPremisesExtensionAttributes", "extension_ab_name", "employeeOrgData"]
    assert "manager" not in given.properties
    assert given.wants_manager


def test_national_clouds_have_other_hosts():
    given = settings(login_url="https://login.microsoftonline.us/", graph_url="https://graph.microsoft.us")
    assert (given.login_url, given.graph_url) == ("https://login.microsoftonline.us", "https://graph.microsoft.us")
