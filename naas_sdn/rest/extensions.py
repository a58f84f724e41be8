"""The extensions that the API lists: only those whose behaviour is there."""
from __future__ import annotations

from typing import Any

UPDATED = "2026-11-01T00:00:00-00:00"

_ALIASES = {
    "agent": ("agent", "The hypervisors, as agents."),
    "availability_zone": ("Availability Zone", "The availability zones of the hypervisors."),
    "availability_zone_filter": ("Availability Zone Filter Extension", "Filters of availability zones."),
    "network_availability_zone": ("Network Availability Zone", "Hints at the zones of a network."),
    "router_availability_zone": ("Router Availability Zone", "Hints at the zones of a router."),
    "allowed-address-pairs": ("Allowed Address Pairs", "What else a port may send as."),
    "binding": ("Port Binding", "Which host a port is bound to."),
    "binding-extended": ("Port Bindings Extended", "Several bindings of a port, for live migration."),
    "extra_dhcp_opt": ("Extra DHCP options", "What else DHCP tells a port."),
    "extraroute": ("Neutron Extra Route", "Routers' own routes."),
    "extraroute-atomic": ("Atomically add/remove extra routes", "Single routes added and removed."),
    "net-mtu": ("Network MTU", "The MTU of a network."),
    "net-mtu-writable": ("Network MTU (writable)", "The MTU of a network can be set."),
    "network-ip-availability": ("Network IP Availability", "How many addresses networks have and use."),
    "pagination": ("Pagination support", "Pages by limit and marker."),
    "sorting": ("Sorting support", "Lists in a given order."),
    "empty-string-filtering": ("Empty String Filtering Extension", "Filters for what is the empty string."),
    "ip-substring-filtering": ("IP address substring filtering", "Ports by a part of an address."),
    "filter-validation": ("Filter parameters validation", "Unknown filters are refused."),
    "port-security": ("Port Security", "Whether a port's addresses are verified."),
    "project-id": ("project_id field enabled", "project_id beside tenant_id."),
    "provider": ("Provider Network", "What realises a network; read by operators."),
    "qos": ("Quality of Service", "Policies of bandwidth limits."),
    "qos-bw-limit-direction": ("Direction for QoS bandwidth limit rule", "Limits in both directions."),
    "qos-rule-type-details": ("Details of QoS rule types", "The parameters of each type of rule."),
    "qos-rules-alias": ("Ability to access QoS rules by their own id", "Rules without their policy's id."),
    "qos-default": ("QoS default policy", "A policy marked as a project's default."),
    "quota-check-limit": ("Quota engine limit check", "Limits below what is used are refused on request."),
    "quota_details": ("Quota details management support", "What of a quota is used."),
    "quotas": ("Quota management support", "How many of each resource a project may have."),
    "revision-if-match": ("If-Match constraints based on revision_number", "Changes conditional on a revision."),
    "router": ("Neutron L3 Router", "Routers between subnets."),
    "standard-attr-description": ("standard-attr-description", "Descriptions of resources."),
    "standard-attr-revisions": ("Resource revision numbers", "A number that grows with each change."),
    "standard-attr-timestamp": ("Resource timestamps", "When a resource was made and changed."),
    "subnet_allocation": ("Subnet Allocation", "Subnets cut from pools."),
    "default-subnetpools": ("Default Subnetpools", "A pool marked as an IP version's default."),
    "subnetpool-prefix-ops": ("Subnetpool Prefix Operations", "Prefixes added to pools and removed."),
    "address-scope": ("Address scope", "Pools in which no address is used twice."),
    "rbac-policies": ("RBAC Policies", "Objects shared with single projects."),
    "rbac-subnetpool": ("Add subnetpool type to RBAC", "Subnet pools shared with single projects."),
    "rbac-address-scope": ("Add address_scope type to RBAC", "Address scopes shared with single projects."),
    "standard-attr-tag": ("Tag support for resources with standard attribute", "Tags, and lists filtered by them."),
    "tag-creation": ("Tag creation extension", "Several tags added by POST."),
    "tag-ports-during-bulk-creation": ("Tag Ports During Bulk Creation", "Ports are made with their tags."),
    "naas-vif": ("NaaS VIFs", "Which interface of which hypervisor is plugged to which port."),
    "naas-route": ("NaaS routes", "Routes between two subnets, without a router."),
    "naas-statistics": ("NaaS statistics", "Bytes and packets of networks, ports and VIFs."),
    "naas-isolation": ("NaaS port isolation", "Networks whose ports do not reach each other."),
    "naas-port-number": ("NaaS port numbers", "The number of a port in its network."),
    "naas-subnet-netmask": ("NaaS subnets by netmask", "Subnets by address and netmask."),
    "naas-hypervisor": ("NaaS hypervisors", "The register of hypervisors; read by operators."),
}
L3_ALIASES = frozenset((
    "router", "router_availability_zone", "naas-route", "naas-subnet-netmask", "subnet_allocation",
    "default-subnetpools", "subnetpool-prefix-ops", "address-scope", "network-ip-availability",
    "rbac-subnetpool", "rbac-address-scope", "extraroute", "extraroute-atomic"))


def extensions(has_l3: bool) -> list[dict[str, Any]]:
    """As GET /v2.0/extensions shows them."""
    return [{"alias": alias, "name": name, "description": description, "updated": UPDATED, "links": []}
            for alias, (name, description) in sorted(_ALIASES.items()) if has_l3 or alias not in L3_ALIASES]
