"""Ports: Neutron's, with their number in the network and with plug and unplug."""
from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload
from sqlalchemy.sql.base import ExecutableOption

from naas_sdn.db import announcements, status
from naas_sdn.db.rows import AllocationRow, CounterRow, NetworkRow, PortRow, SubnetRow, VifRow
from naas_sdn.errors import (
    BadRequest,
    HTTPBadRequest,
    PolicyNotAuthorized,
    PortBound,
    PortNotFound,
    ServicePortInUse,
)
from naas_sdn.model.values import BRIDGE_PORT, DHCP_SERVICE, FLOATING_IP
from naas_sdn.plugins.contract import Change, Plugins
from naas_sdn.service import (
    address_pairs,
    addresses,
    binding,
    dhcp_opts,
    floating_uses,
    plugging,
    port_groups,
    statistics,
    trunk_details,
    uplinks,
)
from naas_sdn.service.access import require_change, require_new, require_owner
from naas_sdn.service.contract import Action, Attributes, Context, Query
from naas_sdn.service.grants import covers
from naas_sdn.service.limits import Limits
from naas_sdn.service.networks import visible_network
from naas_sdn.service.qos import visible_policy
from naas_sdn.service.rows import READER, Sight, find_rows, standard, touch, visible

PLAIN = ("name", "description", "admin_state_up", "device_id", "device_owner", "port_security_enabled",
         "qos_policy_id")
OF_THE_CLOUD = (DHCP_SERVICE, "network:router", FLOATING_IP, BRIDGE_PORT)
"""How those device owners begin that the core acts upon."""
OF_SERVICES = ("compute:", "baremetal:", "manila:")
"""How the device owners of ports begin that are deleted through their service only."""


WHOLE = (joinedload(PortRow.network), joinedload(PortRow.allocations),
         joinedload(PortRow.vif).joinedload(VifRow.hypervisor))
"""A port with all that an operation looks at or deletes with it; its security groups end in the database."""
SHOWN = (*WHOLE, joinedload(PortRow.security_groups))


_OWN_NETWORK = NetworkRow.project_id == READER
SEEN = Sight(or_(PortRow.project_id == READER, PortRow.network.has(_OWN_NETWORK)),
             (select(PortRow.id).where(PortRow.project_id == READER),
              select(PortRow.id).where(PortRow.network_id.in_(select(NetworkRow.id).where(_OWN_NETWORK)))))
"""Own ports, and all ports of own networks."""


def visible_port(session: Session, context: Context, identifier: str,
                 options: tuple[ExecutableOption, ...] = WHOLE) -> PortRow:
    """Raises PortNotFound."""
    return visible(session, context, PortRow, identifier, PortNotFound, SEEN, options)


