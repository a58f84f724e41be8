"""Security groups: what a local port may send and receive, and what is answered (tables FROM_PORT to RULES).

Conntrack tells which end began a connection; whether it may go on is asked of the rules for every flow of the
datapath, so that a rule that goes ends what it had allowed, and one that comes back brings it back.
"""
from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import NamedTuple

from naas_sdn.apps.contract import Group, PacketIn, Scope
from naas_sdn.apps.group_rules import (
    ETHER,
    ICMPV6,
    INVALID,
    NEW,
    REPLY,
    TRACKED,
    VALID,
    Block,
    about,
    allowing,
    blocks,
    member,
    port_in,
)
from naas_sdn.apps.l2switch import local_port
from naas_sdn.model.store import Key, View
from naas_sdn.model.values import AddressGroup, Attachment, Fact, Hypervisor, Port, SecurityGroup, SecurityRule
from naas_sdn.pipeline.flow import Commit, Flow, Match, Move, Resubmit, SetField, Track, Value, drop, match
from naas_sdn.pipeline.program import Program
from naas_sdn.pipeline.tables import ADDRESS, IN, OUT, ZONE, Reason, Table, Verdict, next_table


class Side(NamedTuple):
    """The four tables of a direction. `own`: the bit INBOUND of what begins there; `wrong` is dropped at its end."""

    port: Table
    track: Table
    rules: Table
    commit: Table
    register: str
    own: int
    wrong: Reason


DISCOVERY = {**dict.fromkeys((130, 131, 132, 143), 1), **dict.fromkeys((133, 134, 135, 136), 255)}
"""ICMPv6 that finds listeners, routers and neighbours: no connection, and always allowed. With the hop limit that it
must have (RFC 3810 section 5, RFC 4861 section 6.1), and nothing has that was routed."""

RESUBMITS = 4000
"""Look-ups for one packet, below the 4096 after which Open vSwitch drops it without a word."""

FROM = Side(Table.FROM_PORT, Table.FROM_CT, Table.FROM_RULES, Table.FROM_COMMIT, IN, 0, Reason.NO_INGRESS_RULE)
TO = Side(Table.TO_PORT, Table.TO_CT, Table.TO_RULES, Table.TO_COMMIT, OUT, Verdict.INBOUND, Reason.NO_EGRESS_RULE)


class SecurityGroups:
    """Tables FROM_PORT, FROM_CT, FROM_RULES, FROM_COMMIT, the same TO, GROUPS, REMOTES, ADDRESS, MEMBERS and RULES."""

    name = "security_groups"
    tables = frozenset((*FROM[:4], *TO[:4], Table.GROUPS, Table.REMOTES, Table.ADDRESS, Table.MEMBERS, Table.RULES))
    kinds = frozenset(("switch", "port", "rules", "rule", "remote"))
    reasons: frozenset[Reason] = frozenset()

    def place(self, key: Key, fact: Fact) -> Iterator[tuple[Group, Scope]]:
        match fact:
            case Hypervisor():
                yield Group("fabric"), Scope("switch")
            case Attachment():
                yield Group("host", fact.host), Scope("port", fact.port_id, fact.host)
            case SecurityGroup():
                yield Group("rules", fact.id), Scope("rules", fact.id)
            case SecurityRule():
                for block in blocks(fact):
                    yield Group("rules", fact.group_id), Scope("rule", f"{fact.group_id} {block}")
            case AddressGroup():
                for cidr in fact.cidrs:
                    yield Group("remote", fact.id), Scope("remote", f"{fact.id} {cidr}")
            case Port():
                # Ports with the same address are one scope, as rules are that have a block in common.
                for group_id in fact.groups or ():
                    for address in fact.addresses:
                        yield Group("remote", group_id), Scope("remote", f"{group_id} {address.ip}")
                    for pair in fact.pairs:
                        yield Group("remote", group_id), Scope("remote", f"{group_id} {pair.cidr}")
            case _:
                return

    def compile(self, view: View, scope: Scope) -> Program:
        match scope.kind:
            case "switch":
                return Program(tuple(_switch()))
            case "port":
                return _port(view, scope.id)
            case "rules":
                return Program(tuple(_remotes(view, scope.id)))
            case "rule":
                return Program(tuple(_rule(view, *scope.id.split(" ", 1))))
            case _:
                return Program(tuple(_member(view, *scope.id.split(" ", 1))))

    def packet_in(self, view: View, packet: PacketIn) -> list[bytes]:
        return []


