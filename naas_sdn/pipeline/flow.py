"""Flows as values: table, priority, match and actions.

Fields carry ovs-fields(7) names and values are plain integers (addresses too); `str(flow)` is what ovs-ofctl(8)
reads and prints. Bytes, and the cookie that names them, are made in southbound/codec only.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network
from typing import ClassVar, NamedTuple

from naas_sdn.pipeline.tables import Reason, Table


def _mac(value: int) -> str:
    return ":".join(f"{value >> shift & 0xFF:02x}" for shift in range(40, -8, -8))


def _ipv4(value: int) -> str:
    return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"


def _ipv6(value: int) -> str:
    return str(IPv6Address(value))


_TEXT: dict[str, Callable[[int], str]] = {
    "in_port": str, "metadata": hex, "tun_id": hex, "tun_src": _ipv4, "tun_dst": _ipv4,
    "eth_src": _mac, "eth_dst": _mac, "eth_type": "0x{:04x}".format, "vlan_vid": "0x{:04x}".format,
    "ip_src": _ipv4, "ip_dst": _ipv4, "ipv6_src": _ipv6, "ipv6_dst": _ipv6,
    "ip_dscp": str, "nw_ttl": str, "nw_proto": str,
    "icmp_type": str, "icmp_code": str, "icmpv6_type": str, "icmpv6_code": str,
    "nd_target": _ipv6, "nd_sll": _mac, "nd_tll": _mac, "nd_reserved": hex, "nd_options_type": str,
    "udp_src": str, "udp_dst": str, "tcp_src": str, "tcp_dst": str, "sctp_src": str, "sctp_dst": str,
    "arp_op": str, "arp_spa": _ipv4, "arp_tpa": _ipv4, "arp_sha": _mac, "arp_tha": _mac,
    **{f"reg{number}": hex for number in range(16)}, "xreg4": hex, "xxreg2": hex, "xxreg3": hex,
    "ct_state": hex, "ct_nw_src": _ipv4, "ct_nw_dst": _ipv4, "ct_ipv6_src": _ipv6, "ct_ipv6_dst": _ipv6,
    "ct_nw_proto": str, "ct_tp_src": str, "ct_tp_dst": str,
}

_RANK = {name: rank for rank, name in enumerate(_TEXT)}

Match = tuple[tuple[str, int, int | None], ...]
"""(field, value, mask or None), in the order of `_TEXT`: prerequisites before what needs them."""


Value = int | tuple[int, int]
"""Of a field: an integer, or (value, mask)."""


def match(registers: Mapping[str, Value] | None = None, /, **fields: Value) -> Match:
    """A match on `fields`, and on `registers` by the names that tables.py gives them."""
    values = {**registers, **fields} if registers else fields
    return tuple([
        (name, value[0], value[1]) if isinstance(value := values[name], tuple) else (name, int(value), None)
        for name in _in_order(*values)
    ])


@lru_cache
def _in_order(*names: str) -> list[str]:
    """There are as many different ones as apps have kinds of flow."""
    return sorted(names, key=_RANK.__getitem__)


def prefix(network: IPv4Network | IPv6Network) -> tuple[int, int]:
    """The (value, mask) that matches the addresses of `network`."""
    return int(network.network_address), int(network.netmask)


def within(field: str, network: IPv4Network | IPv6Network) -> dict[str, Value]:
    """`field` matched by `network`, as Open vSwitch shows it: without the mask of one address, nothing of all."""
    if network.prefixlen == 0:
        return {}
    return {field: int(network.network_address) if network.prefixlen == network.max_prefixlen else prefix(network)}


@dataclass(frozen=True, slots=True)
class SetField:
    """Set `name` to `value`, or the bits in `mask` of it."""

    name: str
    value: int
    mask: int | None = None

    def __str__(self) -> str:
        show = _TEXT[self.name]
        mask = "" if self.mask is None else f"/{show(self.mask)}"
        return f"set_field:{show(self.value)}{mask}->{self.name}"


@dataclass(frozen=True, slots=True)
class Move:
    """Copy the low `bits` bits of field `source` to field `target`."""

    source: str
    target: str
    bits: int

    def __str__(self) -> str:
        return f"move:{self.source}[0..{self.bits - 1}]->{self.target}[0..{self.bits - 1}]"


@dataclass(frozen=True, slots=True)
class Output:
    """Out of one port; dropped by the switch when that is the input port."""

    port: int

    def __str__(self) -> str:
        return f"output:{self.port}"


@dataclass(frozen=True, slots=True)
class InPort:
    """Back out of the input port."""

    def __str__(self) -> str:
        return "in_port"


@dataclass(frozen=True, slots=True)
class Controller:
    """A packet-in of at most `max_len` bytes of the packet."""

    max_len: int = 1600

    def __str__(self) -> str:
        return f"controller:{self.max_len}"


@dataclass(frozen=True, slots=True)
class Resubmit:
    """Look the packet up in `table` too, then go on with the next action."""

    table: Table

    def __str__(self) -> str:
        return f"resubmit(,{int(self.table)})"


@dataclass(frozen=True, slots=True)
class DecTtl:
    """One less; the packet ends when none is left."""

    def __str__(self) -> str:
        return "dec_ttl"


@dataclass(frozen=True, slots=True)
class PushVlan:
    """Put on an empty IEEE 802.1Q tag, whose number the next action sets."""

    ETHER_TYPE: ClassVar[int] = 0x8100

    def __str__(self) -> str:
        return f"push_vlan:0x{self.ETHER_TYPE:04x}"


@dataclass(frozen=True, slots=True)
class PopVlan:
    """Take off the outer tag, which the flow has to match."""

    def __str__(self) -> str:
        return "pop_vlan"


@dataclass(frozen=True, slots=True)
class CheckLarger:
    """Set bit `bit` of `register` when the whole frame has more than `octets`, else clear it.

    Open vSwitch translates what follows twice, and counts a packet on the flows of both ways: what must be counted
    right has to recirculate.
    """

    octets: int
    register: str
    bit: int

    def __str__(self) -> str:
        return f"check_pkt_larger({self.octets})->{self.register}[{self.bit}]"


@dataclass(frozen=True, slots=True)
class Recirculate:
    """End the datapath's flow here, so that a meter before acts before what only the slow path can do.

    Open vSwitch looks a packet up anew when a label was taken off and the next action needs to know what is below. The
    label that is put on first never gets into the packet, whose Ethernet type `eth_type` is and stays.
    """

    eth_type: int
    MPLS: ClassVar[int] = 0x8847

    def __str__(self) -> str:
        return f"push_mpls:0x{self.MPLS:04x},pop_mpls:0x{self.eth_type:04x}"


@dataclass(frozen=True, slots=True)
class Fork:
    """Run `actions` on a real copy, so that a meter's drop ends the copy and not the packet.

    Open vSwitch makes a real copy only for a clone that holds an action it cannot undo; the last action, a
    truncating output to no port, is there for that and sends nothing.
    """

    actions: tuple[SetField | Resubmit, ...]
    NOWHERE: ClassVar[int] = 0xFEFF

    def __str__(self) -> str:
        inner = ",".join(map(str, self.actions))
        return f"clone({inner},output(port={self.NOWHERE},max_len=64))"


@dataclass(frozen=True, slots=True)
class Track:
    """Look a copy of the packet's connection up in a zone of conntrack, and go on with the copy at `table`.

    The zone is the low 16 bits of register `zone`. The packet itself goes on with the next action, untracked.
    """

    zone: str
    table: Table

    def __str__(self) -> str:
        return f"ct(table={int(self.table)},zone={self.zone}[0..15])"


@dataclass(frozen=True, slots=True)
class Commit:
    """Keep the packet's connection in the zone that is the low 16 bits of register `zone`."""

    zone: str

    def __str__(self) -> str:
        return f"ct(commit,zone={self.zone}[0..15])"


