"""Packet answers a second of the responders alone: one process, no switch. Argument: seconds to measure (2)."""
from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import IPv4Address, IPv4Network

from bench.report import Row, machine, table
from naas_sdn.apps import wire
from naas_sdn.apps.contract import PacketIn
from naas_sdn.apps.dhcp_options import Terms
from naas_sdn.apps.dhcp_responder import DhcpResponder
from naas_sdn.apps.dhcp_wire import CLIENT_PORT, SERVER_PORT, Message, Op, Option, Type, build
from naas_sdn.apps.icmp import time_exceeded
from naas_sdn.model.store import Key, Store, View
from naas_sdn.model.values import Address, Network, Port, Subnet
from naas_sdn.pipeline.tables import Reason

MAC = 0xFA163E000007
SERVER, OWN = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.7")
DHCLIENT_WANTS = bytes((1, 28, 2, 3, 15, 6, 119, 12, 44, 47, 26, 121, 42))


def facts() -> Store:
    store = Store()
    store.put(Key("network", "net"), Network("net", 7, 1450))
    store.put(Key("subnet", "sub"), Subnet(
        "sub", "net", 5, IPv4Network("10.0.0.0/16"), SERVER, 0xFA163E0000FE,
        nameservers=(IPv4Address("9.9.9.9"),),
        host_routes=((IPv4Network("172.16.0.0/12"), IPv4Address("10.0.0.9")),)))
    for number in range(2000):
        address = Address("sub", IPv4Address("10.0.1.0") + number)
        name = f"other-{number}"
        store.put(Key("port", name), Port(name, "net", 100 + number, number, (address,)))
    store.put(Key("port", "port"), Port("port", "net", 9, MAC, (Address("sub", OWN),), hostname="vm-7"))
    return store


def asked(kind: Type, options: Mapping[int, bytes], *, source: int = 0,
          target: int = wire.BROADCAST_IP) -> bytes:
    usual: dict[int, bytes] = {Option.PARAMETERS: DHCLIENT_WANTS, Option.CLIENT_IDENTIFIER: b"\1abcdef"}
    message = Message(Op.REQUEST, kind, 1, MAC, ciaddr=source, options={**usual, **options})
    return wire.build_udp(wire.Station(MAC, source), wire.Station(wire.BROADCAST_MAC, target),
                          CLIENT_PORT, SERVER_PORT, build(message))


def rate(answer: Callable[[], object], seconds: float) -> float:
    """Calls a second; every one must answer."""
    count, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        for _ in range(100):
            if not answer():
                raise SystemExit("a request was not answered")
        count += 100
    return count / elapsed


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    store, app = facts(), DhcpResponder(Terms(86400, "cloud.internal"))
    address, chosen = OWN.packed, SERVER.packed
    frames = {
        "DISCOVER -> OFFER": asked(Type.DISCOVER, {}),
        "REQUEST -> ACK": asked(Type.REQUEST, {Option.REQUESTED_ADDRESS: address,
                                               Option.SERVER_IDENTIFIER: chosen}),
        "renewal -> ACK": asked(Type.REQUEST, {}, source=int(OWN), target=int(SERVER)),
        "wrong address -> NAK": asked(Type.REQUEST, {Option.REQUESTED_ADDRESS: chosen}),
    }
    probe = wire.build_udp(wire.Station(MAC, int(OWN)), wire.Station(2, 0xC0000201), 40000, 33434, bytes(32))

    def answer(frame: bytes) -> object:
        return app.packet_in(View(store), PacketIn("hv1", "port", Reason.DHCP, frame))

    calls: dict[str, Callable[[], object]] = {name: partial(answer, frame) for name, frame in frames.items()}
    calls["TTL expired -> time exceeded"] = partial(time_exceeded, probe, wire.Station(2, int(SERVER)))
    print(machine())
    table("Packet answers, no switch", [
        Row(name, f"{rate(call, seconds / len(calls)):,.0f} a second") for name, call in calls.items()])


if __name__ == "__main__":
    main()
