"""One hypervisor of the Mininet laboratory with many cards, in a cloud that is written to the database as rows."""
from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Self

from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from bench.asking import Order, Outcome
from bench.filling import Filling
from bench.flooding import Flood
from naas_sdn.db.load import mac_of
from naas_sdn.db.rows import AllocationRow, PortRow, VifRow
from tests.mininet.lab import VM, Topology, eventually
from tests.mininet.lab.nodes import Hypervisor, inside
from tests.support.controller import Controller
from tests.support.openvswitch import PATH, run

CARDS = 100
"""Ports of each hypervisor; those of the first are real."""

NAME = "hv1"

LOADED = 120.0
"""Seconds that the controller may take to load the cloud."""


class Site(Topology):
    """`reservations` ports of one network, CARDS of them on the hypervisor that is there."""

    def __init__(self, reservations: int, options: Mapping[str, str]) -> None:
        """`options` are the controller's."""
        super().__init__(1)
        self._reservations = reservations
        self.controller = Controller(self.directory, (f"{self.management}.1", 6653), options=options)
        self.url = f"sqlite:///{self.directory}/naas.db"
        self.cards: list[tuple[str, int]] = []
        self._asking: VM

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def start(self) -> None:
        super().start()
        self._cleanup.callback(self.controller.stop)
        Filling(self.url, "one network", self._reservations // CARDS, self._reservations)
        self._asking = self.net.addHost("asking", cls=VM, directory=self.directory / "asking", ip=None)
        self.machines["asking"] = self._asking
        self._plug()
        self.hypervisor.ovs.vsctl("set", "bridge", "br-int", f"other-config:datapath-id={1:016x}")
        self.controller.start(LOADED)
        eventually(self._forwarding, "the controller has written the cards' flows", seconds=60, pause=0.2)

    @property
    def hypervisor(self) -> Hypervisor:
        return self.hypervisors[0]

    @property
    def switch_pid(self) -> int:
        return int((self.hypervisor.ovs.directory / "ovs-vswitchd.pid").read_text())

    def reservations(self) -> list[tuple[str, str]]:
        """MAC and address of every port."""
        with Session(create_engine(self.url)) as session:
            return [(mac, ip) for mac, ip in session.execute(
                select(PortRow.mac_address, AllocationRow.ip_address).join(AllocationRow,
                                                                          AllocationRow.port_id == PortRow.id))]

    def ask(self, order: Order) -> Outcome:
        """From the cards."""
        printed = run([sys.executable, "-m", "bench.asking"], pid=self._asking.pid, text=json.dumps(asdict(order)),
                      seconds=300)
        return Outcome(**json.loads(printed))

    @contextmanager
    def flooding(self, card: str, flood: Flood) -> Iterator[list[int]]:
        """As bench/flooding does it; the list holds how many frames were sent, on leaving."""
        process = self._asking.spawn(sys.executable, "-m", "bench.flooding", card, flood.frame.hex(), str(flood.at),
                                      str(flood.size))
        assert process.stdout is not None and process.stdout.readline()
        sent: list[int] = []
        try:
            yield sent
        finally:
            sent.append(int(self._asking.finish(process)))

    def move_cards(self, bridge: str) -> None:
        """From the bridge that they are on to another of the same switch."""
        self.hypervisor.ovs.vsctl(*_each([["--if-exists", "del-port", name] for name, _ in self.cards]
                                         + [["add-port", bridge, name] for name, _ in self.cards]))

    @contextmanager
    def dnsmasq(self, bridge: str) -> Iterator[int]:
        """The process id of a dnsmasq with the same reservations, on the local port of a bridge of its own.

        Each frame goes where it is for: a learning bridge would copy every request to all cards.
        """
        hypervisor, ovs = self.hypervisor, self.hypervisor.ovs
        ovs.vsctl("add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev", "fail_mode=secure")
        inside(hypervisor, "ip", "addr", "add", "10.0.0.1/9", "dev", bridge)
        inside(hypervisor, "ip", "link", "set", bridge, "up")
        hosts = self.directory / "hosts"
        hosts.write_text("".join(f"{mac},{ip}\n" for mac, ip in self.reservations()))
        process = subprocess.Popen(
            ["mnexec", "-a", str(hypervisor.pid), "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null",
             "--user=root", "--port=0", f"--interface={bridge}", "--bind-interfaces", "--no-ping", "--quiet-dhcp",
             "--dhcp-authoritative", "--dhcp-range=10.0.0.0,static,255.128.0.0", f"--dhcp-hostsfile={hosts}",
             f"--dhcp-leasefile={self.directory}/leases", f"--dhcp-lease-max={self._reservations}",
             f"--pid-file={self.directory}/dnsmasq.pid"],
            env={"PATH": PATH}, stdin=subprocess.DEVNULL, stderr=(self.directory / "dnsmasq.log").open("w"))
        self.move_cards(bridge)
        ovs.ofctl("add-flows", bridge, "-", text="\n".join((
            "priority=100,udp,udp_src=68,udp_dst=67 actions=local",
            *(f"in_port=local,dl_dst={mac_of(mac)} actions={name}" for name, mac in self.cards))))
        try:
            eventually((self.directory / "dnsmasq.pid").exists, "dnsmasq has begun")
            yield process.pid
        finally:
            process.terminate()
            process.wait()
            self.move_cards("br-int")
            ovs.vsctl("del-br", bridge)

    def _plug(self) -> None:
        """Veths from the askers' namespace to br-int, as the database has them."""
        with Session(create_engine(self.url)) as session:
            found = session.execute(select(VifRow.interface, PortRow.mac_address).join(
                PortRow, PortRow.id == VifRow.port_id).where(VifRow.host == NAME)).all()
        self.cards = [(name, int(mac.replace(":", ""), 16)) for name, mac in found]
        asking, here = self._asking.pid, self.hypervisor.pid
        inside(self._asking, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
               "net.ipv6.conf.default.disable_ipv6=1")
        _batch(None, [f"link add name {name} netns {asking} address {mac} type veth peer name {name} netns {here}"
                      for name, mac in found])
        for pid in (asking, here):
            _batch(pid, [f"link set {name} up" for name, _ in self.cards])
        self.move_cards("br-int")

    def _forwarding(self) -> bool:
        flows = self.hypervisor.ovs.ofctl("dump-flows", "br-int", "table=95")
        return flows.count("CONTROLLER:") == CARDS


def _batch(pid: int | None, lines: list[str]) -> None:
    run(["ip", "-batch", "-"], pid=pid, text="\n".join(lines) + "\n")


def _each(commands: list[list[str]]) -> list[str]:
    """For ovs-vsctl, as one transaction."""
    return [word for command in commands for word in ("--", *command)]
