"""The tables of the core. What belongs to a plugin alone (tunnel keys) has a table of its own."""
from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, BigInteger, DateTime, FetchedValue, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

if TYPE_CHECKING:
    from naas_sdn.db.gateway_rows import RouterGatewayRow
    from naas_sdn.db.security_group_rows import PortSecurityGroupRow


def now() -> datetime:
    """Naive UTC to the second, as the API shows it."""
    return datetime.now(UTC).replace(microsecond=0, tzinfo=None)


def new_id() -> str:
    return str(uuid.uuid4())


class Row(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON, datetime: DateTime}


class Owned(Row):
    """Neutron's standard attributes."""

    __abstract__ = True
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    project_id: Mapped[str] = mapped_column(String(255), index=True)
    name: Mapped[str] = mapped_column(String(255), default="")
    description: Mapped[str] = mapped_column(String(255), default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    revision_number: Mapped[int] = mapped_column(default=1)


class KeyRow(Row):
    """The sequence of register keys of ports, hypervisors, subnets and routers; none is used twice."""

    __tablename__ = "keys"
    __table_args__ = {"sqlite_autoincrement": True}
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)


class NetworkRow(Owned):
    __tablename__ = "networks"
    admin_state_up: Mapped[bool] = mapped_column(default=True)
    mtu: Mapped[int]
    port_security_enabled: Mapped[bool] = mapped_column(default=True)
    isolated: Mapped[bool] = mapped_column(default=False)
    is_default: Mapped[bool] = mapped_column(default=False)
    """Of the external networks, that which topologies made by the cloud lead to."""
    qos_policy_id: Mapped[str | None] = mapped_column(ForeignKey("qos_policies.id"))
    next_number: Mapped[int] = mapped_column(default=1)
    availability_zone_hints: Mapped[list[Any]] = mapped_column(default=list)
    subnets: Mapped[list[SubnetRow]] = relationship(back_populates="network", order_by="SubnetRow.created_at")


