"""The plugins that ship: OpenFlow for layer 2 and layer 3, DHCP for IP configuration.

Their *apply* is the engine's intake, which bootstrap hands to `realise_by`; what each of them adds is its apps.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from oslo_config import cfg
from sqlalchemy import select
from sqlalchemy.orm import Session

from naas_sdn.apps.accounting import Accounting
from naas_sdn.apps.answers import Answers
from naas_sdn.apps.contract import App
from naas_sdn.apps.dhcp_options import Terms
from naas_sdn.apps.dhcp_responder import DhcpResponder
from naas_sdn.apps.l2switch import L2Switch
from naas_sdn.apps.l3router import L3Router
from naas_sdn.apps.nat import Nat
from naas_sdn.apps.qos import Qos
from naas_sdn.apps.router_advertisements import Advised, RouterAdvertisements
from naas_sdn.apps.security import Security
from naas_sdn.apps.security_groups import SecurityGroups
from naas_sdn.config import tunnel_mtu
from naas_sdn.db.rows import SubnetRow, TunnelKeyRow
from naas_sdn.errors import NotImplementedByPlugin
from naas_sdn.model.physical import physical_networks
from naas_sdn.model.store import Key
from naas_sdn.model.values import Fact
from naas_sdn.plugins import segments
from naas_sdn.plugins.contract import Change, IpConfigPlugin, L2Plugin, L3Plugin, Plugin

Intake = Callable[[Iterable[tuple[Key, Fact | None]]], None]


class OpenFlow(Plugin):
    """What the three share: they all feed one engine."""

    name: ClassVar[str] = "openflow"
    wants: ClassVar[frozenset[str]]

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._intake: Intake | None = None

    @property
    def realises(self) -> frozenset[str]:
        return self.wants

    def apps(self) -> list[App]:
        """What the engine must compile with."""
        return []

    def realise_by(self, intake: Intake) -> None:
        self._intake = intake

    def check(self, session: Session, change: Change) -> None:
        """Nothing to refuse."""

    def apply(self, changes: Iterable[tuple[Key, Fact | None]]) -> None:
        if self._intake is not None:
            self._intake(changes)

    def extend(self, session: Session, kind: str, ids: Iterable[str]) -> Mapping[str, Mapping[str, Any]]:
        return {}


class OpenFlowL2(OpenFlow, L2Plugin):
    """Networks isolated by tunnel key, or by VLAN on physical networks."""

    wants = frozenset(("network", "port", "vif", "hypervisor", "uplink", "qos_policy", "security_group",
                       "security_rule", "address_group"))

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        super().__init__(conf)
        self._physical = physical_networks(conf)

    def apps(self) -> list[App]:
        options = self._conf.openflow
        return [L2Switch(options.tunnel_interface, tunnel_mtu(self._conf), options.punt_rate), Security(),
                SecurityGroups(), Qos(options.slowpath_rate), Accounting()]

    def check(self, session: Session, change: Change) -> None:
        """A network gets its place on the wire with its row."""
        if (change.operation, change.kind) == ("create", "network"):
            session.add(segments.segment(session, change.id, change.attributes, self._physical))

    def largest_mtu(self, wire: Mapping[str, Any]) -> int:
        if wire.get("provider:network_type") in ("flat", "vlan"):
            return self._physical.mtu(wire.get("provider:physical_network"))
        return tunnel_mtu(self._conf)

    def extend(self, session: Session, kind: str, ids: Iterable[str]) -> Mapping[str, Mapping[str, Any]]:
        if kind != "network":
            return {}
        rows = session.scalars(select(TunnelKeyRow).where(TunnelKeyRow.network_id.in_(list(ids))))
        return {row.network_id: segments.shown(row) for row in rows}


class OpenFlowL3(OpenFlow, L3Plugin):
    """Distributed routing in the tables."""

    wants = frozenset(("subnet", "router", "route", "floating_ip", "sighting"))

    def apps(self) -> list[App]:
        advised = Advised(self._conf.network.dns_domain, self._conf.network.ra_interval)
        options = self._conf.openflow
        return [L3Router(), Nat(translates=options.nat), Answers(options.answer_rate), RouterAdvertisements(advised)]

    def check(self, session: Session, change: Change) -> None:
        if change.kind == "floatingip" and change.operation != "delete" and not self._conf.openflow.nat:
            raise NotImplementedByPlugin("The L3 plugin 'openflow' is set up without NAT, so there are no floating "
                                         "addresses.")
        routed = {"create route": ("source_subnet_id", "destination_subnet_id"), "update router": ("subnet_id",)}
        for name in routed.get(f"{change.operation} {change.kind}", ()):
            if name in change.attributes:
                _require_tunnelled(session, change.attributes[name])


def _require_tunnelled(session: Session, subnet_id: str) -> None:
    """Raises NotImplementedByPlugin for a subnet of a provider network."""
    subnet = session.get(SubnetRow, subnet_id)
    wire = session.get(TunnelKeyRow, subnet.network_id) if subnet is not None else None
    if wire is not None and wire.physical_network is not None:
        raise NotImplementedByPlugin(f"Subnet {subnet_id} is on physical network {wire.physical_network}, whose own "
                                     f"gateways route; the L3 plugin 'openflow' routes between networks in tunnels.")


class Dhcp(OpenFlow, IpConfigPlugin):
    """DHCPv4 answered by the controller."""

    name = "dhcp"
    wants = frozenset()

    def apps(self) -> list[App]:
        return [DhcpResponder(Terms(self._conf.network.dhcp_lease, self._conf.network.dns_domain))]
