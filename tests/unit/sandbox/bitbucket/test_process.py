"""The simulator in a process of its own, as benchmarks and kill tests run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[4]


def test_a_process_announces_its_address_serves_and_ends_at_sigterm():
    population = ["--people", "20", "--groups", "3", "--memberships", "30", "--seed", "5"]
    command = [sys.executable, "-m", "sandbox.bitbucket", *population, "--switches", '{"page_cap": 7}']
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            announced = json.loads(process.stdout.readline())
            base_url = announced["base_url"]
            assert (announced["users"], announced["groups"], announced["memberships"]) == (21, 4, 30)

            page = httpx.get(f"{base_url}/rest/api/1.0/admin/users?limit=99", auth=("admin", "admin")).json()
            assert (page["size"], page["limit"]) == (7, 7)
            assert httpx.get(f"{base_url}/sandbox/requests").json()["reads"] == 1
        finally:
            process.terminate()
        assert process.wait(timeout=10) == 0
