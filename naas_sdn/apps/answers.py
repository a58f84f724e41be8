"""What the tables answer themselves: ARP, neighbour solicitations and echo requests, turned round and sent back.

So many a second for each port. Open vSwitch does what its datapath cannot in the slow path, packet by packet, and
polices the packets of all ports together on their way there (the virtual meter `slowpath`): one machine that floods
would take the answers of all others. The port's own meter has to come earlier, in a datapath flow of its own, which
ends where the packet is looked at anew.
"""
from __future__ import annotations

from collections.abc import Iterator

from naas_sdn.apps.contract import Group, PacketIn, Scope
from naas_sdn.apps.l2switch import local_port
from naas_sdn.apps.provider import FROM_WIRE, TAGGED
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import Attachment, Fact, Hypervisor, Network
from naas_sdn.pipeline.flow import Action, Flow, InPort, Move, PushVlan, Recirculate, Resubmit, SetField, Value, match
from naas_sdn.pipeline.program import Meter, Police, Program
from naas_sdn.pipeline.tables import ANSWER_FLAGS, ANSWER_MAC, FLAGS, HOP, HOP6, IN, NET, OUT, SCRATCH, Reason, Table

ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
ICMP, ECHO_REPLY = 1, 0
ICMPV6, ECHO_REQUEST6, ECHO_REPLY6, SOLICITATION, ADVERTISEMENT = 58, 128, 129, 135, 136
TARGET_LINK_LAYER = 2
ARP_REPLY = 2


class Answers:
    """Tables ANSWER, ANEW and TURN."""

    name = "answers"
    tables = frozenset((Table.ANSWER, Table.ANEW, Table.TURN))
    kinds = frozenset(("port", "switch", "self", "tagged"))
    reasons: frozenset[Reason] = frozenset()

    def __init__(self, rate: int) -> None:
        """`rate`: answers a second that one port may have."""
        self._rate = rate

    def place(self, key: Key, fact: Fact) -> Iterator[tuple[Group, Scope]]:
        match fact:
            case Attachment():
                yield Group("host", fact.host), Scope("port", fact.port_id, fact.host)
            case Hypervisor():
                yield Group("fabric"), Scope("switch")
                yield Group("host", fact.name), Scope("self", fact.name, fact.name)
            case Network() if fact.vlan is not None:
                yield Group("network", fact.id), Scope("tagged", fact.id)
            case _:
                return

    def compile(self, view: View, scope: Scope) -> Program:
        if scope.kind == "switch":
            return Program((*(Flow(Table.ANEW, 100, match(eth_type=kind), (Recirculate(kind),), Table.TURN)
                              for kind in (ARP, IPV4, IPV6)), _ARP_REPLY, _ECHO_REPLY, *_ADVERTISEMENT, _ECHO_REPLY6,
                            *(_to_wire(reply, (InPort(),), 110, {}) for reply in (_ARP_REPLY, _ECHO_REPLY))))
        if scope.kind == "self":
            return self._wire(view, scope.id)
        if scope.kind == "tagged":
            return Program(tuple(_tagged(view, scope.id)))
        here = local_port(view, scope.id)
        if here is None:
            return Program()
        port, _, attachment, _ = here
        meter = Meter(Meter.numbered(attachment.slot, Police.ANSWER), self._rate, self._rate, packets=True)
        return Program((Flow(Table.ANSWER, 100, match({IN: port.key}), goto=Table.ANEW, meter=meter.number),),
                       (meter,))

    def _wire(self, view: View, host: str) -> Program:
        """All physical networks together may have as many answers as one port."""
        if not view.uplinks_of(host):
            return Program()
        meter = Meter(Meter.WIRE_ANSWER, self._rate, self._rate, packets=True)
        return Program((Flow(Table.ANSWER, 90, match({FLAGS: FROM_WIRE}), goto=Table.ANEW, meter=meter.number),),
                       (meter,))

    def packet_in(self, view: View, packet: PacketIn) -> list[bytes]:
        return []


def _tagged(view: View, network_id: str) -> Iterator[Flow]:
    """What a VLAN of a physical network is answered has its tag, which was taken off."""
    network = view.network(network_id)
    if network is None or network.vlan is None:
        return
    tag = (PushVlan(), SetField("vlan_vid", TAGGED | network.vlan))
    for reply in (_ARP_REPLY, _ECHO_REPLY):
        yield _to_wire(reply, (*tag, InPort()), 120, {NET: network.key})


def _to_wire(reply: Flow, back: tuple[Action, ...], priority: int, where: dict[str, Value]) -> Flow:
    fields = {name: value for name, value, _ in reply.match}
    return Flow(Table.TURN, priority, match({**where, FLAGS: FROM_WIRE}, **fields),
                (*reply.actions[:-len(_BACK)], *back))


_BACK = (Move(IN, OUT, 32), Resubmit(Table.OUTPUT))
"""To the port that asked, on its VLAN if it has one."""

_ARP_REPLY = Flow(Table.TURN, 100, match(eth_type=ARP), (
    Move("eth_src", "eth_dst", 48), Move(ANSWER_MAC, "eth_src", 48), SetField("arp_op", ARP_REPLY),
    Move("arp_sha", "arp_tha", 48), Move(ANSWER_MAC, "arp_sha", 48),
    Move("arp_tpa", HOP, 32), Move("arp_spa", "arp_tpa", 32), Move(HOP, "arp_spa", 32), *_BACK,
))
"""The address that was asked for has ANSWER_MAC."""

_ECHO_REPLY = Flow(Table.TURN, 100, match(eth_type=IPV4, nw_proto=ICMP), (
    Move("eth_dst", SCRATCH, 48), Move("eth_src", "eth_dst", 48), Move(SCRATCH, "eth_src", 48),
    Move("ip_dst", HOP, 32), Move("ip_src", "ip_dst", 32), Move(HOP, "ip_src", 32),
    SetField("nw_ttl", 64), SetField("icmp_type", ECHO_REPLY), *_BACK,
))
"""From the address and the MAC that were asked."""

_ADVERTISEMENT = (
    Flow(Table.TURN, 100, match(eth_type=IPV6, nw_proto=ICMPV6, icmpv6_type=SOLICITATION), (
        Move("eth_src", "eth_dst", 48), Move(ANSWER_MAC, "eth_src", 48),
        Move("ipv6_src", "ipv6_dst", 128), Move("nd_target", "ipv6_src", 128),
        Move(ANSWER_FLAGS, "nd_reserved", 32), SetField("nd_options_type", TARGET_LINK_LAYER),
        SetField("icmpv6_type", ADVERTISEMENT), Resubmit(Table.TURN),
    )),
    # Its link-layer address can be named only where it is known to be an advertisement.
    Flow(Table.TURN, 100, match(eth_type=IPV6, nw_proto=ICMPV6, icmpv6_type=ADVERTISEMENT),
         (Move(ANSWER_MAC, "nd_tll", 48), *_BACK)),
)

_ECHO_REPLY6 = Flow(Table.TURN, 100, match(eth_type=IPV6, nw_proto=ICMPV6, icmpv6_type=ECHO_REQUEST6), (
    Move("eth_dst", SCRATCH, 48), Move("eth_src", "eth_dst", 48), Move(SCRATCH, "eth_src", 48),
    Move("ipv6_dst", HOP6, 128), Move("ipv6_src", "ipv6_dst", 128), Move(HOP6, "ipv6_src", 128),
    SetField("nw_ttl", 64), SetField("icmpv6_type", ECHO_REPLY6), *_BACK,
))
