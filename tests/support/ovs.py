"""A private Open vSwitch on the dummy datapath: real tables and real tracing, no root, 0.15 s to start."""
from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType

from tests.support.openvswitch import OpenVswitch


class DummySwitch:
    """Daemons of its own, with bridge br-int; `with DummySwitch() as ovs:`."""

    def __init__(self, datapath_id: int = 1, description: str = "hv1", tunnels: bool = False) -> None:
        """`tunnels`: see OpenVswitch."""
        self.datapath_id = datapath_id
        self.description = description
        self._ovs = OpenVswitch(Path(tempfile.mkdtemp(prefix="naas-ovs-")), dummy=True, tunnels=tunnels)

    def __enter__(self) -> DummySwitch:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()

    @property
    def database(self) -> str:
        """Its OVSDB, as ovs-vsctl's --db has it."""
        return self._ovs.database

    def start(self) -> None:
        self._ovs.start()
        self.vsctl("add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=dummy", "fail_mode=secure",
                   "protocols=OpenFlow13", f"other_config:datapath-id={self.datapath_id:016x}",
                   f"other_config:dp-desc={self.description}", "other_config:disable-in-band=true")

    def stop(self) -> None:
        self._ovs.stop()

    def pid(self) -> int:
        """Of the ovs-vswitchd."""
        return int((self._ovs.directory / "ovs-vswitchd.pid").read_text())

    def vsctl(self, *arguments: str) -> str:
        return self._ovs.vsctl(*arguments)

    def ofctl(self, command: str, *arguments: str) -> str:
        return self._ovs.ofctl(command, "br-int", *arguments)

    def appctl(self, *arguments: str) -> str:
        return self._ovs.appctl(*arguments)

    def add_port(self, name: str, number: int, **options: str) -> None:
        """A dummy port, or one of `type` with `options` as ovs-vsctl spells them."""
        kind = options.pop("type", "dummy")
        self.vsctl("add-port", "br-int", name, "--", "set", "interface", name, f"type={kind}",
                   f"ofport_request={number}", *(f"options:{key}={value}" for key, value in options.items()))

    def set_controller(self, target: str) -> None:
        self.vsctl("set-controller", "br-int", target, "--", "set", "controller", "br-int", "max_backoff=1000")

    def replace(self, flows: list[str]) -> None:
        """Add and remove what differs, so that others go on."""
        self._ovs.ofctl("replace-flows", "br-int", "-", text="\n".join(flows) + "\n")

    def load(self, flows: list[str]) -> None:
        """Replace all flows by these texts."""
        self.ofctl("del-flows")
        self._ovs.ofctl("add-flows", "br-int", "-", text="\n".join(flows) + "\n")
