"""Trunks: one interface of a machine for many networks, told apart by VLAN; its VIFs are `plugging`'s."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from naas_sdn.db import status, tags
from naas_sdn.db.rows import PortRow, VifRow
from naas_sdn.db.trunk_rows import SubPortRow, TrunkRow
from naas_sdn.errors import (
    DuplicateSubPort,
    ParentPortInUse,
    PolicyNotAuthorized,
    PortInUse,
    PortNotFound,
    SubPortMtuGreaterThanTrunkPortMtu,
    SubPortNotFound,
    TrunkDisabled,
    TrunkInUse,
    TrunkNotFound,
    TrunkPortInUse,
)
from naas_sdn.service import plugging
from naas_sdn.service.access import require_new, require_owner
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.limits import Limits
from naas_sdn.service.plugging import OF_THE_CLOUD
from naas_sdn.service.ports import SEEN as PORT_SEEN
from naas_sdn.service.rows import change, find_rows, own_clause, standard, touch, visible

SEEN = own_clause(TrunkRow)
_PLUGGED = (joinedload(TrunkRow.port).joinedload(PortRow.vif).joinedload(VifRow.hypervisor),
            selectinload(TrunkRow.sub_ports).joinedload(SubPortRow.port).joinedload(PortRow.vif).joinedload(
                VifRow.hypervisor))
WHOLE = (*_PLUGGED, joinedload(TrunkRow.port).joinedload(PortRow.network))
CHANGEABLE = ("name", "description", "admin_state_up")
BUILD, DEGRADED = "BUILD", "DEGRADED"


@dataclass(frozen=True, slots=True)
class Trunks:
    limits: Limits

    @property
    def actions(self) -> Mapping[str, Action]:
        return {"add_subports": self.add_subports, "remove_subports": self.remove_subports,
                "get_subports": self.get_subports}

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        require_new(context, attributes, "create_trunk")
        self.limits.charge(session, "trunk", attributes["project_id"])
        wanted = attributes.get("sub_ports", [])
        ports = _ports(session, context, [attributes["port_id"], *(item["port_id"] for item in wanted)])
        port = ports[attributes["port_id"]]
        _require_usable(session, context, attributes["project_id"], [port])
        if _bound(port):
            raise ParentPortInUse(f"Port {port.id} is currently in use and is not eligible for use as a parent port: "
                                  f"it is bound or plugged.")
        row = TrunkRow(project_id=attributes["project_id"], port=port, sub_ports=[],
                       **{name: attributes[name] for name in CHANGEABLE if name in attributes})
        _add(session, context, row, wanted, ports)
        session.add(row)
        session.flush()
        return _shown(session, [row])[0]

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        row = _owned(session, context, identifier, "update_trunk")
        change(row, attributes, CHANGEABLE)
        session.flush()
        return _shown(session, [row])[0]

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        row = _owned(session, context, identifier, "delete_trunk")
        _require_up(row)
        if _bound(row.port):
            raise TrunkInUse(f"Trunk {row.id} is currently in use: port {row.port_id} is bound or plugged.")
        session.delete(row)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return _shown(session, [visible(session, context, TrunkRow, identifier, TrunkNotFound, SEEN, WHOLE)])[0]

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        wanted = query.filters.get("status")
        part = replace(query, limit=None) if wanted else query
        shown = _shown(session, find_rows(session, context, TrunkRow, part, TrunkNotFound, clause=SEEN,
                                          options=_PLUGGED))
        if wanted:
            # A status is that of many ports; a page of it is cut here.
            shown = [item for item in shown if item["status"] in wanted]
            if query.limit is not None:
                shown = shown[-query.limit:] if query.reverse else shown[:query.limit]
        return shown

    def add_subports(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        row = _owned(session, context, identifier, "add_subports")
        _require_up(row)
        _add(session, context, row, body["sub_ports"],
             _ports(session, context, [item["port_id"] for item in body["sub_ports"]]))
        return self._changed(session, row)

    def remove_subports(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        row = _owned(session, context, identifier, "remove_subports")
        _require_up(row)
        for port_id in dict.fromkeys(item["port_id"] for item in body["sub_ports"]):
            found = next((sub_port for sub_port in row.sub_ports if sub_port.port_id == port_id), None)
            if found is None:
                raise SubPortNotFound(f"{port_id} on trunk {row.id}")
            plugging.carry(session, found.port, found.segmentation_id, None)
            row.sub_ports.remove(found)
        return self._changed(session, row)

    def get_subports(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        row = visible(session, context, TrunkRow, identifier, TrunkNotFound, SEEN, WHOLE)
        require_owner(context, row, "get_subports")
        return {"sub_ports": _shown(session, [row])[0]["sub_ports"]}

    @staticmethod
    def _changed(session: Session, row: TrunkRow) -> Attributes:
        touch(row)
        session.flush()
        for item in row.sub_ports:
            plugging.carry(session, item.port, item.segmentation_id, row.port.vif)
        return {**_shown(session, [row])[0], "tags": tags.tags_of(session, [row.id]).get(row.id, [])}


def _shown(session: Session, rows: list[TrunkRow]) -> list[Attributes]:
    errors = status.errors_of(session, "port", [
        port_id for row in rows for port_id in (row.port_id, *(item.port_id for item in row.sub_ports))])
    return [{**standard(row), "port_id": row.port_id, "admin_state_up": row.admin_state_up,
             "status": _status(row, errors), "sub_ports": [
                 {"port_id": item.port_id, "segmentation_type": item.segmentation_type,
                  "segmentation_id": item.segmentation_id}
                 for item in sorted(row.sub_ports, key=lambda item: item.segmentation_id)]} for row in rows]


def _status(row: TrunkRow, errors: Mapping[str, str]) -> str:
    """DOWN without an interface that forwards; DEGRADED by a subport's error, BUILD until all are ACTIVE."""
    if row.port_id in errors:
        return status.ERROR
    if status.port_status(row.port, None) != status.ACTIVE:
        return status.DOWN
    if any(item.port_id in errors for item in row.sub_ports):
        return DEGRADED
    waiting = [item for item in row.sub_ports if item.port.admin_state_up
               and status.port_status(item.port, None) != status.ACTIVE]
    return BUILD if waiting else status.ACTIVE


