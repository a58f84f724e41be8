"""A cloud of any size, as facts."""
from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from naas_sdn.model.store import Key
from naas_sdn.model.values import Address, Attachment, Fact, Hypervisor, Link, Network, Port, Subnet

PORTS_PER_NETWORK = 50


def cloud(ports: int, hypervisors: int) -> Iterator[tuple[Key, Fact]]:
    """`ports` spread over the hypervisors, each network's over all of them in turn; a subnet on every network."""
    for number in range(1, hypervisors + 1):
        name = f"hv{number}"
        yield Key("hypervisor", name), Hypervisor(name, number, number, IPv4Address("10.200.0.0") + number)
        yield Key("link", (name, "vxlan0")), Link(name, "vxlan0", 1)
    for number in range(ports):
        network, place = divmod(number, PORTS_PER_NETWORK)
        if place == 0:
            yield from a_network(network)
        yield from a_port(number, network, place, number % hypervisors + 1)


def a_network(number: int) -> Iterator[tuple[Key, Fact]]:
    yield Key("network", f"net{number}"), Network(f"net{number}", number + 1, 1450)
    cidr = IPv4Network((int(IPv4Address("10.0.0.0")) + (number << 8), 24))
    yield Key("subnet", f"sub{number}"), Subnet(f"sub{number}", f"net{number}", 1_000_000 + number, cidr, cidr[1],
                                                0xFA163F000000 | number)


def a_port(number: int, network: int, place: int, host: int) -> Iterator[tuple[Key, Fact]]:
    name, tap = f"port{number}", f"tap{number}"
    address = Address(f"sub{network}", IPv4Address("10.0.0.0") + (network << 8) + place + 2)
    yield Key("port", name), Port(name, f"net{network}", 10_000 + number, 0xFA163E000000 | number, (address,))
    yield Key("vif", name), Attachment(name, f"net{network}", f"hv{host}", tap, number % 16_000 + 1, 1)
    yield Key("link", (f"hv{host}", tap)), Link(f"hv{host}", tap, 10 + number)
