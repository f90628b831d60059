"""The simulator in a process of its own, as the demo and benchmarks run it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from tests.unit.sandbox.graph.conftest import ask_token

ROOT = Path(__file__).resolve().parents[4]


def test_a_process_announces_its_address_serves_and_ends_at_sigterm():
    command = [sys.executable, "-m", "sandbox.graph", "--people", "20", "--groups", "4", "--resource-units", "100"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            announced = json.loads(process.stdout.readline())
            assert announced.keys() == {"url", "tenant", "client_id", "client_secret"}
            url = announced["url"]
            headers = {"Authorization": f"Bearer {ask_token(url).json()['access_token']}"}
            assert len(httpx.get(f"{url}/v1.0/users", headers=headers).json()["value"]) == 20
            assert len(httpx.get(f"{url}/sandbox/requests").json()) == 2
        finally:
            process.terminate()
        assert process.wait(timeout=10) in {0, -signal.SIGTERM}
