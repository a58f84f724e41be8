"""Which operations serve which collection of the API, given the plugins."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from naas_sdn.plugins.contract import Plugin, Plugins
from naas_sdn.service.contract import Action, Attributes, Context, Query, Resource
from naas_sdn.service.hypervisors import Hypervisors
from naas_sdn.service.networks import Networks
from naas_sdn.service.plugging import BRIDGE
from naas_sdn.service.ports import Ports
from naas_sdn.service.qos import BandwidthLimits, Policies
from naas_sdn.service.routers import Routers
from naas_sdn.service.routes import Routes
from naas_sdn.service.subnets import Subnets
from naas_sdn.service.vifs import Vifs

VXLAN_OVERHEAD = 50
"""Outer Ethernet, IPv4, UDP and VXLAN headers (RFC 7348 section 5)."""


@dataclass(frozen=True, slots=True)
class NotServed:
    """A collection whose kind of plugin is not configured: every request raises NotImplementedByPlugin."""

    plugin: Plugin
    actions: Mapping[str, Action] = field(default_factory=dict)

    def create(self, session: Session, context: Context, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        raise self.plugin.missing()

    def update(self, session: Session, context: Context, identifier: str, attributes: Attributes,
               parent: Mapping[str, str]) -> Attributes:
        raise self.plugin.missing()

    def delete(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> None:
        raise self.plugin.missing()

    def get(self, session: Session, context: Context, identifier: str, parent: Mapping[str, str]) -> Attributes:
        raise self.plugin.missing()

    def find(self, session: Session, context: Context, query: Query, parent: Mapping[str, str]) -> list[Attributes]:
        raise self.plugin.missing()


def resources(plugins: Plugins, underlay_mtu: int, tunnel_interface: str) -> dict[str, Resource]:
    """By collection, as rest/resources.py names them."""
    reserved = frozenset((tunnel_interface, BRIDGE))
    served: dict[str, Resource] = {
        "networks": Networks(plugins, underlay_mtu - VXLAN_OVERHEAD),
        "ports": Ports(plugins, reserved),
        "vifs": Vifs(plugins, reserved),
        "hypervisors": Hypervisors(),
        "qos/policies": Policies(plugins),
        "qos/policies/bandwidth_limit_rules": BandwidthLimits(plugins),
    }
    layer3: dict[str, Resource] = {
        "subnets": Subnets(plugins), "routers": Routers(plugins), "routes": Routes(plugins)}
    if not plugins.has_l3:
        layer3 = {name: NotServed(plugins.l3) for name in layer3}
    return {**served, **layer3}
