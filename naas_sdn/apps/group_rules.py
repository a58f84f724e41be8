"""A security group's rules, whom they are about, and ports in groups, as flows (tables GROUPS to RULES).

A packet is looked up by what its connection began with (conntrack's original tuple), so one rule is one flow for both
directions of what it allows. A bare port, all of whose groups are stateless, has its packets looked up as they are.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network
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

RESUBMITS = 4000
"""Look-ups for one packet, below the 4096 after which Open vSwitch drops it without a word."""


def port_in(groups: Iterable[SecurityGroup], zone: int) -> Flow:
    """One look-up a group by rules that are about nobody in particular, then by the others.

    Raises ValueError for more than Open vSwitch does for one packet.
    """
    ordered = sorted(groups, key=lambda group: group.key)
    count = 2 * sum(1 + len(_remotes(group, ingress=ingress)) for group in ordered for ingress in (True, False))
    if count > RESUBMITS:
        raise ValueError(f"its security groups' rules are about {count // 2} groups; at most {RESUBMITS // 2}")
    return Flow(Table.GROUPS, 100, match({ZONE: (zone, 0xFFFF)}), tuple(
        action for table in (Table.RULES, Table.REMOTES) for group in ordered
        for action in (SetField(SG, group.key), Resubmit(table))))


def rules_of(group: SecurityGroup, keys: Mapping[str, int]) -> Iterator[Flow]:
    """`keys`: of the groups that rules are about. What is allowed twice is one flow."""
    seen = set()
    for rule in group.rules:
        if rule.remote is not None and rule.remote not in keys:
            continue
        for flow in _flows(group, rule, keys[rule.remote] if rule.remote is not None else 0):
            if flow.match not in seen:
                seen.add(flow.match)
                yield flow
    for ingress in (False, True):
        remotes = sorted(keys[remote] for remote in _remotes(group, ingress=ingress) if remote in keys)
        if remotes:
            yield Flow(Table.REMOTES, 100, match({SG: group.key, ZONE: _asked(ingress=ingress)}), (
                Resubmit(Table.ADDRESS),
                *(action for key in remotes for action in (SetField(REMOTE, key), Resubmit(Table.MEMBERS))),
                SetField(REMOTE, 0)))


def member(key: int, cidr: IPv4Network | IPv6Network) -> Flow:
    """`cidr` is of the group with this key."""
    return Flow(Table.MEMBERS, 100, match({REMOTE: key, **_address(cidr)}, eth_type=ETHER[cidr.version]),
                (Resubmit(Table.RULES),))


def _remotes(group: SecurityGroup, *, ingress: bool) -> set[str]:
    return {rule.remote for rule in group.rules if rule.remote is not None and rule.ingress == ingress}


def _asked(*, ingress: bool) -> tuple[int, int]:
    return (Verdict.INBOUND if ingress else 0, Verdict.INBOUND)


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


class _Content(NamedTuple):
    """A protocol, with a port or an ICMP type and code; None: any."""

    protocol: int | None = None
    port: Value | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None


def _contents(rule: SecurityRule) -> Iterator[_Content]:
    """One for each block of its ports."""
    if rule.protocol in WITH_PORTS and rule.low is not None and rule.high is not None:
        for value, mask in masks(rule.low, rule.high):
            yield _Content(rule.protocol, value if mask == 0xFFFF else (value, mask))
    elif rule.protocol in (ICMP, ICMPV6):
        yield _Content(rule.protocol, icmp_type=rule.low, icmp_code=rule.high)
    else:
        yield _Content(rule.protocol)


def _flows(group: SecurityGroup, rule: SecurityRule, remote: int) -> Iterator[Flow]:
    """Of a stateless group for bare ports, and for those that are in a stateful one too."""
    asked = Verdict.INBOUND if rule.ingress else 0
    allow = (SetField(ZONE, Verdict.ALLOWED, Verdict.ALLOWED),)
    own = {SG: group.key, REMOTE: remote, "eth_type": ETHER[rule.version]}
    for content in _contents(rule):
        yield Flow(Table.RULES, 100, match({
            **own, ZONE: (asked, _KIND), **_connection(rule, content)}), allow)
        # A port that cannot be read from the packet itself cannot be allowed there.
        if not group.stateful and (content.port is None or content.protocol in PORTS):
            yield Flow(Table.RULES, 100, match({
                **own, ZONE: (asked | Verdict.BARE, _KIND), **_packet(rule, content)}), allow)


_KIND = Verdict.INBOUND | Verdict.BARE


def _connection(rule: SecurityRule, content: _Content) -> dict[str, Value]:
    """As conntrack has it, which keeps the type and the code of ICMP in the place of ports."""
    ends = ("ct_nw_src", "ct_nw_dst") if rule.version == 4 else ("ct_ipv6_src", "ct_ipv6_dst")
    second = content.port if content.port is not None else content.icmp_code
    return {"ct_state": VALID, **_known(ct_nw_proto=content.protocol, ct_tp_src=content.icmp_type, ct_tp_dst=second),
            **_other_end(rule, ends)}


def _packet(rule: SecurityRule, content: _Content) -> dict[str, Value]:
    ends, icmp = (("ip_src", "ip_dst"), "icmp") if rule.version == 4 else (("ipv6_src", "ipv6_dst"), "icmpv6")
    fields = _known(nw_proto=content.protocol, **{f"{icmp}_type": content.icmp_type, f"{icmp}_code": content.icmp_code})
    if content.protocol in PORTS:
        fields |= _known(**{PORTS[content.protocol]: content.port})
    return {**fields, **_other_end(rule, ends)}


def _known(**fields: Value | None) -> dict[str, Value]:
    return {name: value for name, value in fields.items() if value is not None and value != (0, 0)}


def _other_end(rule: SecurityRule, ends: tuple[str, str]) -> dict[str, Value]:
    """Of what came in, the source."""
    return {} if rule.cidr is None else within(ends[0 if rule.ingress else 1], rule.cidr)
