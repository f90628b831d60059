from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ledger import process
from ledger.process import Process, current, known_dead

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc on this system")


def ended_pid() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_this_process_is_not_dead():
    assert not known_dead(current())


def test_a_process_that_ended_is_dead():
    assert known_dead(replace(current(), pid=ended_pid()))


@linux
def test_a_process_that_got_the_number_of_an_earlier_one_is_not_taken_for_it():
    me = current()
    namespace, _, started = me.identity.rpartition("/")

    assert known_dead(replace(me, identity=f"{namespace}/{int(started) - 1}"))


@linux
def test_a_process_that_ended_and_was_not_waited_for_is_dead():
    child = subprocess.Popen(
        [sys.executable, "-c", "import ledger.process as p; print(p.current().identity)"], stdout=-1
    )
    assert child.stdout is not None
    with child.stdout as output:
        identity = output.read().decode().strip()  # its end closes the pipe
    while Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)

    assert known_dead(replace(current(), pid=child.pid, identity=identity))
    child.wait()


def test_nothing_is_known_of_processes_of_another_host():
    assert not known_dead(replace(current(), host="other-host", pid=ended_pid()))


@linux
def test_nothing_is_known_of_processes_of_another_container_or_boot_with_the_same_host_name():
    assert not known_dead(replace(current(), identity="another-boot/pid:[4026531836]/1234", pid=ended_pid()))


def test_without_proc_a_process_is_dead_only_when_its_number_is_free(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(process, "_PROC", tmp_path)
    monkeypatch.setattr(process, "_namespace", lambda: "")
    me = current()

    assert me == Process(me.host, me.pid, "/")
    assert not known_dead(me)
    assert known_dead(replace(me, pid=ended_pid()))
