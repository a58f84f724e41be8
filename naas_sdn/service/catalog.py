"""Which operations serve which collection of the API, given the plugins."""
from __future__ import annotations

from oslo_config import cfg

from naas_sdn.config import quotas
from naas_sdn.db.bridge_rows import BridgeRow
from naas_sdn.db.floating_ip_rows import FloatingIpRow
from naas_sdn.db.rows import NetworkRow, PortRow, QosPolicyRow, RouteRow, RouterRow, SubnetPoolRow, SubnetRow, VifRow
from naas_sdn.db.security_group_rows import SecurityGroupRow, SecurityGroupRuleRow
from naas_sdn.db.trunk_rows import TrunkRow
from naas_sdn.plugins.contract import Plugins
from naas_sdn.service.address_groups import AddressGroups
from naas_sdn.service.address_scopes import AddressScopes
from naas_sdn.service.agents import Agents
from naas_sdn.service.auto_allocation import AutoAllocation
from naas_sdn.service.availability import Availabilities
from naas_sdn.service.binding import vif_details
from naas_sdn.service.bindings import Bindings
from naas_sdn.service.bridges import Bridges
from naas_sdn.service.contract import Resource
from naas_sdn.service.default_rules import DefaultRules
from naas_sdn.service.external_networks import External
from naas_sdn.service.floating_ips import FloatingIps
from naas_sdn.service.hypervisors import Hypervisors
from naas_sdn.service.limits import Limits
from naas_sdn.service.networks import Networks
from naas_sdn.service.port_statistics import PortStatistics
from naas_sdn.service.ports import Ports
from naas_sdn.service.qos import Policies
from naas_sdn.service.qos_kinds import KINDS
from naas_sdn.service.qos_rules import AliasedRules, Rules, RuleTypes
from naas_sdn.service.quotas import Quotas
from naas_sdn.service.rbac_policies import RbacPolicies
from naas_sdn.service.routers import Routers
from naas_sdn.service.routes import Routes
from naas_sdn.service.security_group_rules import SecurityGroupRules
from naas_sdn.service.security_groups import SecurityGroups
from naas_sdn.service.segments import Segments
from naas_sdn.service.service_providers import ServiceProviders
from naas_sdn.service.sharing import Shared
from naas_sdn.service.subnet_pools import SubnetPools
from naas_sdn.service.subnets import Subnets
from naas_sdn.service.tags import Tagged
from naas_sdn.service.trunks import Trunks
from naas_sdn.service.vifs import Vifs
from naas_sdn.service.zones import AvailabilityZones


def resources(plugins: Plugins, conf: cfg.ConfigOpts) -> dict[str, Resource]:
    """By collection, as rest/resources.py names them."""
    options, usual = conf.openflow, quotas(conf)
    limits = Limits(usual)
    reserved = frozenset((options.tunnel_interface, options.bridge))
    details = vif_details(options.bridge, options.datapath_type)
    networks = Shared(External(Networks(plugins, limits)), "network")
    ports = Ports(plugins, reserved, limits, details)
    subnets, routers = Subnets(plugins, limits), Routers(plugins, limits)
    return {
        "networks": Tagged(networks, NetworkRow, "network"),
        "ports": Tagged(ports, PortRow, "port"),
        "ports/bindings": Bindings(plugins, details),
        "vifs": Tagged(Vifs(plugins, reserved, limits), VifRow, "vif"),
        "subnets": Tagged(subnets, SubnetRow, "subnet"),
        "subnetpools": Tagged(Shared(SubnetPools(limits), "subnetpool"), SubnetPoolRow, "subnetpool"),
        "address_scopes": Shared(AddressScopes(limits), "address_scope", for_good=True),
        "rbac_policies": RbacPolicies(limits),
        "routers": Tagged(routers, RouterRow, "router"),
        "auto_allocated_topology": AutoAllocation(networks, subnets, routers),
        "service_providers": ServiceProviders(conf.plugins.l3),
        "floatingips": Tagged(FloatingIps(plugins, limits), FloatingIpRow, "floatingip"),
        "routes": Tagged(Routes(plugins, limits), RouteRow, "route"),
        "segments": Segments(plugins),
        "bridges": Tagged(Bridges(plugins, limits, ports), BridgeRow, "bridge"),
        "trunks": Tagged(Trunks(limits), TrunkRow, "trunk"),
        "security_groups": Tagged(Shared(SecurityGroups(limits), "security_group"), SecurityGroupRow, "security_group"),
        "security_group_rules": Tagged(SecurityGroupRules(limits), SecurityGroupRuleRow, "security_group_rule"),
        "default_security_group_rules": DefaultRules(),
        "address_groups": Shared(AddressGroups(limits), "address_group"),
        "quotas": Quotas(usual),
        "network_ip_availabilities": Availabilities(),
        "statistics": PortStatistics(),
        "hypervisors": Hypervisors(),
        "agents": Agents(options.bridge, options.datapath_type),
        "availability_zones": AvailabilityZones(("network", "router") if plugins.has_l3 else ("network",)),
        "qos/policies": Tagged(Shared(Policies(plugins), "qos_policy", named="policy"), QosPolicyRow, "policy"),
        **{f"qos/policies/{kind.member}s": Rules(kind, plugins) for kind in KINDS.values()},
        **{f"qos/alias_{kind.member}s": AliasedRules(Rules(kind, plugins)) for kind in KINDS.values()},
        "qos/rule_types": RuleTypes(plugins.l2.name),
    }
