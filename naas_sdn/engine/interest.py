"""Which remote ports one hypervisor holds of networks that are too wide to hold whole: those its machines talk to.

The switch's own table is the record: at connect its dump gives the interest back, so nothing is stored and a restart
changes nothing. A port is asked for by a miss, and dropped when no packet has gone to it between two looks.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from naas_sdn.apps import wire, wire6
from naas_sdn.apps.contract import Group
from naas_sdn.apps.gateways import extra_routes_of
from naas_sdn.engine.compiler import Compiler
from naas_sdn.model.ip import Ip
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import Port
from naas_sdn.pipeline.tables import Reason, Table

RESUME: dict[Reason, Table] = {
    Reason.UNKNOWN_MAC: Table.L2, Reason.UNKNOWN_ARP: Table.ARP, Reason.UNKNOWN_HOP: Table.NEXT_HOP,
    Reason.UNKNOWN_ND: Table.ARP,
}
"""The misses, and where a packet goes on once what it missed is there."""

PER_PORT = 1000
"""Remote ports that one port can keep on its hypervisor; the one asked for longest ago makes room."""

_KEPT = ""
"""Who asked for what was there before anybody asked."""


@dataclass(slots=True)
class _Network:
    """Of one wide network: who asked for which ports, oldest first; and what had been sent to each at the last look."""

    asked: dict[str, dict[str, None]]
    sent: dict[str, int]

    def ports(self) -> set[str]:
        return {port for ports in self.asked.values() for port in ports}


class Interests:
    """Of one hypervisor."""

    def __init__(self, compiler: Compiler, host: str) -> None:
        self._compiler = compiler
        self._host = host
        self._networks: dict[str, _Network] = {}

    def wanted(self, network_id: str) -> set[str] | None:
        """The ports to hold; None: all."""
        if not self._is_wide(network_id):
            self._networks.pop(network_id, None)
            return None
        store = self._compiler.store
        known = self._networks.get(network_id)
        own = store.elements(Key("attachments of network on host", (network_id, self._host)))
        return {*own, *(known.ports() if known is not None else ())}

    def networks(self) -> set[str]:
        """The wide ones that something is asked for of, and that the hypervisor still reaches."""
        if self._networks:
            reached = self._compiler.reach.reached(self._host)
            for network_id in self._networks.keys() - reached:
                del self._networks[network_id]
        return {network_id for network_id in self._networks if self._is_wide(network_id)}

    def keep(self, network_id: str, ports: Iterable[str]) -> None:
        """The switch holds these already."""
        kept = dict.fromkeys(ports)
        if kept:
            self._networks.setdefault(network_id, _Network({}, {})).asked.setdefault(_KEPT, {}).update(kept)

    def ask(self, asker: str, port: Port) -> None:
        """A machine of this hypervisor, on port `asker`, talks to `port`."""
        if not self._is_wide(port.network_id):
            return
        network = self._networks.setdefault(port.network_id, _Network({}, {}))
        ports = network.asked.setdefault(asker, {})
        ports.pop(port.id, None)
        ports[port.id] = None
        if len(ports) > PER_PORT:
            del ports[next(iter(ports))]

    def age(self, packets: Mapping[int, int]) -> set[str]:
        """Forget what nothing was sent to since the last look, by the packets of each cookie; the networks of those."""
        forgotten = set()
        for network_id, network in list(self._networks.items()):
            group = self._compiler.group(Group("ports", network_id))
            sent = {port: sum(packets.get(cookie, 0) for _, cookie in group.programs[group.remote[port]].names())
                    for port in network.ports() & group.remote.keys()}
            idle = {port for port, count in sent.items() if network.sent.get(port) == count}
            if idle:
                forgotten.add(network_id)
            network.asked = {asker: left for asker, ports in network.asked.items()
                             if (left := {port: None for port in ports if port not in idle})}
            network.sent = {port: count for port, count in sent.items() if port not in idle}
            if not network.asked:
                del self._networks[network_id]
        return forgotten

    @property
    def any(self) -> bool:
        """Something is asked for."""
        return bool(self._networks)

    def _is_wide(self, network_id: str) -> bool:
        return self._compiler.store.fact(Key("wide", network_id)) is not None


def target(view: View, reason: Reason, network_key: int, frame: bytes) -> Port | None:
    """The port that a missed packet is meant for; None when there is none, and the packet is for nobody."""
    network = view.network_of_key(network_key)
    if network is None:
        return None
    if reason == Reason.UNKNOWN_MAC:
        found = view.ports_of_mac(network.id, int.from_bytes(frame[:6]))
    else:
        ip = _address(reason, frame)
        found = [port for subnet in view.subnets_of(network.id) if ip is not None
                 for port in view.holders_of(subnet, ip)]
        if not found and reason == Reason.UNKNOWN_HOP and ip is not None:
            found = _next_hops(view, network.id, ip)
    for port_id in found:
        if view.attachment(port_id) is not None:
            return view.port(port_id)
    return None


def _address(reason: Reason, frame: bytes) -> Ip | None:
    """What it asks for, or goes to."""
    if reason == Reason.UNKNOWN_ARP:
        asked = wire.arp_target(frame)
        return IPv4Address(asked) if asked is not None else None
    if reason == Reason.UNKNOWN_ND:
        asked = wire6.solicited(frame)
        return IPv6Address(asked) if asked is not None else None
    packet, packet6 = wire.parse_ipv4(frame), wire6.parse_ipv6(frame)
    return IPv4Address(packet.dst) if packet is not None else IPv6Address(packet6.dst) if packet6 is not None else None


def _next_hops(view: View, network_id: str, ip: Ip) -> list[str]:
    """The ports on this network that routers' own routes to `ip` lead to: of each router by the longest prefix."""
    found: list[str] = []
    for subnet in map(view.subnet, view.subnets_of(network_id)):
        for router in map(view.router, view.routers_of(subnet.id)) if subnet is not None else ():
            if subnet is not None and router is not None:
                hops = [(destination.prefixlen, hop) for destination, hop in extra_routes_of(view, router, subnet)
                        if ip in destination]
                found += view.holders_of(subnet.id, max(hops)[1]) if hops else []
    return found
