"""What the formulas give for the model. That they are what a source really asks is held in tests/contract."""

from __future__ import annotations

import pytest

from connectors.sources.google import GoogleSettings
from connectors.sources.keycloak import KeycloakSettings
from connectors.sources.okta import OktaSettings
from connectors.sources.onelogin import OneLoginSettings
from tests import request_formulas


def test_the_model_takes_so_many_requests():
    assert request_formulas.model_requests() == {
        "entra": 101 + 6 + 255,
        "okta": 500 + 6 + 4980 + 100,
        "google": 200 + 25 + 4980 + 500,
        "onelogin": 1000 + 8,
        "keycloak": 1 + 2 + 5000 + 167,
        "ldap": 100 + 5 + 5,
    }


def test_a_read_of_entra_that_begins_deltas_takes_more():
    people, sizes = request_formulas.MODEL_PEOPLE, request_formulas.MODEL_SIZES
    assert request_formulas.entra_beginning_deltas(people, sizes) == 500 + 26 + 2


@pytest.mark.parametrize("kind", sorted(request_formulas.BARS.keys() - {"google"}))
def test_the_model_stays_below_the_bar(kind: str):
    assert request_formulas.model_requests()[kind] <= request_formulas.BARS[kind]


def test_google_misses_its_bar_by_five():
    assert request_formulas.model_requests()["google"] == request_formulas.BARS["google"] + 5


def test_the_pages_of_the_formulas_are_those_of_the_settings():
    def default(settings: type, name: str) -> object:
        return settings.model_fields[name].default  # type: ignore[attr-defined]

    def given(formula: object) -> dict[str, object]:
        return dict(formula.__kwdefaults__)  # type: ignore[attr-defined]

    for settings, formula in (
        (OktaSettings, request_formulas.okta),
        (GoogleSettings, request_formulas.google),
        (OneLoginSettings, request_formulas.onelogin),
        (KeycloakSettings, request_formulas.keycloak),
    ):
        pages = {name: size for name, size in given(formula).items() if "page" in name}
        assert pages == {name: default(settings, name) for name in pages}
