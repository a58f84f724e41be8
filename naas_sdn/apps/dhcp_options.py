"""What DHCP tells a machine about its subnet: the options of an answer, in order, as many as fit."""
from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple

from naas_sdn.apps.dhcp_wire import BARE, Message, Option, Type, encoded
from naas_sdn.errors import ConfigurationError
from naas_sdn.model.dhcp import HOST_NAME, NEXT_SERVER, require_domain
from naas_sdn.model.ip import Ip, Prefix
from naas_sdn.model.values import Network, Port, Subnet

_SMALLEST = 576
"""Bytes of an IP datagram that every client takes (RFC 2131 section 2)."""

_IP_AND_UDP = 28

_EVERYWHERE = IPv4Network("0.0.0.0/0")

_ON_REQUEST = frozenset((Option.HOST_NAME, Option.DOMAIN_NAME))
"""Left out of the answer to a client that lists what it wants and not these."""

_BY_WEIGHT = (Option.SUBNET_MASK, Option.CLASSLESS_ROUTES, Option.ROUTERS, Option.MTU, Option.NAME_SERVERS,
              Option.DOMAIN_NAME, Option.HOST_NAME)
"""All that is told; in an answer that must be small the first go before the last."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What every answer says: the lease in seconds, and the domain ("" for none).

    Raises ConfigurationError for a domain that is no host name, or a lease that a client cannot keep.
    """

    lease: int
    domain: str = ""

    def __post_init__(self) -> None:
        if not 60 <= self.lease < 0xFFFFFFFF:
            raise ConfigurationError(f"DHCP lease of {self.lease} s: it must be 60 to 4294967294 s.")
        require_domain(self.domain)


class Service(NamedTuple):
    """A subnet that DHCP serves, its server's address and MAC, the asking port's address there if any."""

    subnet: Subnet
    server: Ip
    mac: int
    reserved: Ip | None


def classless_routes(routes: tuple[tuple[Prefix, Ip], ...]) -> bytes:
    """RFC 3442: of each route its prefix length, the prefix's significant bytes, the next hop."""
    return b"".join(
        bytes((net.prefixlen,)) + net.network_address.packed[:(net.prefixlen + 7) // 8] + hop.packed
        for net, hop in routes
    )


def _routes(subnet: Subnet) -> tuple[tuple[Prefix, Ip], ...]:
    """The host routes and the default route: a client that takes option 121 ignores option 3 (RFC 3442)."""
    if not subnet.host_routes or subnet.gateway is None:
        return subnet.host_routes
    if any(net.prefixlen == 0 for net, _ in subnet.host_routes):
        return subnet.host_routes
    return *subnet.host_routes, (_EVERYWHERE, subnet.gateway)


def _configuration(domain: str, mtu: int, subnet: Subnet, hostname: str) -> dict[int, bytes]:
    """All that there is to say about the subnet and the machine's place in it."""
    known: dict[int, bytes] = {Option.SUBNET_MASK: subnet.cidr.netmask.packed}
    if subnet.gateway is not None:
        known[Option.ROUTERS] = subnet.gateway.packed
    if subnet.nameservers:
        known[Option.NAME_SERVERS] = b"".join([server.packed for server in subnet.nameservers])
    if HOST_NAME.match(hostname):
        known[Option.HOST_NAME] = hostname.encode("ascii")
    if domain:
        known[Option.DOMAIN_NAME] = domain.encode("ascii")
    if 68 <= mtu <= 0xFFFF:
        known[Option.MTU] = mtu.to_bytes(2)
    if routes := _routes(subnet):
        known[Option.CLASSLESS_ROUTES] = classless_routes(routes)
    return known


def _in_order(known: dict[int, bytes], wanted: bytes) -> dict[int, bytes]:
    """The requested ones first as listed (RFC 2132 section 9.8), the mask before routers (section 3.3)."""
    if not wanted:
        return known
    order = [code for code in dict.fromkeys(wanted) if code in known and code != Option.SUBNET_MASK]
    rest = [code for code in known if code not in wanted and code not in _ON_REQUEST]
    return {code: known[code] for code in dict.fromkeys([Option.SUBNET_MASK, *order, *rest])}


def _fitted(options: dict[int, bytes], extra: dict[int, bytes], room: int) -> dict[int, bytes]:
    """Those of `options` that go into `room` bytes, the weightiest first, in the order given."""
    taken = set()
    # Somebody asked for the extra ones, perhaps to boot by.
    for code in dict.fromkeys((Option.SUBNET_MASK, *extra, *_BY_WEIGHT)):
        value = options.get(code)
        if value is not None and (size := len(encoded(code, value))) <= room:
            taken.add(code)
            room -= size
    return {code: value for code, value in options.items() if code in taken}


@lru_cache(4096)
def _told(domain: str, mtu: int, subnet: Subnet, hostname: str, extra: tuple[tuple[int, bytes], ...],  # noqa: PLR0917
          wanted: bytes, *, room: int) -> dict[int, bytes]:
    """The same for many: the machines of a subnet run few kinds of client, and each asks at least twice."""
    own = {code: value for code, value in extra if code != NEXT_SERVER}
    if Option.ROUTERS in own:
        # In the classless routes too, which go before it.
        subnet = replace(subnet, gateway=IPv4Address(own[Option.ROUTERS][:4]))
    known = {**_configuration(domain, mtu, subnet, hostname), **own}
    return _fitted(_in_order(known, wanted), own, room)


def next_server(port: Port) -> int:
    """The header's `siaddr`: 0, unless the port's options say one."""
    return int.from_bytes(dict(port.dhcp_options).get(NEXT_SERVER, b""))


def identity(server: Ip, request: Message) -> dict[int, bytes]:
    """What every answer says, a refusal too: who we are, and the client's own identifier (RFC 6842)."""
    options: dict[int, bytes] = {Option.SERVER_IDENTIFIER: server.packed}
    client = request.options.get(Option.CLIENT_IDENTIFIER)
    if client is not None:
        options[Option.CLIENT_IDENTIFIER] = client
    return options


def answer_options(terms: Terms, network: Network, port: Port, service: Service,
                   request: Message) -> dict[int, bytes]:
    """The options of an OFFER or ACK; an INFORM is answered without times, for it asks for no lease."""
    options = identity(service.server, request)
    if request.type != Type.INFORM:
        options[Option.LEASE_TIME] = terms.lease.to_bytes(4)
        options[Option.RENEWAL_TIME] = (terms.lease // 2).to_bytes(4)
        options[Option.REBINDING_TIME] = (terms.lease * 7 // 8).to_bytes(4)
    datagram = max(_SMALLEST, min(request.number(Option.MAX_SIZE) or 0, network.mtu))
    used = BARE + sum([2 + len(value) for value in options.values()])
    options.update(_told(terms.domain, network.mtu, service.subnet, port.hostname, port.dhcp_options,
                         request.options.get(Option.PARAMETERS, b""), room=datagram - _IP_AND_UDP - used))
    return options
