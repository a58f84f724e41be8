"""Networks as isolated broadcast domains: ports and tunnels in, known MACs, copies, and out again.

Remote ports compile to the same flow on every hypervisor: (NET, MAC) -> the key of their host. A hypervisor's own
ports outrank it. Isolation is the network's key: a packet gets it from the port it came from, or from the tunnel
ID when the peer that sent it may speak for that network. Provider networks have no tunnels: provider.py has what is
theirs.
"""
from __future__ import annotations

from collections.abc import Iterator

from naas_sdn.apps import external, provider
from naas_sdn.apps.contract import Group, PacketIn, Scope
from naas_sdn.apps.gateways import ways_of
from naas_sdn.apps.provider import TAGGED
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import (
    Attachment,
    Exit,
    Fact,
    Hypervisor,
    Landing,
    Member,
    Network,
    Outlet,
    Port,
    QosPolicy,
    Uplink,
)
from naas_sdn.pipeline.flow import (
    CheckLarger,
    Controller,
    Flow,
    Fork,
    InPort,
    Move,
    Output,
    PopVlan,
    PushVlan,
    Recirculate,
    Resubmit,
    SetField,
    drop,
    match,
)
from naas_sdn.pipeline.program import Meter, Police, Program
from naas_sdn.pipeline.tables import FLAGS, IN, MEMBERS, NET, OUT, REASON, RT, SOURCE_NET, Flag, Reason, Table

MULTICAST = (1 << 40, 1 << 40)
"""The group bit of an Ethernet address (IEEE 802-2014 section 8.2.2)."""

ETHERNET = 14
"""Octets of a frame's header: what an MTU does not count."""

IPV4 = 0x0800

FLOOD_LIMIT = 500
"""Hypervisors in one network's flood list. OVS cuts a longer list of actions short without a word (64 kB)."""

_FORGET = Recirculate(IPV4)
"""Whatever type the frame had: it goes no further than the flow that counts it."""