class TunnelKeyRow(Row):
    """The OpenFlow L2 plugin's: the 24-bit tunnel key of each network, and where it is if not in tunnels.

    `vlan` on a physical network; 0: untagged there.
    """

    __tablename__ = "openflow_networks"
    __table_args__ = (Index("ix_openflow_networks_vlan", "physical_network", "vlan", unique=True),)
    network_id: Mapped[str] = mapped_column(ForeignKey("networks.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[int] = mapped_column(unique=True)
    physical_network: Mapped[str | None] = mapped_column(String(64))
    vlan: Mapped[int | None]


class SubnetRow(Owned):
    __tablename__ = "subnets"
    network_id: Mapped[str] = mapped_column(ForeignKey("networks.id"), index=True)
    ip_version: Mapped[int] = mapped_column(default=4)
    cidr: Mapped[str] = mapped_column(String(64))
    gateway_ip: Mapped[str | None] = mapped_column(String(64))
    enable_dhcp: Mapped[bool] = mapped_column(default=True)
    allocation_pools: Mapped[list[Any]]
    dns_nameservers: Mapped[list[Any]]
    host_routes: Mapped[list[Any]]
    subnetpool_id: Mapped[str | None] = mapped_column(String(36), index=True)
    service_types: Mapped[list[Any]] = mapped_column(default=list)
    """The device owners that it serves; empty: all that no other subnet of the network names."""
    ipv6_ra_mode: Mapped[str | None] = mapped_column(String(16))
    ipv6_address_mode: Mapped[str | None] = mapped_column(String(16))
    key: Mapped[int]
    network: Mapped[NetworkRow] = relationship(back_populates="subnets")


class AddressScopeRow(Row):
    __tablename__ = "address_scopes"
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    project_id: Mapped[str] = mapped_column(String(255), index=True)
    name: Mapped[str] = mapped_column(String(255), default="")
    ip_version: Mapped[int]


class SubnetPoolRow(Owned):
    """`default_quota`: IPv4 addresses, or IPv6 /64s, that each project may take; None: all."""

    __tablename__ = "subnetpools"
    prefixes: Mapped[list[Any]]
    ip_version: Mapped[int]
    min_prefixlen: Mapped[int]
    default_prefixlen: Mapped[int]
    max_prefixlen: Mapped[int]
    default_quota: Mapped[int | None]
    is_default: Mapped[bool] = mapped_column(default=False)
    address_scope_id: Mapped[str | None] = mapped_column(ForeignKey("address_scopes.id"), index=True)


class PortRow(Owned):
    __tablename__ = "ports"
    __table_args__ = (UniqueConstraint("network_id", "mac_address"), UniqueConstraint("network_id", "number"))
    network_id: Mapped[str] = mapped_column(ForeignKey("networks.id"), index=True)
    number: Mapped[int]
    admin_state_up: Mapped[bool] = mapped_column(default=True)
    mac_address: Mapped[str] = mapped_column(String(17))
    device_id: Mapped[str] = mapped_column(String(255), default="", index=True)
    device_owner: Mapped[str] = mapped_column(String(255), default="")
    port_security_enabled: Mapped[bool] = mapped_column(default=True)
    qos_policy_id: Mapped[str | None] = mapped_column(ForeignKey("qos_policies.id"), index=True)
    host_id: Mapped[str] = mapped_column(String(255), default="")
    unplugged: Mapped[bool] = mapped_column(default=False)
    """By the API: an interface of its name does not plug it again until it is bound to a host."""
    vnic_type: Mapped[str] = mapped_column(String(64), default="normal")
    profile: Mapped[dict[str, Any]]
    allowed_address_pairs: Mapped[list[Any]] = mapped_column(default=list)
    """[{ip_address, mac_address}]; a mac_address of None is the port's own, which may change."""
    extra_dhcp_opts: Mapped[list[Any]] = mapped_column(default=list)
    key: Mapped[int] = mapped_column(unique=True)
    network: Mapped[NetworkRow] = relationship()
    allocations: Mapped[list[AllocationRow]] = relationship(
        back_populates="port", cascade="all, delete-orphan", order_by="AllocationRow.id")
    vif: Mapped[VifRow | None] = relationship(back_populates="port", cascade="all, delete-orphan")
    security_groups: Mapped[list[PortSecurityGroupRow]] = relationship(
        back_populates="port", cascade="all, delete-orphan", passive_deletes=True,
        order_by="PortSecurityGroupRow.security_group_id")


class AllocationRow(Row):
    """An address of a port."""

    __tablename__ = "allocations"
    __table_args__ = (UniqueConstraint("subnet_id", "ip_number"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    port_id: Mapped[str] = mapped_column(ForeignKey("ports.id"), index=True)
    subnet_id: Mapped[str] = mapped_column(ForeignKey("subnets.id"))
    ip_address: Mapped[str] = mapped_column(String(64), index=True)
    ip_number: Mapped[str] = mapped_column(String(32))
    """The address as 32 hexadecimal digits: sorts and compares in every database, IPv6 too."""
    port: Mapped[PortRow] = relationship(back_populates="allocations")


class VifRow(Row):
    """Which interface of which hypervisor, or which VLAN on one (0: what is untagged), is attached to which port."""

    __tablename__ = "vifs"
    __table_args__ = (UniqueConstraint("host", "interface", "vlan"), UniqueConstraint("host", "slot"))
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    port_id: Mapped[str] = mapped_column(ForeignKey("ports.id"), unique=True)
    host: Mapped[str] = mapped_column(ForeignKey("hypervisors.name"))
    interface: Mapped[str] = mapped_column(String(15))
    vlan: Mapped[int] = mapped_column(default=0, server_default="0")
    slot: Mapped[int]
    plugging: Mapped[int] = mapped_column(default=1)
    acknowledged: Mapped[int] = mapped_column(default=0)
    source: Mapped[str] = mapped_column(String(8))
    refusal: Mapped[str] = mapped_column(String(255), default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    revision_number: Mapped[int] = mapped_column(default=1)
    port: Mapped[PortRow] = relationship(back_populates="vif")
    hypervisor: Mapped[HypervisorRow] = relationship()


class HypervisorRow(Row):
    """Who may speak for what. `alive`: its switch is connected and in step."""

    __tablename__ = "hypervisors"
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    datapath_id: Mapped[str] = mapped_column(String(16), unique=True)
    vtep: Mapped[str] = mapped_column(String(64), unique=True)
    certificate: Mapped[str | None] = mapped_column(String(255))
    key: Mapped[int] = mapped_column(unique=True)
    alive: Mapped[bool] = mapped_column(default=False)
    availability_zone: Mapped[str] = mapped_column(String(255), default="nova")
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    agent: Mapped[AgentRow | None] = relationship(back_populates="hypervisor", cascade="all, delete-orphan")
    uplinks: Mapped[list[HypervisorUplinkRow]] = relationship(
        cascade="all, delete-orphan", order_by="HypervisorUplinkRow.physical_network")


class HypervisorUplinkRow(Row):
    """The interface of a hypervisor that a physical network is behind."""

    __tablename__ = "hypervisor_uplinks"
    __table_args__ = (UniqueConstraint("host", "interface"),)
    host: Mapped[str] = mapped_column(ForeignKey("hypervisors.name", ondelete="CASCADE"), primary_key=True)
    physical_network: Mapped[str] = mapped_column(String(64), primary_key=True)
    interface: Mapped[str] = mapped_column(String(15))


class RouterRow(Owned):
    __tablename__ = "routers"
    admin_state_up: Mapped[bool] = mapped_column(default=True)
    key: Mapped[int] = mapped_column(unique=True)
    availability_zone_hints: Mapped[list[Any]] = mapped_column(default=list)
    routes: Mapped[list[Any]] = mapped_column(default=list)
    interfaces: Mapped[list[RouterInterfaceRow]] = relationship(cascade="all, delete-orphan")
    gateway: Mapped[RouterGatewayRow | None] = relationship(cascade="all, delete-orphan")


class RouterInterfaceRow(Row):
    __tablename__ = "router_interfaces"
    router_id: Mapped[str] = mapped_column(ForeignKey("routers.id"), primary_key=True)
    port_id: Mapped[str] = mapped_column(ForeignKey("ports.id"), primary_key=True)
    subnet_id: Mapped[str] = mapped_column(ForeignKey("subnets.id"), primary_key=True)
    port: Mapped[PortRow] = relationship()
    subnet: Mapped[SubnetRow] = relationship()


class RouteRow(Owned):
    """A NaaS route. `pair` is both subnet ids in order, so that one pair has one route."""

    __tablename__ = "routes"
    source_subnet_id: Mapped[str] = mapped_column(ForeignKey("subnets.id"), index=True)
    destination_subnet_id: Mapped[str] = mapped_column(ForeignKey("subnets.id"), index=True)
    pair: Mapped[str] = mapped_column(String(73), unique=True)
    source: Mapped[SubnetRow] = relationship(foreign_keys=[source_subnet_id])
    destination: Mapped[SubnetRow] = relationship(foreign_keys=[destination_subnet_id])


class QosPolicyRow(Owned):
    __tablename__ = "qos_policies"
    is_default: Mapped[bool] = mapped_column(default=False)
    rules: Mapped[list[QosRuleRow]] = relationship(
        back_populates="policy", cascade="all, delete-orphan", order_by="QosRuleRow.type, QosRuleRow.direction")


class QosRuleRow(Row):
    """A rule of any type (service/qos_kinds.py): `value` and `burst` in its units, `direction` empty where it has none.

    egress is what the machine sends.
    """

    __tablename__ = "qos_rules"
    __table_args__ = (UniqueConstraint("policy_id", "type", "direction"),)
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    policy_id: Mapped[str] = mapped_column(ForeignKey("qos_policies.id"))
    type: Mapped[str] = mapped_column(String(32))
    direction: Mapped[str] = mapped_column(String(8), default="")
    value: Mapped[int]
    burst: Mapped[int] = mapped_column(default=0)
    policy: Mapped[QosPolicyRow] = relationship(back_populates="rules")


class TagRow(Row):
    """A word that somebody put on an object (db/tags.py)."""

    __tablename__ = "tags"
    object_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    tag: Mapped[str] = mapped_column(String(255), primary_key=True)


class TokenRow(Row):
    """`hash` is the SHA-256 of the secret, which is kept nowhere."""

    __tablename__ = "tokens"
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    project_id: Mapped[str] = mapped_column(String(255))
    user: Mapped[str] = mapped_column(String(255))
    roles: Mapped[list[Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]


class CounterRow(Row):
    """Traffic of a port on one hypervisor; `last_*` is the switch's reading behind the total."""

    __tablename__ = "counters"
    port_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    host: Mapped[str] = mapped_column(String(64), primary_key=True)
    metric: Mapped[str] = mapped_column(String(16), primary_key=True)
    octets: Mapped[int] = mapped_column(BigInteger, default=0)
    packets: Mapped[int] = mapped_column(BigInteger, default=0)
    last_octets: Mapped[int] = mapped_column(BigInteger, default=0)
    last_packets: Mapped[int] = mapped_column(BigInteger, default=0)
    updated_at: Mapped[datetime] = mapped_column(default=now)


class ObjectErrorRow(Row):
    """What could not be realised, by whom and why."""

    __tablename__ = "object_errors"
    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    object_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    source: Mapped[str] = mapped_column(String(64), primary_key=True)
    reason: Mapped[str] = mapped_column(String(1000))


class CheckRow(Row):
    """An operator's question about one hypervisor's switch, and the controller's answer (db/checks.py)."""

    __tablename__ = "checks"
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    host: Mapped[str] = mapped_column(String(64))
    repair: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(default=now)
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class JournalRow(Row):
    """Look at this object again (db/journal.py). `request_id`: who asked for it, of the API's.

    `xid`: the transaction on PostgreSQL, 0 on SQLite; the database's default says it.
    """

    __tablename__ = "journal"
    __table_args__ = (Index("ix_journal_object", "kind", "object_id"), Index("ix_journal_order", "xid", "seq"),
                      {"sqlite_autoincrement": True})
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    xid: Mapped[int] = mapped_column(BigInteger, server_default=FetchedValue())
    kind: Mapped[str] = mapped_column(String(32))
    object_id: Mapped[str] = mapped_column(String(255))
    request_id: Mapped[str | None] = mapped_column(String(64))


class HeartbeatRow(Row):
    """That a loop of the controller still turns (db/heartbeats.py)."""

    __tablename__ = "heartbeats"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    beat_at: Mapped[datetime]


class AgentRow(Row):
    """A hypervisor as one of Neutron's agents: what operators say of it, and when its switch came and went."""

    __tablename__ = "agents"
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    host: Mapped[str] = mapped_column(ForeignKey("hypervisors.name", ondelete="CASCADE"), unique=True)
    admin_state_up: Mapped[bool] = mapped_column(default=True)
    description: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    lost_at: Mapped[datetime | None]
    hypervisor: Mapped[HypervisorRow] = relationship(back_populates="agent")


class PortBindingRow(Row):
    """Another host that the port may move to, or came from. Where it is bound is the port's own `host_id`.

    `bound`: the host may realise it; the one it came from may not.
    """

    __tablename__ = "port_bindings"
    port_id: Mapped[str] = mapped_column(ForeignKey("ports.id", ondelete="CASCADE"), primary_key=True)
    host: Mapped[str] = mapped_column(String(255), primary_key=True)
    vnic_type: Mapped[str] = mapped_column(String(64), default="normal")
    profile: Mapped[dict[str, Any]]
    bound: Mapped[bool] = mapped_column(default=True)


class ComputeLookRow(Row):
    """The compute service may have something to hear of a port, or of all ports plugged on a host."""

    __tablename__ = "compute_looks"
    __table_args__ = {"sqlite_autoincrement": True}
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    what: Mapped[str] = mapped_column(String(8))
    port_id: Mapped[str | None] = mapped_column(String(36))
    host: Mapped[str | None] = mapped_column(String(64))
    server: Mapped[str] = mapped_column(String(255), default="")


class ComputeToldRow(Row):
    """The status that the compute service was last told of a server's port; none told is DOWN."""

    __tablename__ = "compute_told"
    port_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    server: Mapped[str] = mapped_column(String(36))
    status: Mapped[str] = mapped_column(String(8))
