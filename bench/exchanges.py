"""DHCP exchanges a second through a real Open vSwitch: DISCOVER, OFFER, REQUEST, ACK, from a machine's own card.

One hypervisor of the Mininet laboratory (root), the policers lifted. Arguments: exchanges (5000), at once (16).
"""
from __future__ import annotations

import socket
import subprocess
import sys
import time

from bench.report import Row, cpu, machine, spread, table
from naas_sdn.apps import wire
from naas_sdn.apps.dhcp_wire import CLIENT_PORT, SERVER_PORT, Message, Op, Option, Type, build, parse
from tests.mininet.lab import Lab


def client(mac: int, exchanges: int, window: int) -> None:
    """In the machine's namespace: print the seconds of every exchange."""
    card = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
    card.bind(("eth0", 0))
    card.settimeout(2)
    started: dict[int, float] = {}
    done: list[float] = []
    following = 0
    while len(done) < exchanges:
        while len(started) < window and following < exchanges:
            following += 1
            started[following] = time.perf_counter()
            card.send(_frame(mac, following, Type.DISCOVER, {}))
        try:
            datagram = wire.parse_udp(card.recv(2048))
        except TimeoutError:
            raise SystemExit(f"{len(started)} exchanges were not answered") from None
        message = parse(datagram.payload) if datagram is not None and datagram.dst_port == CLIENT_PORT else None
        if message is None or message.xid not in started:
            continue
        if message.type == Type.OFFER:
            card.send(_frame(mac, message.xid, Type.REQUEST, {
                Option.REQUESTED_ADDRESS: message.yiaddr.to_bytes(4),
                Option.SERVER_IDENTIFIER: message.options[Option.SERVER_IDENTIFIER]}))
        elif message.type == Type.ACK:
            done.append(time.perf_counter() - started.pop(message.xid))
    print("\n".join(map(str, done)))


def _frame(mac: int, xid: int, kind: Type, options: dict[int, bytes]) -> bytes:
    message = Message(Op.REQUEST, kind, xid, mac, options=options)
    return wire.build_udp(wire.Station(mac, 0), wire.Station(wire.BROADCAST_MAC, wire.BROADCAST_IP),
                          CLIENT_PORT, SERVER_PORT, build(message))


def measure(exchanges: int, window: int) -> list[Row]:
    with Lab(hypervisors=1, tenants=("alice",), options={"OS_OPENFLOW__PUNT_RATE": "1000000",
                                                         "OS_OPENFLOW__SLOWPATH_RATE": "1000000"}) as lab:
        alice = lab.tenant("alice")
        network = alice.post("networks", {"name": "dhcp"})
        alice.post("subnets", {"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/24"})
        vm = lab.vm("client", alice.post("ports", {"network_id": network["id"]}), lab.hypervisors[0], static=False)
        switch = int((lab.hypervisors[0].ovs.directory / "ovs-vswitchd.pid").read_text())
        rows = []
        for count, at_once in ((exchanges // 10, 1), (exchanges, window)):
            before = cpu(lab.controller.pid), cpu(switch), time.perf_counter()
            printed = vm.inside(sys.executable, "-m", "bench.exchanges", "--client", vm.mac.replace(":", ""),
                                str(count), str(at_once), seconds=300)
            elapsed = time.perf_counter() - before[2]
            seconds = [float(line) for line in printed.split()]
            taken = [1e6 * (cpu(pid) - used) / count for pid, used in zip((lab.controller.pid, switch), before,
                                                                          strict=False)]
            rows += [
                Row(f"{at_once} at once: exchanges a second", f"{count / (elapsed):,.0f}"),
                Row(f"{at_once} at once: one exchange, p50 / p95", spread(seconds)),
                Row(f"{at_once} at once: controller's CPU an exchange", f"{taken[0]:.0f} us"),
                Row(f"{at_once} at once: the switch's CPU an exchange", f"{taken[1]:.0f} us"),
            ]
        return rows


def main() -> None:
    if sys.argv[1:2] == ["--client"]:
        client(int(sys.argv[2], 16), int(sys.argv[3]), int(sys.argv[4]))
        return
    exchanges = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    window = int(sys.argv[2]) if len(sys.argv) > 2 else 16
    print(machine())
    try:
        table("DHCP through the switch, one machine asking", measure(exchanges, window))
    except subprocess.TimeoutExpired as error:
        raise SystemExit(f"the client did not come to an end: {error}") from error


if __name__ == "__main__":
    main()
