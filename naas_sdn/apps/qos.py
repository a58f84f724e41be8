"""Bit-rate limits: a meter in each direction of a port (tables FROM_QOS, TO_QOS), and the switch's own policers."""
from __future__ import annotations

from collections.abc import Iterator

from naas_sdn.apps.contract import Group, PacketIn, Scope
from naas_sdn.apps.l2switch import local_port, policy_of
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import Attachment, Fact, Hypervisor
from naas_sdn.pipeline.flow import Flow, match
from naas_sdn.pipeline.program import Meter, Police, Program
from naas_sdn.pipeline.tables import IN, OUT, Reason, Table, next_table


class Qos:
    """Tables FROM_QOS and TO_QOS."""

    name = "qos"
    tables = frozenset((Table.FROM_QOS, Table.TO_QOS))
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
    flows, meters = [], []
    for use, table, register, limit in ((Police.FROM, Table.FROM_QOS, IN, policy.egress),
                                        (Police.TO, Table.TO_QOS, OUT, policy.ingress)):
        if limit is not None:
            meter = Meter(Meter.numbered(attachment.slot, use), limit.rate, limit.burst)
            meters.append(meter)
            flows.append(Flow(table, 100, match({register: port.key}), goto=next_table(table),
                              meter=meter.number))
    return Program(tuple(flows), tuple(meters))
