"""The SCIM 2.0 receiver (RFC 7643, RFC 7644): identity providers push their users and groups to it.

`application(ledger, settings)` is an ASGI application that answers under `/scim/<slug>/v2`.
"""

from __future__ import annotations

from service.scim.application import application
from service.scim.settings import Limits, ScimSettings

__all__ = ["Limits", "ScimSettings", "application"]
