"""Networks that lead out of the cloud: the networks' resource is wrapped, so that it need not know of them.

A network is external when there is an RBAC policy `access_as_external` about it. Such a policy for a project, or for
everybody, lets routers of it have their gateway there; ports of machines need `access_as_shared` besides.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, bindparam, literal, select, union_all
from sqlalchemy.orm import Session

from naas_sdn.db.floating_ip_rows import FloatingIpRow
from naas_sdn.db.gateway_rows import RouterGatewayRow
from naas_sdn.db.rbac_rows import EVERYBODY, RbacPolicyRow
from naas_sdn.db.rows import NetworkRow
from naas_sdn.errors import (
    BadRequest,
    DefaultExternalNetworkExists,
    ExternalNetworkInUse,
    InvalidInput,
    PolicyNotAuthorized,
)
from naas_sdn.service import floating_uses, grants
from naas_sdn.service.access import require
from naas_sdn.service.contract import Action, Attributes, Context, Query, Resource

NAME = "router:external"
EXTERNAL: ColumnElement[bool] = NetworkRow.id.in_(
    select(RbacPolicyRow.object_id).where(RbacPolicyRow.action == grants.ACCESS_AS_EXTERNAL))
DEFAULT = select(NetworkRow).where(EXTERNAL, NetworkRow.is_default)
_POLICIES = select(RbacPolicyRow).where(RbacPolicyRow.object_id == bindparam("network_id"),
                                        RbacPolicyRow.action == grants.ACCESS_AS_EXTERNAL)
_EXTERNAL = select(RbacPolicyRow.object_id).distinct().where(
    RbacPolicyRow.object_id.in_(bindparam("ids", expanding=True)), RbacPolicyRow.action == grants.ACCESS_AS_EXTERNAL)

_USER = union_all(
    select(literal("the gateway of router"), RouterGatewayRow.router_id).where(
        RouterGatewayRow.network_id == bindparam("network_id")),
    select(literal("floating IP"), FloatingIpRow.id).where(
        FloatingIpRow.floating_network_id == bindparam("network_id"))).limit(1)


def external(session: Session, ids: Iterable[str]) -> set[str]:
    """Those of the networks that are."""
    return set(session.scalars(_EXTERNAL, {"ids": list(ids)}))


def require_external(session: Session, context: Context, network: NetworkRow) -> None:
    """Raises BadRequest when it is not, PolicyNotAuthorized when it is, but not to the caller's project."""
    if not external(session, [network.id]):
        raise BadRequest(f"Bad router request: Network {network.id} is not an external network.")
    if not context.owns(network.project_id) and not grants.covers(
            session, network.id, context.project_id, grants.ACCESS_AS_EXTERNAL):
        raise PolicyNotAuthorized(f"Network {network.id} is external, but no policy access_as_external of it is for "
                                  f"this project.")


@dataclass(frozen=True, slots=True)
class External:
    """`resource` is the networks'; operators say which are external to everybody."""

    resource: Resource

    @property
    def actions(self) -> Mapping[str, Action]:
        """None shows a network."""
        return self.resource.actions

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        wanted = attributes.get(NAME, False)
        if wanted:
            require(context, f"create_network:{NAME}", attributes)
        made = self.resource.create(session, context, _without(attributes), parent)
        if wanted:
            _open(session, made)
        if made["is_default"]:
            _require_default(session, made["id"])
        return {**made, NAME: wanted}

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        item = self.resource.update(session, context, identifier, _without(attributes), parent)
        if NAME in attributes:
            policies = list(session.scalars(_POLICIES, {"network_id": item["id"]}))
            if attributes[NAME] != bool(policies):
                require(context, f"update_network:{NAME}", {**item, NAME: attributes[NAME]})
                if policies:
                    _close(session, item, policies)
                else:
                    _open(session, item)
                item = self.resource.get(session, context, identifier, parent)
        if attributes.get("is_default", False):
            _require_default(session, item["id"])
        return self._shown(session, [item])[0]

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        """With its floating addresses that stand for nothing. Who may not delete it deletes none of them either."""
        floating_uses.drop_unused(session, identifier)
        self.resource.delete(session, context, identifier, parent)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return self._shown(session, [self.resource.get(session, context, identifier, parent)])[0]

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        return self._shown(session, self.resource.find(session, context, query, parent))

    @staticmethod
    def _shown(session: Session, items: list[Attributes]) -> list[Attributes]:
        """The items, with `router:external`: one statement for all."""
        found = external(session, [item["id"] for item in items]) if items else set()
        return [{**item, NAME: item["id"] in found} for item in items]


def _open(session: Session, item: Attributes) -> None:
    grants.add(session, RbacPolicyRow(
        project_id=item["project_id"], object_type="network", object_id=item["id"],
        action=grants.ACCESS_AS_EXTERNAL, target_tenant=EVERYBODY), session.get(NetworkRow, item["id"]))


def _close(session: Session, item: Attributes, policies: Iterable[RbacPolicyRow]) -> None:
    """To single projects too. Raises ExternalNetworkInUse."""
    user = session.execute(_USER, {"network_id": item["id"]}).first()
    if user is not None:
        raise ExternalNetworkInUse(f"External network {item['id']} cannot be updated to be made non-external, since it "
                                   f"has existing gateways or floating IPs, for example {user[0]} {user[1]}.")
    for policy in policies:
        session.delete(policy)
    row = session.get(NetworkRow, item["id"])
    grants.changed(row)
    if row is not None:
        row.is_default = False
    session.flush()


def _require_default(session: Session, network_id: str) -> None:
    """Raises InvalidInput for a network that is not external, and DefaultExternalNetworkExists for a second default."""
    found = session.scalars(DEFAULT).all()
    if network_id not in (row.id for row in found):
        raise InvalidInput(f"Invalid input for is_default: network {network_id} is not external, so it is no default.")
    for row in found:
        if row.id != network_id:
            raise DefaultExternalNetworkExists(f"A default external network already exists: {row.id}.")


def _without(attributes: Attributes) -> Attributes:
    return {name: value for name, value in attributes.items() if name != NAME}