class L2Switch:
    """Tables CLASSIFY to UPLINK, L2, COPY, FLOOD, TO_ACL, OUTPUT, TUNNEL_OUT, TOO_LARGE and PUNT."""

    name = "l2switch"
    tables = frozenset((Table.CLASSIFY, Table.TUNNEL, Table.MEMBER, Table.ADMIT, Table.UPLINK, Table.L2, Table.COPY,
                        Table.FLOOD, Table.TO_ACL, Table.OUTPUT, Table.TUNNEL_OUT, Table.TOO_LARGE, Table.PUNT))
    kinds = frozenset(("switch", "peer", "self", "wire", "network", "flood", "member", "neighbour", "port", "copies",
                       "transit", "landing"))
    reasons: frozenset[Reason] = frozenset()

    def __init__(self, tunnel_interface: str, tunnel_mtu: int, punt_rate: int) -> None:
        """`tunnel_mtu`: octets, without a frame's header. `punt_rate`: packets a second of a port to the controller."""
        self._sized = (CheckLarger(tunnel_mtu + ETHERNET, FLAGS, Flag.LARGE.bit_length() - 1),
                       SetField(FLAGS, Flag.SIZED, Flag.SIZED))
        self._tunnel_interface = tunnel_interface
        self._punt_rate = punt_rate

    def place(self, key: Key, fact: Fact) -> Iterator[tuple[Group, Scope]]:
        match fact:
            case Hypervisor():
                yield Group("fabric"), Scope("switch")
                yield Group("fabric"), Scope("peer", fact.name)
                yield Group("host", fact.name), Scope("self", fact.name, fact.name)
            case Uplink():
                yield Group("host", fact.host), Scope("wire", fact.physical_network, fact.host)
            case Network():
                yield Group("network", fact.id), Scope("network", fact.id)
                yield Group("network", fact.id), Scope("flood", fact.id)
            case Member():
                # The peer is in the id: what it compiles to is the same on every hypervisor.
                yield Group("members", fact.router_id), Scope("member", f"{fact.router_id} {fact.host}")
            case Port():
                yield Group("ports", fact.network_id), Scope("neighbour", fact.id, remote=fact.is_machines)
            case Attachment():
                yield Group("members", fact.network_id), Scope("member", f"{fact.network_id} {fact.host}")
                yield Group("host", fact.host), Scope("port", fact.port_id, fact.host)
                yield Group("host", fact.host), Scope("copies", fact.network_id, fact.host)
            case Outlet():
                yield Group("host", fact.host), Scope("copies", fact.network_id, fact.host)
            case Exit():
                yield Group("host", fact.host), Scope("transit", fact.router_id, fact.host)
            case Landing():
                yield Group("host", fact.host), Scope("landing", fact.floating_ip_id, fact.host)
            case _:
                return

    def compile(self, view: View, scope: Scope) -> Program:
        match scope.kind:
            case "switch":
                return Program(tuple(_switch()))
            case "peer":
                return Program(tuple(_peer(view, scope.id)))
            case "self":
                return self._self(view, scope.id)
            case "wire":
                return Program(tuple(provider.wire(view, scope.host or "", scope.id)))
            case "network":
                return Program(tuple(_network(view, scope.id)))
            case "flood":
                return Program(tuple(_flood(view, scope.id)))
            case "member":
                return Program(tuple(_member(view, *scope.id.split(" ", 1))))
            case "neighbour":
                return Program(tuple(_neighbour(view, scope.id)))
            case "port":
                return self._port(view, scope.id)
            case "transit":
                return Program(tuple(external.transit(view, scope.id)))
            case "landing":
                return Program(tuple(external.landing(view, scope.id)))
            case _:
                return Program(tuple(self._copies(view, scope.id)))

    def packet_in(self, view: View, packet: PacketIn) -> list[bytes]:
        return []

    def _self(self, view: View, host: str) -> Program:
        if not view.uplinks_of(host):
            return Program(tuple(self._own(view, host)))
        meter = Meter(Meter.WIRE_PUNT, self._punt_rate, self._punt_rate, packets=True)
        punt = Flow(Table.PUNT, 90, match({FLAGS: provider.FROM_WIRE}), (Controller(),), meter=meter.number)
        return Program((*self._own(view, host), punt), (meter,))

    def _own(self, view: View, host: str) -> Iterator[Flow]:
        hypervisor, tunnel = view.hypervisor(host), view.link(host, self._tunnel_interface)
        if hypervisor is None:
            return
        # The shared flows of this host as a peer must not send to itself, nor believe its own address.
        yield drop(Table.CLASSIFY, 200, match(tun_src=int(hypervisor.vtep)), Reason.TUNNEL_NOT_MEMBER)
        yield Flow(Table.OUTPUT, 210, match({FLAGS: (Flag.COPY, Flag.COPY), OUT: hypervisor.key}))
        yield drop(Table.OUTPUT, 200, match({OUT: hypervisor.key}), Reason.NOT_HERE)
        if tunnel is not None:
            yield drop(Table.CLASSIFY, 50, match(in_port=tunnel.number), Reason.TUNNEL_NOT_MEMBER)
            yield Flow(Table.TUNNEL_OUT, 120, match({FLAGS: (Flag.LARGE, Flag.LARGE)}), (_FORGET,), Table.TOO_LARGE)
            if view.uplinks_of(host):
                # From one floating address to another, both of machines of hypervisors without the uplink.
                both = Flag.SIZED | Flag.TRANSIT
                yield Flow(Table.TUNNEL_OUT, 115, match({FLAGS: (both, both)}), (InPort(),))
            yield Flow(Table.TUNNEL_OUT, 110, match({FLAGS: (Flag.SIZED, Flag.SIZED)}), (Output(tunnel.number),))
            yield Flow(Table.TUNNEL_OUT, 100, (), (*self._sized, Resubmit(Table.TUNNEL_OUT)))

    def _port(self, view: View, port_id: str) -> Program:
        here = local_port(view, port_id)
        if here is None:
            return Program()
        port, network, attachment, number = here
        punt = Meter(Meter.numbered(attachment.slot, Police.PUNT), self._punt_rate, self._punt_rate, packets=True)
        vlan = attachment.vlan
        # Taken off again: there may be more copies to make.
        tag, untag = ((), ()) if vlan is None else ((PushVlan(), SetField("vlan_vid", TAGGED | vlan)), (PopVlan(),))
        whose = (SetField(IN, port.key), SetField(NET, network.key), SetField(SOURCE_NET, network.key))
        return Program((
            Flow(Table.CLASSIFY, 100, match(in_port=number), whose, Table.GUARD) if vlan is None else
            Flow(Table.CLASSIFY, 110, match(in_port=number, vlan_vid=TAGGED | vlan), (PopVlan(), *whose), Table.GUARD),
            *(provider.local(port, network) if network.is_provider else (_to_it(port, network),)),
            drop(Table.TO_ACL, 100, match({FLAGS: (0, Flag.ROUTED), IN: port.key, OUT: port.key}),
                 Reason.ECHO),
            # The switch does not send a packet where it came from unless it is told to: to the port itself only what is
            # routed or answered, but others may share its interface.
            Flow(Table.OUTPUT, 110, match({OUT: port.key}, in_port=number), (*tag, InPort(), *untag)),
            Flow(Table.OUTPUT, 100, match({OUT: port.key}), (*tag, Output(number), *untag)),
            Flow(Table.PUNT, 100, match({IN: port.key}), (Controller(),), meter=punt.number),
        ), (punt,))

    def _copies(self, view: View, network_id: str) -> Iterator[Flow]:
        network = view.network(network_id)
        if network is None or view.host is None or not network.admin_up:
            return
        local: list[SetField | Resubmit | Fork] = []
        for port_id in view.attached_on(network_id, view.host):
            here = local_port(view, port_id)
            if here is None:
                continue
            port = here[0]
            policy = policy_of(view, port, network)
            copy = (SetField(OUT, port.key), Resubmit(Table.TO_ACL))
            local.extend((Fork(copy),) if policy is not None and policy.limits_ingress else copy)
        if network.is_provider:
            yield from provider.copies(network, tuple(local))
            yield from provider.hosted(view, network, view.host)
            return
        where = match({NET: network.key}, eth_dst=MULTICAST)
        # Measured once for all hypervisors, and last: one that is too large ends there.
        yield Flow(Table.COPY, 100, where, (*local, *self._sized, Resubmit(Table.FLOOD)))
        yield Flow(Table.COPY, 110, match({FLAGS: (Flag.TUNNEL, Flag.TUNNEL), NET: network.key}, eth_dst=MULTICAST),
                   tuple(local))


