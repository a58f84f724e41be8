"""An Open vSwitch of one's own: ovsdb-server and ovs-vswitchd in a private directory, maybe in a namespace."""
from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
"""Where Debian puts what only root uses, also when root's PATH says nothing of it."""

Saved = tuple[list[str], str]
"""Meters, and flows, in ovs-ofctl's text."""


class CommandFailed(Exception):
    """A command's status was not 0; the message is the command and what it complained of."""


def run(command: list[str], *, pid: int | None = None, environment: dict[str, str] | None = None,
        text: str | None = None, seconds: float = 30) -> str:
    """What `command` prints, run in the network namespace of process `pid`. Raises CommandFailed."""
    inside = ["mnexec", "-a", str(pid), *command] if pid else command
    done = subprocess.run(inside, env={**os.environ, "PATH": PATH, **(environment or {})}, input=text or "",
                          capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode:
        raise CommandFailed(f"{' '.join(command)}: {' '.join((done.stderr or done.stdout).split())}")
    return done.stdout


def require(*programs: str) -> None:
    """Raises CommandFailed naming every program that is not installed."""
    missing = [program for program in programs if not shutil.which(program, path=PATH)]
    if missing:
        raise CommandFailed(f"not installed: {', '.join(missing)} (`make install` as root installs what is missing)")


def end(pid: int, seconds: float = 5) -> None:
    """SIGTERM process `pid`, SIGKILL it after `seconds`; a zombie whose parent has yet to reap it counts as gone."""
    status = Path(f"/proc/{pid}/stat")
    deadline = time.monotonic() + seconds
    try:
        os.kill(pid, signal.SIGTERM)
        while status.read_text().rpartition(")")[2].split()[0] != "Z":
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                return
            time.sleep(0.005)
    except (ProcessLookupError, FileNotFoundError):
        return


class OpenVswitch:
    """Daemons in `directory`, in the network namespace of `pid`; `dummy` replaces all packet I/O.

    With `tunnels` the tunnel ports are not replaced, and packets leave encapsulated by another dummy port.
    """

    def __init__(self, directory: Path, pid: int | None = None, dummy: bool = False, tunnels: bool = False) -> None:
        self.directory = directory
        self.database = f"unix:{directory}/db.sock"
        self._pid = pid
        self._dummy = ["--enable-dummy" if tunnels else "--enable-dummy=override"] if dummy else []
        self._environment = {f"OVS_{what}DIR": str(directory) for what in ("RUN", "DB", "LOG")}

    def start(self) -> None:
        require("ovsdb-tool", "ovsdb-server", "ovs-vswitchd", "ovs-vsctl", "ovs-ofctl", "ovs-appctl")
        self.directory.mkdir(parents=True, exist_ok=True)
        self._run("ovsdb-tool", "create", str(self.directory / "conf.db"), SCHEMA)
        self._run("ovsdb-server", str(self.directory / "conf.db"), f"--remote=p{self.database}",
                  "--private-key=db:Open_vSwitch,SSL,private_key", "--certificate=db:Open_vSwitch,SSL,certificate",
                  "--ca-cert=db:Open_vSwitch,SSL,ca_cert", *self._daemon("ovsdb-server"))
        # One thread of each kind: a lab runs many of these on few cores.
        self.vsctl("--no-wait", "init", "--", "set", "Open_vSwitch", ".",
                   "other_config:n-handler-threads=1", "other_config:n-revalidator-threads=1")
        self.start_vswitchd()

    def start_vswitchd(self) -> None:
        self._run("ovs-vswitchd", self.database, *self._dummy, *self._daemon("ovs-vswitchd"))

    def stop_vswitchd(self) -> None:
        self._end("ovs-vswitchd")

    def kill_vswitchd(self) -> None:
        """SIGKILL, as a crash would."""
        file = self.directory / "ovs-vswitchd.pid"
        pid = int(file.read_text())
        os.kill(pid, signal.SIGKILL)
        end(pid)
        file.unlink()

    def saved(self) -> Saved:
        """Of br-int, as `restore` takes them."""
        meters = re.findall(r"(meter=.* bands=)\n(type=.*)", self.ofctl("dump-meters", "br-int"))
        return ["".join(meter) for meter in meters], self.ofctl("dump-flows", "br-int", "--no-stats", "--no-names")

    def restore(self, saved: Saved) -> None:
        meters, flows = saved
        for meter in meters:
            self.ofctl("add-meter", "br-int", meter)
        self.ofctl("add-flows", "br-int", "-", "--bundle", text=flows)

    def stop(self) -> None:
        for name in ("ovs-vswitchd", "ovsdb-server"):
            self._end(name)
        shutil.rmtree(self.directory, ignore_errors=True)

    def vsctl(self, *arguments: str) -> str:
        return self._run("ovs-vsctl", "--timeout=15", f"--db={self.database}", *arguments).strip()

    def ofctl(self, command: str, *arguments: str, text: str | None = None) -> str:
        return self._run("ovs-ofctl", "-O", "OpenFlow13", command, *arguments, text=text)

    def appctl(self, *arguments: str) -> str:
        return self._run("ovs-appctl", "--timeout=15", *arguments)

    def version(self) -> str:
        return self._run("ovs-vswitchd", "--version").splitlines()[0].rsplit(" ", 1)[-1]

    def log(self) -> str:
        """What ovs-vswitchd wrote so far."""
        return (self.directory / "ovs-vswitchd.log").read_text(errors="replace")

    def _daemon(self, name: str) -> list[str]:
        # ovs-appctl finds a daemon by the name of its pid file.
        return [f"--pidfile={self.directory}/{name}.pid", f"--log-file={self.directory}/{name}.log",
                "--detach", "--no-chdir", "-vconsole:off", "-vsyslog:off"]

    def _end(self, name: str) -> None:
        file = self.directory / f"{name}.pid"
        if file.exists():
            end(int(file.read_text()))
            file.unlink(missing_ok=True)

    def _run(self, *command: str, text: str | None = None) -> str:
        return run(list(command), pid=self._pid, environment=self._environment, text=text)
