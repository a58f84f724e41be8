"""What leaves the cloud by routers' gateways, for the apps in whose tables that is.

One hypervisor, the exit, has a router's gateway: it answers ARP for it, and takes what comes in. Others send it what
they cannot send by themselves through the tunnel of the network that it came from, as it came, still addressed to the
router's interface there; so the tunnel ID and that MAC name the router.
"""
from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from ipaddress import IPv4Address, IPv4Network

from naas_sdn.model.ip import Ip, Prefix
from naas_sdn.model.store import View
from naas_sdn.model.values import ExternalGateway, Network, Port, Router, Subnet
from naas_sdn.pipeline.flow import Flow, Move, Resubmit, SetField, match, within
from naas_sdn.pipeline.tables import FLAGS, HOP, NET, RT, Flag, Table

IPV4 = 0x0800
EVERYWHERE = IPv4Network("0.0.0.0/0")


def external_network(view: View, router: Router) -> Network | None:
    """The physical one that the router leaves by, if it does."""
    network = view.network(router.gateway.network_id) if router.gateway is not None and router.admin_up else None
    return network if network is not None and network.is_provider and network.admin_up else None


def address_of(port: Port) -> IPv4Address | None:
    """Its first of IPv4."""
    return next((address.ip for address in port.addresses if isinstance(address.ip, IPv4Address)), None)


def subnets_of(view: View, network_id: str) -> list[Subnet]:
    """Those of IPv4."""
    found = map(view.subnet, view.subnets_of(network_id))
    return [subnet for subnet in found if subnet is not None and subnet.cidr.version == 4]


def has_uplink(view: View, host: str, network: Network) -> bool:
    """By the register: what a switch tells of itself comes later than others' flows after a restart."""
    return network.physical_network is not None and view.uplink(host, network.physical_network) is not None


def exit_of(view: View, router_id: str) -> str | None:
    """The hypervisor that is to have the router's gateway: any of those with the uplink, but always the same.

    One more or one less of them moves its own share of routers only (rendezvous hashing).
    """
    router = view.router(router_id)
    network = external_network(view, router) if router is not None else None
    if network is None or network.physical_network is None:
        return None
    hosts = [host for host in view.hosts_at(network.physical_network) if not view.is_absent(host)]
    return max(hosts, key=lambda host: blake2b(f"{router_id} {host}".encode(), digest_size=8).digest(), default=None)


def landing_of(view: View, identifier: str) -> str | None:
    """The hypervisor that is to translate the floating address: the machine's own, or the router's exit."""
    floating = view.floating_ip(identifier)
    attachment = view.attachment(floating.port_id) if floating is not None else None
    router = view.router(floating.router_id) if floating is not None else None
    network = external_network(view, router) if router is not None else None
    if floating is None or attachment is None or network is None or network.id != floating.network_id:
        return None
    if has_uplink(view, attachment.host, network):
        return attachment.host
    found = view.exit(floating.router_id)
    return found.host if found is not None else None


def outlets_of(view: View, router_id: str) -> frozenset[tuple[str, str]]:
    """(hypervisor, external network) of those that send by their own uplinks."""
    router = view.router(router_id)
    network = external_network(view, router) if router is not None else None
    if network is None:
        return frozenset()
    return frozenset((host, network.id) for host in view.members_of(router_id) if has_uplink(view, host, network))


def transit(view: View, router_id: str) -> Iterator[Flow]:
    """On the exit, for table L2: what others send on, and what is here of the external network sends to the router."""
    router = view.router(router_id)
    network = external_network(view, router) if router is not None else None
    if router is None or router.gateway is None or network is None:
        return
    legs = set()
    for leg in router.legs:
        port, subnet = view.port(leg.port_id), view.subnet(leg.subnet_id)
        inner = view.network(subnet.network_id) if subnet is not None else None
        if port is not None and inner is not None and inner.admin_up:
            legs.add((inner.key, port.mac))
    for key, mac in sorted(legs):
        yield Flow(Table.L2, 210, match({NET: key, FLAGS: (Flag.TUNNEL, Flag.TUNNEL)}, eth_dst=mac),
                   (SetField(FLAGS, 0, Flag.TUNNEL), SetField(FLAGS, Flag.TRANSIT, Flag.TRANSIT),
                    Resubmit(Table.ROUTER_IN)))
    port = view.port(router.gateway.port_id)
    if port is not None:
        yield _inward(network, port.mac)


def landing(view: View, identifier: str) -> Iterator[Flow]:
    """On the hypervisor that translates the address, for table L2: what is here sends to it."""
    floating = view.floating_ip(identifier)
    network = view.network(floating.network_id) if floating is not None else None
    if floating is not None and network is not None and network.admin_up:
        yield _inward(network, floating.mac)


def _inward(network: Network, mac: int) -> Flow:
    return Flow(Table.L2, 210, match({NET: network.key, FLAGS: (0, Flag.UPLINK)}, eth_dst=mac),
                (Resubmit(Table.UNNAT),))


def routes(view: View, router: Router) -> Iterator[Flow]:
    """For table ROUTE, on all hypervisors of the router: to the external subnets, and by the gateway there all else.

    The router's own routes to the same go before.
    """
    network = external_network(view, router)
    if network is None or router.gateway is None:
        return
    subnets = subnets_of(view, network.id)
    ways: dict[Prefix, Ip | None] = {}
    for subnet in subnets:
        ways[subnet.cidr] = None
        ways.update((destination, hop) for destination, hop in router.routes if hop in subnet.cidr)
    own = {destination for destination, _ in router.routes}
    first = _first_gateway(view, router.gateway, subnets)
    if first is not None and EVERYWHERE not in own:
        ways[EVERYWHERE] = first
    for cidr, hop in ways.items():
        yield Flow(Table.ROUTE, 100 + cidr.prefixlen, match({RT: router.key, **within("ip_dst", cidr)}, eth_type=IPV4),
                   (Move("ip_dst", HOP, 32) if hop is None else SetField(HOP, int(hop)),), Table.NAT)


def _first_gateway(view: View, gateway: ExternalGateway, subnets: list[Subnet]) -> Ip | None:
    """Of the subnets that the router has addresses of."""
    port = view.port(gateway.port_id)
    held = {address.subnet_id for address in port.addresses} if port is not None else set()
    return next((subnet.gateway for subnet in subnets if subnet.id in held and subnet.gateway is not None), None)


def next_hops(view: View, network_id: str) -> Iterator[Flow]:
    """For table NEXT_HOP: what no port has is for the gateway of its subnet, who knows the others there."""
    network = view.network(network_id)
    if network is None or not network.is_provider or not network.admin_up:
        return
    for subnet in subnets_of(view, network_id):
        sighting = view.sighting(network_id, subnet.gateway) if subnet.gateway is not None else None
        if sighting is None:
            continue
        to_it = (SetField("eth_dst", sighting.mac),)
        yield Flow(Table.NEXT_HOP, 60, match({NET: network.key, **within(HOP, IPv4Network(subnet.cidr))}), to_it,
                   Table.L2)
        if sighting.ip not in subnet.cidr:
            yield Flow(Table.NEXT_HOP, 70, match({NET: network.key, HOP: int(sighting.ip)}), to_it, Table.L2)

