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
    "binding": ("Port Binding", "Which host a port is bound to."),
    "binding-extended": ("Port Bindings Extended", "Several bindings of a port, for live migration."),
    "net-mtu": ("Network MTU", "The MTU of a network."),
    "net-mtu-writable": ("Network MTU (writable)", "The MTU of a network can be set."),
    "network-ip-availability": ("Network IP Availability", "How many addresses networks have and use."),
    "pagination": ("Pagination support", "Pages by limit and marker."),
    "sorting": ("Sorting support", "Lists in a given order."),
    "empty-string-filtering": ("Empty String Filtering Extension", "Filters for what is the empty string."),
    "ip-substring-filtering": ("IP address substring filtering", "Ports by a part of an address."),
    "filter-validation": ("Filter parameters validation", "Unknown filters are refused."),
    "port-security": ("Port Security", "Whether a port's addresses are verified."),
    "port-security-groups-filtering": ("Port filtering on security groups", "Ports by the groups that they are in."),
    "project-id": ("project_id field enabled", "project_id beside tenant_id."),
    "provider": ("Provider Network", "What realises a network; read by operators."),
    "qos": ("Quality of Service", "Policies of rules for what ports send and receive."),
    "qos-bw-limit-direction": ("Direction for QoS bandwidth limit rule", "Limits in both directions."),
    "qos-pps": ("QoS packet rate limit rule", "Limits of packets a second."),
    "qos-rule-type-details": ("Details of QoS rule types", "The parameters of each type of rule."),
    "qos-rules-alias": ("Ability to access QoS rules by their own id", "Rules without their policy's id."),
    "qos-default": ("QoS default policy", "A policy marked as a project's default."),
    "quota-check-limit": ("Quota engine limit check", "Limits below what is used are refused on request."),
    "quota_details": ("Quota details management support", "What of a quota is used."),
    "quotas": ("Quota management support", "How many of each resource a project may have."),
    "revision-if-match": ("If-Match constraints based on revision_number", "Changes conditional on a revision."),
    "router": ("Neutron L3 Router", "Routers between subnets."),
    "security-group": ("security-group", "Which packets the ports of a group send and get."),
    "security-groups-default-rules": ("Default rules for security groups", "The rules that new groups begin with."),
    "security-groups-normalized-cidr": ("Normalized CIDR field for security group rules",
                                        "The range of a rule's remote_ip_prefix."),
    "security-groups-remote-address-group": ("Remote address group id field for security group rules",
                                             "Rules about an address group."),
    "security-groups-rules-belongs-to-default-sg": ("Security group rules belong to default security group",
                                                    "Whether a rule is of a default group."),
    "security-groups-shared-filtering": ("Security group filtering on the shared field",
                                         "Groups by whether they are shared."),
    "stateful-security-group": ("Stateful security group", "Whether a group knows connections."),
    "standard-attr-description": ("standard-attr-description", "Descriptions of resources."),
    "standard-attr-revisions": ("Resource revision numbers", "A number that grows with each change."),
    "standard-attr-timestamp": ("Resource timestamps", "When a resource was made and changed."),
    "subnet-service-types": ("Subnet service types", "Subnets for ports of certain device owners."),
    "subnet_allocation": ("Subnet Allocation", "Subnets cut from pools."),
    "default-subnetpools": ("Default Subnetpools", "A pool marked as an IP version's default."),
    "subnet_onboard": ("Subnet Onboard", "A network's subnets become a pool's."),
    "subnetpool-prefix-ops": ("Subnetpool Prefix Operations", "Prefixes added to pools and removed."),
    "address-group": ("Address group", "Addresses that rules of security groups name together."),
    "address-scope": ("Address scope", "Pools in which no address is used twice."),
    "standard-attr-tag": ("Tag support for resources with standard attribute", "Tags, and lists filtered by them."),
    "tag-creation": ("Tag creation extension", "Several tags added by POST."),
    "tag-ports-during-bulk-creation": ("Tag Ports During Bulk Creation", "Ports are made with their tags."),
    "segment": ("Segment", "The segment of each network; for operators."),
    "trunk": ("Trunk Extension", "Trunks and their subports, kept; status DOWN until the data plane carries them."),
    "trunk-details": ("Trunk port details", "Ports show their trunk and its subports."),
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
    "subnet-service-types", "subnet_onboard", "default-subnetpools", "subnetpool-prefix-ops",
    "address-scope", "network-ip-availability"))


def extensions(has_l3: bool) -> list[dict[str, Any]]:
    """As GET /v2.0/extensions shows them."""
    return [{"alias": alias, "name": name, "description": description, "updated": UPDATED, "links": []}
            for alias, (name, description) in sorted(_ALIASES.items()) if has_l3 or alias not in L3_ALIASES]
