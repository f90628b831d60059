"""Until when a sync's secrets and certificates are good, as far as the sync file, certificates and blocks say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path

from pydantic import BaseModel

from connectors.catalog import Side
from connectors.certificates import last_days
from connectors.secret import resolve_secret
from directory.errors import ConfigurationError
from reconcile.expiry import Expiring, Expiry, expiring
from tasks.login_settings import AtLoginSection
from tasks.secrets import expiries_of_blocks
from tasks.sync_file import SecretsSection, SyncFile

__all__ = ["expiring_secrets", "known_expiries"]


def expiring_secrets(sync: SyncFile, today: date) -> list[Expiring]:
    """What of a sync must be renewed within `secrets.warn_days`."""
    return expiring(known_expiries(sync), today, within_days=sync.secrets.warn_days)


def known_expiries(sync: SyncFile) -> list[Expiry]:
    """The days that the sync file gives, and those in the certificates and the Prefect blocks that it names.

    What cannot be read is left out: the connector that needs it says so better.
    """
    days = sync.secrets
    found = [*_given("source", days.source_expires), *_given("target", days.target_expires)]
    found += _in_certificates("source", sync.source)
    found += _in_certificates("target", sync.target)
    found += [*_in_blocks("source", sync.source), *_in_blocks("target", sync.target)]
    return found if sync.at_login is None else [*found, *_of_hooks(sync.at_login, days)]


def _of_hooks(section: AtLoginSection, days: SecretsSection) -> Iterator[Expiry]:
    """Of hooks that are there and have a secret. Keys that are fetched from the issuer end there."""
    given = {
        "okta": (section.okta if section.okta and section.okta.secret else None, days.okta_hook_expires),
        "keycloak": (section.keycloak, days.keycloak_hook_expires),
    }
    for kind, (hook, on) in given.items():
        if hook is None:
            continue
        if on is not None:
            yield Expiry(on, "at_login", f"the secret of the hook {kind}")
        for reference, ends in _days_of_blocks(hook).items():
            yield Expiry(ends, "at_login", f"the secret {reference} of the hook {kind}")


def _given(side: Side, on: date | None) -> list[Expiry]:
    return [] if on is None else [Expiry(on, side, f"the {side}'s secret")]


def _in_certificates(side: Side, settings: object) -> Iterator[Expiry]:
    reference = getattr(settings, "certificate", None)
    if isinstance(reference, str):
        # The first is the one by which the connector identifies itself.
        ends = _ends(lambda: resolve_secret(reference).get_secret_value())
        yield from (Expiry(on, side, f"the {side}'s certificate") for on in ends[:1])
    for key in ("ca_bundle", "ca_file"):
        path = getattr(settings, key, None)
        if isinstance(path, Path):
            ends = _ends(partial(path.read_text, encoding="ascii", errors="replace"))
            # Until the last of them ends, an older one beside it does no harm.
            what = f"the last certificate of the {side}'s {key} ({path})"
            yield from (Expiry(on, side, what) for on in sorted(ends)[-1:])


def _in_blocks(side: Side, settings: object) -> list[Expiry]:
    return [Expiry(on, side, f"the {side}'s secret {reference}") for reference, on in _days_of_blocks(settings).items()]


def _days_of_blocks(settings: object) -> dict[str, date]:
    if not isinstance(settings, BaseModel):
        return {}
    try:
        return expiries_of_blocks(settings)
    except (ConfigurationError, ValueError):
        return {}


def _ends(read: Callable[[], str]) -> list[date]:
    try:
        return last_days(read())
    except (ConfigurationError, OSError, ValueError):
        return []
