"""python -m sandbox.keycloak --people 500 --groups 40 --port 0

The first line of stdout is JSON with the base URL, the realm, and a client's id and secret.
"""

from __future__ import annotations

import argparse

from sandbox.founding import company_options, founded
from sandbox.keycloak.simulator import KeycloakSimulator
from sandbox.keycloak.switches import CLIENT_ID, CLIENT_SECRET, REALM, Switches
from sandbox.standalone import serve_until_stopped


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.keycloak", description="Serve a simulated Keycloak realm.")
    company_options(parser)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--token-seconds", type=int, default=60, help="how long an access token is valid")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that every answer takes longer")
    chosen = parser.parse_args()
    switches = Switches(token_seconds=chosen.token_seconds, admin_events_enabled=True)
    simulator = KeycloakSimulator(founded(chosen), switches)
    simulator.app.latency_seconds = chosen.latency
    announcement: dict[str, object] = {"realm": REALM, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    serve_until_stopped(simulator.app, announcement, chosen.port)


if __name__ == "__main__":
    main()
