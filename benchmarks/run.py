"""Every benchmark, one after the other; each prints its figures as JSON. `make bench` calls this."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARKS = (
    "requests_made.py",
    "source_requests.py",
    "okta_read_time.py",
    "plan_million.py",
    "no_change_flow.py",
    "prefect_cost.py",
)


def main() -> int:
    failed = 0
    for name in BENCHMARKS:
        print(f"== {name}", flush=True)
        failed |= subprocess.run([sys.executable, str(Path(__file__).parent / name)], check=False).returncode
    return failed


if __name__ == "__main__":
    sys.exit(main())
