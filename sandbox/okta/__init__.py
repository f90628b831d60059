"""A simulated Okta organisation that shows the invented company. `python -m sandbox.okta` serves one."""

from __future__ import annotations

from sandbox.okta.oauth import ALL_READ_SCOPES, ServiceApp
from sandbox.okta.simulator import OktaSimulator
from sandbox.okta.switches import SSWS_TOKEN, CustomAttribute, Switches

__all__ = ["ALL_READ_SCOPES", "SSWS_TOKEN", "CustomAttribute", "OktaSimulator", "ServiceApp", "Switches"]
