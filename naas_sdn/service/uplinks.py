"""Which hypervisors are connected to which physical networks: ports of provider networks can be on those only."""
from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from naas_sdn.db.rows import HypervisorRow, HypervisorUplinkRow, PortRow, TunnelKeyRow
from naas_sdn.errors import InterfaceInUse, InvalidInput

Place = tuple[str, str]
"""(host, network id)."""


def reached(session: Session, places: Iterable[Place]) -> set[Place]:
    """Those whose host is a hypervisor that is connected to what the network is on."""
    places = {place for place in places if place[0]}
    if not places:
        return set()
    hosts, networks = {host for host, _ in places}, {network_id for _, network_id in places}
    hypervisors = set(session.scalars(select(HypervisorRow.name).where(HypervisorRow.name.in_(hosts))))
    found = {place for place in places if place[0] in hypervisors}
    connected: dict[str, set[str | None]] = {}
    for network_id, host in session.execute(
            select(TunnelKeyRow.network_id, HypervisorUplinkRow.host)
            .outerjoin(HypervisorUplinkRow, and_(
                HypervisorUplinkRow.physical_network == TunnelKeyRow.physical_network,
                HypervisorUplinkRow.host.in_(hosts)))
            .where(TunnelKeyRow.network_id.in_(networks), TunnelKeyRow.physical_network.is_not(None))):
        connected.setdefault(network_id, set()).add(host)
    return {(host, network_id) for host, network_id in found if host in connected.get(network_id, (host,))}


def require(session: Session, port: PortRow, host: str, interface: str) -> None:
    """That `interface` of `host` can be the port's.

    Raises InvalidInput where the host is not connected to the port's physical network, InterfaceInUse for an uplink.
    """
    rows = session.execute(
        select(TunnelKeyRow.physical_network, HypervisorUplinkRow.physical_network, HypervisorUplinkRow.interface)
        .select_from(TunnelKeyRow).outerjoin(HypervisorUplinkRow, HypervisorUplinkRow.host == host)
        .where(TunnelKeyRow.network_id == port.network_id)).all()
    for _, behind, uplink in rows:
        if uplink == interface:
            raise InterfaceInUse(f"Interface {interface} of hypervisor {host} is its uplink to physical network "
                                 f"{behind}, no machine's.")
    wanted = rows[0][0] if rows else None
    if wanted is not None and wanted not in {behind for _, behind, _ in rows}:
        raise InvalidInput(f"Invalid input for host: hypervisor {host} has no uplink to physical network {wanted}, "
                           f"which network {port.network_id} is on; plug port {port.id} where there is one.")


def connect(session: Session, row: HypervisorRow, uplinks: Mapping[str, str]) -> None:
    """Give the hypervisor these uplinks ({physical network: interface}) and no others."""
    kept = {uplink.physical_network: uplink for uplink in row.uplinks}
    gone = [uplink for name, uplink in kept.items() if uplinks.get(name) != uplink.interface]
    for uplink in gone:
        row.uplinks.remove(uplink)
    # What is gone makes room for what comes.
    session.flush()
    row.uplinks.extend(HypervisorUplinkRow(host=row.name, physical_network=name, interface=interface)
                       for name, interface in uplinks.items() if kept.get(name) in (None, *gone))
    session.flush()


def mappings(uplinks: Collection[HypervisorUplinkRow]) -> dict[str, str]:
    """{physical network: interface}."""
    return {uplink.physical_network: uplink.interface for uplink in uplinks}
