"""What the two IP versions call alike: the fields and numbers by which tables route and answer them."""
from __future__ import annotations

from typing import NamedTuple

from naas_sdn.pipeline.tables import HOP, HOP6


class Family(NamedTuple):
    """`hop` is the register of the next hop, `bits` the length of an address, `echo` the ICMP type of a ping."""

    eth_type: int
    src: str
    dst: str
    hop: str
    bits: int
    icmp: int
    icmp_type: str
    icmp_code: str
    echo: int


FAMILIES = {
    4: Family(0x0800, "ip_src", "ip_dst", HOP, 32, 1, "icmp_type", "icmp_code", 8),
    6: Family(0x86DD, "ipv6_src", "ipv6_dst", HOP6, 128, 58, "icmpv6_type", "icmpv6_code", 128),
}
"""By IP version."""
