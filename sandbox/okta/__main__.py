"""python -m sandbox.okta --people 500 --groups 40 --port 0

The first line of stdout is JSON with the base URL and an API token.
"""

from __future__ import annotations

import argparse

from sandbox.founding import company_options, founded
from sandbox.okta.simulator import OktaSimulator
from sandbox.okta.switches import ENTERPRISE_LIMITS, SSWS_TOKEN, Switches
from sandbox.standalone import serve_until_stopped


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.okta", description="Serve a simulated Okta organisation.")
    company_options(parser)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--limit-factor", type=float, default=1.0, help="multiplies Okta's rate limits")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that every answer takes longer")
    chosen = parser.parse_args()
    limits = {bucket: max(2, int(limit * chosen.limit_factor)) for bucket, limit in ENTERPRISE_LIMITS.items()}
    simulator = OktaSimulator(founded(chosen), Switches(limits=limits))
    simulator.app.latency_seconds = chosen.latency
    serve_until_stopped(simulator.app, {"token": SSWS_TOKEN}, chosen.port)


if __name__ == "__main__":
    main()