def _to_it(port: Port, network: Network) -> Flow:
    return Flow(Table.L2, 200, match({NET: network.key}, eth_dst=port.mac), (SetField(OUT, port.key),),
                Table.FROM_COUNT)


def local_port(view: View, port_id: str) -> tuple[Port, Network, Attachment, int] | None:
    """A port that forwards on the view's hypervisor, with its network, its VIF and its OpenFlow port number."""
    port, attachment = view.port(port_id), view.attachment(port_id)
    if port is None or attachment is None or not port.admin_up or attachment.host != view.host:
        return None
    network, link = view.network(port.network_id), view.link(attachment.host, attachment.interface)
    if network is None or link is None or not network.admin_up:
        return None
    return port, network, attachment, link.number


def policy_of(view: View, port: Port, network: Network) -> QosPolicy | None:
    """The port's own policy, else that of its network, which is for machines only."""
    policy_id = port.qos_policy_id or (network.qos_policy_id if port.is_machines else None)
    return view.qos_policy(policy_id) if policy_id is not None else None


def _peer(view: View, host: str) -> Iterator[Flow]:
    peer = view.hypervisor(host)
    if peer is None:
        return
    yield Flow(Table.CLASSIFY, 100, match(tun_src=int(peer.vtep)),
               (SetField(IN, peer.key), SetField(FLAGS, Flag.TUNNEL)), Table.TUNNEL)
    yield Flow(Table.OUTPUT, 100, match({FLAGS: (0, Flag.TUNNEL), OUT: peer.key}),
               (Move(NET, "tun_id", 24), SetField("tun_dst", int(peer.vtep))), Table.TUNNEL_OUT)
    yield drop(Table.OUTPUT, 90, match({OUT: peer.key}), Reason.SPLIT_HORIZON)