def _port(view: View, port_id: str) -> Program:
    here = local_port(view, port_id)
    if here is None or here[0].groups is None:
        return Program()
    port, zone = here[0], here[2].slot + 1
    groups = [group for group in map(view.security_group, port.groups or ()) if group is not None]
    asked = [sum(1 + len(view.remotes_of(group.id, ingress=ingress)) for group in groups) for ingress in (True, False)]
    if 2 * max(asked) > RESUBMITS:
        raise ValueError(f"its security groups' rules are about {max(asked)} groups; at most {RESUBMITS // 2}")
    mark = zone | (0 if any(group.stateful for group in groups) else Verdict.BARE)
    return Program((
        *(Flow(side.port, 100, match({side.register: port.key}), (SetField(ZONE, mark),), side.track)
          for side in (FROM, TO)),
        *((port_in((group.key for group in groups), zone),) if groups else ()),
    ), zones=(zone,))


def _remotes(view: View, group_id: str) -> Iterator[Flow]:
    group = view.security_group(group_id)
    if group is None:
        return
    for ingress in (False, True):
        found = (_known(view, remote) for remote in view.remotes_of(group_id, ingress=ingress))
        keys = [remote.key for remote in found if remote is not None]
        if keys:
            yield about(group.key, keys, ingress=ingress)


def _rule(view: View, group_id: str, text: str) -> Iterator[Flow]:
    group, block = view.security_group(group_id), Block.parse(text)
    remote = _known(view, block.remote) if block.remote is not None else None
    if group is not None and (block.remote is None or remote is not None):
        yield from allowing(group, block, remote.key if remote is not None else 0)


def _known(view: View, group_id: str) -> SecurityGroup | AddressGroup | None:
    return view.security_group(group_id) or view.address_group(group_id)


def _member(view: View, group_id: str, cidr: str) -> Iterator[Flow]:
    group = _known(view, group_id)
    if group is not None:
        yield member(group.key, ip_network(cidr))


def _switch() -> Iterator[Flow]:
    for side in (FROM, TO):
        yield from _side(side)
    allowed = match({ZONE: (Verdict.ALLOWED, Verdict.ALLOWED)})
    yield Flow(Table.RULES, 200, allowed)
    yield Flow(Table.REMOTES, 200, allowed)
    for eth_type, ends, ends_of_packet, register, bits in (
            (ETHER[4], ("ct_nw_src", "ct_nw_dst"), ("ip_src", "ip_dst"), ADDRESS[-1], 32),
            (ETHER[6], ("ct_ipv6_src", "ct_ipv6_dst"), ("ipv6_src", "ipv6_dst"), "xxreg3", 128)):
        for inbound, which in ((Verdict.INBOUND, 0), (0, 1)):
            yield Flow(Table.ADDRESS, 100, _kind(inbound, eth_type=eth_type, ct_state=VALID),
                       (Move(ends[which], register, bits),))
            yield Flow(Table.ADDRESS, 100, _kind(inbound | Verdict.BARE, eth_type=eth_type),
                       (Move(ends_of_packet[which], register, bits),))


def _side(side: Side) -> Iterator[Flow]:
    beyond = Table.ROUTER_IN if side is FROM else next_table(Table.RULES)
    bare = (Verdict.BARE, Verdict.BARE)
    yield drop(side.rules, 200, match({ZONE: (0, Verdict.BARE)}, ct_state=(TRACKED | INVALID, TRACKED | INVALID)),
               Reason.CT_INVALID)
    for reply in (0, REPLY):
        inbound = side.own ^ (Verdict.INBOUND if reply else 0)
        yield Flow(side.rules, 100, match({ZONE: (0, Verdict.BARE)}, ct_state=(TRACKED | reply, TRACKED | REPLY)),
                   (SetField(ZONE, inbound, Verdict.INBOUND), Resubmit(Table.GROUPS)), side.commit)
    yield Flow(side.rules, 100, match({ZONE: bare}),
               (SetField(ZONE, side.own, Verdict.INBOUND), Resubmit(Table.GROUPS)), side.commit)
    for kind, hops in DISCOVERY.items():
        discovery = match(eth_type=ETHER[6], nw_proto=ICMPV6, icmpv6_type=kind, nw_ttl=hops)
        yield Flow(side.track, 120, discovery, goto=beyond)
    for eth_type in ETHER.values():
        yield Flow(side.track, 110, match({ZONE: bare}, eth_type=eth_type), goto=side.rules)
        yield Flow(side.track, 100, match(eth_type=eth_type), (Track(ZONE, side.rules),))
        yield Flow(side.commit, 110, match(
            {ZONE: (Verdict.ALLOWED, Verdict.ALLOWED | Verdict.BARE)}, eth_type=eth_type,
            ct_state=(TRACKED | NEW, TRACKED | NEW)), (Commit(ZONE),), beyond)
    yield Flow(side.commit, 100, match({ZONE: (Verdict.ALLOWED, Verdict.ALLOWED)}), goto=beyond)
    yield drop(side.commit, 90, match({ZONE: (side.own ^ Verdict.INBOUND, Verdict.INBOUND)}), side.wrong)


def _kind(kind: int, **fields: Value) -> Match:
    return match({ZONE: (kind, Verdict.INBOUND | Verdict.BARE)}, **fields)
