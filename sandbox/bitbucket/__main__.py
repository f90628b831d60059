"""`python -m sandbox.bitbucket`: serve a populated simulator in a process of its own, until SIGTERM."""

from __future__ import annotations

import argparse
import json
import signal
import socket
import sys

import uvicorn

from sandbox.bitbucket.app import BitbucketSimulator
from sandbox.bitbucket.population import Population, populate
from sandbox.bitbucket.switches import Switches


def main() -> None:
    options = _options()
    simulator = BitbucketSimulator(
        Switches.model_validate_json(options.switches), (options.admin_name, options.admin_password)
    )
    populate(simulator.state, Population(options.people, options.groups, options.memberships, options.seed))
    # Named, so that asyncio switches Nagle's algorithm off: with it every answer takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", options.port))
    listener.listen()
    host, port = listener.getsockname()
    announcement = {"base_url": f"http://{host}:{port}", "admin": options.admin_name, **simulator.state.summary()}
    sys.stdout.write(json.dumps(announcement) + "\n")
    sys.stdout.flush()
    # uvicorn hands the signal on after it has stopped; this makes of it an ordinary end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    config = uvicorn.Config(
        simulator.app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1
    )
    uvicorn.Server(config).run(sockets=[listener])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.bitbucket", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--people", type=int, default=0)
    parser.add_argument("--groups", type=int, default=0)
    parser.add_argument("--memberships", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--admin-name", default="admin")
    parser.add_argument("--admin-password", default="admin")
    parser.add_argument("--switches", default="{}", help='JSON of the switches, such as {"page_cap": 100}')
    return parser.parse_args()


if __name__ == "__main__":
    main()
