"""Real DHCP clients in a network namespace, answered by the responder over a veth pair; needs root.

Only the switch is missing: frames go from a packet socket to the responder and back.
"""
from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from naas_sdn.apps import wire
from naas_sdn.apps.contract import PacketIn
from naas_sdn.apps.dhcp_options import Terms
from naas_sdn.apps.dhcp_responder import DhcpResponder
from naas_sdn.model.store import Key, Store, View
from naas_sdn.model.values import Address, Network, Port, Subnet
from naas_sdn.pipeline.tables import Reason

MAC, GATEWAY_MAC = "fa:16:3e:00:00:07", "fa:16:3e:00:00:fe"
PATIENCE = 30.0
ETH_P_ALL = 3
ARP_REQUEST = bytes.fromhex("0806 0001 0800 06 04 0001")
SQUATTER = bytes.fromhex("020000000099")

SUBNET = Subnet("sub", "net", 5, IPv4Network("10.0.0.0/24"), IPv4Address("10.0.0.1"),
                int(GATEWAY_MAC.replace(":", ""), 16),
                nameservers=(IPv4Address("9.9.9.9"), IPv4Address("1.1.1.1")),
                host_routes=((IPv4Network("172.16.0.0/12"), IPv4Address("10.0.0.9")),))
PORT = Port("port", "net", 9, int(MAC.replace(":", ""), 16), (Address("sub", IPv4Address("10.0.0.7")),),
            hostname="vm-7")

SCRIPT = f"""#!/bin/sh
event="${{reason:-$1}}"
case "$event" in
PREINIT|deconfig)
    ip link set "$interface" up ;;
bound|renew|BOUND|RENEW|REBIND|REBOOT)
    ip addr flush dev "$interface"
    ip addr add "${{ip:-$new_ip_address}}/24" dev "$interface"
    ip neigh replace "${{serverid:-$new_dhcp_server_identifier}}" lladdr {GATEWAY_MAC} dev "$interface" ;;
esac
{{ echo "event=$event"; env; echo; }} >> "$EVENTS"
"""
"""Configures what is needed to renew, and writes down what the client was told."""

DHCLIENT_CONF = """
option rfc3442 code 121 = array of unsigned integer 8;
request subnet-mask, routers, domain-name, domain-name-servers, host-name, interface-mtu, rfc3442;
initial-interval 1; backoff-cutoff 2; reboot 20; timeout 25;
"""

STALE_LEASE = """
lease {
  interface "eth0";
  fixed-address 10.0.0.99;
  option subnet-mask 255.255.255.0;
  option dhcp-server-identifier 10.0.0.1;
  option dhcp-lease-time 86400;
  renew 4 2037/01/01 00:00:00; rebind 4 2037/01/01 00:00:00; expire 4 2037/01/01 00:00:00;
}
"""


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def until(what: str, find: Callable[[], object]) -> None:
    """Wait until `find()` is true; fails, telling `what` did not happen, when patience ends."""
    deadline = time.monotonic() + PATIENCE
    while not find():
        if time.monotonic() > deadline:
            pytest.fail(f"within {PATIENCE:.0f} s: {what}")
        time.sleep(0.05)


class Lab:
    """One machine's namespace, the responder on the other end of its cable, and what its client was told."""

    def __init__(self, directory: Path, cable: socket.socket, namespace: str) -> None:
        self.directory = directory
        self.namespace = namespace
        self.store = Store()
        for fact in (Network("net", 77, 1450), SUBNET, PORT):
            self.put(fact)
        self.app = DhcpResponder(Terms(3600, "cloud.internal"))
        self.running = True
        self.squatter: IPv4Address | None = None
        """An address that another machine answers ARP for."""
        self._cable = cable
        self.thread = threading.Thread(target=self._answer)
        self._log = directory / "events"
        script = directory / "script"
        script.write_text(SCRIPT)
        script.chmod(0o755)
        self._log.touch()

    def put(self, fact: Network | Subnet | Port) -> None:
        self.store.put(Key(type(fact).__name__.lower(), fact.id), fact)

    def _answer(self) -> None:
        while self.running:
            try:
                frame, origin = self._cable.recvfrom(2048)
            except TimeoutError:
                continue
            if origin[2] == socket.PACKET_OUTGOING:
                continue
            if frame[12:22] == ARP_REQUEST and self.squatter and frame[38:42] == self.squatter.packed:
                self._cable.send(frame[6:12] + SQUATTER + frame[12:20] + b"\0\2" + SQUATTER + frame[38:42]
                                 + frame[22:32])
            datagram = wire.parse_udp(frame)
            if datagram is None or datagram.dst_port != 67:
                continue
            for answer in self.app.packet_in(View(self.store), PacketIn("hv", "port", Reason.DHCP, frame)):
                self._cable.send(answer)

    @contextmanager
    def client(self, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        """A client in the namespace, in the foreground, stopped at the end."""
        environment = {**os.environ, "EVENTS": str(self._log)}
        process = subprocess.Popen(["ip", "netns", "exec", self.namespace, *command], env=environment,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def events(self, name: str) -> list[dict[str, str]]:
        """What the client's script was told at each event of that name, in order."""
        blocks = self._log.read_text().split("\n\n")
        told = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks]
        return [event for event in told[:-1] if event.get("event") == name]

    def told(self, name: str) -> dict[str, str]:
        """The latest event of that name, waited for."""
        until(f"the client's event {name}", lambda: self.events(name))
        return self.events(name)[-1]

    def udhcpc(self, *more: str) -> tuple[str, ...]:
        return ("udhcpc", "-f", "-i", "eth0", "-s", str(self.directory / "script"), "-t", "20", "-T", "1",
                "-O", "staticroutes", "-O", "mtu", "-O", "hostname", *more)

    def dhclient(self, *more: str) -> tuple[str, ...]:
        here = self.directory
        (here / "dhclient.conf").write_text(DHCLIENT_CONF)
        return ("dhclient", "-4", "-d", "-cf", str(here / "dhclient.conf"), "-sf", str(here / "script"),
                "-lf", str(here / "leases"), "-pf", str(here / "dhclient.pid"),
                "-e", f"EVENTS={self._log}", *more, "eth0")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    if os.geteuid() != 0:
        pytest.fail("needs root: it makes a network namespace")
    for program in ("ip", "udhcpc", "dhclient"):
        if shutil.which(program) is None:
            pytest.fail(f"needs the program {program}: apt install iproute2 udhcpc isc-dhcp-client")
    namespace, cable = f"dhcp-{os.getpid()}", f"dhcp{os.getpid()}"
    with ExitStack() as stack:
        run("ip", "netns", "add", namespace)
        stack.callback(run, "ip", "netns", "delete", namespace)
        run("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", namespace,
            "address", MAC)
        stack.callback(run, "ip", "link", "delete", cable)
        run("ip", "link", "set", cable, "up")
        run("ip", "-n", namespace, "link", "set", "eth0", "up")
        raw = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)))
        raw.bind((cable, 0))
        raw.settimeout(0.1)
        found = Lab(tmp_path, raw, namespace)
        found.thread.start()
        stack.callback(found.thread.join)
        stack.callback(setattr, found, "running", False)
        yield found


