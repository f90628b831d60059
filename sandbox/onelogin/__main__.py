"""python -m sandbox.onelogin --people 500 --groups 40 --port 0

The first line of stdout is JSON with the base URL and the id and secret of API credentials.
"""

from __future__ import annotations

import argparse

from sandbox.founding import company_options, founded
from sandbox.onelogin.simulator import OneLoginSimulator
from sandbox.onelogin.switches import CLIENT_ID, CLIENT_SECRET
from sandbox.standalone import serve_until_stopped


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.onelogin", description="Serve a simulated OneLogin.")
    company_options(parser)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that every answer takes longer")
    chosen = parser.parse_args()
    simulator = OneLoginSimulator(founded(chosen))
    simulator.app.latency_seconds = chosen.latency
    serve_until_stopped(simulator.app, {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}, chosen.port)


if __name__ == "__main__":
    main()
