"""Gateways of routers: a port of an external network each, the cloud's own, made and deleted with the gateway."""
from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network

from sqlalchemy import select
from sqlalchemy.orm import Session

from naas_sdn.db.gateway_rows import RouterGatewayRow
from naas_sdn.db.rows import NetworkRow, PortRow, RouterRow, SubnetRow
from naas_sdn.errors import BadRequest, ServiceUnavailable
from naas_sdn.model.values import ROUTER_GATEWAY
from naas_sdn.plugins.contract import Plugins
from naas_sdn.service import addresses, floating_uses
from naas_sdn.service.contract import Attributes, Context
from naas_sdn.service.external_networks import require_external
from naas_sdn.service.networks import visible_network
from naas_sdn.service.ports import remove
from naas_sdn.service.rows import touch

SLOTS = 32767
"""Gateways of routers that there can be: each has a zone of conntrack, above those of ports."""


def said(row: RouterRow | None, attributes: Attributes) -> Attributes:
    """The attributes without what of a gateway is told back as it is, or would be by itself: to be asked rules about.

    `row` is None for a new router.
    """
    wanted = attributes.get("external_gateway_info")
    if not wanted:
        return attributes
    present: Attributes = {"enable_snat": True}
    if row is not None and row.gateway is not None and row.gateway.network_id == wanted.get("network_id"):
        present = shown(row) or present
    return {**attributes, "external_gateway_info": {
        name: value for name, value in wanted.items()
        if name == "network_id" or (value != [] and value != present.get(name))}}


def settle(session: Session, context: Context, plugins: Plugins, row: RouterRow, wanted: Attributes | None) -> None:
    """The router's gateway as `wanted` (external_gateway_info); None or empty: none.

    On the network that it has, the addresses and `enable_snat` stay unless they are given. Raises NetworkNotFound,
    BadRequest, PolicyNotAuthorized (an external network of others), and what addresses.give raises.
    """
    if not wanted:
        drop(session, plugins, row)
        return
    if wanted.get("network_id") is None:
        raise BadRequest("Bad router request: external_gateway_info names the external network by its network_id; "
                         "null or {} is no gateway.")
    if row.gateway is None or row.gateway.network_id != wanted["network_id"]:
        network = visible_network(session, context, wanted["network_id"])
        require_external(session, context, network)
        _require_apart(row, network.subnets)
        drop(session, plugins, row)
        row.gateway = _made(session, plugins, row, network, wanted)
        touch(row)
    elif _changed(session, plugins, row.gateway, wanted):
        touch(row)
    session.flush()


def drop(session: Session, plugins: Plugins, row: RouterRow) -> None:
    """The gateway and its port. Raises RouterExternalGatewayInUseByFloatingIp."""
    if row.gateway is None:
        return
    floating_uses.require_unused_gateway(session, row)
    port = row.gateway.port
    row.gateway = None
    touch(row)
    session.flush()
    remove(session, plugins, port)


def shown(row: RouterRow) -> Attributes | None:
    """external_gateway_info."""
    if row.gateway is None:
        return None
    return {"network_id": row.gateway.network_id, "enable_snat": row.gateway.enable_snat,
            "external_fixed_ips": _held(row.gateway.port)}


def require_beside(session: Session, row: RouterRow, subnet: SubnetRow) -> None:
    """Raises BadRequest for a subnet that the router cannot have an interface on, for its gateway's sake."""
    if row.gateway is None:
        return
    for other in session.scalars(select(SubnetRow).where(SubnetRow.network_id == row.gateway.network_id)):
        _require_distinct(other, subnet)


def _made(session: Session, plugins: Plugins, row: RouterRow, network: NetworkRow,
          wanted: Attributes) -> RouterGatewayRow:
    with session.no_autoflush:
        port = addresses.new_port(session, network, {
            "project_id": "", "name": "", "device_owner": ROUTER_GATEWAY, "device_id": row.id,
            "port_security_enabled": False})
        gained = addresses.give(session, plugins, port, wanted.get("external_fixed_ips") or None)
    session.flush()
    _serve(session, plugins, gained)
    return RouterGatewayRow(router_id=row.id, network_id=network.id, port_id=port.id, port=port,
                            slot=_slot(session), enable_snat=wanted.get("enable_snat", True))


def _slot(session: Session) -> int:
    """The first that no gateway has. Raises ServiceUnavailable when there is none."""
    taken = set(session.scalars(select(RouterGatewayRow.slot)))
    found = next((slot for slot in range(SLOTS) if slot not in taken), None)
    if found is None:
        raise ServiceUnavailable(f"There are {SLOTS} gateways of routers already.")
    return found


def _changed(session: Session, plugins: Plugins, gateway: RouterGatewayRow, wanted: Attributes) -> bool:
    """Whether anything is new."""
    changed = False
    if wanted.get("enable_snat", gateway.enable_snat) != gateway.enable_snat:
        gateway.enable_snat = wanted["enable_snat"]
        changed = True
    fixed, held = wanted.get("external_fixed_ips"), _held(gateway.port)
    if fixed and fixed != held:
        before = addresses.subnets_of(session, [gateway.port])
        addresses.give(session, plugins, gateway.port, fixed)
        session.flush()
        _serve(session, plugins, {*before, *addresses.subnets_of(session, [gateway.port])})
        if _held(gateway.port) != held:
            touch(gateway.port)
            changed = True
    return changed


def _serve(session: Session, plugins: Plugins, subnets: Iterable[SubnetRow]) -> None:
    for subnet in subnets:
        addresses.ensure_service_address(session, plugins, subnet)


def _held(port: PortRow) -> list[Attributes]:
    return [{"subnet_id": a.subnet_id, "ip_address": a.ip_address} for a in port.allocations]


def _require_apart(row: RouterRow, subnets: Iterable[SubnetRow]) -> None:
    for subnet in subnets:
        for interface in row.interfaces:
            _require_distinct(subnet, interface.subnet)


def _require_distinct(outer: SubnetRow, inner: SubnetRow) -> None:
    if ip_network(outer.cidr).overlaps(ip_network(inner.cidr)):
        raise BadRequest(f"Bad router request: Cidr {inner.cidr} of subnet {inner.id} overlaps with cidr {outer.cidr} "
                         f"of subnet {outer.id} of the router's external network.")
