"""The controller as it is run in production: a process of its own, configured by a file."""
from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import requests

from tests.support.openvswitch import PATH, CommandFailed

READY = 30
"""Seconds it may take to answer; on a busy machine importing alone takes several."""


class Controller:
    """`naas-sdn serve`, its log in `directory`, switches expected on `openflow` (HOST, PORT)."""

    def __init__(self, directory: Path, openflow: tuple[str, int], workers: int = 0,
                 options: Mapping[str, str] | None = None, database: str | None = None) -> None:
        """`options`: more of them, by environment (OS_GROUP__OPTION). `database`: its URL; a file in `directory`."""
        self._options = dict(options or {})
        self.source: Path | None = None
        """Where the package is that is run next; None: here."""
        self.log = directory / "controller.log"
        self.config = directory / "naas-sdn.conf"
        self.port = free_port()
        self.openflow = openflow
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._forgiven: list[str] = []
        self.config.write_text(f"""\
[database]
connection = {database or f'sqlite:///{directory}/naas.db'}
[api]
host = 127.0.0.1
port = {self.port}
workers = {workers}
[openflow]
host = {openflow[0]}
port = {openflow[1]}
echo_interval = 1
[statistics]
interval = 0.5
[quotas]
network = -1
subnet = -1
port = 1000000
router = -1
route = -1
""")

    def command(self, *arguments: str) -> str:
        """What a `naas-sdn` command prints. Raises CommandFailed."""
        done = run_command(*arguments, "--config-file", str(self.config), source=self.source)
        if done.returncode:
            raise CommandFailed(f"naas-sdn {' '.join(arguments)}: {done.stderr.strip()[-800:]}")
        return done.stdout.strip()

    def start(self, ready: float = READY) -> None:
        """Start it and wait until it serves, `ready` seconds at most.

        Raises CommandFailed with the log's end if it does not.
        """
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([*_naas_sdn(), "serve", "--config-file", str(self.config)], stdout=log,
                                             stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                                             cwd=self.source, env={**_environment(), **self._options})
        deadline = time.monotonic() + ready
        while not self._answers():
            if self._process.poll() is not None:
                raise CommandFailed(f"naas-sdn serve ended at once:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise CommandFailed(f"naas-sdn serve does not answer after {ready:.0f} s:\n{self.tail()}")
            time.sleep(0.05)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL: no farewell to anybody."""
        self._end(signal.SIGKILL)

    def stop(self) -> int | None:
        """SIGTERM, and its exit status; None when it was not running."""
        return self._end(signal.SIGTERM)

    def tail(self, lines: int = 30) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def complaints(self) -> list[str]:
        """Lines of the log that tell of a bug: tracebacks and errors."""
        return [line for line in self.log.read_text(errors="replace").splitlines()
                if (" ERROR " in line or " CRITICAL " in line or line.startswith("Traceback"))
                and not any(text in line for text in self._forgiven)]

    def forgive(self, text: str) -> None:
        """A complaint with this text was called for."""
        self._forgiven.append(text)

    def children(self) -> list[int]:
        """Process ids of the API's own processes."""
        tasks = Path(f"/proc/{self.pid}/task")
        return [int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()]

    def _answers(self) -> bool:
        with requests.Session() as session:
            session.trust_env = False
            try:
                return session.get(f"{self.url}/healthcheck", timeout=5).ok
            except requests.RequestException:
                return False

    def _end(self, how: signal.Signals) -> int | None:
        if self._process is None:
            return None
        process, self._process = self._process, None
        process.send_signal(how)
        try:
            return process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            # A stop that hangs shows as the status of SIGKILL.
            process.kill()
            return process.wait()


def run_command(*arguments: str, source: Path | None = None, told: str = "") -> subprocess.CompletedProcess[str]:
    """A `naas-sdn` command of the package in `source` (None: here), whatever comes of it; `told` is its input."""
    return subprocess.run([*_naas_sdn(), *arguments], capture_output=True, text=True, check=False,
                          cwd=source, input=told, env=_environment(), timeout=60)


def _naas_sdn() -> list[str]:
    return [sys.executable, "-m", "naas_sdn"]


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": PATH, "PYTHONUNBUFFERED": "1"}


def free_port() -> int:
    """A TCP port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
