import time
import uuid
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from sandbox.okta import OktaSimulator, ServiceApp
from sandbox.okta.oauth import ASSERTION_TYPE

SCOPES = "okta.users.read okta.groups.read"
KEY = RSAKey.generate_key(2048, {"kid": "first"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "first"})


def public(key: RSAKey | ECKey) -> dict[str, str | list[str]]:
    return dict(key.as_dict(private=False))


@pytest.fixture
def app(org: OktaSimulator) -> ServiceApp:
    registered = ServiceApp("0oaReader", (public(KEY),))
    org.register(registered)
    return registered


def assertion(url: str, key: RSAKey | ECKey = KEY, alg: str = "RS256", **changed: Any) -> str:
    claims = {
        "iss": "0oaReader",
        "sub": "0oaReader",
        "aud": f"{url}/oauth2/v1/token",
        "exp": int(time.time()) + 300,
        "jti": str(uuid.uuid4()),
        **changed,
    }
    return jwt.encode({"alg": alg, "kid": "first"}, claims, key, algorithms=[alg])


def ask(url: str, signed: str, scope: str = SCOPES, **headers: str) -> httpx.Response:
    form = {
        "grant_type": "client_credentials",
        "scope": scope,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": signed,
    }
    return httpx.post(f"{url}/oauth2/v1/token", data=form, headers=headers)


def get(url: str, path: str, token: str) -> httpx.Response:
    return httpx.get(f"{url}{path}", headers={"Authorization": f"Bearer {token}"})


def test_a_signed_assertion_buys_a_token_for_its_scopes(app: ServiceApp, url: str):
    granted = ask(url, assertion(url)).json()
    assert granted["token_type"] == "Bearer"
    assert granted["expires_in"] == 3600
    assert set(granted["scope"].split()) == set(SCOPES.split())
    assert get(url, "/api/v1/users", granted["access_token"]).status_code == 200
    lacking = get(url, "/api/v1/logs", granted["access_token"])
    assert lacking.status_code == 403
    assert lacking.json()["errorCode"] == "E0000006"
    assert "insufficient_scope" in lacking.headers["www-authenticate"]


def test_an_elliptic_key_signs_as_well(org: OktaSimulator, url: str):
    key = ECKey.generate_key("P-256", {"kid": "first"})
    org.register(ServiceApp("0oaReader", (public(key),)))
    assert ask(url, assertion(url, key, "ES256")).status_code == 200


def test_the_token_expires_in_the_middle_of_a_read(org: OktaSimulator, app: ServiceApp, url: str):
    org.switches.token_seconds = 1
    token = ask(url, assertion(url)).json()["access_token"]
    assert get(url, "/api/v1/users", token).status_code == 200
    org.switches.clock_skew_seconds = 2
    expired = get(url, "/api/v1/users", token)
    assert expired.status_code == 401
    assert expired.json()["errorCode"] == "E0000011"


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "http://127.0.0.1/oauth2/default/v1/token"},
        {"exp": int(time.time()) - 1},
        {"exp": int(time.time()) + 86_400},
        {"exp": None},
        {"iss": "somebody"},
        {"sub": "0oaUnknown", "iss": "0oaUnknown"},
    ],
)
def test_a_wrong_claim_is_refused(app: ServiceApp, url: str, changed: dict[str, Any]):
    refused = ask(url, assertion(url, **changed))
    assert refused.status_code == 401
    assert refused.json()["error"] == "invalid_client"


def test_another_key_is_refused(app: ServiceApp, url: str):
    assert ask(url, assertion(url, OTHER_KEY)).json()["error"] == "invalid_client"
    assert ask(url, "not.a.jwt").json()["error"] == "invalid_client"
    assert ask(url, "nonsense").json()["error"] == "invalid_client"


def test_an_assertion_serves_once(app: ServiceApp, url: str):
    signed = assertion(url)
    assert ask(url, signed).status_code == 200
    again = ask(url, signed)
    assert again.status_code == 401
    assert "jti" in again.json()["error_description"]


def test_a_scope_that_was_not_granted_or_not_named_is_refused(app: ServiceApp, url: str):
    assert ask(url, assertion(url), "okta.users.manage").json()["error"] == "invalid_scope"
    assert ask(url, assertion(url), "").json()["error"] == "invalid_scope"


def test_other_grants_and_secrets_are_refused(app: ServiceApp, url: str):
    password = httpx.post(f"{url}/oauth2/v1/token", data={"grant_type": "password"})
    assert (password.status_code, password.json()["error"]) == (400, "unsupported_grant_type")
    form = {"grant_type": "client_credentials", "client_id": "0oaReader", "client_secret": "s"}
    assert httpx.post(f"{url}/oauth2/v1/token", data=form).status_code == 401


def test_an_app_without_an_administrator_role_may_read_nothing(org: OktaSimulator, url: str):
    org.register(ServiceApp("0oaReader", (public(KEY),), has_admin_role=False))
    token = ask(url, assertion(url)).json()["access_token"]
    assert get(url, "/api/v1/users", token).status_code == 403


def test_dpop_is_demanded_first_the_proof_then_the_nonce(org: OktaSimulator, app: ServiceApp, url: str):
    org.switches.require_dpop = True
    assert ask(url, assertion(url)).json()["error"] == "invalid_dpop_proof"
    refused = ask(url, assertion(url), DPoP="proof.without.nonce")
    assert refused.status_code == 400
    assert refused.json()["error"] == "use_dpop_nonce"
    assert refused.headers["dpop-nonce"]


def test_a_static_token_must_be_known_and_its_owner_an_administrator(org: OktaSimulator, url: str):
    org.switches.ssws_tokens_without_role.add("weak")
    for header, status, code in (
        ("SSWS wrong", 401, "E0000011"),
        ("SSWS weak", 403, "E0000006"),
        ("Basic x", 401, "E0000011"),
    ):
        answer = httpx.get(f"{url}/api/v1/users", headers={"Authorization": header})
        assert (answer.status_code, answer.json()["errorCode"]) == (status, code)
    assert httpx.get(f"{url}/api/v1/users").status_code == 401
