"""One source, read in a process of its own: `one_read.py SETTINGS`, the `source` section of a sync file as JSON.

Each line of stdin is an order, and each is answered by a line of JSON: `read` reads everything, `begin` does so and
keeps from where to go on, `changes` reads what changed since then. It ends with stdin.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from typing import Any

from connectors.catalog import connect_source, parse_settings
from connectors.contract import IncrementalSource, Reading, Source
from directory.snapshot import SourceSnapshot


async def carried_out(order: str, source: Source, last: Reading | None) -> Reading | None:
    if order == "read":
        return Reading(await source.read(), None)
    if not isinstance(source, IncrementalSource):
        raise TypeError(f"{type(source).__name__} does not report changes")
    if order == "begin":
        return await source.read_all()
    assert last is not None
    return await source.read_changes(last)


def figures(snapshot: SourceSnapshot, seconds: float) -> dict[str, Any]:
    return {
        "requests": snapshot.requests,
        "people": snapshot.people.height,
        "groups": snapshot.groups.height,
        "memberships": snapshot.memberships.height,
        "findings": list(snapshot.completeness.findings),
        "seconds": round(seconds, 1),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


async def main() -> None:
    source = connect_source(parse_settings("source", json.loads(sys.argv[1])))
    last: Reading | None = None
    while order := (await asyncio.to_thread(sys.stdin.readline)).strip():
        started = time.perf_counter()
        last = await carried_out(order, source, last)
        answer = None if last is None else figures(last.snapshot, time.perf_counter() - started)
        print(json.dumps(answer), flush=True)
    await source.close()


if __name__ == "__main__":
    asyncio.run(main())
