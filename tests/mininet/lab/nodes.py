"""Mininet's nodes for a cloud: the underlay, hypervisors with an Open vSwitch each, and machines."""
from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mininet.node import Host, Switch

from naas_sdn.hypervisor import make_setup, prepare
from tests.mininet.lab.machine import Machine
from tests.support.openvswitch import OpenVswitch, run

UNDERLAY_MTU = 1600
"""Room for a tunnelled packet of 1550 bytes, so that a machine's MTU is what limits it."""
NO_OFFLOAD = "tx off rx off tso off gso off gro off"
"""The userspace datapath passes frames as they are: an offloaded checksum would never be filled in."""


def inside(node: Host | Switch, *command: str, text: str | None = None) -> str:
    """Run a command in the node's network namespace. Raises CommandFailed."""
    return run(list(command), pid=node.pid, text=text)


class Fabric(Switch):
    """The underlay: a Linux bridge in a namespace of its own. An Ethernet segment and nothing more."""

    def __init__(self, name: str, **parameters: Any) -> None:
        super().__init__(name, **{**parameters, "inNamespace": True, "dpid": "f" * 16})

    def start(self, controllers: list[Any]) -> None:
        inside(self, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        inside(self, "ip", "link", "add", "fabric", "type", "bridge", "mcast_snooping", "0")
        inside(self, "ip", "link", "set", "fabric", "up")
        for interface in self.intfList():
            if interface.name != "lo":
                self.attach(interface.name)

    def attach(self, interface: Any) -> None:
        inside(self, "ip", "link", "set", str(interface), "mtu", "9000", "master", "fabric", "up")


class VlanSwitch(Switch):
    """A physical switch: it learns, and knows VLANs. An Open vSwitch of its own that no controller speaks to."""

    def __init__(self, name: str, directory: Path, **parameters: Any) -> None:
        super().__init__(name, **{**parameters, "inNamespace": True, "dpid": "e" * 16})
        self.ovs = OpenVswitch(directory, self.pid)

    def start(self, controllers: list[Any]) -> None:
        inside(self, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        self.ovs.start()
        self.ovs.vsctl("add-br", "switch", "--", "set", "bridge", "switch", "datapath_type=netdev",
                       "fail_mode=standalone")

    def attach(self, interface: str, vlan: int | None = None) -> None:
        """A port of this VLAN; None: of all of them, and untagged."""
        inside(self, "ip", "link", "set", interface, "up")
        inside(self, "ethtool", "-K", interface, *NO_OFFLOAD.split())
        self.ovs.vsctl("add-port", "switch", interface, *([f"tag={vlan}"] if vlan is not None else []))

    def stop(self, deleteIntfs: bool = True) -> None:
        self.ovs.stop()
        super().stop(deleteIntfs)


class Heard:
    """The messages that a switch has received from its controllers since this was made, by its log."""

    def __init__(self, ovs: OpenVswitch) -> None:
        self._ovs = ovs
        self._start = len(ovs.log())

    def names(self) -> list[str]:
        """OFPT_FLOW_MOD, OFPST_METER_CONFIG, ..., oldest first."""
        return re.findall(r"vconn\|DBG\|tcp:\S+ received: (\w+)", self._ovs.log()[self._start:])

    def changes(self) -> list[str]:
        """The names of those that change flows or meters."""
        return [name for name in self.names() if re.search(r"(FLOW|METER|GROUP)_MOD|BUNDLE_ADD", name)]

    def is_compared(self) -> bool:
        """True when a controller has asked for all meters, which completes its look at the switch, and has since read
        counters twice: what it found to change it would have sent."""
        names = self.names()
        return "OFPST_METER_CONFIG" in names and names[names.index("OFPST_METER_CONFIG"):].count("OFPST_METER") >= 2


class Hypervisor(Switch):
    """A hypervisor: namespace, Open vSwitch on the userspace datapath, VTEP on br-phy, br-int by `prepare`."""

    def __init__(self, name: str, directory: Path, vtep: str, uplink: str, **parameters: Any) -> None:
        super().__init__(name, **{**parameters, "inNamespace": True, "dpid": f"{make_identity(name):016x}"})
        self.vtep = vtep
        self.uplink = uplink
        self.controllers: tuple[str, ...] = ("tcp:127.0.0.1:6653",)
        self.ovs = OpenVswitch(directory, self.pid)
        self.uplinks: dict[str, str] = {}
        """{physical network: interface}"""

    @property
    def datapath_id(self) -> str:
        return f"{make_identity(self.name):016x}"

    def start(self, controllers: list[Any]) -> None:
        # Otherwise every device gets a link-local address, which OVS takes for a tunnel end of its own.
        inside(self, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        self.ovs.start()
        inside(self, "ip", "link", "set", self.uplink, "mtu", str(UNDERLAY_MTU), "up")
        inside(self, "ethtool", "-K", self.uplink, *NO_OFFLOAD.split())
        # The VTEP's address sits on a bridge of this same vswitchd, which then routes and encapsulates itself.
        self.ovs.vsctl("add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev",
                       "fail_mode=standalone", "--", "add-port", "br-phy", self.uplink)
        inside(self, "ip", "addr", "add", f"{self.vtep}/24", "dev", "br-phy")
        inside(self, "ip", "link", "set", "br-phy", "mtu", str(UNDERLAY_MTU), "up")
        self.prepare()

    def prepare(self) -> bool:
        """What an operator does here with `naas-sdn hypervisor prepare`; False when all was so already."""
        setup = make_setup(self.name, self.vtep, self.controllers, datapath_type="netdev", uplinks=self.uplinks)
        return any(step.change for step in prepare(setup, self.ovs.database))

    def stop(self, deleteIntfs: bool = True) -> None:
        self.ovs.stop()
        super().stop(deleteIntfs)

    def in_touch(self) -> bool:
        """True when br-int is connected to a controller at this moment."""
        return "true" in self.ovs.vsctl("--bare", "--columns=is_connected", "list", "controller")

    def attach(self, interface: Any) -> None:
        """Plug an interface into br-int, as a hypervisor does when it starts a machine."""
        inside(self, "ip", "link", "set", str(interface), "up")
        self.ovs.vsctl("add-port", "br-int", str(interface))

    def detach(self, interface: Any) -> None:
        self.ovs.vsctl("--if-exists", "del-port", "br-int", str(interface))

    def know(self, vtep: str, mac: str) -> None:
        """Resolve a peer's VTEP now: OVS drops the packet that first asks for it."""
        self.ovs.appctl("tnl/neigh/set", "br-phy", vtep, mac)

    def underlay_mac(self) -> str:
        return self.ovs.vsctl("get", "interface", "br-phy", "mac_in_use").strip('"')

    def port_number(self, interface: str) -> int:
        return int(self.ovs.vsctl("get", "interface", interface, "ofport"))

    def set_flows(self, *flows: str) -> None:
        """Replace all flows of br-int, in ovs-ofctl's text."""
        self.ovs.ofctl("del-flows", "br-int")
        self.ovs.ofctl("add-flows", "br-int", "-", text="\n".join(flows) + "\n")

    def flows(self) -> dict[str, float]:
        """Each flow of br-int (cookie, table, match and actions) -> seconds since it was last written."""
        found = {}
        for line in self.ovs.ofctl("dump-flows", "br-int").splitlines():
            age = re.search(r" duration=([\d.]+)s,", line)
            if age:
                found[re.sub(r" (duration|n_packets|n_bytes|idle_age|hard_age)=[^,]*,", "", line)] = float(age[1])
        return found

    @contextmanager
    def openflow_messages(self) -> Iterator[Heard]:
        """Listen to what br-int's controllers send."""
        self.ovs.appctl("vlog/set", "vconn:file:dbg")
        self.ovs.appctl("vlog/disable-rate-limit", "vconn")
        try:
            yield Heard(self.ovs)
        finally:
            self.ovs.appctl("vlog/set", "vconn:file:info")


class VM(Host, Machine):
    """A machine: a Mininet host with one network card, eth0."""

    def __init__(self, name: str, directory: Path, **parameters: Any) -> None:
        Host.__init__(self, name, **{**parameters, "inNamespace": True})
        Machine.__init__(self, self.pid, directory)
        self.interface = ""
        self.hypervisor: Hypervisor | None = None

    def configure(self, mac: str, mtu: int) -> None:
        self.inside("ip", "link", "set", "eth0", "down")
        self.inside("ip", "link", "set", "eth0", "address", mac, "mtu", str(mtu), "up")
        self.inside("ethtool", "-K", "eth0", *NO_OFFLOAD.split())
        self.inside("ip", "link", "set", "lo", "up")
        self.mac = mac


def make_identity(name: str) -> int:
    """The datapath ID that `prepare` derives from a name."""
    return make_setup(name, "192.0.2.1", ("tcp:192.0.2.2:6653",)).datapath_id


def links(node: Host | Switch) -> list[dict[str, Any]]:
    """`ip -j link` of a node."""
    found: list[dict[str, Any]] = json.loads(inside(node, "ip", "-j", "link"))
    return found


def outside(*command: str) -> None:
    """Run in the root namespace. Raises CommandFailed."""
    run(list(command))


def quietly(*command: str) -> None:
    """Clean up what may be gone already."""
    subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
