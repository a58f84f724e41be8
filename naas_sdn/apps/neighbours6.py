"""Neighbour discovery in the table ARP: which solicitations the tables answer (RFC 4861 section 7.2.4).

Those from `::` ask whether an address is free (RFC 4862 section 5.4): who has it says so himself. So does he where the
asker does not tell his MAC, for the answer is made of the question, and has its option's place only when that is there.
"""
from __future__ import annotations

from collections.abc import Mapping

from naas_sdn.model.ip import Prefix
from naas_sdn.model.values import Network
from naas_sdn.pipeline.flow import Flow, Match, SetField, Value, match, within
from naas_sdn.pipeline.tables import ANSWER_FLAGS, ANSWER_MAC, NET, REASON, Reason, Table, next_table

IPV6, ICMPV6, SOLICITATION = 0x86DD, 58, 135
ROUTER, SOLICITED, OVERRIDE = 1 << 31, 1 << 30, 1 << 29
"""Flags of an advertisement (RFC 4861 section 4.4)."""


def asked(where: Mapping[str, Value]) -> Match:
    """A solicitation."""
    return match(where, eth_type=IPV6, nw_proto=ICMPV6, icmpv6_type=SOLICITATION, icmpv6_code=0)


def answer(network: Network, ip: int, mac: int, *, router: bool) -> Flow:
    flags = SOLICITED | OVERRIDE | (ROUTER if router else 0)
    return Flow(Table.ARP, 100, asked({NET: network.key, "nd_target": ip}),
                (SetField(ANSWER_MAC, mac), SetField(ANSWER_FLAGS, flags)), Table.ANSWER)


def unknown(network: Network, cidr: Prefix) -> Flow:
    """In a wide network: the port may be one that this hypervisor has not asked for."""
    return Flow(Table.ARP, 50, asked({NET: network.key, **within("nd_target", cidr)}),
                (SetField(REASON, Reason.UNKNOWN_ND),), Table.PUNT)


UNANSWERED = tuple(Flow(Table.ARP, priority, asked(where), goto=next_table(Table.ARP))
                   for priority, where in ((220, {"ipv6_src": 0}), (210, {"nd_sll": 0})))
