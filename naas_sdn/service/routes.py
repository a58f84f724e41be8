"""NaaS routes: two subnets of one tenant reach each other through their gateways, pairwise (use case 7)."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from naas_sdn.db import status
from naas_sdn.db.rows import RouteRow, SubnetRow
from naas_sdn.errors import InvalidInput, RouteExists, RouteNotFound, SubnetNotFound
from naas_sdn.model.values import ROUTER_INTERFACE
from naas_sdn.plugins.contract import Change, Plugins
from naas_sdn.service import addresses
from naas_sdn.service.access import require_change, require_new, require_owner
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.limits import Limits
from naas_sdn.service.rows import change, find_rows, own_clause, standard, visible
from naas_sdn.service.subnets import visible_subnet

OWN = own_clause(RouteRow)


@dataclass(frozen=True, slots=True)
class Routes:
    plugins: Plugins
    limits: Limits
    actions: Mapping[str, Action] = field(default_factory=dict)

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        require_new(context, attributes, "create_route")
        self.limits.charge(session, "route", attributes["project_id"])
        ends = [self._end(session, context, attributes, name)
                for name in ("source_subnet_id", "destination_subnet_id")]
        source, destination = ends
        if source.id == destination.id:
            raise InvalidInput("Invalid input for destination_subnet_id: a subnet reaches itself without a route.")
        if source.ip_version != destination.ip_version:
            raise InvalidInput(f"Invalid input for operation: subnet {source.id} is of IPv{source.ip_version} and "
                               f"{destination.id} of IPv{destination.ip_version}; a route is of one version.")
        if ip_network(source.cidr).overlaps(ip_network(destination.cidr)):
            raise InvalidInput(f"Invalid input for operation: subnets {source.id} ({source.cidr}) and "
                               f"{destination.id} ({destination.cidr}) overlap; a route needs two distinct ranges.")
        for end in ends:
            self._check_gateway(session, end)
        pair = " ".join(sorted(end.id for end in ends))
        known = session.scalar(select(RouteRow.id).where(RouteRow.pair == pair))
        if known is not None:
            raise RouteExists(f"Route {known} connects subnets {source.id} and {destination.id} already.")
        row = RouteRow(source_subnet_id=source.id, destination_subnet_id=destination.id, pair=pair,
                       source=source, destination=destination,
                       **{name: attributes[name] for name in ("project_id", "name", "description")
                          if name in attributes})
        session.add(row)
        session.flush()
        self.plugins.l3.check(session, Change("create", "route", row.id, attributes))
        return _show(session, [row])[0]

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        row = self._visible(session, context, identifier)
        require_change(context, row, attributes, "update_route")
        change(row, attributes, ("name", "description"))
        session.flush()
        return _show(session, [row])[0]

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        row = self._visible(session, context, identifier)
        require_owner(context, row, "delete_route")
        self.plugins.l3.check(session, Change("delete", "route", row.id, {}))
        session.delete(row)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return _show(session, [self._visible(session, context, identifier)])[0]

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        rows = find_rows(session, context, RouteRow, query, RouteNotFound, clause=OWN,
                         options=[joinedload(RouteRow.source), joinedload(RouteRow.destination)])
        return _show(session, rows)

    @staticmethod
    def _visible(session: Session, context: Context, identifier: str) -> RouteRow:
        return visible(session, context, RouteRow, identifier, RouteNotFound, OWN)

    @staticmethod
    def _end(session: Session, context: Context, attributes: Attributes, name: str) -> SubnetRow:
        """A subnet of the route's own tenant; any other is not there for him, shared or not."""
        subnet = visible_subnet(session, context, attributes[name])
        if subnet.project_id != attributes["project_id"]:
            raise SubnetNotFound(attributes[name])
        return subnet

    @staticmethod
    def _check_gateway(session: Session, subnet: SubnetRow) -> None:
        if subnet.gateway_ip is None:
            raise InvalidInput(f"Invalid input for operation: subnet {subnet.id} has no gateway_ip; "
                               f"a route leads through the gateways of both subnets.")
        holder = addresses.gateway_holder(session, subnet)
        if holder is not None and holder.device_owner != ROUTER_INTERFACE:
            raise InvalidInput(f"Invalid input for operation: the gateway {subnet.gateway_ip} of subnet {subnet.id} "
                               f"is a machine's own address (port {holder.id}), so it cannot route.")


def _show(session: Session, rows: Iterable[RouteRow]) -> list[Attributes]:
    rows = list(rows)
    errors = status.errors_of(session, "route", [row.id for row in rows])
    return [{
        **standard(row), "source_subnet_id": row.source_subnet_id,
        "destination_subnet_id": row.destination_subnet_id,
        "status": status.ERROR if row.id in errors else status.ACTIVE,
        "routes": [
            {"subnet_id": here.id, "destination": there.cidr, "nexthop": here.gateway_ip}
            for here, there in ((row.source, row.destination), (row.destination, row.source))
        ],
    } for row in rows]
