"""Until when a sync's secrets and certificates are good, as far as it can be known without a request."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from connectors.certificates import last_days
from connectors.secret import resolve_secret
from directory.errors import ConfigurationError
from reconcile.expiry import Expiring, Expiry, expiring
from tasks.sync_file import SyncFile

__all__ = ["expiring_secrets", "known_expiries"]


def expiring_secrets(sync: SyncFile, today: date) -> list[Expiring]:
    """What of a sync must be renewed within `secrets.warn_days`."""
    return expiring(known_expiries(sync), today, within_days=sync.secrets.warn_days)


def known_expiries(sync: SyncFile) -> list[Expiry]:
    """The days that the sync file gives, and those in the certificates that it names.

    What cannot be read is left out: the connector that needs it says so better.
    """
    given = {"source": sync.secrets.source_expires, "target": sync.secrets.target_expires}
    found = [Expiry(on, f"the {side}'s secret") for side, on in given.items() if on is not None]
    for side, settings in (("source", sync.source), ("target", sync.target)):
        found += _of_certificate(side, getattr(settings, "certificate", None))
        for key in ("ca_bundle", "ca_file"):
            found += _of_authorities(side, key, getattr(settings, key, None))
    return found


def _of_certificate(side: str, reference: object) -> Iterator[Expiry]:
    """The first of the text, by which the connector identifies itself."""
    if isinstance(reference, str):
        try:
            days = last_days(resolve_secret(reference).get_secret_value())
        except (ConfigurationError, ValueError):
            return
        yield from (Expiry(on, f"the {side}'s certificate") for on in days[:1])


def _of_authorities(side: str, key: str, path: object) -> Iterator[Expiry]:
    """The last to end: until then an older one beside it does no harm."""
    if isinstance(path, Path):
        try:
            days = last_days(path.read_text(encoding="ascii", errors="replace"))
        except (OSError, ValueError):
            return
        yield Expiry(max(days), f"the last certificate of the {side}'s {key} ({path})")
