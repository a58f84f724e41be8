"""What floating addresses mean for what they stand on: ports, routers' interfaces and gateways, external networks."""
from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from naas_sdn.db.floating_ip_rows import FloatingIpRow
from naas_sdn.db.rows import AllocationRow, PortRow, RouterRow, SubnetRow
from naas_sdn.errors import BadRequest, RouterExternalGatewayInUseByFloatingIp, RouterInterfaceInUseByFloatingIP
from naas_sdn.service.rows import touch

_OF_PORT = select(FloatingIpRow).where(FloatingIpRow.port_id == bindparam("port_id"))
_THROUGH = select(FloatingIpRow.floating_ip_address).where(FloatingIpRow.router_id == bindparam("router_id")).limit(1)
_BEHIND = _THROUGH.join(AllocationRow, (AllocationRow.port_id == FloatingIpRow.port_id)
                        & (AllocationRow.ip_address == FloatingIpRow.fixed_ip_address)).where(
    AllocationRow.subnet_id == bindparam("subnet_id"))
_UNUSED = select(FloatingIpRow).where(FloatingIpRow.floating_network_id == bindparam("network_id"),
                                      FloatingIpRow.port_id.is_(None))


def disassociate(session: Session, port_id: str) -> None:
    """The port's floating addresses stand for nothing any more."""
    for row in session.scalars(_OF_PORT, {"port_id": port_id}):
        row.port_id = row.fixed_ip_address = row.router_id = None
        touch(row)


def require_kept(session: Session, port: PortRow, lost: Collection[str]) -> None:
    """Raises BadRequest when a floating address stands for an address that the port is to lose."""
    for row in session.scalars(_OF_PORT, {"port_id": port.id}):
        if row.fixed_ip_address in lost:
            raise BadRequest(f"Bad port request: fixed IP {row.fixed_ip_address} of port {port.id} is bound to "
                             f"floating IP {row.floating_ip_address}; disassociate that first.")


def require_unused_gateway(session: Session, row: RouterRow) -> None:
    """Raises RouterExternalGatewayInUseByFloatingIp."""
    address = session.scalar(_THROUGH, {"router_id": row.id})
    if address is not None:
        raise RouterExternalGatewayInUseByFloatingIp(
            f"Gateway cannot be updated for router {row.id}, since a gateway to its external network is required by "
            f"one or more floating IPs, for example {address}.")


def require_unused_interface(session: Session, row: RouterRow, subnet: SubnetRow) -> None:
    """Raises RouterInterfaceInUseByFloatingIP."""
    address = session.scalar(_BEHIND, {"router_id": row.id, "subnet_id": subnet.id})
    if address is not None:
        raise RouterInterfaceInUseByFloatingIP(
            f"Router interface for subnet {subnet.id} on router {row.id} cannot be deleted, as it is required by one "
            f"or more floating IPs, for example {address}.")


def drop_unused(session: Session, network_id: str) -> None:
    """The network's floating addresses that stand for nothing."""
    ports = []
    for row in session.scalars(_UNUSED, {"network_id": network_id}):
        ports.append(row.floating_port)
        session.delete(row)
    session.flush()
    for port in ports:
        session.delete(port)
    session.flush()
