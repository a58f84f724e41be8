"""What a security group rule matches on: checked, and in one spelling, so that equal rules are known as such.

Neutron's rules hold, with its names of errors. Numbers of protocols are IANA's.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from typing import Any

from naas_sdn.errors import (
    BadRequest,
    InvalidCIDR,
    SecurityGroupEthertypeConflictWithProtocol,
    SecurityGroupInvalidIcmpValue,
    SecurityGroupInvalidPortRange,
    SecurityGroupInvalidPortValue,
    SecurityGroupInvalidProtocolForPort,
    SecurityGroupMissingIcmpType,
    SecurityGroupMultipleRemoteEntites,
    SecurityGroupProtocolRequiredWithPorts,
    SecurityGroupRuleInvalidEtherType,
    SecurityGroupRuleInvalidProtocol,
    SecurityGroupRuleParameterConflict,
)
from naas_sdn.service.contract import Attributes, Query

ETHERTYPES = {"ipv4": "IPv4", "ipv6": "IPv6"}
VERSIONS = {"IPv4": 4, "IPv6": 6}

PROTOCOLS: Mapping[str, int] = {
    "ah": 51, "dccp": 33, "egp": 8, "esp": 50, "gre": 47, "hopopt": 0, "icmp": 1, "icmpv6": 58, "igmp": 2, "ip": 0,
    "ipip": 4, "ipv6-encap": 41, "ipv6-frag": 44, "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60,
    "ipv6-route": 43, "ospf": 89, "pgm": 113, "rsvp": 46, "sctp": 132, "tcp": 6, "udp": 17, "udplite": 136,
    "vrrp": 112,
}
ICMP, ICMPV6 = 1, 58
WITH_PORTS = frozenset(PROTOCOLS[name] for name in ("dccp", "sctp", "tcp", "udp", "udplite"))
OF_IPV6 = frozenset(PROTOCOLS[name] for name in PROTOCOLS if name.startswith("ipv6-"))

REMOTE_GROUPS = ("remote_group_id", "remote_address_group_id")
REMOTES = ("remote_ip_prefix", *REMOTE_GROUPS)
"""Whom a rule is about; one of them at most."""


def ethertype(text: str) -> str:
    """IPv4 or IPv6. Raises SecurityGroupRuleInvalidEtherType."""
    found = ETHERTYPES.get(text.lower())
    if found is None:
        raise SecurityGroupRuleInvalidEtherType(f"Security group rule for ethertype '{text}' not supported. Allowed "
                                                f"values are IPv4 and IPv6.")
    return found


def protocol(text: str | None) -> str | None:
    """A name of PROTOCOLS, or a number's digits; None: any. Raises SecurityGroupRuleInvalidProtocol."""
    if text is None or text.lower() == "any":
        return None
    name = text.lower()
    if re.fullmatch("[0-9]{1,20}", name) and int(name) <= 255:
        return str(int(name))
    if name not in PROTOCOLS:
        raise SecurityGroupRuleInvalidProtocol(f"Security group rule protocol {text} not supported. Only protocol "
                                               f"values {sorted(PROTOCOLS)} and integer representations [0 to 255] "
                                               f"are supported.")
    return "ipv6-icmp" if name == "icmpv6" else name


def prefix(text: str) -> IPv4Interface | IPv6Interface:
    """An address or a range, whose host bits count for nothing. Raises InvalidCIDR."""
    try:
        if "%" in text:
            raise ValueError
        return ip_interface(text)
    except ValueError as error:
        raise InvalidCIDR(f"Invalid CIDR {text} given as IP prefix; write it as 192.0.2.0/24.") from error


def number_of(name: str | None) -> int | None:
    """The protocol's, as `protocol` spells it."""
    return None if name is None else PROTOCOLS[name] if name in PROTOCOLS else int(name)


