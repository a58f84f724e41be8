"""Get me a network: a network, a subnet and a router to the outside for a project, made when it first asks for them."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from naas_sdn.db.auto_allocation_rows import AutoAllocatedTopologyRow
from naas_sdn.db.rows import NetworkRow, PortRow, RouterInterfaceRow, SubnetPoolRow
from naas_sdn.db.session import writable
from naas_sdn.errors import AutoAllocationFailure
from naas_sdn.service import grants
from naas_sdn.service.access import require
from naas_sdn.service.contract import Action, Attributes, Context, NeedsToWrite, Query, Refusing, Resource
from naas_sdn.service.external_networks import DEFAULT

NOBODY = frozenset(("null", "none"))
"""How clients say that they name no project, in any case."""
_POOL = select(SubnetPoolRow).where(SubnetPoolRow.is_default, SubnetPoolRow.ip_version == 4)


@dataclass(frozen=True, slots=True)
class AutoAllocation(Refusing):
    """A topology goes by its project's id. What it is made of are the project's own things, like any other."""

    networks: Resource
    subnets: Resource
    routers: Resource

    @property
    def actions(self) -> Mapping[str, Action]:
        return {"dry-run": self.check}

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        """Raises AutoAllocationFailure, and what raises whoever makes such things by himself."""
        project = _asked(context, identifier, "get_auto_allocated_topology")
        row = session.get(AutoAllocatedTopologyRow, project)
        if row is None:
            if not writable(session):
                raise NeedsToWrite
            row = self._made(session, context, project)
        return _show(project, row.network_id)

    def check(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        """Whether one could be made. Raises AutoAllocationFailure when not."""
        project = _asked(context, identifier, "get_auto_allocated_topology")
        _require_parts(session, project)
        return _show(project, "dry-run=pass")

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        """The caller's, if he has one."""
        row = session.get(AutoAllocatedTopologyRow, context.project_id)
        found = [_show(context.project_id, row.network_id)] if row is not None else []
        return [item for item in found if all(item[name] in values for name, values in query.filters.items())]

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        """All that it was made of, if nothing else has come to use it. Where there is none, nothing is to be done."""
        project = _asked(context, identifier, "delete_auto_allocated_topology")
        row = session.get(AutoAllocatedTopologyRow, project)
        if row is None:
            return
        network, router = row.network_id, row.router_id
        session.delete(row)
        session.flush()
        if router is not None:
            for port in session.scalars(select(RouterInterfaceRow.port_id).join(
                    PortRow, PortRow.id == RouterInterfaceRow.port_id).where(
                    RouterInterfaceRow.router_id == router, PortRow.network_id == network)).all():
                self.routers.actions["remove_router_interface"](session, context, router, {"port_id": port})
            self.routers.delete(session, context, router, {})
        self.networks.delete(session, context, network, {})

    def _made(self, session: Session, context: Context, project: str) -> AutoAllocatedTopologyRow:
        outside = _require_parts(session, project)
        network = self.networks.create(session, context, {
            "project_id": project, "name": "auto_allocated_network"}, {})["id"]
        subnet = self.subnets.create(session, context, {
            "project_id": project, "name": "auto_allocated_subnet_v4", "network_id": network, "ip_version": 4,
            "use_default_subnetpool": True}, {})["id"]
        router = self.routers.create(session, context, {
            "project_id": project, "name": "auto_allocated_router",
            "external_gateway_info": {"network_id": outside.id}}, {})["id"]
        self.routers.actions["add_router_interface"](session, context, router, {"subnet_id": subnet})
        row = AutoAllocatedTopologyRow(project_id=project, network_id=network, router_id=router)
        session.add(row)
        session.flush()
        return row


def _asked(context: Context, identifier: str, rule: str) -> str:
    """The project that is meant. Raises PolicyNotAuthorized."""
    project = context.project_id if identifier.lower() in NOBODY else identifier
    require(context, rule, {"project_id": project, "tenant_id": project})
    return project


def _require_parts(session: Session, project: str) -> NetworkRow:
    """The default external network; there is a default pool too. Raises AutoAllocationFailure."""
    outside = session.scalar(DEFAULT)
    if outside is None:
        raise AutoAllocationFailure("Deployment error: No default router:external network.")
    if outside.project_id != project and not grants.covers(session, outside.id, project, grants.ACCESS_AS_EXTERNAL):
        raise AutoAllocationFailure("Deployment error: The default router:external network is not for this project.")
    pool = session.scalar(_POOL)
    if pool is None:
        raise AutoAllocationFailure("Deployment error: No default pools available: there is no default subnet pool of "
                                    "IPv4.")
    if pool.project_id != project and not grants.covers(session, pool.id, project):
        raise AutoAllocationFailure("Deployment error: The default subnet pool of IPv4 is not shared with this "
                                    "project.")
    return outside


def _show(project: str, identifier: str) -> Attributes:
    return {"id": identifier, "project_id": project, "tenant_id": project}
