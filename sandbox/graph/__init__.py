"""A simulated Entra tenant behind Microsoft Graph v1.0 that shows the invented company. `python -m sandbox.graph`
serves one."""

from __future__ import annotations

from sandbox.graph.oauth import ALL_READ_ROLES, RegisteredApp
from sandbox.graph.simulator import GraphSimulator
from sandbox.graph.switches import CLIENT_ID, CLIENT_SECRET, TENANT, Switches

__all__ = [
    "ALL_READ_ROLES",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "TENANT",
    "GraphSimulator",
    "RegisteredApp",
    "Switches",
]
