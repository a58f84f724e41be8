"""Named sets of facts: small clouds that golden, trace, property and engine tests compile."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from naas_sdn.apps.accounting import Accounting
from naas_sdn.apps.answers import Answers
from naas_sdn.apps.contract import App
from naas_sdn.apps.dhcp_options import Terms
from naas_sdn.apps.dhcp_responder import DhcpResponder
from naas_sdn.apps.l2switch import L2Switch
from naas_sdn.apps.l3router import L3Router
from naas_sdn.apps.nat import Nat
from naas_sdn.apps.qos import Qos
from naas_sdn.apps.router_advertisements import Advised, RouterAdvertisements
from naas_sdn.apps.security import Security
from naas_sdn.apps.security_groups import SecurityGroups
from naas_sdn.model.store import Key, sighting_id, uplink_id
from naas_sdn.model.values import (
    FLOATING_IP,
    ROUTER_GATEWAY,
    ROUTER_INTERFACE,
    Address,
    AddressGroup,
    AddressPair,
    Attachment,
    ExternalGateway,
    Fact,
    FloatingIp,
    Hypervisor,
    Leg,
    Link,
    Network,
    Port,
    QosPolicy,
    RateLimit,
    Route,
    Router,
    SecurityGroup,
    SecurityRule,
    Sighting,
    Subnet,
    Uplink,
)

Facts = Iterator[tuple[Key, Fact]]
TUNNEL_PORT = 1
UPLINK_PORT = 2


def apps() -> list[App]:
    """All that ship, as bootstrap would make them."""
    return [L2Switch("vxlan0", 1450, 100), L3Router(), Nat(), Answers(250),
            DhcpResponder(Terms(86400, "cloud.internal")), Security(), SecurityGroups(), Qos(5000), Accounting(),
            RouterAdvertisements(Advised("cloud.internal"))]


def hypervisor(number: int) -> Facts:
    name = f"hv{number}"
    yield Key("hypervisor", name), Hypervisor(name, number, number, IPv4Address(f"10.200.0.{number}"))
    yield Key("link", (name, "vxlan0")), Link(name, "vxlan0", TUNNEL_PORT)


def network(number: int, *, isolated: bool = False) -> Facts:
    yield Key("network", f"net{number}"), Network(f"net{number}", 100 + number, 1450, isolated=isolated)


def provider(number: int, vlan: int | None = None, *, isolated: bool = False) -> Facts:
    """A network on the physical network "public"."""
    yield Key("network", f"net{number}"), Network(f"net{number}", 100 + number, 1500, isolated=isolated,
                                                  physical_network="public", vlan=vlan)


def uplink(host: int) -> Facts:
    """To the physical network "public"."""
    name = f"hv{host}"
    yield Key("uplink", uplink_id(name, "public")), Uplink(name, "public", "eth1")
    yield Key("link", (name, "eth1")), Link(name, "eth1", UPLINK_PORT)


def subnet(number: int, on: int | None = None, *, dhcp: bool = True, gateway: bool = True) -> Facts:
    """10.N.0.0/24 with gateway 10.N.0.1, on network N unless `on` names another."""
    yield Key("subnet", f"sub{number}"), Subnet(
        f"sub{number}", f"net{number if on is None else on}", 40 + number, IPv4Network(f"10.{number}.0.0/24"),
        IPv4Address(f"10.{number}.0.1") if gateway else None, 0xFA163F000000 | 40 + number, dhcp)


def subnet6(number: int, on: int, mode: str = "slaac") -> Facts:
    """2001:db8:ON::/64 with gateway ::1."""
    yield Key("subnet", f"sub{number}"), Subnet(
        f"sub{number}", f"net{on}", 40 + number, IPv6Network(f"2001:db8:{on}::/64"), ip6(on, 1),
        0xFA163F000000 | 40 + number, ra_mode=mode, address_mode=mode)


def ip6(net: int, number: int) -> IPv6Address:
    """In decimal digits, as the number is written."""
    return IPv6Address(f"2001:db8:{net}::{number}")


def mac(number: int) -> int:
    return 0x020000000000 | number


def ip(subnet_number: int, number: int) -> IPv4Address:
    return IPv4Address(f"10.{subnet_number}.0.{number}")


def vm(number: int, net: int, host: int, subnets: tuple[int, ...] | None = None, *, security: bool = True,
       qos: str | None = None) -> Facts:
    """Port N: key 1000+N, address 10.S.0.N on each subnet S, plugged as tapN = OpenFlow port 10+N."""
    name = f"port{number}"
    addresses = tuple(Address(f"sub{s}", ip(s, number)) for s in ((net,) if subnets is None else subnets))
    yield Key("port", name), Port(name, f"net{net}", 1000 + number, mac(number), addresses,
                                  port_security=security, qos_policy_id=qos)
    yield Key("vif", name), Attachment(name, f"net{net}", f"hv{host}", f"tap{number}", number, 1)
    yield Key("link", (f"hv{host}", f"tap{number}")), Link(f"hv{host}", f"tap{number}", 10 + number)


def route(number: int, first: int, second: int) -> Facts:
    yield Key("route", f"route{number}"), Route(f"route{number}", (f"sub{first}", f"sub{second}"))


def router(number: int, *subnets: int) -> Facts:
    """A router with the gateway address of each subnet (which is on the network of the same number)."""
    legs = []
    for s in subnets:
        port_id = f"leg{number}-{s}"
        yield Key("port", port_id), Port(port_id, f"net{s}", 2000 + 10 * number + s, mac(0xF000 + 16 * number + s),
                                         (Address(f"sub{s}", ip(s, 1)),), owner=ROUTER_INTERFACE,
                                         device_id=f"router{number}")
        legs.append(Leg(port_id, f"sub{s}"))
    yield Key("router", f"router{number}"), Router(f"router{number}", 3000 + number, tuple(legs))


def one_network() -> Facts:
    """Three machines of one network on two hypervisors."""
    yield from hypervisor(1)
    yield from hypervisor(2)
    yield from network(1)
    yield from subnet(1)
    yield from vm(11, 1, 1)
    yield from vm(12, 1, 1)
    yield from vm(13, 1, 2)


def two_tenants() -> Facts:
    """The same addresses in two networks."""
    yield from one_network()
    yield from network(2)
    yield Key("subnet", "sub2"), Subnet("sub2", "net2", 42, IPv4Network("10.1.0.0/24"), ip(1, 1), 0xFA163F00002A)
    for number, host in ((21, 1), (22, 2)):
        for key, fact in vm(number, 2, host):
            same = Address("sub2", ip(1, number - 10))
            yield key, (Port(fact.id, "net2", fact.key, fact.mac, (same,)) if isinstance(fact, Port) else fact)


def routed() -> Facts:
    """a-b and b-c by NaaS routes, c-d by a router; one machine on each, spread over two hypervisors."""
    yield from hypervisor(1)
    yield from hypervisor(2)
    for number in (1, 2, 3, 4):
        yield from network(number)
        yield from subnet(number)
        yield from vm(10 * number + 1, number, 1 + number % 2)
    yield from route(1, 1, 2)
    yield from route(2, 2, 3)
    yield from router(1, 3, 4)


def isolated() -> Facts:
    """A shared network whose ports do not reach each other."""
    yield from hypervisor(1)
    yield from hypervisor(2)
    yield from network(1, isolated=True)
    yield from subnet(1)
    yield from vm(11, 1, 1)
    yield from vm(12, 1, 1)
    yield from vm(13, 1, 2)


def limited() -> Facts:
    """A machine with a bit-rate limit in both directions, one without, one with port security off."""
    yield from hypervisor(1)
    yield Key("qos_policy", "gold"), QosPolicy("gold", RateLimit(10_000, 3_000), RateLimit(20_000, 6_000))
    yield from network(1)
    yield from subnet(1)
    yield from vm(11, 1, 1, qos="gold")
    yield from vm(12, 1, 1)
    yield from vm(13, 1, 1, security=False)


def marked() -> Facts:
    """A machine with limits of bits and packets and a DSCP mark, one with a mark, one with a limit of packets."""
    yield from hypervisor(1)
    bits, packets = RateLimit(10_000, 3_000), RateLimit(2_000, 600)
    for policy in (QosPolicy("both", bits, bits, packets, packets, 46), QosPolicy("mark", dscp=10),
                   QosPolicy("packets", egress_packets=packets, ingress_packets=packets)):
        yield Key("qos_policy", policy.id), policy
    yield from network(1)
    yield from subnet(1)
    yield from vm(11, 1, 1, qos="both")
    yield from vm(12, 1, 1, qos="mark")
    yield from vm(13, 1, 1, qos="packets", security=False)


def dual(number: int, net: int, host: int, pairs: tuple[AddressPair, ...] = ()) -> Facts:
    """A machine with an address of each IP version: on subnet N, and on that of IPv6 numbered 60 higher."""
    for key, fact in vm(number, net, host):
        addresses = (Address(f"sub{net}", ip(net, number)), Address(f"sub{60 + net}", ip6(net, number)))
        yield key, replace(fact, addresses=addresses, pairs=pairs) if isinstance(fact, Port) else fact


def router6(number: int, *nets: int) -> Facts:
    """A router with the gateway addresses of each network's subnets: an interface for IPv4, one for all of IPv6."""
    legs: list[Leg] = []
    for key, fact in router(number, *nets):
        if isinstance(fact, Port):
            yield key, fact
        elif isinstance(fact, Router):
            legs += fact.legs
    for net in nets:
        subnets = [60 + net, *([90 + net] if net == 1 else [])]
        port_id = f"six{number}-{net}"
        yield Key("port", port_id), Port(
            port_id, f"net{net}", 2500 + 10 * number + net, mac(0xE000 + 16 * number + net),
            tuple(Address(f"sub{s}", ip6(s if s > 90 else net, 1)) for s in subnets), owner=ROUTER_INTERFACE,
            device_id=f"router{number}")
        legs += [Leg(port_id, f"sub{s}") for s in subnets]
    routes = ((IPv6Network("2001:db8:50::/48"), ip6(2, 21)), (IPv6Network("::/0"), ip6(1, 12)))
    yield Key("router", f"router{number}"), Router(f"router{number}", 3000 + number, tuple(legs), routes=routes)


