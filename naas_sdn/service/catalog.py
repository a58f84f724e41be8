"""Which operations serve which collection of the API, given the plugins."""
from __future__ import annotations

from collections.abc import Mapping

from naas_sdn.plugins.contract import Plugins
from naas_sdn.service.address_scopes import AddressScopes
from naas_sdn.service.contract import Resource
from naas_sdn.service.hypervisors import Hypervisors
from naas_sdn.service.limits import Limits
from naas_sdn.service.networks import Networks
from naas_sdn.service.plugging import BRIDGE
from naas_sdn.service.ports import Ports
from naas_sdn.service.qos import BandwidthLimits, Policies
from naas_sdn.service.quotas import Quotas
from naas_sdn.service.routers import Routers
from naas_sdn.service.routes import Routes
from naas_sdn.service.subnet_pools import SubnetPools
from naas_sdn.service.subnets import Subnets
from naas_sdn.service.vifs import Vifs


def resources(plugins: Plugins, tunnel_mtu: int, tunnel_interface: str,
              quotas: Mapping[str, int]) -> dict[str, Resource]:
    """By collection, as rest/resources.py names them. `quotas`: the usual limits (config.quotas)."""
    limits = Limits(quotas)
    reserved = frozenset((tunnel_interface, BRIDGE))
    return {
        "networks": Networks(plugins, tunnel_mtu, limits),
        "ports": Ports(plugins, reserved, limits),
        "vifs": Vifs(plugins, reserved, limits),
        "subnets": Subnets(plugins, limits),
        "subnetpools": SubnetPools(),
        "address_scopes": AddressScopes(),
        "routers": Routers(plugins, limits),
        "routes": Routes(plugins, limits),
        "quotas": Quotas(quotas),
        "hypervisors": Hypervisors(),
        "qos/policies": Policies(plugins),
        "qos/policies/bandwidth_limit_rules": BandwidthLimits(plugins),
    }
