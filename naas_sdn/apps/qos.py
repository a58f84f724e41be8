"""Limits of bits and packets: meters in each direction of a port; DSCP marks; the switch's own policers."""
from __future__ import annotations

from collections.abc import Iterator

from naas_sdn.apps.contract import Group, PacketIn, Scope
from naas_sdn.apps.l2switch import local_port, policy_of
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import Attachment, Fact, Hypervisor, RateLimit
from naas_sdn.pipeline.flow import Flow, Match, SetField, match
from naas_sdn.pipeline.program import Meter, Police, Program
from naas_sdn.pipeline.tables import IN, OUT, Reason, Table, next_table

IPV4, IPV6 = 0x0800, 0x86DD


class Qos:
    """Tables FROM_QOS and TO_QOS, and FROM_PACKETS and TO_PACKETS."""

    name = "qos"
    tables = frozenset((Table.FROM_QOS, Table.FROM_PACKETS, Table.TO_QOS, Table.TO_PACKETS))
    kinds = frozenset(("port", "switch"))
    reasons: frozenset[Reason] = frozenset()

    def __init__(self, slowpath_rate: int) -> None:
        """`slowpath_rate`: packets a second of a switch that its responders, and its punts, may take."""
        self._slowpath_rate = slowpath_rate

    def place(self, key: Key, fact: Fact) -> Iterator[tuple[Group, Scope]]:
        match fact:
            case Attachment():
                yield Group("host", fact.host), Scope("port", fact.port_id, fact.host)
            case Hypervisor():
                yield Group("fabric"), Scope("switch")
            case _:
                return

    def compile(self, view: View, scope: Scope) -> Program:
        if scope.kind == "switch":
            rate = self._slowpath_rate
            return Program((), tuple(Meter(number, rate, rate, packets=True)
                                     for number in (Meter.SLOWPATH, Meter.CONTROLLER)))
        return _port(view, scope.id)

    def packet_in(self, view: View, packet: PacketIn) -> list[bytes]:
        return []


def _port(view: View, port_id: str) -> Program:
    here = local_port(view, port_id)
    policy = policy_of(view, here[0], here[1]) if here is not None else None
    if here is None or policy is None:
        return Program()
    port, _, attachment, _ = here
    sent, received = (Police.FROM, Police.FROM_PACKETS), (Police.TO, Police.TO_PACKETS)
    sending = _meters(attachment, sent, (policy.egress, policy.egress_packets))
    receiving = _meters(attachment, received, (policy.ingress, policy.ingress_packets))
    return Program((*_flows((Table.FROM_QOS, Table.FROM_PACKETS), match({IN: port.key}), sending),
                    *_marks(port.key, sending, policy.dscp),
                    *_flows((Table.TO_QOS, Table.TO_PACKETS), match({OUT: port.key}), receiving)),
                   (*sending, *receiving))


def _meters(attachment: Attachment, uses: tuple[Police, Police],
            limits: tuple[RateLimit | None, RateLimit | None]) -> list[Meter]:
    """Of bits, then of packets; those that there are."""
    return [Meter(Meter.numbered(attachment.slot, use), limit.rate, limit.burst, packets=packets)
            for use, limit, packets in zip(uses, limits, (False, True), strict=True) if limit is not None]


def _flows(tables: tuple[Table, Table], where: Match, meters: list[Meter]) -> Iterator[Flow]:
    """A flow has one meter, so a second one has a table of its own."""
    for table, meter in zip(tables, meters, strict=False):
        yield Flow(table, 100, where, goto=_beyond(table, meters), meter=meter.number)


def _marks(key: int, meters: list[Meter], dscp: int | None) -> Iterator[Flow]:
    """What has a DSCP is marked as it is metered."""
    if dscp is None:
        return
    for eth_type in (IPV4, IPV6):
        yield Flow(Table.FROM_QOS, 110, match({IN: key}, eth_type=eth_type), (SetField("ip_dscp", dscp),),
                   _beyond(Table.FROM_QOS, meters), meters[0].number if meters else None)


def _beyond(table: Table, meters: list[Meter]) -> Table:
    """After the first of two meters, the second one's table."""
    second = {Table.FROM_QOS: Table.FROM_PACKETS, Table.TO_QOS: Table.TO_PACKETS}
    return second[table] if len(meters) == 2 and table in second else next_table(table)
