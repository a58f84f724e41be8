"""Bridges: a network goes on at a remote site (use case 3). Registered, configured, and plugged into a port."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from naas_sdn.db.bridge_rows import BridgeRow
from naas_sdn.db.rows import PortRow
from naas_sdn.errors import (
    BridgeExists,
    BridgeInUse,
    BridgeNotFound,
    InvalidInput,
    NetworkNotFound,
    NotImplementedByPlugin,
    PortInUse,
    PortNotFound,
)
from naas_sdn.model.values import BRIDGE_PORT
from naas_sdn.plugins.contract import Change, Plugins, Site
from naas_sdn.service import ports
from naas_sdn.service.access import require_change, require_new, require_owner
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.limits import Limits
from naas_sdn.service.networks import visible_network
from naas_sdn.service.rows import change, find_rows, own_clause, standard, touch, visible
from naas_sdn.service.trunk_details import require_untrunked

OWN = own_clause(BridgeRow)
CONFIGURATION = ("type", "remote_endpoint", "udp_port", "key")
REGISTERED, CONFIGURED, PLUGGED = "registered", "configured", "plugged"


@dataclass(frozen=True, slots=True)
class Bridges:
    """`ports` makes the port of a bridge that is made, configured and plugged in by one call."""

    plugins: Plugins
    limits: Limits
    ports: ports.Ports

    @property
    def actions(self) -> Mapping[str, Action]:
        return {"plug_bridge": self.plug, "unplug_bridge": self.unplug}

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        require_new(context, attributes, "create_bridge")
        self._require_plugin()
        self.limits.charge(session, "bridge", attributes["project_id"])
        network = visible_network(session, context, attributes["network_id"])
        if network.project_id != attributes["project_id"]:
            # Who only shares a network does not lead it out of the cloud.
            raise NetworkNotFound(attributes["network_id"])
        row = BridgeRow(network_id=network.id, network=network, **{
            name: attributes[name] for name in ("project_id", "name", "description") if name in attributes})
        self._configure(session, row, attributes)
        session.add(row)
        session.flush()
        self._check(session, row, "create", attributes)
        if attributes.get("port_id") is not None or attributes.get("plugged"):
            self._plug(session, context, row, attributes.get("port_id"))
        return self._show(session, [row])[0]

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        row = self._visible(session, context, identifier)
        require_change(context, row, attributes, "update_bridge")
        change(row, attributes, ("name", "description"))
        if any(name in attributes for name in CONFIGURATION):
            self._configure(session, row, attributes)
        session.flush()
        self._check(session, row, "update", attributes)
        return self._show(session, [row])[0]

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        row = self._visible(session, context, identifier)
        require_owner(context, row, "delete_bridge")
        self._check(session, row, "delete", {})
        if row.port is not None:
            self._unplug(session, row)
        session.delete(row)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return self._show(session, [self._visible(session, context, identifier)])[0]

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        self._require_plugin()
        return self._show(session, find_rows(session, context, BridgeRow, query, BridgeNotFound, clause=OWN,
                                             columns={"plugged": BridgeRow.port_id.is_not(None)}))

    def plug(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        """Into the port that is named, or one made for it."""
        row = self._visible(session, context, identifier)
        require_owner(context, row, "plug_bridge")
        self._plug(session, context, row, body.get("port_id"))
        touch(row)
        session.flush()
        return {"bridge": self._show(session, [row])[0]}

    def unplug(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        row = self._visible(session, context, identifier)
        require_owner(context, row, "unplug_bridge")
        if row.port is None:
            raise PortNotFound(f"of bridge {row.id}")
        self._unplug(session, row)
        touch(row)
        session.flush()
        return {"bridge": self._show(session, [row])[0]}

    def _visible(self, session: Session, context: Context, identifier: str) -> BridgeRow:
        self._require_plugin()
        return visible(session, context, BridgeRow, identifier, BridgeNotFound, OWN, (joinedload(BridgeRow.port),))

    def _require_plugin(self, kind: str | None = None) -> None:
        """Raises NotImplementedByPlugin without a plugin of this type, or of any."""
        if not self.plugins.bridges or (kind is not None and kind not in self.plugins.bridges):
            raise NotImplementedByPlugin(
                f"Bridges{'' if kind is None else f' of type {kind}'} need a bridge plugin that is not configured; "
                f"there are: {', '.join(sorted(self.plugins.bridges)) or 'none'}.")

    def _configure(self, session: Session, row: BridgeRow, attributes: Attributes) -> None:
        """Raises InvalidInput, BridgeExists, BridgeInUse and NotImplementedByPlugin."""
        wanted = {name: attributes.get(name, getattr(row, name)) for name in CONFIGURATION}
        kind = wanted.pop("type")
        site = Site(**wanted)
        if kind is None:
            if site != Site():
                raise InvalidInput("Invalid input for type: say of which type the bridge is, with its endpoint and "
                                   f"key; there are: {', '.join(sorted(self.plugins.bridges))}.")
            if row.port_id is not None:
                raise BridgeInUse(f"Bridge {row.id} is plugged into port {row.port_id}: unplug it before its "
                                  f"configuration is taken away.")
        else:
            self._require_plugin(kind)
            if kind != row.type and "udp_port" not in attributes:
                site = replace(site, udp_port=None)
            site = self.plugins.bridges[kind].settled(session, site)
        tunnel = None if kind is None else f"{kind} {site.remote_endpoint} {site.udp_port} {site.key}"
        with session.no_autoflush:
            other = None if tunnel is None else session.scalar(
                select(BridgeRow.id).where(BridgeRow.tunnel == tunnel, BridgeRow.id != (row.id or "")))
        if other is not None:
            raise BridgeExists(f"Another bridge has a tunnel of type {kind} to {site.remote_endpoint} with key "
                               f"{site.key}; one tunnel is of one bridge.")
        changed: dict[str, Any] = {"type": kind, "remote_endpoint": site.remote_endpoint, "udp_port": site.udp_port,
                                   "key": site.key, "tunnel": tunnel}
        if row.id is None:
            for name, value in changed.items():
                setattr(row, name, value)
        else:
            change(row, changed, changed)

    def _check(self, session: Session, row: BridgeRow, operation: str, attributes: Attributes) -> None:
        plugin = self.plugins.bridges.get(row.type or "")
        if plugin is not None:
            plugin.check(session, Change(operation, "bridge", row.id, attributes))

    def _plug(self, session: Session, context: Context, row: BridgeRow, port_id: str | None) -> None:
        """Raises BridgeInUse, InvalidInput, PortNotFound and PortInUse."""
        if row.type is None:
            raise InvalidInput(f"Invalid input for operation: bridge {row.id} has no type, endpoint and key yet; "
                               f"configure it before it is plugged in.")
        if row.port is not None:
            raise BridgeInUse(f"Bridge {row.id} is plugged into port {row.port_id} already.")
        if port_id is None:
            port = self.ports.make(session, context, {
                "network_id": row.network_id, "project_id": row.project_id, "name": row.name, "fixed_ips": []})
        else:
            port = ports.visible_port(session, context, port_id)
            _require_free(session, row, port)
        port.device_owner, port.device_id = BRIDGE_PORT, row.id
        touch(port)
        row.port, row.made_port = port, port_id is None
        session.flush()

    def _unplug(self, session: Session, row: BridgeRow) -> None:
        """A port that was made for the bridge goes."""
        port, made = row.port, row.made_port
        assert port is not None
        row.port, row.made_port = None, False
        session.flush()
        if made:
            ports.remove(session, self.plugins, port)
        else:
            port.device_owner = port.device_id = ""
            touch(port)

    def _show(self, session: Session, rows: Iterable[BridgeRow]) -> list[Attributes]:
        """`status` and `reason` of what is plugged in are the plugin's, if it says any."""
        rows = list(rows)
        told: dict[str, Mapping[str, Any]] = {}
        for kind, plugin in self.plugins.bridges.items():
            ids = [row.id for row in rows if row.type == kind and row.port_id is not None]
            told.update(plugin.extend(session, "bridge", ids) if ids else {})
        return [{
            **standard(row), "network_id": row.network_id, **{name: getattr(row, name) for name in CONFIGURATION},
            "port_id": row.port_id, "plugged": row.port_id is not None, **_state(row), **told.get(row.id, {}),
        } for row in rows]


def _state(row: BridgeRow) -> Attributes:
    if row.type is None:
        return {"status": REGISTERED, "reason": "It has no type, endpoint and key yet."}
    if row.port_id is None:
        return {"status": CONFIGURED, "reason": "It is not plugged into a port."}
    return {"status": PLUGGED, "reason": f"The plugin {row.type} carries no frames to the remote site yet."}


def _require_free(session: Session, row: BridgeRow, port: PortRow) -> None:
    """Raises PortNotFound for another project's, InvalidInput for one elsewhere, PortInUse for one that is used."""
    if port.project_id != row.project_id:
        raise PortNotFound(port.id)
    if port.network_id != row.network_id:
        raise InvalidInput(f"Invalid input for port_id: port {port.id} is on network {port.network_id}, but bridge "
                           f"{row.id} is of network {row.network_id}.")
    use = port.device_id or port.device_owner or port.host_id or (port.vif.host if port.vif is not None else "")
    if use:
        raise PortInUse(f"Unable to complete operation on port {port.id}: it is in use by {use}.")
    require_untrunked(session, port.id)