def dual_stack() -> Facts:
    """Networks with subnets of both IP versions, and a machine that may also send as others.

    The first two are behind a router, with an interface on two subnets of IPv6, and the third has a NaaS route to the
    second.
    """
    for number in (1, 2, 3):
        yield from network(number)
        yield from subnet(number)
        yield from subnet6(60 + number, number, "slaac" if number < 3 else "dhcpv6-stateful")
    for number in (1, 2):
        yield from hypervisor(number)
    for key, fact in subnet6(91, 91):
        yield key, replace(fact, network_id="net1") if isinstance(fact, Subnet) else fact
    yield from router6(1, 1, 2)
    yield from route(1, 62, 63)
    yield from dual(31, 3, 1)
    yield from dual(11, 1, 1)
    yield from dual(12, 1, 1, (AddressPair(mac(12), IPv6Network("2001:db8:1:0:1::/80")),
                               AddressPair(0x00005E000207, IPv6Network("2001:db8:1::207/128"))))
    yield from dual(13, 1, 2)
    yield from dual(21, 2, 2)


def layer2() -> Facts:
    """No subnets: machines bring their own addresses."""
    for number in (1, 2):
        yield from hypervisor(number)
    yield from network(1)
    yield from vm(11, 1, 1, ())
    yield from vm(12, 1, 1, ())
    yield from vm(13, 1, 2, ())


