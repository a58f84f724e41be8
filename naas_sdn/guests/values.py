"""What a machine is told: its interfaces, their addresses, and how it gets each. Frozen values, both families."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network

Address = IPv4Address | IPv6Address
Range = IPv4Network | IPv6Network

METRIC = 2000
"""Of a machine's second default route, the third has twice that. The first has what the system gives it, which is less,
also where it comes of DHCP or routers (100 in netplan and NetworkManager, 1024 in networkd and the kernel)."""


class By(Enum):
    """How the machine gets an address: it sets it itself, or asks DHCP, or makes it of what routers advertise."""

    STATIC = "static"
    DHCP = "dhcp"
    ADVERTISED = "slaac"
    ADVERTISED_AND_DHCP = "dhcpv6-stateless"
    """The address of what routers advertise, everything else by DHCPv6 (RFC 8415 section 6.1)."""


@dataclass(frozen=True, slots=True)
class Hop:
    """A route. `metric`: None leaves it to the system; `onlink`: the next hop is outside the interface's range."""

    to: Range
    via: Address
    metric: int | None = None
    onlink: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """An address of an interface, and what its subnet says. Of an address that is not static only `by` is told."""

    ip: IPv4Interface | IPv6Interface
    by: By = By.STATIC
    gateway: Address | None = None
    nameservers: tuple[Address, ...] = ()
    routes: tuple[tuple[Range, Address], ...] = ()

    @property
    def default(self) -> Range:
        return IPv4Network("0.0.0.0/0") if self.ip.version == 4 else IPv6Network("::/0")

    @property
    def hops(self) -> tuple[tuple[Range, Address], ...]:
        """The subnet's routes, with that through the gateway unless they have a default route themselves."""
        if self.gateway is None or any(net.prefixlen == 0 for net, _ in self.routes):
            return self.routes
        return *self.routes, (self.default, self.gateway)


@dataclass(frozen=True, slots=True)
class Interface:
    """Of one port. `mac` as the API writes it; `mtu` in bytes."""

    port_id: str
    network_id: str
    mac: str
    mtu: int
    addresses: tuple[Told, ...] = ()

    @property
    def static(self) -> tuple[Told, ...]:
        return tuple(told for told in self.addresses if told.by is By.STATIC)

    def gets(self, version: int, *ways: By) -> bool:
        """Whether it gets an address of this family in one of these ways."""
        return any(told.ip.version == version and told.by in ways for told in self.addresses)

    @property
    def listens(self) -> bool:
        """To router advertisements."""
        return self.gets(6, By.DHCP, By.ADVERTISED, By.ADVERTISED_AND_DHCP)

    @property
    def nameservers(self) -> tuple[Address, ...]:
        """Of the static addresses, each once."""
        return tuple(dict.fromkeys(server for told in self.static for server in told.nameservers))


@dataclass(frozen=True, slots=True)
class Machine:
    """`id` is what the compute service calls it, or its port's id; `hostname` and `domain` may be empty."""

    id: str
    project_id: str
    interfaces: tuple[Interface, ...]
    hostname: str = ""
    domain: str = ""

    def routes(self, interface: Interface, version: int) -> tuple[Hop, ...]:
        """The static routes of an interface, of one family, each once.

        A kernel takes one default route of each metric (METRIC).
        """
        own = {told.ip.network for told in interface.static}
        ranks = dict(self._defaults(version))
        found: dict[tuple[Range, Address], Hop] = {}
        for index, told in enumerate(interface.addresses):
            if told.by is not By.STATIC or told.ip.version != version:
                continue
            for to, via in told.hops:
                rank = ranks.get((interface.port_id, index), 0) if to.prefixlen == 0 else 0
                onlink = not via.is_link_local and not any(via in net for net in own)
                found.setdefault((to, via), Hop(to, via, rank * METRIC or None, onlink))
        return tuple(found.values())

    def _defaults(self, version: int) -> Iterator[tuple[tuple[str, int], int]]:
        """Which of a machine's default routes each is, those that it learns otherwise too; the same hop counts once."""
        seen: list[tuple[str, Address]] = []
        for interface in self.interfaces:
            for index, told in enumerate(interface.addresses):
                if told.ip.version != version:
                    continue
                for to, via in told.hops:
                    if to.prefixlen == 0:
                        if (interface.port_id, via) not in seen:
                            seen.append((interface.port_id, via))
                        yield (interface.port_id, index), seen.index((interface.port_id, via))