def _owned(session: Session, context: Context, identifier: str, what: str) -> TrunkRow:
    row = visible(session, context, TrunkRow, identifier, TrunkNotFound, SEEN, WHOLE)
    require_owner(context, row, what)
    return row


def _require_up(row: TrunkRow) -> None:
    if not row.admin_state_up:
        raise TrunkDisabled(f"Trunk {row.id} is currently disabled: set its admin_state_up first.")


def _bound(port: PortRow) -> bool:
    return bool(port.host_id) or port.vif is not None


def _ports(session: Session, context: Context, ids: Iterable[str]) -> dict[str, PortRow]:
    """The ports, of those that the caller sees. Raises PortNotFound for the first that is not there."""
    wanted = list(dict.fromkeys(ids))
    query = select(PortRow).where(PortRow.id.in_(wanted)).options(
        joinedload(PortRow.network), joinedload(PortRow.vif))
    if not context.is_service:
        query = query.where(PORT_SEEN.row)
    found = {port.id: port for port in session.scalars(query, {"reader": context.project_id})}
    for identifier in wanted:
        if identifier not in found:
            raise PortNotFound(identifier)
    return found


def _require_usable(session: Session, context: Context, project_id: str, ports: Iterable[PortRow]) -> None:
    """Raises PolicyNotAuthorized for another project's, PortInUse for the cloud's own, ParentPortInUse and
    TrunkPortInUse for what is of a trunk already."""
    ports = list(ports)
    for port in ports:
        if port.project_id != project_id and not context.is_service:
            raise PolicyNotAuthorized(f"create_trunk is disallowed by policy: port {port.id} belongs to another "
                                      f"project.")
        if port.device_owner.startswith(OF_THE_CLOUD):
            raise PortInUse(f"Port {port.id} is used by the cloud itself as {port.device_owner}, and no trunk can "
                            f"have it.")
    ids = [port.id for port in ports]
    parent = session.scalar(select(TrunkRow.port_id).where(TrunkRow.port_id.in_(ids)).limit(1))
    if parent is not None:
        raise ParentPortInUse(f"Port {parent} is currently in use and is not eligible for use as a parent port or "
                              f"subport: it is a trunk's parent.")
    sub_port = session.scalar(select(SubPortRow.port_id).where(SubPortRow.port_id.in_(ids)).limit(1))
    if sub_port is not None:
        raise TrunkPortInUse(f"Port {sub_port} is in use by another trunk, as a subport.")


def _add(session: Session, context: Context, row: TrunkRow, wanted: list[Attributes],
         ports: Mapping[str, PortRow]) -> None:
    """Raises what stands in the way of any of `wanted`, which are added all or none."""
    with session.no_autoflush:
        _require_usable(session, context, row.project_id, [ports[item["port_id"]] for item in wanted])
        taken = {(item.segmentation_type, item.segmentation_id) for item in row.sub_ports}
        named = {row.port.id}
        for item in wanted:
            port, segment = ports[item["port_id"]], (item["segmentation_type"], item["segmentation_id"])
            if port.id in named:
                raise TrunkPortInUse(f"Port {port.id} is in use by the trunk already, or named twice.")
            if segment in taken:
                raise DuplicateSubPort(f"segmentation_type {segment[0]} and segmentation_id {segment[1]} already in "
                                       f"use on trunk {row.id}.")
            if port.device_id or _bound(port):
                raise PortInUse(f"Unable to complete operation on port {port.id}: it is in use by device "
                                f"{port.device_id or port.host_id}, and a subport has no interface of its own.")
            if port.network.mtu > row.port.network.mtu:
                raise SubPortMtuGreaterThanTrunkPortMtu(
                    f"MTU {port.network.mtu} of subport {port.id} cannot be greater than MTU {row.port.network.mtu} "
                    f"of the trunk's parent port {row.port.id}.")
            named.add(port.id)
            taken.add(segment)
            row.sub_ports.append(SubPortRow(port=port, port_id=port.id, segmentation_type=segment[0],
                                            segmentation_id=segment[1]))
