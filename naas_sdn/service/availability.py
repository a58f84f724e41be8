"""How many addresses networks have and use, for operators and the compute service (read only)."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from sqlalchemy import bindparam, select
from sqlalchemy import func as sql
from sqlalchemy.orm import Session, selectinload

from naas_sdn.db.rows import AllocationRow, NetworkRow, SubnetRow
from naas_sdn.errors import NetworkNotFound, PolicyNotAuthorized
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.rows import find_rows

_USED = select(AllocationRow.subnet_id, sql.count()).where(
    AllocationRow.subnet_id.in_(bindparam("ids", expanding=True))).group_by(AllocationRow.subnet_id)
_COLUMNS = {"network_id": NetworkRow.id, "network_name": NetworkRow.name}


@dataclass(frozen=True, slots=True)
class Availabilities:
    """By network, whose id is theirs. A list is empty for those who are no operators."""

    actions: Mapping[str, Action] = field(default_factory=dict)

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        raise PolicyNotAuthorized("create_network_ip_availability is disallowed by policy: it is only read.")

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        raise PolicyNotAuthorized("update_network_ip_availability is disallowed by policy: it is only read.")

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        raise PolicyNotAuthorized("delete_network_ip_availability is disallowed by policy: it is only read.")

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        row = session.get(NetworkRow, identifier) if context.may("get_network_ip_availability") else None
        if row is None:
            raise NetworkNotFound(identifier)
        return _show(session, [row])[0]

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        """With `ip_version`, of networks that have such subnets, and of those subnets only."""
        if not context.may("get_network_ip_availability"):
            return []
        versions = query.filters.get("ip_version")
        conditions = [] if versions is None else [NetworkRow.subnets.any(SubnetRow.ip_version.in_(
            [version for version in versions if isinstance(version, int)]))]
        rows = find_rows(session, context, NetworkRow, query, NetworkNotFound, clause=None, columns=_COLUMNS,
                         conditions=conditions, options=[selectinload(NetworkRow.subnets)])
        return _show(session, rows, versions)


def _show(session: Session, rows: Iterable[NetworkRow], versions: tuple[int, ...] | None = None) -> list[Attributes]:
    """Used are all addresses that ports have; there are those of the allocation pools, so that more can be used."""
    rows = list(rows)
    subnets = {row.id: [subnet for subnet in row.subnets if versions is None or subnet.ip_version in versions]
               for row in rows}
    ids = [subnet.id for of_network in subnets.values() for subnet in of_network]
    used: dict[str, int] = {row[0]: row[1] for row in session.execute(_USED, {"ids": ids})}
    shown = []
    for row in rows:
        parts: list[Attributes] = [{
            "subnet_id": subnet.id, "cidr": subnet.cidr, "subnet_name": subnet.name, "ip_version": subnet.ip_version,
            "total_ips": _size(subnet), "used_ips": used.get(subnet.id, 0)} for subnet in subnets[row.id]]
        shown.append({
            "network_id": row.id, "network_name": row.name, "project_id": row.project_id, "tenant_id": row.project_id,
            "total_ips": sum(part["total_ips"] for part in parts), "used_ips": sum(part["used_ips"] for part in parts),
            "subnet_ip_availability": parts,
        })
    return shown


def _size(subnet: SubnetRow) -> int:
    """Addresses in its pools."""
    return sum(int(ip_address(pool["end"])) - int(ip_address(pool["start"])) + 1 for pool in subnet.allocation_pools)