def paired() -> Facts:
    """A machine that may send as others besides: an address, a range, a virtual router's MAC; and without subnets."""
    yield from hypervisor(1)
    yield from network(1)
    yield from subnet(1)
    for key, fact in vm(11, 1, 1):
        pairs = (AddressPair(mac(11), IPv4Network("10.1.0.200/32")), AddressPair(mac(11), IPv4Network("10.9.0.0/16")),
                 AddressPair(0x00005E000107, IPv4Network("10.1.0.201/32")),
                 AddressPair(mac(99), IPv4Network("0.0.0.0/0")), AddressPair(mac(11), IPv4Network("10.1.0.11/32")))
        yield key, replace(fact, pairs=pairs) if isinstance(fact, Port) else fact
    yield from vm(12, 1, 1)
    yield from network(2)
    for key, fact in vm(21, 2, 1, ()):
        pair = AddressPair(0x00005E000108, IPv4Network("10.2.0.200/32"))
        yield key, replace(fact, pairs=(pair,)) if isinstance(fact, Port) else fact
    yield from vm(22, 2, 1, ())


def behind() -> Facts:
    """A router's own routes to what is behind machines, on both of its subnets."""
    yield from hypervisor(1)
    yield from hypervisor(2)
    for number in (1, 2):
        yield from network(number)
        yield from subnet(number)
    yield from vm(11, 1, 1)
    yield from vm(12, 1, 1, security=False)
    yield from vm(21, 2, 2, security=False)
    routes = (("10.50.0.0/16", ip(2, 21)), ("10.50.7.0/24", ip(1, 12)), ("0.0.0.0/0", ip(2, 21)),
              # A connected subnet goes before the same prefix by a machine.
              ("10.1.0.0/24", ip(2, 21)), ("10.60.0.1/32", ip(2, 99)))
    for key, fact in router(1, 1, 2):
        yield key, replace(fact, routes=tuple((IPv4Network(prefix), hop) for prefix, hop in routes)) if isinstance(
            fact, Router) else fact