@dataclass(frozen=True, slots=True)
class Ports:
    """`reserved` are the interfaces of a hypervisor that nothing is plugged to; `vif_details` as bindings show them."""

    plugins: Plugins
    reserved: frozenset[str]
    limits: Limits
    vif_details: Attributes = field(default_factory=binding.vif_details)

    @property
    def actions(self) -> Mapping[str, Action]:
        return {"plug": self.plug, "unplug": self.unplug, "statistics": self.statistics}

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        row = self.make(session, context, attributes)
        # Nobody can have had trouble with what is in no other transaction yet.
        return self._item(row, None, self._reached(session, context, [row]))

    def make(self, session: Session, context: Context, attributes: Attributes) -> PortRow:
        """The row of a new port."""
        network = visible_network(session, context, attributes["network_id"])
        require_new(context, attributes, "create_port", network=network)
        _leave_to_the_cloud("", attributes)
        _require_shared(session, context, network)
        self.limits.charge(session, "port", attributes["project_id"])
        asked = attributes.get("port_security_enabled")
        secure = network.port_security_enabled if asked is None else asked
        groups = port_groups.of_new_port(session, context, attributes, secure=secure)
        if attributes.get("mac_address") is not None:
            addresses.require_free_mac(session, network.id, attributes["mac_address"])
        with session.no_autoflush:
            # All that is asked here is of other rows, so one flush is enough.
            row = addresses.new_port(session, network, {
                **{name: attributes[name] for name in PLAIN if name in attributes},
                "port_security_enabled": secure, "security_groups": port_groups.members(groups),
                "project_id": attributes["project_id"], "mac_address": attributes.get("mac_address"),
                "host_id": attributes.get("binding:host_id") or "", "profile": attributes.get("binding:profile") or {},
                "vnic_type": attributes.get("binding:vnic_type", "normal"),
            })
            self._policy(session, context, row)
            _sends_and_is_told(row, attributes)
            gained = self._address(session, row, attributes.get("fixed_ips"))
        session.flush()
        self.plugins.l2.check(session, Change("create", "port", row.id, attributes))
        self._settle(session, row, gained)
        return row

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        row = visible_port(session, context, identifier, SHOWN)
        require_change(context, row, attributes, "update_port", _told(row))
        _leave_to_the_cloud(row.device_owner, attributes)
        _keep_what_the_cloud_gave(row, attributes)
        self.plugins.l2.check(session, Change("update", "port", row.id, attributes))
        port_groups.change(session, context, row, attributes)
        before = addresses.subnets_of(session, [row])
        if attributes.get("mac_address", row.mac_address) != row.mac_address:
            self._new_mac(session, row, attributes["mac_address"])
        for name in PLAIN:
            if name in attributes and getattr(row, name) != attributes[name]:
                setattr(row, name, attributes[name])
        if "binding:profile" in attributes:
            row.profile = attributes["binding:profile"] or {}
        if "binding:vnic_type" in attributes:
            binding.set_vnic_type(row, attributes["binding:vnic_type"])
        if "binding:host_id" in attributes:
            binding.bind(session, row, attributes["binding:host_id"] or "")
        self._policy(session, context, row)
        _sends_and_is_told(row, attributes)
        if "fixed_ips" in attributes:
            self._settle(session, row, self._address(session, row, attributes["fixed_ips"] or []))
        for subnet in before:
            addresses.ensure_service_address(session, self.plugins, subnet)
        touch(row)
        announcements.changed(session, row)
        session.flush()
        return self.show(session, context, [row])[0]

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        row = visible_port(session, context, identifier)
        require_owner(context, row, "delete_port")
        if row.device_owner.startswith(("network:router", FLOATING_IP, BRIDGE_PORT)):
            raise ServicePortInUse(f"Port {row.id} cannot be deleted directly via the port API: it has device owner "
                                   f"{row.device_owner}. Remove the router's interface or gateway, or the floating IP, "
                                   f"or unplug the bridge, instead.")
        if row.device_owner.startswith(OF_SERVICES) and not context.through_service:
            raise PolicyNotAuthorized(f"delete_port is disallowed by policy: port {row.id} has device owner "
                                      f"{row.device_owner}; its service deletes it.")
        trunk_details.require_untrunked(session, row.id)
        self.plugins.l2.check(session, Change("delete", "port", row.id, {}))
        remove(session, self.plugins, row)

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        return self.show(session, context, [visible_port(session, context, identifier, SHOWN)])[0]

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        conditions = [clause(query.filters[name]) for name, clause in (
            ("fixed_ips", _holding), ("security_groups", port_groups.having)) if name in query.filters]
        filters = {name: values for name, values in query.filters.items()
                   if name not in ("fixed_ips", "security_groups", "status")}
        wanted = query.filters.get("status")
        plain = Query(filters, query.sorts, None if wanted else query.limit, query.marker, query.reverse)
        # Nova asks by host with its user's token, who is not shown it.
        columns = {"binding:host_id": PortRow.host_id, "binding:vnic_type": PortRow.vnic_type}
        options = [selectinload(PortRow.allocations), selectinload(PortRow.security_groups),
                   joinedload(PortRow.vif).joinedload(VifRow.hypervisor), joinedload(PortRow.network)]
        rows = find_rows(session, context, PortRow, plain, PortNotFound, clause=SEEN, columns=columns,
                         conditions=conditions, options=options)
        shown = self.show(session, context, rows)
        if wanted:
            # A status is joined from three tables; a page of it is cut here.
            shown = [item for item in shown if item["status"] in wanted]
            if query.limit is not None:
                shown = shown[-query.limit:] if query.reverse else shown[:query.limit]
        return shown

    def plug(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        row = visible_port(session, context, identifier, SHOWN)
        require_owner(context, row, "plug")
        plugging.require_plain_interface(body["interface"], self.reserved)
        if row.vif is None:
            self.limits.charge(session, "vif", row.project_id)
        plugging.plug(session, row, body["host"], body["interface"])
        uplinks.require(session, row, body["host"], body["interface"])
        return {"port": self.show(session, context, [row])[0]}

    def unplug(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        row = visible_port(session, context, identifier, SHOWN)
        require_owner(context, row, "unplug")
        plugging.unplug(session, row)
        return {"port": self.show(session, context, [row])[0]}

    def statistics(self, session: Session, context: Context, identifier: str, body: Attributes) -> Attributes:
        row = visible_port(session, context, identifier)
        return statistics.total(session, {"port_id": row.id, "network_id": row.network_id}, PortRow.id == row.id)

    def show(self, session: Session, context: Context, rows: Iterable[PortRow]) -> list[Attributes]:
        rows = list(rows)
        errors = status.errors_of(session, "port", [row.id for row in rows])
        reached = self._reached(session, context, rows)
        trunks = trunk_details.details_of(session, [row.id for row in rows])
        return [{**self._item(row, errors.get(row.id), reached),
                 **({"trunk_details": trunks[row.id]} if row.id in trunks else {})} for row in rows]

    @staticmethod
    def _reached(session: Session, context: Context, rows: Iterable[PortRow]) -> set[uplinks.Place]:
        """Of the places that the ports are bound to, those that they can be, for who may be told so."""
        told = any(context.might(f"get_port:binding:{name}") for name in ("vif_type", "vif_details"))
        return uplinks.reached(session, [(row.host_id, row.network_id) for row in rows]) if told else set()

    def _item(self, row: PortRow, error: str | None, reached: Collection[uplinks.Place]) -> Attributes:
        vif = binding.vif_of((row.host_id, row.network_id), row.vnic_type, reached, self.vif_details)
        return {
            **standard(row), "network_id": row.network_id, "number": row.number,
            "admin_state_up": row.admin_state_up, "status": status.port_status(row, error),
            "mac_address": row.mac_address, "fixed_ips": [
                {"subnet_id": a.subnet_id, "ip_address": a.ip_address} for a in row.allocations],
            "device_id": row.device_id, "device_owner": row.device_owner, "security_groups": port_groups.ids_of(row),
            "port_security_enabled": row.port_security_enabled,
            "allowed_address_pairs": address_pairs.shown(row, row.allowed_address_pairs),
            "extra_dhcp_opts": row.extra_dhcp_opts, "qos_policy_id": row.qos_policy_id,
            "qos_network_policy_id": row.network.qos_policy_id, "binding:vnic_type": row.vnic_type,
            "vif_id": row.vif.id if row.vif is not None else None, "error": error,
            "binding:host_id": row.host_id, "binding:profile": row.profile,
            "binding:vif_type": vif["vif_type"], "binding:vif_details": vif["vif_details"],
            "network:project_id": row.network.project_id,
        }

    def _address(self, session: Session, row: PortRow, wanted: list[Attributes] | None) -> list[SubnetRow]:
        """The subnets of its new addresses."""
        if not self.plugins.has_l3:
            if wanted:
                raise self.plugins.l3.missing()
            return []
        return addresses.give(session, self.plugins, row, wanted)

    def _settle(self, session: Session, row: PortRow, gained: Iterable[SubnetRow]) -> None:
        """DHCP moves away from a gateway's address that is the port's now; no other address is its concern."""
        held = {(allocation.subnet_id, allocation.ip_address) for allocation in row.allocations}
        for subnet in gained:
            if (subnet.id, subnet.gateway_ip) in held:
                addresses.ensure_service_address(session, self.plugins, subnet)

    @staticmethod
    def _policy(session: Session, context: Context, row: PortRow) -> None:
        if row.qos_policy_id is not None:
            visible_policy(session, context, row.qos_policy_id)

    def _new_mac(self, session: Session, row: PortRow, mac: str | None) -> None:
        if row.vif is not None or row.host_id:
            raise PortBound(f"Unable to complete operation on port {row.id}, port is already bound; "
                            f"unplug it before its MAC address is changed.")
        if mac is None:
            row.mac_address = addresses.free_mac(session, row.network_id)
        else:
            addresses.require_free_mac(session, row.network_id, mac)
            row.mac_address = mac
        addresses.renew_automatic(session, self.plugins, row)


def _told(row: PortRow) -> Attributes:
    """Attributes that clients read and tell back with what they change, which is to say nothing of them."""
    return {"device_id": row.device_id, "device_owner": row.device_owner, "mac_address": row.mac_address,
            "port_security_enabled": row.port_security_enabled, "binding:vnic_type": row.vnic_type,
            "allowed_address_pairs": address_pairs.shown(row, row.allowed_address_pairs)}


def _leave_to_the_cloud(present: str, attributes: Attributes) -> None:
    """Raises BadRequest for a device owner that is given and taken by the cloud alone; `present`: the port's."""
    wanted = attributes.get("device_owner", present)
    for owner in (present, wanted) if wanted != present else ():
        if owner.startswith(OF_THE_CLOUD):
            raise BadRequest(f"device_owner {owner} is given and taken by the cloud itself only, with a "
                             f"router's interface, a subnet's DHCP or a bridge.")


def _require_shared(session: Session, context: Context, network: NetworkRow) -> None:
    """Raises PolicyNotAuthorized for a network that the caller sees, but for the sake of routers only."""
    if context.is_service or context.owns(network.project_id):
        return
    if not covers(session, network.id, context.project_id):
        raise PolicyNotAuthorized(f"create_port is disallowed by policy: network {network.id} is external, for "
                                  f"gateways and floating addresses; ports are for its owner to make.")


def remove(session: Session, plugins: Plugins, row: PortRow) -> None:
    """The port, its addresses, its VIF and its counters; a freed gateway address may end a service address."""
    subnets = addresses.subnets_of(session, [row]) if plugins.has_l3 else []
    session.execute(delete(CounterRow).where(CounterRow.port_id == row.id))
    floating_uses.disassociate(session, row.id)
    session.delete(row)
    session.flush()
    for subnet in subnets:
        addresses.ensure_service_address(session, plugins, subnet)


def _sends_and_is_told(row: PortRow, attributes: Attributes) -> None:
    """The port's address pairs and DHCP options, after all else that these depend on."""
    if "allowed_address_pairs" in attributes:
        address_pairs.set_pairs(row, attributes["allowed_address_pairs"])
    address_pairs.require_security(row)
    if "extra_dhcp_opts" in attributes:
        row.extra_dhcp_opts = dhcp_opts.merged(row.extra_dhcp_opts, attributes["extra_dhcp_opts"])


def _keep_what_the_cloud_gave(row: PortRow, attributes: Attributes) -> None:
    """Raises ServicePortInUse: a router and DHCP stand on the addresses of their ports, which stay theirs."""
    if not row.device_owner.startswith(OF_THE_CLOUD):
        return
    held = [{"subnet_id": a.subnet_id, "ip_address": a.ip_address} for a in row.allocations]
    wanted = attributes.get("fixed_ips", held) or []
    same = len(wanted) == len(held) and all(any(item.items() <= has.items() for has in held) for item in wanted)
    if attributes.get("device_id", row.device_id) != row.device_id:
        raise ServicePortInUse(f"Port {row.id} keeps its device_id while it has device owner {row.device_owner}.")
    if not same or attributes.get("mac_address", row.mac_address) != row.mac_address:
        raise ServicePortInUse(f"Port {row.id} keeps its addresses while it has device owner {row.device_owner}. "
                               f"Remove the router's interface, turn the subnet's DHCP off, or unplug the bridge.")


def _holding(items: Iterable[str]) -> ColumnElement[bool]:
    """Filter syntax `ip_address=X`, `subnet_id=X` or `ip_address_substr=X`.

    One address of the port is any of what each key says.
    """
    wanted: dict[str, list[str]] = {"ip_address": [], "subnet_id": [], "ip_address_substr": []}
    for item in items:
        name, separator, value = item.partition("=")
        if not separator or name not in wanted:
            raise HTTPBadRequest("Invalid value for fixed_ips filter: write fixed_ips=ip_address=ADDRESS, "
                                 "fixed_ips=subnet_id=ID or fixed_ips=ip_address_substr=TEXT.")
        wanted[name].append(value)
    clauses: list[ColumnElement[bool]] = [column.in_(wanted[name]) for name, column in (
        ("ip_address", AllocationRow.ip_address), ("subnet_id", AllocationRow.subnet_id)) if wanted[name]]
    if wanted["ip_address_substr"]:
        clauses.append(or_(*(AllocationRow.ip_address.contains(text, autoescape=True)
                             for text in wanted["ip_address_substr"])))
    return PortRow.id.in_(select(AllocationRow.port_id).where(*clauses))
