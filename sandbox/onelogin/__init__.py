"""A simulated OneLogin account that shows the invented company. `python -m sandbox.onelogin` serves one."""

from __future__ import annotations

from sandbox.onelogin.simulator import OneLoginSimulator
from sandbox.onelogin.switches import CLIENT_ID, CLIENT_SECRET, Switches

__all__ = ["CLIENT_ID", "CLIENT_SECRET", "OneLoginSimulator", "Switches"]