def public() -> Facts:
    """An isolated untagged network and two VLANs, one of them isolated too; the third hypervisor has no uplink."""
    for number in (1, 2, 3):
        yield from hypervisor(number)
    for number in (1, 2):
        yield from uplink(number)
    yield from provider(1, isolated=True)
    yield from provider(2, 100)
    yield from provider(3, 101, isolated=True)
    for number in (1, 2):
        yield from subnet(number)
    yield from vm(11, 1, 1)
    yield from vm(12, 1, 1)
    yield from vm(13, 1, 2)
    yield from vm(21, 2, 1)
    yield from vm(22, 2, 1)
    yield from vm(23, 2, 2)
    yield from vm(24, 2, 3)
    yield from vm(31, 3, 2, (), security=False)
    yield from vm(32, 3, 2, ())


def gateway(number: int, *, snat: bool) -> Facts:
    """Router N with its one subnet, number N - 11, and its gateway on network 9: 10.9.0.(200 + N)."""
    port_id = f"gw{number}"
    yield Key("port", port_id), Port(port_id, "net9", 2900 + number, mac(0xD000 + number), (
        Address("sub9", ip(9, 200 + number)),), owner=ROUTER_GATEWAY, device_id=f"router{number}", port_security=False)
    for key, fact in router(number, number - 11):
        yield key, replace(fact, gateway=ExternalGateway(port_id, "net9", number, snat)) if isinstance(
            fact, Router) else fact


def floating(number: int, router_number: int, subnet_number: int) -> Facts:
    """10.9.0.N for port N."""
    yield Key("port", f"fp{number}"), Port(f"fp{number}", "net9", 2700 + number, mac(0xC000 + number), (
        Address("sub9", ip(9, number)),), owner=FLOATING_IP, device_id=f"fip{number}", port_security=False)
    yield Key("floating_ip", f"fip{number}"), FloatingIp(
        f"fip{number}", "net9", f"router{router_number}", ip(9, number), mac(0xC000 + number), f"port{number}",
        ip(subnet_number, number))


