"""A security group's rules, whom they are about, and ports in groups, as flows (tables GROUPS to RULES).

A packet is looked up by what its connection began with (conntrack's original tuple), so one rule is one flow for both
directions of what it allows. A bare port, all of whose groups are stateless, has its packets looked up as they are.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

from naas_sdn.model.values import SecurityGroup, SecurityRule
from naas_sdn.pipeline.flow import Flow, Resubmit, SetField, Value, match, within
from naas_sdn.pipeline.ranges import masks
from naas_sdn.pipeline.tables import ADDRESS, REMOTE, SG, ZONE, Table, Verdict

IPV4, IPV6 = 0x0800, 0x86DD
NEW, REPLY, INVALID, TRACKED = 0x01, 0x08, 0x10, 0x20
"""Bits of ct_state: ovs-fields(7)."""

VALID = (TRACKED, TRACKED | INVALID)
ETHER = {4: IPV4, 6: IPV6}
ICMP, ICMPV6 = 1, 58
PORTS = {6: "tcp_dst", 17: "udp_dst", 132: "sctp_dst"}
"""Where packets of these have the port that rules speak of."""

WITH_PORTS = frozenset((*PORTS, 33, 136))
"""Conntrack has ports of DCCP and UDP-Lite too."""


class Block(NamedTuple):
    """What one flow of a rule allows: one block of its ports, as a mask matches them. None: any.

    `remote`: the id of the group that the other end is in. Rules that have a block in common share it.
    """

    ingress: bool
    version: int
    protocol: int | None
    port: Value | None
    icmp_type: int | None
    icmp_code: int | None
    cidr: IPv4Network | IPv6Network | None
    remote: str | None

    def __str__(self) -> str:
        port = "{}/{}".format(*self.port) if isinstance(self.port, tuple) else self.port
        parts = (int(self.ingress), self.version, self.protocol, port, self.icmp_type, self.icmp_code, self.cidr,
                 self.remote)
        return " ".join("-" if part is None else str(part) for part in parts)

    @classmethod
    def parse(cls, text: str) -> Block:
        """What `str` has made."""
        ingress, version, *numbers, cidr, remote = text.split(" ")
        protocol, port, icmp_type, icmp_code = map(_value, numbers)
        assert not isinstance(protocol, tuple) and not isinstance(icmp_type, tuple) and not isinstance(icmp_code, tuple)
        return cls(ingress == "1", int(version), protocol, port, icmp_type, icmp_code,
                   None if cidr == "-" else ip_network(cidr), None if remote == "-" else remote)


def _value(text: str) -> Value | None:
    value, _, mask = text.partition("/")
    return None if text == "-" else (int(value), int(mask)) if mask else int(value)


def blocks(rule: SecurityRule) -> Iterator[Block]:
    """Together they are the rule."""
    whole = Block(rule.ingress, rule.version, rule.protocol, None, None, None, rule.cidr, rule.remote)
    if rule.protocol in WITH_PORTS and rule.low is not None and rule.high is not None:
        for value, mask in masks(rule.low, rule.high):
            yield whole._replace(port=value if mask == 0xFFFF else (value, mask) if mask else None)
    elif rule.protocol in (ICMP, ICMPV6):
        yield whole._replace(icmp_type=rule.low, icmp_code=rule.high)
    else:
        yield whole


def port_in(keys: Iterable[int], zone: int) -> Flow:
    """One look-up a group by rules that are about nobody in particular, then by the others. `keys`: the groups'."""
    ordered = sorted(keys)
    # REMOTE holds a part of HOP6 of a packet that was routed.
    return Flow(Table.GROUPS, 100, match({ZONE: (zone, 0xFFFF)}), (SetField(REMOTE, 0), *(
        action for table in (Table.RULES, Table.REMOTES) for key in ordered
        for action in (SetField(SG, key), Resubmit(table)))))


def about(key: int, remotes: Iterable[int], *, ingress: bool) -> Flow:
    """The groups with the keys `remotes` are those that rules of the group with this key are about."""
    return Flow(Table.REMOTES, 100, match({SG: key, ZONE: (Verdict.INBOUND if ingress else 0, Verdict.INBOUND)}), (
        Resubmit(Table.ADDRESS),
        *(action for remote in sorted(remotes) for action in (SetField(REMOTE, remote), Resubmit(Table.MEMBERS))),
        SetField(REMOTE, 0)))


def allowing(group: SecurityGroup, block: Block, remote: int) -> Iterator[Flow]:
    """`remote`: the key of the block's; 0 without. Of a stateless group for bare ports, and for those that are in a
    stateful one too."""
    asked = Verdict.INBOUND if block.ingress else 0
    allow = (SetField(ZONE, Verdict.ALLOWED, Verdict.ALLOWED),)
    own = {SG: group.key, REMOTE: remote, "eth_type": ETHER[block.version]}
    yield Flow(Table.RULES, 100, match({**own, ZONE: (asked, _KIND), **_connection(block)}), allow)
    # A port that cannot be read from the packet itself cannot be allowed there.
    if not group.stateful and (block.port is None or block.protocol in PORTS):
        yield Flow(Table.RULES, 100, match({**own, ZONE: (asked | Verdict.BARE, _KIND), **_packet(block)}), allow)


def member(key: int, cidr: IPv4Network | IPv6Network) -> Flow:
    """`cidr` is of the group with this key."""
    return Flow(Table.MEMBERS, 100, match({REMOTE: key, **_address(cidr)}, eth_type=ETHER[cidr.version]),
                (Resubmit(Table.RULES),))


_KIND = Verdict.INBOUND | Verdict.BARE


def _connection(block: Block) -> dict[str, Value]:
    """As conntrack has it, which keeps the type and the code of ICMP in the place of ports."""
    ends = ("ct_nw_src", "ct_nw_dst") if block.version == 4 else ("ct_ipv6_src", "ct_ipv6_dst")
    second = block.port if block.port is not None else block.icmp_code
    return {"ct_state": VALID, **_known(ct_nw_proto=block.protocol, ct_tp_src=block.icmp_type, ct_tp_dst=second),
            **_other_end(block, ends)}


def _packet(block: Block) -> dict[str, Value]:
    ends, icmp = (("ip_src", "ip_dst"), "icmp") if block.version == 4 else (("ipv6_src", "ipv6_dst"), "icmpv6")
    fields = _known(nw_proto=block.protocol, **{f"{icmp}_type": block.icmp_type, f"{icmp}_code": block.icmp_code})
    if block.protocol in PORTS:
        fields |= _known(**{PORTS[block.protocol]: block.port})
    return {**fields, **_other_end(block, ends)}


def _known(**fields: Value | None) -> dict[str, Value]:
    return {name: value for name, value in fields.items() if value is not None and value != (0, 0)}


def _other_end(block: Block, ends: tuple[str, str]) -> dict[str, Value]:
    """Of what came in, the source."""
    return {} if block.cidr is None else within(ends[0 if block.ingress else 1], block.cidr)


def _address(cidr: IPv4Network | IPv6Network) -> dict[str, Value]:
    """The registers of ADDRESS, which hold an IPv4 address in the last one."""
    if isinstance(cidr, IPv4Network):
        return within(ADDRESS[-1], cidr)
    found: dict[str, Value] = {}
    for register, shift in zip(ADDRESS, (96, 64, 32, 0), strict=True):
        value, mask = (int(part) >> shift & 0xFFFFFFFF for part in (cidr.network_address, cidr.netmask))
        if mask:
            found[register] = value if mask == 0xFFFFFFFF else (value, mask)
    return found
