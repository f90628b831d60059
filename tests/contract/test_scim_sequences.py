"""What Microsoft Entra and Okta send when they provision, request by request."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.scim_service import play, serve

SPECS = Path(os.environ.get("USERSYNC_SPECS") or Path(__file__).parents[3] / "shared" / "specs")
SUITES = SPECS.parent / "suites"


@pytest.mark.parametrize(("suite", "steps"), [("entra-provisioning", 51), ("okta-provisioning", 28)])
async def test_every_step_is_answered_as_the_client_expects(ledger_url: str, suite: str, steps: int):
    file = SUITES / f"{suite}.json"
    if not file.exists():
        pytest.skip(f"the recorded sequences of clients are not here ({SUITES})")

    async with serve(ledger_url) as served:
        played = await play(served.client, json.loads(file.read_text()))

    assert played.failures == ()
    assert played.steps == steps
