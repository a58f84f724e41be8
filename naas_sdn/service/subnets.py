"""Subnets: what they are made and changed with; their address plans are in address_plans.py."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, selectinload

from naas_sdn.db import status
from naas_sdn.db.rows import AllocationRow, NetworkRow, PortRow, RouterInterfaceRow, SubnetPoolRow, SubnetRow, new_id
from naas_sdn.errors import GatewayIpInUse, InvalidInput, SubnetInUse, SubnetNotFound
from naas_sdn.model.ip import Prefix
from naas_sdn.model.values import DHCP_SERVICE
from naas_sdn.plugins.contract import Change, Plugins
from naas_sdn.service import addresses, service_types, subnet_pools
from naas_sdn.service.access import require_change, require_new, require_owner
from naas_sdn.service.address_plans import (
    UNSET,
    check_dhcp,
    cidr_of,
    gateway_of,
    host_routes_of,
    is_automatic,
    modes_of,
    nameservers_of,
    plain_range,
    pools_of,
)
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.limits import Limits
from naas_sdn.service.networks import SEEN as NETWORK_SEEN
from naas_sdn.service.networks import SHARED as NETWORK_SHARED
from naas_sdn.service.networks import visible_network
from naas_sdn.service.rows import READER, Sight, change, find_rows, new_key, standard, touch, visible

CHANGEABLE = ("name", "description", "enable_dhcp", "dns_nameservers", "host_routes", "allocation_pools", "gateway_ip",
              "service_types")


SEEN = Sight(or_(SubnetRow.project_id == READER, SubnetRow.network.has(NETWORK_SEEN.row)),
             (select(SubnetRow.id).where(SubnetRow.project_id == READER),
              select(SubnetRow.id).where(NETWORK_SEEN.among(SubnetRow.network_id))))
"""Own subnets, and those of the networks that the caller sees."""


def visible_subnet(session: Session, context: Context, identifier: str) -> SubnetRow:
    """Raises SubnetNotFound."""
    return visible(session, context, SubnetRow, identifier, SubnetNotFound, SEEN)


@dataclass(frozen=True, slots=True)
class Subnets:
    plugins: Plugins
    limits: Limits
    actions: Mapping[str, Action] = field(default_factory=dict)

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        _require_whole(attributes)
        network = visible_network(session, context, attributes["network_id"])
        require_new(context, attributes, "create_subnet", network=network)
        service_types.check(attributes.get("service_types", []))
        self.limits.charge(session, "subnet", attributes["project_id"])
        identifier = new_id()
        self.plugins.l3.check(session, Change("create", "subnet", identifier, attributes))
        pool = subnet_pools.pool_for(session, context, attributes)
        subnet_pools.require_affinity(network, pool, attributes["ip_version"])
        cidr = cidr_of(attributes) if pool is None else self._from_pool(session, pool, attributes)
        for other in network.subnets:
            if ip_network(other.cidr).overlaps(cidr):
                raise InvalidInput(f"Invalid input for operation: Requested subnet with cidr: {cidr} for network: "
                                   f"{network.id} overlaps with subnet {other.id} ({other.cidr}).")
        gateway = gateway_of(cidr, attributes.get("gateway_ip", UNSET))
        row = SubnetRow(
            id=identifier, project_id=attributes["project_id"], network_id=network.id, ip_version=cidr.version,
            cidr=str(cidr),
            name=attributes.get("name", ""), description=attributes.get("description", ""),
            gateway_ip=str(gateway) if gateway is not None else None,
            enable_dhcp=attributes.get("enable_dhcp", True),
            allocation_pools=pools_of(cidr, gateway, attributes.get("allocation_pools")),
            dns_nameservers=nameservers_of(cidr.version, attributes.get("dns_nameservers")),
            host_routes=host_routes_of(cidr.version, attributes.get("host_routes")), key=new_key(session),
            subnetpool_id=pool.id if pool is not None else None,
            service_types=attributes.get("service_types", []), **modes_of(cidr, attributes),
        )
        check_dhcp(cidr, row.enable_dhcp)
        network.subnets.append(row)
        touch(network)
        session.flush()
        if is_automatic(row):
            addresses.give_automatic(session, self.plugins, row)
        addresses.ensure_service_address(session, self.plugins, row)
        session.flush()
        return self._show(session, [row])[0]

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        _require_whole(attributes)
        row = visible_subnet(session, context, identifier)
        require_change(context, row, attributes, "update_subnet", {"service_types": row.service_types})
        if attributes.get("service_types", row.service_types) != row.service_types:
            service_types.check(attributes["service_types"])
        self.plugins.l3.check(session, Change("update", "subnet", row.id, attributes))
        cidr = ip_network(row.cidr)
        new = dict(attributes)
        if "gateway_ip" in new:
            new["gateway_ip"] = self._new_gateway(session, row, cidr, new["gateway_ip"])
        if "allocation_pools" in new or "gateway_ip" in new:
            gateway = new.get("gateway_ip", row.gateway_ip)
            new["allocation_pools"] = pools_of(cidr, ip_address(gateway) if gateway else None,
                                               new.get("allocation_pools") or row.allocation_pools)
        if "dns_nameservers" in new:
            new["dns_nameservers"] = nameservers_of(cidr.version, new["dns_nameservers"])
        if "host_routes" in new:
            new["host_routes"] = host_routes_of(cidr.version, new["host_routes"])
        check_dhcp(cidr, new.get("enable_dhcp", row.enable_dhcp))
        if (row.ipv6_ra_mode or row.ipv6_address_mode) and not new.get("enable_dhcp", True):
            raise InvalidInput("Invalid input for operation: Cannot disable enable_dhcp with ipv6 attributes set.")
        change(row, new, CHANGEABLE)
        session.flush()
        addresses.ensure_service_address(session, self.plugins, row)
        session.flush()
        return self._show(session, [row])[0]

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        row = visible_subnet(session, context, identifier)
        require_owner(context, row, "delete_subnet")
        self.plugins.l3.check(session, Change("delete", "subnet", row.id, {}))
        users = list(session.execute(select(PortRow).join(AllocationRow, AllocationRow.port_id == PortRow.id)
                                     .where(AllocationRow.subnet_id == row.id)
                                     .options(selectinload(PortRow.allocations))).scalars())
        automatic = is_automatic(row)
        for port in users:
            if port.device_owner != DHCP_SERVICE and not (automatic and addresses.is_automatic_of(port)):
                raise SubnetInUse(f"Unable to complete operation on subnet {row.id}: One or more ports have an IP "
                                  f"allocation from this subnet, for example {port.id}.")
        route = addresses.route_through(session, [row])
        if route is not None:
            raise SubnetInUse(f"Unable to complete operation on subnet {row.id}: route {route} uses it.")
        for port in users:
            if port.device_owner == DHCP_SERVICE:
                session.delete(port)
            else:
                addresses.take(port, row)
        touch(row.network)
        session.flush()
        session.delete(row)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return self._show(session, [visible_subnet(session, context, identifier)])[0]

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        if None not in query.filters.get("segment_id", (None,)):
            return []
        conditions = []
        if "shared" in query.filters:
            conditions.append(SubnetRow.network_id.in_(
                select(NetworkRow.id).where(NETWORK_SHARED.in_(query.filters["shared"]))))
        return self._show(session, find_rows(session, context, SubnetRow, query, SubnetNotFound, clause=SEEN,
                                             conditions=conditions))

    def _show(self, session: Session, rows: Iterable[SubnetRow]) -> list[Attributes]:
        rows = list(rows)
        errors = status.errors_of(session, "subnet", [row.id for row in rows])
        return [{
            **standard(row), "network_id": row.network_id, "ip_version": row.ip_version, "cidr": row.cidr,
            "gateway_ip": row.gateway_ip, "enable_dhcp": row.enable_dhcp, "allocation_pools": row.allocation_pools,
            "dns_nameservers": row.dns_nameservers, "host_routes": row.host_routes,
            "ipv6_ra_mode": row.ipv6_ra_mode, "ipv6_address_mode": row.ipv6_address_mode,
            "subnetpool_id": row.subnetpool_id, "service_types": row.service_types,
            "segment_id": None,
            "status": status.ERROR if row.id in errors else status.ACTIVE,
        } for row in rows]

    @staticmethod
    def _from_pool(session: Session, pool: SubnetPoolRow, attributes: Attributes) -> Prefix:
        named = any(attributes.get(name) is not None for name in ("cidr", "address", "netmask"))
        found = subnet_pools.allocate(session, pool, attributes["project_id"], cidr_of(attributes) if named else None,
                                      attributes.get("prefixlen"))
        return plain_range(found, attributes["ip_version"])

    @staticmethod
    def _new_gateway(session: Session, row: SubnetRow, cidr: Prefix, wanted: Any) -> str | None:
        gateway = gateway_of(cidr, wanted)
        new = str(gateway) if gateway is not None else None
        if new == row.gateway_ip:
            return new
        router = session.scalar(select(RouterInterfaceRow.router_id).join(
            AllocationRow, AllocationRow.port_id == RouterInterfaceRow.port_id).where(
            RouterInterfaceRow.subnet_id == row.id, AllocationRow.ip_address == row.gateway_ip))
        if router is not None:
            raise GatewayIpInUse(f"Current gateway ip {row.gateway_ip} already in use by router {router}. "
                                 f"Unable to update.")
        route = addresses.route_through(session, [row])
        if route is not None:
            raise GatewayIpInUse(f"Current gateway ip {row.gateway_ip} already in use by route {route}. "
                                 f"Delete the route first.")
        return new


def _require_whole(attributes: Attributes) -> None:
    """Raises InvalidInput for a subnet of a segment: a network has one, and its subnets are where it is."""
    if attributes.get("segment_id") is not None:
        raise InvalidInput("Invalid input for segment_id: networks are not routed between segments; leave it null.")
