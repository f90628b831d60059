"""Until when certificates are good."""

from __future__ import annotations

from datetime import date

__all__ = ["last_days"]


def last_days(pem: str) -> list[date]:
    """The day, in UTC, on which each certificate of a PEM text ends, in the order of the text. Raises ValueError."""
    from cryptography import x509  # noqa: PLC0415 -- half a hundred milliseconds, and most syncs name no certificate

    return [one.not_valid_after_utc.date() for one in x509.load_pem_x509_certificates(pem.encode())]