def test_udhcpc_is_told_all_and_renews_and_releases(lab: Lab) -> None:
    with lab.client(*lab.udhcpc("-R")) as client:
        told = lab.told("bound")
        assert (told["ip"], told["subnet"], told["router"]) == ("10.0.0.7", "255.255.255.0", "10.0.0.1")
        assert (told["dns"], told["domain"]) == ("9.9.9.9 1.1.1.1", "cloud.internal")
        assert (told["mtu"], told["lease"], told["serverid"]) == ("1450", "3600", "10.0.0.1")
        assert told["hostname"] == "vm-7"
        assert told["staticroutes"] == "172.16.0.0/12 10.0.0.9 0.0.0.0/0 10.0.0.1"
        asked = lab.app.counts["request"]
        client.send_signal(signal.SIGUSR1)
        assert lab.told("renew")["ip"] == "10.0.0.7"
        assert lab.app.counts["request"] > asked
        assert lab.app.counts["refused"] == 0
    until("a release", lambda: lab.app.counts["release"])


def test_udhcpc_that_wants_another_address_gets_its_own(lab: Lab) -> None:
    with lab.client(*lab.udhcpc("-r", "10.0.0.99", "-B")):
        assert lab.told("bound")["ip"] == "10.0.0.7"


def test_udhcpc_moves_when_its_port_has_another_address(lab: Lab) -> None:
    with lab.client(*lab.udhcpc()) as client:
        assert lab.told("bound")["ip"] == "10.0.0.7"
        lab.put(replace(PORT, addresses=(Address("sub", IPv4Address("10.0.0.8")),)))
        client.send_signal(signal.SIGUSR1)
        lab.told("nak")
        until("a second lease", lambda: len(lab.events("bound")) == 2)
        assert lab.told("bound")["ip"] == "10.0.0.8"


def test_udhcpc_declines_what_another_machine_uses_and_the_address_stays_its_own(lab: Lab) -> None:
    lab.squatter = IPv4Address("10.0.0.7")
    with lab.client(*lab.udhcpc("-a", "-A", "1")):
        until("a decline", lambda: lab.app.counts["decline"])
        lab.squatter = None
        assert lab.told("bound")["ip"] == "10.0.0.7"


def test_dhclient_is_told_all_and_releases(lab: Lab) -> None:
    with lab.client(*lab.dhclient()):
        told = lab.told("BOUND")
    assert (told["new_ip_address"], told["new_subnet_mask"]) == ("10.0.0.7", "255.255.255.0")
    assert (told["new_routers"], told["new_dhcp_server_identifier"]) == ("10.0.0.1", "10.0.0.1")
    assert told["new_domain_name_servers"] == "9.9.9.9 1.1.1.1"
    assert (told["new_domain_name"], told["new_host_name"]) == ("cloud.internal", "vm-7")
    assert (told["new_interface_mtu"], told["new_dhcp_lease_time"]) == ("1450", "3600")
    assert told["new_rfc3442"] == "12 172 16 10 0 0 9 0 10 0 0 1"
    assert (told["new_dhcp_renewal_time"], told["new_dhcp_rebinding_time"]) == ("1800", "3150")
    with lab.client(*lab.dhclient("-r")) as client:
        client.wait(PATIENCE)
    until("a release", lambda: lab.app.counts["release"])


def test_dhclient_with_a_stale_lease_is_refused_it_and_gets_its_own(lab: Lab) -> None:
    (lab.directory / "leases").write_text(STALE_LEASE)
    with lab.client(*lab.dhclient()):
        assert lab.told("BOUND")["new_ip_address"] == "10.0.0.7"
    assert lab.app.counts["request"] >= 2


def test_dhclient_that_restarts_keeps_its_address_without_asking_anew(lab: Lab) -> None:
    (lab.directory / "leases").write_text(STALE_LEASE.replace("10.0.0.99", "10.0.0.7"))
    with lab.client(*lab.dhclient()):
        assert lab.told("REBOOT")["new_ip_address"] == "10.0.0.7"
    assert lab.app.counts["discover"] == 0
