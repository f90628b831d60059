"""One run of a sync in a process of its own, and what it cost: `one_run.py SYNC_FILE plain|flow`.

Prints one line of JSON: CPU seconds (user and system, imports and exit included up to the last line), wall seconds,
peak memory of this process, and how the run ended. `flow` needs PREFECT_API_URL.
"""

from __future__ import annotations

import time

START = time.perf_counter()

import asyncio  # noqa: E402
import json  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402


async def plain(path: Path) -> str:
    from flows.pipeline import run_sync
    from tasks.workshop import open_workshop

    async with open_workshop(path) as shop:
        ending = await run_sync(shop)
    return f"{ending.status}: {ending.message}"


async def flow(path: Path) -> str:
    from flows.sync import sync

    state = await sync(str(path), return_state=True)
    return f"{state.name}: {state.message}"


def main() -> None:
    path, how = Path(sys.argv[1]), sys.argv[2]
    ended = asyncio.run({"plain": plain, "flow": flow}[how](path))
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "how": how,
                "ended": ended,
                "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
                "wall_seconds": round(time.perf_counter() - START, 2),
                "peak_mib": round(used.ru_maxrss / 1024),
            }
        )
    )


if __name__ == "__main__":
    main()
