"""A simulated Google Workspace account that shows the invented company. `python -m sandbox.google` serves one."""

from __future__ import annotations

from sandbox.google.simulator import GoogleSimulator
from sandbox.google.switches import ADMIN, READ_SCOPES, Member, ServiceAccount, Switches

__all__ = ["ADMIN", "READ_SCOPES", "GoogleSimulator", "Member", "ServiceAccount", "Switches"]
