"""Which hooks there are, by the last part of their address."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from service.hooks.contract import Hook
from service.hooks.entra import EntraTokenIssuance
from service.hooks.keycloak import KeycloakEvents
from service.hooks.okta import OktaEvents, OktaInline
from service.hooks.trust import Trust
from tasks.login_settings import AtLoginSection
from tasks.sync_file import SyncFile

__all__ = ["KINDS", "Kind", "hook_of"]


class Kind(NamedTuple):
    made: Callable[[AtLoginSection, Trust, bool], Hook | None]
    """From the section, what callers are known by, and whether the vendor's ids are those of the sync's source."""
    vendor: str
    """The kind of source that knows people by the vendor's ids."""
    unchanged: bytes
    """What it answers where nothing else is known of it."""


def _okta(section: AtLoginSection, trust: Trust, by_id: bool) -> Hook | None:  # noqa: FBT001 -- `Kind.made`
    return OktaInline(section.okta, trust, by_id=by_id) if section.okta else None


def _okta_events(section: AtLoginSection, trust: Trust, by_id: bool) -> Hook | None:  # noqa: FBT001 -- `Kind.made`
    return OktaEvents(section.okta, trust, by_id=by_id) if section.okta and section.okta.secret else None


def _entra(section: AtLoginSection, trust: Trust, by_id: bool) -> Hook | None:  # noqa: FBT001 -- `Kind.made`
    return EntraTokenIssuance(section.entra, trust, by_id=by_id) if section.entra else None


def _keycloak(section: AtLoginSection, trust: Trust, by_id: bool) -> Hook | None:  # noqa: FBT001 -- `Kind.made`
    return KeycloakEvents(section.keycloak, trust, by_id=by_id) if section.keycloak else None


KINDS = {
    "okta": Kind(_okta, "okta", OktaInline.unchanged),
    "okta-events": Kind(_okta_events, "okta", OktaEvents.unchanged),
    "entra": Kind(_entra, "entra", EntraTokenIssuance.unchanged),
    "keycloak": Kind(_keycloak, "keycloak", KeycloakEvents.unchanged),
}


def hook_of(kind: str, sync: SyncFile, trust: Trust) -> Hook | None:
    """None where the sync file does not have it."""
    if sync.at_login is None:
        return None
    found = KINDS[kind]
    return found.made(sync.at_login, trust, getattr(sync.source, "kind", None) == found.vendor)
