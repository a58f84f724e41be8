"""Address scopes: in one of them no address is used twice."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from naas_sdn.db.rows import AddressScopeRow, SubnetPoolRow, SubnetRow
from naas_sdn.errors import AddressScopeInUse, AddressScopeNotFound, InvalidInput
from naas_sdn.service.access import require_change, require_new, require_owner
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.grants import seen, shared_with_reader
from naas_sdn.service.limits import Limits
from naas_sdn.service.rows import find_rows, visible

SEEN = seen("address_scope")
SHARED = shared_with_reader("address_scope")


def visible_scope(session: Session, context: Context, identifier: str) -> AddressScopeRow:
    """Raises AddressScopeNotFound."""
    return visible(session, context, AddressScopeRow, identifier, AddressScopeNotFound, SEEN)


def scopes_of(session: Session, subnets: Mapping[str, list[SubnetRow]]) -> dict[tuple[str, int], str]:
    """The address scope of each network (by its subnets) and IP version that has one, through its subnets' pool."""
    pools = {subnet.subnetpool_id for of in subnets.values() for subnet in of if subnet.subnetpool_id is not None}
    if not pools:
        return {}
    scopes = {row.id: row.address_scope_id for row in session.execute(
        select(SubnetPoolRow.id, SubnetPoolRow.address_scope_id).where(
            SubnetPoolRow.id.in_(pools), SubnetPoolRow.address_scope_id.is_not(None)))}
    return {(network, subnet.ip_version): scopes[subnet.subnetpool_id] for network, of in subnets.items()
            for subnet in of if subnet.subnetpool_id in scopes}


@dataclass(frozen=True, slots=True)
class AddressScopes:
    limits: Limits
    actions: Mapping[str, Action] = field(default_factory=dict)

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        require_new(context, attributes, "create_address_scope")
        self.limits.charge(session, "address_scope", attributes["project_id"])
        if attributes["ip_version"] not in (4, 6):
            raise InvalidInput(f"Invalid input for ip_version: {attributes['ip_version']} is neither 4 nor 6.")
        row = AddressScopeRow(**attributes)
        session.add(row)
        session.flush()
        return self._show(row)

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        row = visible_scope(session, context, identifier)
        require_change(context, row, attributes, "update_address_scope")
        for name, value in attributes.items():
            setattr(row, name, value)
        session.flush()
        return self._show(row)

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        row = visible_scope(session, context, identifier)
        require_owner(context, row, "delete_address_scope")
        session.refresh(row, with_for_update=True)
        pool = session.scalar(select(SubnetPoolRow.id).where(SubnetPoolRow.address_scope_id == row.id).limit(1))
        if pool is not None:
            raise AddressScopeInUse(f"Unable to complete operation on address scope {row.id}. There are one or more "
                                    f"subnet pools in use on the address scope, for example {pool}.")
        session.delete(row)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return self._show(visible_scope(session, context, identifier))

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        return [self._show(row) for row in find_rows(session, context, AddressScopeRow, query, AddressScopeNotFound,
                                                     clause=SEEN, columns={"shared": SHARED})]

    @staticmethod
    def _show(row: AddressScopeRow) -> Attributes:
        return {"id": row.id, "project_id": row.project_id, "tenant_id": row.project_id, "name": row.name,
                "ip_version": row.ip_version}
