"""A full read of a simulated Okta that takes a while for each answer: how close it comes to the least possible time.

Run: `.venv/bin/python benchmarks/okta_read_time.py [people] [groups] [seconds an answer]`. The simulator runs in a
process of its own, so that the peak memory is the reader's. The least possible time is requests x seconds an answer /
requests at a time. Exit code 1 where the read takes more than 1.2 times as long, or 1 GiB.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import time

from connectors.sources.okta import OktaSettings, OktaSource
from directory.snapshot import SourceSnapshot

MOST_TIMES = 1.2
MOST_MIB = 1024


async def read(url: str) -> tuple[SourceSnapshot, float]:
    source = OktaSource(OktaSettings(url=url, token="env:OKTA_TOKEN"))
    started = time.perf_counter()
    snapshot = await source.read()
    seconds = time.perf_counter() - started
    await source.close()
    return snapshot, seconds


def main() -> int:
    given = sys.argv[1:]
    people, groups, latency = (*given, *("20000", "2000", "0.05")[len(given) :])
    command = [sys.executable, "-m", "sandbox.okta", "--people", people, "--groups", groups]
    command += ["--latency", latency, "--limit-factor", "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as simulator:
        try:
            told = json.loads(simulator.stdout.readline() if simulator.stdout else "")
            os.environ["OKTA_TOKEN"] = told["token"]
            snapshot, seconds = asyncio.run(read(told["url"]))
        finally:
            simulator.terminate()
    at_a_time = OktaSettings(url=told["url"], token="env:OKTA_TOKEN").concurrency
    times = seconds / (snapshot.requests * float(latency) / at_a_time)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {
        "people": snapshot.people.height,
        "groups": snapshot.groups.height,
        "memberships": snapshot.memberships.height,
        "complete": snapshot.completeness.complete,
        "requests": snapshot.requests,
        "seconds": round(seconds, 2),
        "times_the_least": round(times, 3),
        "peak_mib": round(peak),
    }
    print(json.dumps(figures))
    return int(times > MOST_TIMES or peak > MOST_MIB or not snapshot.completeness.complete)


if __name__ == "__main__":
    sys.exit(main())
