"""Addresses and prefixes of both IP versions, and those that IPv6 makes of a MAC."""
from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Ip = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network

EUI64_LENGTH = 64
"""Bits of a prefix that an interface identifier made of a MAC completes (RFC 4291 section 2.5.1)."""

LINK_LOCAL = IPv6Network("fe80::/64")


def is_host(network: Prefix, ip: Ip) -> bool:
    """An address of the range that a machine can have.

    Not IPv4's network and broadcast addresses (RFC 1122), not IPv6's anycast address of all routers (RFC 4291 section
    2.6.1); ranges of two addresses or one have none of these (RFC 3021, RFC 6164).
    """
    return ip in network and int(ip) in range(*hosts(network))


def hosts(network: Prefix) -> tuple[int, int]:
    """The first address that a machine can have, and one more than the last."""
    low, high = int(network.network_address), int(network.broadcast_address)
    if network.max_prefixlen - network.prefixlen > 1:
        low += 1
        high -= network.version == 4
    return low, high + 1


def prefix_of(ip: Ip) -> Prefix:
    """The range of this one address."""
    return IPv4Network(ip) if isinstance(ip, IPv4Address) else IPv6Network(ip)


def eui64(prefix: IPv6Network, mac: int) -> IPv6Address:
    """The address in a /64 that an interface with this MAC makes itself (RFC 4291 appendix A)."""
    identifier = (mac >> 24 ^ 0x020000) << 40 | 0xFFFE << 24 | mac & 0xFFFFFF
    return IPv6Address(int(prefix.network_address) | identifier)


def link_local(mac: int) -> IPv6Address:
    """The link-local address of an interface with this MAC (RFC 4291 section 2.5.6)."""
    return eui64(LINK_LOCAL, mac)
