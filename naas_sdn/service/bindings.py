"""The bindings of a port, for live migration: where it is bound, and other hosts that it may move to.

One that is INACTIVE is a row and nothing else: no flow depends on it. Activating it binds the port there, as a PUT of
binding:host_id would.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from naas_sdn.db.rows import PortBindingRow, PortRow
from naas_sdn.errors import (
    BadRequest,
    PolicyNotAuthorized,
    PortBindingAlreadyActive,
    PortBindingAlreadyExists,
    PortBindingError,
    PortBindingNotFound,
)
from naas_sdn.plugins.contract import Change, Plugins
from naas_sdn.service import binding, uplinks
from naas_sdn.service.access import require_owner
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.ports import visible_port
from naas_sdn.service.rows import touch

ACTIVE, INACTIVE = "ACTIVE", "INACTIVE"
MOVING = ("compute:", "manila:")
"""How the device owners begin whose ports may have several bindings."""


@dataclass(frozen=True, slots=True)
class Bindings:
    """For operators and the compute service; others see none. A host's name is the id of its binding."""

    plugins: Plugins
    vif_details: Attributes

    @property
    def actions(self) -> Mapping[str, Action]:
        return {"activate": self.activate}

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        port = visible_port(session, context, parent["port_id"])
        require_owner(context, port, "create_port_binding")
        if not port.device_owner.startswith(MOVING):
            raise BadRequest(f"Port {port.id} has device owner {port.device_owner or '(none)'}; only ports of "
                             f"machines (compute:) and shares (manila:) have several bindings.")
        host, vnic_type = attributes["host"], attributes["vnic_type"]
        if host == port.host_id or _row(session, port, host) is not None:
            raise PortBindingAlreadyExists(f"Binding for port {port.id} on host {host} already exists.")
        reached = uplinks.reached(session, [(host, port.network_id)])
        if binding.vif_of((host, port.network_id), vnic_type, reached,
                          self.vif_details)["vif_type"] == "binding_failed":
            raise PortBindingError(f"Binding for port {port.id} on host {host} could not be created: it is no "
                                   f"registered hypervisor, has no uplink to the port's physical network, or "
                                   f"{vnic_type} is not what its switch has.")
        row = PortBindingRow(port_id=port.id, host=host, vnic_type=vnic_type, profile=attributes.get("profile", {}),
                             bound=True)
        session.add(row)
        session.flush()
        return self._inactive(port, row, reached)

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        raise PolicyNotAuthorized("update_port_binding is disallowed by policy: delete it and make another.")

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        """The port is unbound with its active one."""
        port = visible_port(session, context, parent["port_id"])
        require_owner(context, port, "delete_port_binding")
        if identifier == port.host_id:
            self._move(session, port, "")
        else:
            session.delete(_required(session, port, identifier))

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        port = visible_port(session, context, parent["port_id"])
        if context.may("get_port_binding") and identifier == port.host_id:
            return self._active(port, uplinks.reached(session, [(identifier, port.network_id)]))
        row = _row(session, port, identifier) if context.may("get_port_binding") else None
        if row is None:
            raise PortBindingNotFound(f"of port {port.id} on host {identifier}")
        return self._inactive(port, row, uplinks.reached(session, [(identifier, port.network_id)]))

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        """The active one first."""
        port = visible_port(session, context, parent["port_id"])
        if not context.may("get_port_binding"):
            return []
        rows = list(session.scalars(select(PortBindingRow).where(
            PortBindingRow.port_id == port.id, PortBindingRow.host != port.host_id).order_by(PortBindingRow.host)))
        reached = uplinks.reached(session, [(host, port.network_id) for host in (port.host_id, *(
            row.host for row in rows))])
        found = [self._active(port, reached)] if port.host_id else []
        found += [self._inactive(port, row, reached) for row in rows]
        wanted = [item for item in found if all(item[name] in values for name, values in query.filters.items())]
        return wanted[:query.limit]

    def activate(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        """Bind the port to this host; the binding it had is INACTIVE and unbound then."""
        port = visible_port(session, context, body["port_id"])
        require_owner(context, port, "activate")
        if identifier == port.host_id:
            raise PortBindingAlreadyActive(f"Binding for port {port.id} on host {identifier} is already active.")
        row = _required(session, port, identifier)
        self.plugins.l2.check(session, Change("update", "port", port.id, {"binding:host_id": row.host}))
        if port.host_id:
            # Merged: a port that was plugged where it had another binding has both.
            session.merge(PortBindingRow(port_id=port.id, host=port.host_id, vnic_type=port.vnic_type,
                                         profile=port.profile, bound=False))
        port.profile, port.vnic_type = row.profile, row.vnic_type
        self._move(session, port, identifier)
        return self._active(port, uplinks.reached(session, [(identifier, port.network_id)]))

    @staticmethod
    def _move(session: Session, port: PortRow, host: str) -> None:
        binding.bind(session, port, host)
        touch(port)
        session.flush()

    def _active(self, port: PortRow, reached: set[uplinks.Place]) -> Attributes:
        return {"host": port.host_id, "vnic_type": port.vnic_type, "status": ACTIVE, "profile": port.profile,
                **binding.vif_of((port.host_id, port.network_id), port.vnic_type, reached, self.vif_details)}

    def _inactive(self, port: PortRow, row: PortBindingRow, reached: set[uplinks.Place]) -> Attributes:
        vif = (binding.vif_of((row.host, port.network_id), row.vnic_type, reached, self.vif_details) if row.bound
               else binding.UNBOUND)
        return {"host": row.host, "vnic_type": row.vnic_type, "status": INACTIVE, "profile": row.profile, **vif}


def _row(session: Session, port: PortRow, host: str) -> PortBindingRow | None:
    return session.get(PortBindingRow, (port.id, host))


def _required(session: Session, port: PortRow, host: str) -> PortBindingRow:
    """Raises PortBindingNotFound."""
    row = _row(session, port, host)
    if row is None:
        raise PortBindingNotFound(f"of port {port.id} on host {host}")
    return row