def settled(attributes: Attributes) -> Attributes:
    """The columns of a rule's row (db/security_group_rows.py) that say what it matches, `content` too.

    `attributes` are a new rule's: "direction", and others of those columns. Raises InvalidCIDR and this module's
    other errors.
    """
    kind = ethertype(attributes.get("ethertype", "IPv4"))
    name = protocol(attributes.get("protocol"))
    number = number_of(name)
    if number in OF_IPV6 and kind == "IPv4":
        raise SecurityGroupEthertypeConflictWithProtocol(
            f"Invalid ethertype {kind} for protocol {name}: that is IPv6's.")
    low, high = attributes.get("port_range_min"), attributes.get("port_range_max")
    _require_ports(name, number, low, high)
    given = [remote for remote in REMOTES if attributes.get(remote) is not None]
    if len(given) > 1:
        raise SecurityGroupMultipleRemoteEntites(f"Only one remote entity may be provided; given are {given}.")
    remote = None
    if attributes.get("remote_ip_prefix") is not None:
        remote = prefix(attributes["remote_ip_prefix"])
        if remote.version != VERSIONS[kind]:
            raise SecurityGroupRuleParameterConflict(f"Conflicting value ethertype {kind} for CIDR {remote}.")
    columns = {"direction": attributes["direction"], "ethertype": kind, "protocol": name, "port_range_min": low,
               "port_range_max": high, "remote_ip_prefix": None if remote is None else str(remote),
               **{name: attributes.get(name) for name in REMOTE_GROUPS}}
    return {**columns, "content": _content(columns, number, remote)}


MATCHES = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", *REMOTES)


def matches(row: Any) -> Attributes:
    """What a rule's row says that it matches, as it is shown."""
    return {name: getattr(row, name) for name in MATCHES}


_SPELLINGS: Mapping[str, Callable[[str], Any]] = {
    "ethertype": ethertype, "protocol": protocol, "remote_ip_prefix": lambda text: str(prefix(text))}
"""Filters whose values are written in several ways."""


def spelt(query: Query) -> Query:
    """With the values of its filters as rules have them."""
    return replace(query, filters={
        name: tuple(_spelt(_SPELLINGS[name], value) for value in values) if name in _SPELLINGS else values
        for name, values in query.filters.items()})


def _spelt(convert: Callable[[str], Any], value: Any) -> Any:
    """What no rule can have is left alone, and found nowhere."""
    if value is None or value.lower() in ("null", "none"):
        return None
    try:
        return convert(value)
    except BadRequest:
        return value


def _require_ports(name: str | None, number: int | None, low: int | None, high: int | None) -> None:
    for value in (low, high):
        if value is not None and not 0 <= value <= 65535:
            raise SecurityGroupInvalidPortValue(f"Invalid value for port {value}: it is 0 to 65535.")
    if low is None and high is None:
        return
    if number is None:
        raise SecurityGroupProtocolRequiredWithPorts("Must also specify protocol if port range is given.")
    if number in WITH_PORTS:
        if 0 in (low, high):
            raise SecurityGroupInvalidPortValue(f"Invalid value for port 0: {name} has ports from 1 on.")
        if low is None or high is None or low > high:
            raise SecurityGroupInvalidPortRange("For TCP/UDP protocols, port_range_min must be <= port_range_max, and "
                                                "both must be given.")
    elif number in (ICMP, ICMPV6):
        for field, value in (("type", low), ("code", high)):
            if value is not None and value > 255:
                raise SecurityGroupInvalidIcmpValue(f"Invalid value for ICMP {field} {value}: it is 0 to 255.")
        if low is None:
            raise SecurityGroupMissingIcmpType(f"ICMP code (port-range-max) {high} is provided but ICMP type "
                                               f"(port-range-min) is missing.")
    else:
        raise SecurityGroupInvalidProtocolForPort(f"Invalid protocol {name} for port range: only dccp, icmp, "
                                                  f"ipv6-icmp, sctp, tcp, udp and udplite have one.")


def _content(columns: Attributes, number: int | None, remote: IPv4Interface | IPv6Interface | None) -> str:
    """Of rules that match the same, the same: by number, all ports as none, the whole of an IP version as nobody."""
    if number == ICMP and columns["ethertype"] == "IPv6":
        number = ICMPV6     # Neutron takes the name of the one for the other there.
    ports: tuple[Any, Any] = (columns["port_range_min"], columns["port_range_max"])
    if number in WITH_PORTS and ports == (1, 65535):
        ports = (None, None)
    whom = next((columns[name] for name in REMOTE_GROUPS if columns[name] is not None), None)
    if remote is not None and remote.network.prefixlen:
        whom = remote.network
    parts = (columns["direction"], columns["ethertype"], number, *ports, whom)
    return " ".join("-" if part is None else str(part) for part in parts)
