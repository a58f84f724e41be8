"""A private Open vSwitch on the dummy datapath: real tables and real tracing, no root, 0.15 s to start."""
from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


class DummySwitch:
    """ovsdb-server and ovs-vswitchd of its own, with bridge br-int; `with DummySwitch() as ovs:`."""

    def __init__(self, datapath_id: int = 1, description: str = "hv1") -> None:
        for program in ("ovs-vswitchd", "ovsdb-server"):
            assert shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin"), \
                f"{program} is missing: install Open vSwitch (`make install`)"
        self.directory = Path(tempfile.mkdtemp(prefix="naas-ovs-"))
        self._env = {**os.environ, "OVS_RUNDIR": str(self.directory), "OVS_DBDIR": str(self.directory),
                     "OVS_LOGDIR": str(self.directory), "PATH": os.environ["PATH"] + ":/usr/sbin"}
        self._socket = f"unix:{self.directory}/db.sock"
        self.datapath_id = datapath_id
        self.description = description

    def __enter__(self) -> DummySwitch:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        database = self.directory / "conf.db"
        quiet = ["--detach", "--no-chdir", "-vconsole:off", "-vsyslog:off"]
        self._run("ovsdb-tool", "create", str(database), SCHEMA)
        self._run("ovsdb-server", str(database), f"--remote=p{self._socket}", "--pidfile",
                  f"--log-file={self.directory}/ovsdb.log",
                  "--private-key=db:Open_vSwitch,SSL,private_key", "--certificate=db:Open_vSwitch,SSL,certificate",
                  "--ca-cert=db:Open_vSwitch,SSL,ca_cert", *quiet)
        self.vsctl("--no-wait", "init")
        self._run("ovs-vswitchd", self._socket, "--pidfile", "--enable-dummy=override",
                  f"--log-file={self.directory}/vswitchd.log", *quiet)
        self.vsctl("add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=dummy", "fail_mode=secure",
                   "protocols=OpenFlow13", f"other_config:datapath-id={self.datapath_id:016x}",
                   f"other_config:dp-desc={self.description}", "other_config:disable-in-band=true")

    def stop(self) -> None:
        for name in ("ovs-vswitchd", "ovsdb-server"):
            pidfile = self.directory / f"{name}.pid"
            if pidfile.exists():
                self._end(int(pidfile.read_text()))
        shutil.rmtree(self.directory, ignore_errors=True)

    def pid(self) -> int:
        """Of the ovs-vswitchd."""
        return int((self.directory / "ovs-vswitchd.pid").read_text())

    def vsctl(self, *arguments: str) -> str:
        return self._run("ovs-vsctl", f"--db={self._socket}", *arguments)

    def ofctl(self, command: str, *arguments: str) -> str:
        return self._run("ovs-ofctl", "-O", "OpenFlow13", command, "br-int", *arguments)

    def appctl(self, *arguments: str) -> str:
        return self._run("ovs-appctl", *arguments)

    def add_port(self, name: str, number: int, **options: str) -> None:
        """A dummy port, or one of `type` with `options` as ovs-vsctl spells them."""
        kind = options.pop("type", "dummy")
        self.vsctl("add-port", "br-int", name, "--", "set", "interface", name, f"type={kind}",
                   f"ofport_request={number}", *(f"options:{key}={value}" for key, value in options.items()))

    def set_controller(self, target: str) -> None:
        self.vsctl("set-controller", "br-int", target, "--", "set", "controller", "br-int", "max_backoff=1000")

    def load(self, flows: list[str]) -> None:
        """Replace all flows by these texts."""
        path = self.directory / "flows.txt"
        path.write_text("\n".join(flows))
        self.ofctl("del-flows")
        self.ofctl("add-flows", str(path))

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, env=self._env, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    @staticmethod
    def _end(pid: int) -> None:
        """SIGTERM, then SIGKILL; a zombie that its parent has yet to reap counts as gone."""
        status = Path(f"/proc/{pid}/stat")
        try:
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGCONT)
            for _ in range(200):
                if status.read_text().rpartition(")")[2].split()[0] == "Z":
                    return
                time.sleep(0.01)
            os.kill(pid, signal.SIGKILL)
        except (ProcessLookupError, FileNotFoundError):
            return
