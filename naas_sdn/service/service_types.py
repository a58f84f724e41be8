"""Service types of subnets: which of a network's subnets serve ports of which device owner."""
from __future__ import annotations

from collections.abc import Iterable

from naas_sdn.db.rows import PortRow, SubnetRow
from naas_sdn.errors import InvalidInput, InvalidSubnetServiceType, IpAddressGenerationFailureNoMatchingSubnet

PREFIXES = ("baremetal:", "compute:", "manila:", "network:", "trunk:")
"""How the device owners begin that there are; one of these alone means all that begin so."""
CLOUD = "network:"
"""How those begin of the cloud's own ports, which have an address wherever they are told to."""


def check(wanted: Iterable[str]) -> None:
    """Raises InvalidSubnetServiceType."""
    for name in wanted:
        if not name.startswith(PREFIXES):
            raise InvalidSubnetServiceType(f"Subnet service type {name!r} does not correspond to a valid device owner; "
                                           f"those begin with {', '.join(PREFIXES)}.")


def serving(subnets: Iterable[SubnetRow], port: PortRow) -> list[SubnetRow]:
    """The subnets that name the port's device owner, or else those that name none.

    Raises IpAddressGenerationFailureNoMatchingSubnet when there is neither.
    """
    subnets = list(subnets)
    found = [subnet for subnet in subnets if _names(subnet, port.device_owner)] or [
        subnet for subnet in subnets if not subnet.service_types]
    if not found:
        raise IpAddressGenerationFailureNoMatchingSubnet(
            f"No subnet of network {port.network_id} serves ports of device owner '{port.device_owner}'.")
    return found


def serves(subnet: SubnetRow, port: PortRow) -> bool:
    """It names the port's device owner, or none."""
    return not subnet.service_types or _names(subnet, port.device_owner)


def require_service(chosen: Iterable[SubnetRow], port: PortRow) -> None:
    """Raises InvalidInput for one that does not serve the port's device owner. The cloud's own ports may choose."""
    for subnet in chosen:
        if subnet.service_types and not _names(subnet, port.device_owner) and not port.device_owner.startswith(CLOUD):
            raise InvalidInput(f"Invalid input for operation: Failed to create port on network {port.network_id}, "
                               f"because fixed_ips included invalid subnet {subnet.id}: it serves "
                               f"{', '.join(subnet.service_types)}, and not device owner '{port.device_owner}'.")


def _names(subnet: SubnetRow, device_owner: str) -> bool:
    return any(device_owner == name or (name.endswith(":") and device_owner.startswith(name))
               for name in subnet.service_types)
