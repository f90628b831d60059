"""Which process wrote a row, told so well that a later one of the same number is not taken for it."""

from __future__ import annotations

import errno
import os
import socket
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Process", "current", "known_dead"]

_PROC = Path("/proc")
_START_TIME_AFTER_NAME = 19
"""Position of `starttime` in /proc/PID/stat, counted from the field behind the parenthesised name (proc(5))."""


@dataclass(frozen=True)
class Process:
    host: str
    pid: int
    identity: str
    """`namespace/start`. Namespace: where the number means this process and no other (the boot and the pid namespace on
    Linux, else empty). Start: in clock ticks since the boot, else empty."""


def current() -> Process:
    """This process."""
    pid = os.getpid()
    return Process(socket.gethostname(), pid, f"{_namespace()}/{_start_time(pid) or ''}")


def known_dead(process: Process) -> bool:
    """Whether the process certainly has ended. False when it lives, and when that cannot be seen from here.

    A host name alone proves nothing: containers and cloned machines share them, and pid 7 missing here may be alive
    there. So the boot and the pid namespace must be ours as well.
    """
    namespace, _, started = process.identity.rpartition("/")
    if process.host != socket.gethostname() or namespace != _namespace():
        return False
    seen = _start_time(process.pid) if started else None
    if seen is None:
        return _missing(process.pid)
    return seen != started


@cache
def _namespace() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def _start_time(pid: int) -> str | None:
    """`ended` for a zombie; None where the process is missing or hidden from this user."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return "ended" if fields[0] in ("Z", "X") else fields[_START_TIME_AFTER_NAME]


def _missing(pid: int) -> bool:
    if sys.platform == "win32":  # signal 0 is Ctrl-C there
        return False
    try:
        os.kill(pid, 0)
    except OSError as error:
        return error.errno == errno.ESRCH
    return False
