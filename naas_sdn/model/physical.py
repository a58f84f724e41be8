"""The physical networks that the operator has named: which may be used untagged, which VLANs are there, what fits."""
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from naas_sdn.config import ConfigOpts
from naas_sdn.errors import ConfigurationError

NAME = re.compile(r"[^\s,:\x00-\x1f\x7f]{1,64}")
VLANS = range(1, 4095)
"""Numbers that a network may have (IEEE 802.1Q-2018 table 9-2)."""


@dataclass(frozen=True, slots=True)
class PhysicalNetworks:
    """`flat`: those that may be used untagged. `vlans`: those with VLANs, and which are given out by themselves.

    `mtus` of those that have one of their own; others have `usual`.
    """

    flat: frozenset[str] = frozenset()
    vlans: Mapping[str, tuple[range, ...]] = field(default_factory=dict)
    mtus: Mapping[str, int] = field(default_factory=dict)
    usual: int = 1500

    def mtu(self, name: str | None) -> int:
        """What a network there may have at most; None: one of those with VLANs, whichever it gets."""
        if name is not None:
            return self.mtus.get(name, self.usual)
        return min((self.mtus.get(other, self.usual) for other in self.vlans), default=self.usual)


def physical_networks(conf: ConfigOpts) -> PhysicalNetworks:
    """Raises ConfigurationError, with what would be right."""
    options = conf.network
    vlans: dict[str, tuple[range, ...]] = {}
    for text in options.network_vlan_ranges:
        name, *bounds = text.split(":")
        vlans[_name(name, "network_vlan_ranges")] = (*vlans.get(name, ()), *_range(text, bounds))
    mtus: dict[str, int] = {}
    for text in options.physical_network_mtus:
        name, _, mtu = text.rpartition(":")
        if not mtu.isascii() or not mtu.isdigit() or not 576 <= int(mtu) <= 65535:
            raise ConfigurationError(f"physical_network_mtus: {text!r} is not NAME:MTU, with 576 to 65535.")
        mtus[_name(name, "physical_network_mtus")] = int(mtu)
    flat = frozenset(_name(name, "flat_networks") for name in options.flat_networks)
    return PhysicalNetworks(flat, vlans, mtus, int(options.underlay_mtu))


def uplinks(texts: Iterable[str]) -> dict[str, str]:
    """{physical network: interface} of what operators write as NAME:INTERFACE. Raises ConfigurationError."""
    found: dict[str, str] = {}
    for text in texts:
        name, _, interface = text.partition(":")
        if not NAME.fullmatch(name) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}", interface):
            raise ConfigurationError(f"{text!r} is not NAME:INTERFACE: a physical network, and the interface of this "
                                     f"hypervisor that it is behind, such as public:eth1.")
        if name in found or interface in found.values():
            raise ConfigurationError(f"{text!r}: a physical network or an interface is named twice.")
        found[name] = interface
    return found


def _name(text: str, option: str) -> str:
    if not NAME.fullmatch(text):
        raise ConfigurationError(f"{option}: {text!r} is not the name of a physical network (1 to 64 printable "
                                 f"characters without spaces, commas and colons).")
    return text


def _range(text: str, bounds: list[str]) -> tuple[range, ...]:
    if not bounds:
        return ()
    numbers = [int(bound) for bound in bounds if bound.isascii() and bound.isdigit()]
    if len(numbers) != 2 or len(bounds) != 2 or not VLANS[0] <= numbers[0] <= numbers[1] <= VLANS[-1]:
        raise ConfigurationError(f"network_vlan_ranges: {text!r} is not NAME or NAME:FIRST:LAST, with VLANs of "
                                 f"{VLANS[0]} to {VLANS[-1]}.")
    return (range(numbers[0], numbers[1] + 1),)