@dataclass(frozen=True, slots=True)
class Translate:
    """Keep the connection in conntrack's zone `zone`, with address `source` for its own, and go on at `table`.

    What follows of it is translated alike. `source` is IPv4, with a port from `PORTS`.
    """

    zone: int
    table: Table
    source: int
    PORTS: ClassVar[tuple[int, int]] = (1024, 65535)

    def __str__(self) -> str:
        low, high = self.PORTS
        return (f"ct(commit,table={int(self.table)},zone={self.zone},"
                f"nat(src={_ipv4(self.source)}:{low}-{high}))")


@dataclass(frozen=True, slots=True)
class Untranslate:
    """Look the packet's connection up in `zone`, undo its translation, and go on at `table`."""

    zone: int
    table: Table

    def __str__(self) -> str:
        return f"ct(table={int(self.table)},zone={self.zone},nat)"


Action = (SetField | Move | Output | InPort | Controller | Resubmit | DecTtl | PushVlan | PopVlan | CheckLarger
          | Recirculate | Fork | Track | Commit | Translate | Untranslate)


class Flow(NamedTuple):
    """One entry of one table. OpenFlow 1.3.5 section 5.1; `meter` and `goto` are instructions."""

    table: Table
    priority: int
    match: Match
    actions: tuple[Action, ...] = ()
    goto: Table | None = None
    meter: int | None = None

    @property
    def place(self) -> tuple[int, int, Match]:
        """What no two flows of a switch may share."""
        return int(self.table), self.priority, self.match

    def __str__(self) -> str:
        return (f"table={int(self.table)},priority={self.priority}{self._match_text()} "
                f"actions={','.join(self._action_texts()) or 'drop'}")

    def _match_text(self) -> str:
        return "".join(
            f",{name}={_TEXT[name](value)}" + ("" if mask is None else f"/{_TEXT[name](mask)}")
            for name, value, mask in self.match
        )

    def _action_texts(self) -> Iterator[str]:
        if self.meter is not None:
            yield f"meter:{self.meter}"
        yield from map(str, self.actions)
        if self.goto is not None:
            yield f"goto_table:{int(self.goto)}"


def drop(table: Table, priority: int, where: Match, reason: Reason) -> Flow:
    """A flow that drops what matches `where` and says why in register REASON."""
    return Flow(table, priority, where, (SetField("reg6", reason),))
