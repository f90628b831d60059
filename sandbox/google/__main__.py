"""python -m sandbox.google --key-file key.json --people 500 --groups 40 --port 8085

Writes the key of a service account that may act for the administrator; it names the token endpoint, so the port is
fixed. The first line of stdout is JSON with the base URL and the administrator's address.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from joserfc.jwk import RSAKey

from sandbox.founding import company_options, founded
from sandbox.google.simulator import GoogleSimulator
from sandbox.google.switches import ADMIN, ServiceAccount, Switches
from sandbox.standalone import serve_until_stopped

EMAIL = "usersync@sandbox.iam.gserviceaccount.example"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.google", description="Serve a simulated Google Workspace.")
    parser.add_argument("--key-file", type=Path, required=True, help="where the service account's key is written")
    company_options(parser)
    parser.add_argument("--port", type=int, default=8085)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that every answer takes longer")
    parser.add_argument("--queries-a-minute", type=int, default=2400, help="Google's quota for one administrator")
    chosen = parser.parse_args()
    key = RSAKey.generate_key(2048, {"kid": "sandbox-key"})
    simulator = GoogleSimulator(founded(chosen), Switches(queries_a_minute=chosen.queries_a_minute))
    simulator.register(ServiceAccount(EMAIL, {"sandbox-key": key.as_dict(private=False)}))
    simulator.app.latency_seconds = chosen.latency
    with os.fdopen(os.open(chosen.key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(key_file(key, f"http://127.0.0.1:{chosen.port}"), file)
    serve_until_stopped(simulator.app, {"subject": ADMIN, "key_file": str(chosen.key_file)}, chosen.port)


def key_file(key: RSAKey, url: str) -> dict[str, str]:
    return {
        "type": "service_account",
        "project_id": "sandbox",
        "private_key_id": "sandbox-key",
        "private_key": key.as_pem(private=True).decode(),
        "client_email": EMAIL,
        "token_uri": f"{url}/token",
    }


if __name__ == "__main__":
    main()