def gatewayed() -> Facts:
    """Routers onto VLAN 109: the first translates, the second does not; the third hypervisor has no uplink.

    Floating addresses: of a machine at an uplink, of another there behind the second router, of one without uplink.
    """
    for number in (1, 2, 3):
        yield from hypervisor(number)
    for number in (1, 2):
        yield from uplink(number)
        yield from network(number)
        yield from subnet(number)
    yield from provider(9, 109)
    yield from subnet(9)
    yield Key("sighting", sighting_id("net9", ip(9, 1))), Sighting("net9", ip(9, 1), 0xAAAA)
    for number, snat in ((12, True), (13, False)):
        yield from gateway(number, snat=snat)
    for number, net, host in ((11, 1, 1), (12, 1, 2), (13, 1, 3), (14, 1, 3), (15, 1, 1), (16, 1, 2), (21, 2, 1),
                              (22, 2, 2), (23, 2, 3), (91, 9, 1)):
        yield from vm(number, net, host)
    yield from floating(11, 12, 1)
    yield from floating(13, 12, 1)
    yield from floating(22, 13, 2)


def group(name: str, key: int, *rules: SecurityRule, stateful: bool = True) -> Facts:
    """Its Nth rule is "NAME-N"."""
    yield Key("security_group", name), SecurityGroup(name, key, stateful)
    for number, fact in enumerate(rules):
        yield Key("security_rule", f"{name}-{number}"), replace(fact, group_id=name)


def within(facts: Facts, *groups: str) -> Facts:
    """The same machine, in these security groups."""
    for key, fact in facts:
        yield key, replace(fact, groups=groups) if isinstance(fact, Port) else fact


rule = partial(SecurityRule, "")
"""Of whatever group it is given to."""

OUT = rule(False, 4)


def filtered() -> Facts:
    """Machines in security groups: in one, in two, in none, in one without state; and one that nothing filters."""
    for number in (1, 2):
        yield from hypervisor(number)
    yield from network(1)
    yield from subnet(1)
    yield Key("address_group", "office"), AddressGroup("office", 4009, tuple(
        map(ip_network, ("10.1.0.12/31", "10.8.0.0/16", "2001:db8::/32"))))
    yield from group("web", 4001, OUT, rule(True, 4, 6, 80, 82),
                     rule(True, 4, 1, 8, 0, ip_network("10.1.0.0/28")),
                     rule(True, 4, 17, 53, 53, remote="peers"), rule(True, 6, 58),
                     rule(True, 6, 6, 80, 82, ip_network("2001:db8:7::/48")))
    yield from group("peers", 4002, OUT, rule(True, 4, remote="peers"), rule(True, 6, remote="peers"))
    yield from group("bare", 4003, OUT, rule(True, 4, 17, 53, 53, remote="office"),
                     rule(True, 4, 6, 22, 22), rule(True, 4, 1, 8, 0),
                     rule(True, 6, 58, 128, 0), stateful=False)
    yield from within(vm(11, 1, 1), "web")
    yield from within(vm(12, 1, 1), "peers")
    yield from within(vm(13, 1, 2), "peers")
    yield from within(vm(14, 1, 1), "peers", "web")
    yield from within(vm(15, 1, 1))
    yield from within(vm(16, 1, 1), "bare")
    yield from within(vm(17, 1, 1), "bare", "peers")
    yield from vm(18, 1, 1, security=False)


def on_vlan(facts: Facts, interface: str, vlan: int) -> Facts:
    """The same machine's port, on a VLAN of an interface instead of one of its own."""
    for key, fact in facts:
        if isinstance(fact, Attachment):
            yield key, replace(fact, interface=interface, vlan=vlan)
        elif not isinstance(fact, Link):
            yield key, fact


def trunked() -> Facts:
    """tap11 carries VLANs 20 and 30 of networks 2 and 3; the first two networks are behind a router."""
    for number in (1, 2):
        yield from hypervisor(number)
    for number in (1, 2, 3):
        yield from network(number)
        yield from subnet(number)
    yield from router(1, 1, 2)
    yield from vm(11, 1, 1)
    yield from vm(12, 1, 1)
    yield from on_vlan(vm(21, 2, 1), "tap11", 20)
    yield from vm(22, 2, 1)
    yield from vm(23, 2, 2)
    yield from on_vlan(vm(31, 3, 1), "tap11", 30)


ALL = {topology.__name__: topology for topology in (
    one_network, two_tenants, routed, isolated, limited, marked, layer2, paired, behind, public, dual_stack, filtered,
    gatewayed, trunked)}
