"""python -m sandbox.graph --people 500 --groups 40 --port 0

The first line of stdout is JSON with the base URL (of Graph and of the login host alike), the tenant, and a client.
"""

from __future__ import annotations

import argparse

from sandbox.founding import company_options, founded
from sandbox.graph.simulator import GraphSimulator
from sandbox.graph.switches import CLIENT_ID, CLIENT_SECRET, TENANT, Switches
from sandbox.standalone import serve_until_stopped


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.graph", description="Serve a simulated Entra tenant.")
    company_options(parser)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--resource-units", type=int, default=8000, help="Graph's budget for ten seconds")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that every answer takes longer")
    chosen = parser.parse_args()
    switches = Switches(resource_units=chosen.resource_units)
    simulator = GraphSimulator(founded(chosen), switches)
    simulator.app.latency_seconds = chosen.latency
    announced: dict[str, object] = {"tenant": TENANT, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    serve_until_stopped(simulator.app, announced, chosen.port)


if __name__ == "__main__":
    main()
