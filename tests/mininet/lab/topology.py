"""Hypervisors on an underlay, machines on hypervisors, and the management network; no controller yet.

Everything a Topology makes lives in namespaces of its own but for the management bridge in the root namespace, whose
name and addresses are this process's, so that several can stand side by side and each cleans up after itself.
"""
from __future__ import annotations

import itertools
import json
import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from mininet.log import setLogLevel
from mininet.net import Mininet
from mininet.node import Switch

from tests.mininet.lab.nodes import NO_OFFLOAD, VM, Fabric, Hypervisor, VlanSwitch, inside, outside, quietly
from tests.support.openvswitch import CommandFailed, require, run

SERIAL = itertools.count(1)
PROGRAMS = ("ovs-vswitchd", "ovsdb-server", "ovs-vsctl", "mnexec", "ip", "ethtool", "ping", "tcpdump", "iperf3",
            "udhcpc", "dhclient", "traceroute", "sysctl")


class LabFailed(Exception):
    """The laboratory could not be built or used; one line says why."""


class Topology:
    """`with Topology(hypervisors=2) as topology:`; hypervisors are hv1, hv2, ..., VTEPs 10.200.0.1, ..."""

    def __init__(self, hypervisors: int = 2) -> None:
        if os.geteuid() != 0:
            raise LabFailed("a lab is made of network namespaces: run as root")
        try:
            require(*PROGRAMS)
        except CommandFailed as error:
            raise LabFailed(str(error)) from error
        setLogLevel("warning")
        self._cleanup = ExitStack()
        self.directory = Path(tempfile.mkdtemp(prefix="naas-lab-"))
        self.bridge = f"nm{os.getpid()}-{next(SERIAL)}"
        self.management = _free_network()
        self.controllers = (f"tcp:{self.management}.1:6653",)
        self.hypervisors: list[Hypervisor] = []
        self.machines: dict[str, VM] = {}
        self._count = hypervisors
        self.net = Mininet(controller=None, build=False)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        self._cleanup.callback(shutil.rmtree, self.directory, ignore_errors=True)
        self._cleanup.callback(quietly, "ip", "link", "del", self.bridge)
        outside("ip", "link", "add", "name", self.bridge, "type", "bridge")
        outside("ip", "addr", "add", f"{self.management}.1/24", "dev", self.bridge)
        outside("ip", "link", "set", self.bridge, "up")
        self._cleanup.callback(self._stop_net)
        fabric = self.net.addSwitch("fabric", cls=Fabric)
        for number in range(1, self._count + 1):
            hypervisor = self.net.addSwitch(
                f"hv{number}", cls=Hypervisor, directory=self.directory / f"hv{number}", vtep=f"10.200.0.{number}",
                uplink="uplink")
            self.net.addLink(hypervisor, fabric, intfName1="uplink", intfName2=f"hv{number}")
            hypervisor.controllers = self.controllers
            self._manage(hypervisor, number)
            self.hypervisors.append(hypervisor)
        self.net.build()
        self.net.start()
        macs = {hypervisor.vtep: hypervisor.underlay_mac() for hypervisor in self.hypervisors}
        for hypervisor in self.hypervisors:
            for vtep, mac in macs.items():
                if vtep != hypervisor.vtep:
                    hypervisor.know(vtep, mac)

    def stop(self) -> None:
        """Take down everything this made, by name and process id; safe to repeat."""
        self._cleanup.close()

    def add_machine(self, name: str, hypervisor: Hypervisor, tap: str, mac: str, mtu: int = 1450) -> VM:
        """A machine with its card on `tap` of `hypervisor`, not yet plugged into br-int."""
        if name in self.machines:
            raise LabFailed(f"there is a machine {name} already")
        machine: VM = self.net.addHost(name, cls=VM, directory=self.directory / name, ip=None)
        self.net.addLink(machine, hypervisor, intfName1="eth0", intfName2=tap)
        machine.configure(mac, mtu)
        machine.interface, machine.hypervisor = tap, hypervisor
        self.machines[name] = machine
        return machine

    def remove_machine(self, machine: VM) -> None:
        """Destroy it and its tap."""
        assert machine.hypervisor is not None
        machine.end_children()
        machine.hypervisor.detach(machine.interface)
        self.net.delNode(machine)
        del self.machines[machine.name]

    def add_underlay_host(self, name: str, address: str) -> VM:
        """A machine on the underlay itself, such as an intruder there."""
        [fabric] = [switch for switch in self.net.switches if isinstance(switch, Fabric)]
        machine, interface = self._host_at(fabric, name)
        fabric.attach(interface)
        machine.configure("02:de:ad:00:00:01", 1500)
        machine.static(address, 24)
        return machine

    def add_physical_network(self, name: str, interface: str) -> VlanSwitch:
        """A switch with a cable to `interface` of each hypervisor, which may carry every VLAN."""
        switch: VlanSwitch = self.net.addSwitch(name, cls=VlanSwitch, directory=self.directory / name)
        self._cleanup.callback(switch.ovs.stop)
        switch.start([])
        for hypervisor in self.hypervisors:
            link = self.net.addLink(hypervisor, switch, intfName1=interface, intfName2=f"{name}-{hypervisor.name}")
            inside(hypervisor, "ip", "link", "set", interface, "up")
            inside(hypervisor, "ethtool", "-K", interface, *NO_OFFLOAD.split())
            switch.attach(link.intf2.name)
        return switch

    def add_physical_host(self, switch: VlanSwitch, name: str, address: str, mac: str, vlan: int | None = None) -> VM:
        """A machine at a socket of the switch, untagged, in this VLAN if any."""
        machine, interface = self._host_at(switch, name)
        switch.attach(interface, vlan)
        machine.configure(mac, 1500)
        machine.static(address, 24)
        return machine

    def _host_at(self, switch: Switch, name: str) -> tuple[VM, str]:
        """A machine, and the end of its cable at the switch."""
        machine: VM = self.net.addHost(name, cls=VM, directory=self.directory / name, ip=None)
        self.machines[name] = machine
        link = self.net.addLink(machine, switch, intfName1="eth0", intfName2=name)
        return machine, link.intf2.name

    def _manage(self, hypervisor: Hypervisor, number: int) -> None:
        """A cable from the hypervisor to the management network."""
        outer = f"{self.bridge}.{number}"
        # A lingering TCP socket can keep a namespace, and the cable's end in it, for a while after its processes.
        self._cleanup.callback(quietly, "ip", "link", "del", outer)
        outside("ip", "link", "add", outer, "type", "veth", "peer", "name", "mgmt", "netns", str(hypervisor.pid))
        outside("ip", "link", "set", outer, "master", self.bridge, "up")
        inside(hypervisor, "ip", "addr", "add", f"{self.management}.{number + 1}/24", "dev", "mgmt")
        inside(hypervisor, "ip", "link", "set", "mgmt", "up")
        inside(hypervisor, "ip", "link", "set", "lo", "up")

    def _stop_net(self) -> None:
        for machine in self.machines.values():
            machine.end_children()
        self.net.stop()


def _free_network() -> str:
    """The first three bytes of a /24 below 10.255 that no interface of this machine uses."""
    taken = {".".join(info["local"].split(".")[:3]) for card in json.loads(run(["ip", "-j", "-4", "addr"]))
             for info in card["addr_info"]}
    for offset in range(256):
        network = f"10.255.{(os.getpid() + offset) % 256}"
        if network not in taken:
            return network
    raise LabFailed("every network of 10.255.0.0/16 is in use on this machine")
