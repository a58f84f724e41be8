"""The address that answers for an IPv4 subnet's services: its DHCP server identifier."""
from __future__ import annotations

from naas_sdn.model.ip import Ip
from naas_sdn.model.store import View
from naas_sdn.model.values import ROUTER_INTERFACE, Subnet


def server_address(view: View, subnet: Subnet) -> tuple[Ip, int] | None:
    """The (address, MAC) of the subnet's server; None when it has none, or is not of IPv4.

    It is the gateway, with the MAC of the router interface that holds it or else the subnet's own; where
    there is no gateway, or a machine is the gateway, it is the subnet's service port.
    """
    if subnet.cidr.version != 4:
        return None
    if subnet.gateway is not None:
        ports = [view.port(port_id) for port_id in view.holders_of(subnet.id, subnet.gateway)]
        holders = [port for port in ports if port is not None]
        if all(port.owner == ROUTER_INTERFACE for port in holders):
            return subnet.gateway, holders[0].mac if holders else subnet.gateway_mac
    for port_id in view.service_ports_of(subnet.id):
        port = view.port(port_id)
        if port is not None:
            for address in port.addresses:
                if address.subnet_id == subnet.id:
                    return address.ip, port.mac
    return None