def _switch() -> Iterator[Flow]:
    yield Flow(Table.ADMIT, 100, match({FLAGS: (Flag.MEMBER, Flag.MEMBER)}), goto=Table.L2)
    yield Flow(Table.FLOOD, 200, match({FLAGS: (Flag.LARGE, Flag.LARGE)}), (_FORGET,), Table.TOO_LARGE)


def _network(view: View, network_id: str) -> Iterator[Flow]:
    network = view.network(network_id)
    if network is None or not network.admin_up:
        return
    if network.is_provider:
        yield from provider.network(network)
        return
    ways = ways_of(view, network_id)
    members = [MEMBERS + network.key]
    members += [MEMBERS + other.key for other in map(view.network, sorted(ways.networks)) if other is not None]
    members += [router.key for router in map(view.router, sorted(ways.routers)) if router is not None]
    yield Flow(Table.TUNNEL, 100, match(tun_id=network.key), (
        SetField(NET, network.key),
        *(action for key in members for action in (SetField(RT, key), Resubmit(Table.MEMBER)))), Table.ADMIT)
    if network.isolated:
        yield drop(Table.L2, 300, match({NET: network.key, SOURCE_NET: network.key}), Reason.ISOLATED)
    yield Flow(Table.L2, 100, match({NET: network.key}, eth_dst=MULTICAST), goto=Table.FROM_COUNT)
    if view.is_wide(network_id):
        yield Flow(Table.L2, 50, match({NET: network.key, FLAGS: (0, Flag.TUNNEL)}),
                   (SetField(REASON, Reason.UNKNOWN_MAC),), Table.PUNT)


def _member(view: View, domain: str, host: str) -> Iterator[Flow]:
    """The hypervisor hosts this network, or a network of this router."""
    peer, network, router = view.hypervisor(host), view.network(domain), view.router(domain)
    if network is not None and network.is_provider:
        return
    key = MEMBERS + network.key if network is not None else router.key if router is not None else None
    if peer is not None and key is not None:
        yield Flow(Table.MEMBER, 100, match({RT: key, IN: peer.key}), (SetField(FLAGS, Flag.MEMBER, Flag.MEMBER),))


def _flood(view: View, network_id: str) -> Iterator[Flow]:
    """The same for all: a copy for the hypervisor itself ends at OUTPUT."""
    network = view.network(network_id)
    if network is None or not network.admin_up or network.is_provider:
        return
    hosts = view.hosts_of(network_id)
    if len(hosts) > FLOOD_LIMIT + 1:
        raise ValueError(f"network {network_id} has ports on {len(hosts)} hypervisors; broadcast and multicast reach "
                         f"at most {FLOOD_LIMIT} others")
    peers = [peer for peer in map(view.hypervisor, hosts) if peer is not None]
    yield Flow(Table.FLOOD, 100, match({NET: network.key}), (
        SetField(FLAGS, Flag.COPY, Flag.COPY),
        *(action for peer in peers for action in (SetField(OUT, peer.key), Resubmit(Table.OUTPUT))),
        SetField(FLAGS, 0, Flag.COPY)))


def _neighbour(view: View, port_id: str) -> Iterator[Flow]:
    port, attachment = view.port(port_id), view.attachment(port_id)
    if port is None or attachment is None or not port.admin_up:
        return
    network, host = view.network(port.network_id), view.hypervisor(attachment.host)
    if network is None or host is None or not network.admin_up:
        return
    if network.is_provider:
        yield from provider.neighbour(port, network)
        return
    yield Flow(Table.L2, 100, match({NET: network.key}, eth_dst=port.mac), (SetField(OUT, host.key),),
               Table.FROM_COUNT)
