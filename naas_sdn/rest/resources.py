"""The API as data: every collection, every attribute one line. A new collection needs no code here."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from naas_sdn.config import QUOTAS
from naas_sdn.rest.attributes import (
    Attribute,
    Type,
    boolean,
    choice,
    cidr,
    free_record,
    integer,
    ip,
    ip_or_cidr,
    list_of,
    mac,
    nullable,
    one_of,
    port_number,
    protocol,
    record,
    string,
    uuid,
)
from naas_sdn.service.qos_kinds import KINDS, Kind

A = Attribute
TEXT = string(255)
TAG = string(255, empty=False)
TAGS = list_of(TAG, unique=True)
INT32 = integer(0, 2**31 - 1)


@dataclass(frozen=True, slots=True)
class Action:
    """A member action: PUT with a body (a GET when it has none). `answer`: what it shows; None: the resource."""

    body: Type | None = None
    layer3: bool = False
    answer: Type | None = None


@dataclass(frozen=True, slots=True)
class Collection:
    """`path` is its URL below /v2.0 and its name in the catalog; `parent` the id in it that comes first; `key` the
    attribute that identifies one.

    `verbs`: whether there are POST (C), PUT (U) and DELETE (D).
    `rehearsal`: GET of one makes it when it is not there, and with `fields` of this name tells whether it could.
    `layer3` says of a collection or an action that it is served when there is an L3 plugin.
    """

    path: str
    member: str
    attributes: tuple[Attribute, ...]
    plural: str = ""
    key: str = "id"
    parent: str = ""
    wrapped_actions: bool = False
    verbs: str = "CUD"
    layer3: bool = False
    rehearsal: str = ""
    actions: Mapping[str, Action] = field(default_factory=dict)

    @property
    def envelope(self) -> str:
        """The key of a list in JSON."""
        return self.plural or self.path.rsplit("/", 1)[-1]

    def attribute(self, name: str) -> Attribute | None:
        return next((attribute for attribute in self.attributes if attribute.name == name), None)


OWNER = (A("id", TEXT, "FS"), A("project_id", TEXT, "CFS"), A("tenant_id", TEXT, "CFS"))
NAMED = (*OWNER, A("name", TEXT, "CUFS", ""), A("description", TEXT, "CUFS", ""))
TIMES = (A("created_at", TEXT, "S"), A("updated_at", TEXT, "S"), A("revision_number", INT32, "FS"),
         A("tags", TAGS))

FIXED_IP = record({}, {"subnet_id": uuid, "ip_address": ip})
POOL = record({"start": ip, "end": ip})
ADDRESS_PAIR = record({"ip_address": ip_or_cidr}, {"mac_address": nullable(mac)})
DHCP_OPTION = record({"opt_name": TAG}, {"opt_value": nullable(TAG), "ip_version": integer(4, 6)})
HOST_ROUTE = record({"destination": cidr, "nexthop": ip})
PREFIX_LENGTH = integer(0, 128)
IPV6_MODE = choice("slaac", "dhcpv6-stateful", "dhcpv6-stateless")
ADDRESSES = record({"addresses": list_of(string(64))})
PREFIXES = record({"prefixes": list_of(cidr)})
VNIC_TYPES = ("normal", "direct", "macvtap", "baremetal", "direct-physical", "virtio-forwarder", "smart-nic", "vdpa",
              "accelerator-direct", "accelerator-direct-physical", "remote-managed")
INTERFACE = record({}, {"subnet_id": uuid, "port_id": uuid})
GATEWAY = record({}, {"network_id": nullable(uuid), "enable_snat": boolean, "external_fixed_ips": list_of(FIXED_IP)})
PORT_DETAILS = record({"name": TEXT, "network_id": uuid, "mac_address": TEXT, "admin_state_up": boolean, "status": TEXT,
                       "device_id": TEXT, "device_owner": TEXT})
EXTRA_ROUTES = record({"router": record({"routes": list_of(HOST_ROUTE)})})
LEG = record({"subnet_id": uuid, "destination": cidr, "nexthop": nullable(ip)})
INTERFACE_INFO = record({"id": uuid, "project_id": TEXT, "tenant_id": TEXT, "port_id": uuid, "network_id": uuid,
                         "subnet_id": uuid, "subnet_ids": list_of(uuid)})
COUNT = integer(0, 2**63 - 1)
DROPPED = record(dict.fromkeys(("rate_limit_in", "rate_limit_out", "punt_limit", "answer_limit", "interface_in",
                                "interface_out"), COUNT))
STATISTICS = record({"statistics": record(
    {"bytes_in": COUNT, "packets_in": COUNT, "bytes_out": COUNT, "packets_out": COUNT, "updated_at": nullable(TEXT),
     "dropped_packets": DROPPED},
    {"network_id": uuid, "port_id": uuid, "vif_id": uuid})})

BINDING = record({"host": TEXT, "vif_type": TEXT, "vnic_type": TEXT, "status": TEXT, "profile": free_record,
                  "vif_details": free_record})
NUMBER = integer(-1, 2**31 - 1)
USE = record({"limit": NUMBER, "used": INT32, "reserved": INT32})

SUB_PORT = record({"port_id": uuid, "segmentation_type": choice("vlan"), "segmentation_id": integer(1, 4094)})
SUB_PORTS = record({"sub_ports": list_of(SUB_PORT)})
NAMED_PORTS = record({"sub_ports": list_of(record({"port_id": uuid}, {"segmentation_type": TEXT,
                                                                     "segmentation_id": INT32}))})
TRUNK = (
    *NAMED,
    A("port_id", uuid, "C!FS"),
    A("admin_state_up", boolean, "CUFS", True),
    A("status", TEXT, "F"),
    A("sub_ports", list_of(SUB_PORT), "C"),
    *TIMES,
)
MATCHED = (
    A("direction", choice("ingress", "egress"), "C!FS"),
    A("ethertype", string(8), "CFS", "IPv4"),
    A("protocol", protocol, "CFS", None),
    A("port_range_min", nullable(port_number), "CFS", None), A("port_range_max", nullable(port_number), "CFS", None),
    A("remote_ip_prefix", nullable(string(64)), "CFS", None),
    A("remote_address_group_id", nullable(uuid), "CFS", None),
)
RULE_ATTRIBUTES = (
    A("security_group_id", uuid, "C!FS"),
    *MATCHED,
    A("normalized_cidr", nullable(TEXT)),
    A("remote_group_id", nullable(uuid), "CFS", None),
    A("belongs_to_default_sg", boolean, "F"),
    A("description", TEXT, "CFS", ""),
)
RULE = record({attribute.name: attribute.type for attribute in (*OWNER, *RULE_ATTRIBUTES, *TIMES[:-1])})
BARE_TRUNK = record({attribute.name: attribute.type for attribute in TRUNK})


def _rule(kind: Kind) -> tuple[Attribute, ...]:
    """The attributes of a QoS rule."""
    value = one_of(*kind.values) if kind.values else integer(kind.low, kind.high)
    burst = (A(kind.burst, integer(0, kind.high), "CUFS", 0),) if kind.burst else ()
    direction = (A("direction", choice(*kind.directions), "CUFS", kind.directions[0]),) if kind.directions else ()
    return (A("id", TEXT, "FS"), A(kind.value, value, "C!UFS"), *burst, *direction,
            A("project_id", TEXT, "C"), A("tenant_id", TEXT, "C"))


COLLECTIONS = (
    Collection("networks", "network", (
        *NAMED,
        A("admin_state_up", boolean, "CUFS", True),
        A("status", TEXT, "F"), A("error", nullable(TEXT)),
        A("subnets", list_of(uuid)),
        A("shared", boolean, "CUF", False),
        A("router:external", boolean, "CUF", False), A("is_default", boolean, "CUF", False),
        A("mtu", integer(0, 65535), "CUFS", 0),
        A("port_security_enabled", boolean, "CU", True),
        A("qos_policy_id", nullable(uuid), "CUF", None),
        A("isolated", boolean, "CUF", False),
        A("provider:network_type", nullable(TEXT), "CF"),
        A("provider:physical_network", nullable(TEXT), "CF"),
        A("provider:segmentation_id", nullable(integer(1, (1 << 24) - 1)), "CF"),
        A("availability_zone_hints", list_of(TEXT), "C"), A("availability_zones", list_of(TEXT)),
        A("ipv4_address_scope", nullable(TEXT)), A("ipv6_address_scope", nullable(TEXT)), A("l2_adjacency", boolean),
        *TIMES,
    ), actions={"statistics": Action(answer=STATISTICS)}),
    Collection("subnets", "subnet", (
        *NAMED,
        A("network_id", uuid, "C!FS"),
        A("ip_version", integer(4, 6), "C!FS"),
        A("cidr", nullable(cidr), "CFS"),
        A("address", nullable(ip), "C"),
        A("netmask", nullable(ip), "C"),
        A("gateway_ip", nullable(ip), "CUFS"),
        A("allocation_pools", list_of(POOL), "CU"),
        A("enable_dhcp", boolean, "CUFS", True),
        A("dns_nameservers", list_of(ip, unique=True), "CU"),
        A("host_routes", list_of(HOST_ROUTE, unique=True), "CU"),
        A("shared", boolean, "F"),
        A("status", TEXT),
        A("ipv6_ra_mode", nullable(IPV6_MODE), "CFS"), A("ipv6_address_mode", nullable(IPV6_MODE), "CFS"),
        A("subnetpool_id", nullable(uuid), "CFS"), A("prefixlen", PREFIX_LENGTH, "C"),
        A("use_default_subnetpool", boolean, "C"),
        A("service_types", list_of(string(255, empty=False), unique=True), "CU"),
        A("segment_id", nullable(uuid), "CUF", None),
        *TIMES,
    ), layer3=True),
    Collection("subnetpools", "subnetpool", (
        *OWNER, A("name", string(255, empty=False), "C!UFS"), A("description", TEXT, "CUFS", ""),
        A("prefixes", list_of(cidr), "C!U"),
        A("min_prefixlen", PREFIX_LENGTH, "CUFS"), A("default_prefixlen", PREFIX_LENGTH, "CUFS"),
        A("max_prefixlen", PREFIX_LENGTH, "CUFS"),
        A("default_quota", nullable(INT32), "CUFS", None),
        A("address_scope_id", nullable(uuid), "CUFS", None),
        A("is_default", boolean, "CUFS", False),
        A("shared", boolean, "CFS", False),
        A("ip_version", integer(4, 6), "FS"),
        *TIMES,
    ), layer3=True, actions={
        "add_prefixes": Action(PREFIXES, answer=PREFIXES),
        "remove_prefixes": Action(PREFIXES, answer=PREFIXES),
        "onboard_network_subnets": Action(record({"network_id": uuid}), answer=list_of(record(
            {"id": uuid, "cidr": cidr}))),
    }),
    Collection("address_scopes", "address_scope", (
        *OWNER, A("name", TEXT, "CUFS", ""),
        A("ip_version", integer(4, 6), "C!FS"),
        A("shared", boolean, "CUFS", False),
    ), layer3=True),
    Collection("rbac_policies", "rbac_policy", (
        *OWNER,
        A("object_type", TEXT, "C!FS"),
        A("object_id", uuid, "C!FS"),
        A("action", TEXT, "C!FS"),
        A("target_tenant", string(255, empty=False), "C!UFS"),
    )),
    Collection("ports", "port", (
        *NAMED,
        A("network_id", uuid, "C!FS"),
        A("number", INT32, "FS"),
        A("admin_state_up", boolean, "CUFS", True),
        A("status", TEXT, "F"),
        A("mac_address", nullable(mac), "CUFS"),
        A("fixed_ips", list_of(FIXED_IP), "CUF"),
        A("device_id", TEXT, "CUFS", ""),
        A("device_owner", TEXT, "CUFS", ""),
        A("port_security_enabled", boolean, "CUF"),
        A("qos_policy_id", nullable(uuid), "CUF", None),
        A("binding:host_id", nullable(TEXT), "CUF"),
        A("binding:profile", free_record, "CU"),
        A("binding:vnic_type", choice(*VNIC_TYPES), "CUF", "normal"),
        A("binding:vif_type", TEXT), A("binding:vif_details", free_record),
        A("security_groups", list_of(uuid), "CUF"), A("allowed_address_pairs", list_of(ADDRESS_PAIR), "CU"),
        A("extra_dhcp_opts", list_of(DHCP_OPTION), "CU"), A("qos_network_policy_id", nullable(TEXT)),
        A("vif_id", nullable(TEXT)), A("error", nullable(TEXT)), A("trunk_details", free_record),
        *TIMES[:-1], A("tags", TAGS, "C"),
    ), wrapped_actions=True, actions={
        "plug": Action(record({"host": string(64, empty=False), "interface": string(64, empty=False)})),
        "unplug": Action(free_record),
        "statistics": Action(answer=STATISTICS),
    }),
    Collection("ports/bindings", "binding", (
        A("host", string(255, empty=False), "C!F"),
        A("vnic_type", choice(*VNIC_TYPES), "CF", "normal"),
        A("profile", free_record, "C"),
        A("vif_type", TEXT, "F"), A("status", TEXT, "F"), A("vif_details", free_record),
    ), parent="port_id", verbs="CD", actions={"activate": Action(free_record, answer=BINDING)}),
    Collection("routers", "router", (
        *NAMED,
        A("admin_state_up", boolean, "CUFS", True),
        A("status", TEXT, "S"),
        A("external_gateway_info", nullable(GATEWAY), "CU", None),
        A("routes", list_of(HOST_ROUTE), "U"),
        A("availability_zone_hints", list_of(TEXT), "C"), A("availability_zones", list_of(TEXT)),
        *TIMES,
    ), layer3=True, actions={
        "add_router_interface": Action(INTERFACE, answer=INTERFACE_INFO),
        "remove_router_interface": Action(INTERFACE, answer=INTERFACE_INFO),
        "add_extraroutes": Action(EXTRA_ROUTES),
        "remove_extraroutes": Action(EXTRA_ROUTES),
    }),
    Collection("floatingips", "floatingip", (
        *OWNER, A("description", TEXT, "CUFS", ""),
        A("floating_network_id", uuid, "C!FS"),
        A("floating_ip_address", nullable(ip), "CFS"),
        A("subnet_id", nullable(uuid), "C"),
        A("port_id", nullable(uuid), "CUFS"),
        A("fixed_ip_address", nullable(ip), "CUFS"),
        A("router_id", nullable(uuid), "FS"),
        A("status", TEXT, "F"), A("port_details", nullable(PORT_DETAILS)),
        *TIMES,
    ), layer3=True),
    Collection("auto_allocated_topology", "auto_allocated_topology", (
        A("id", TEXT), A("project_id", TEXT, "F"), A("tenant_id", TEXT, "F"),
    ), plural="auto_allocated_topologies", key="project_id", verbs="D", layer3=True, rehearsal="dry-run"),
    Collection("vifs", "vif", (
        *OWNER,
        A("port_id", nullable(uuid), "CFS"),
        A("network_id", nullable(uuid), "CF"),
        A("host", string(64, empty=False), "C!FS"),
        A("interface", string(64, empty=False), "C!FS"),
        A("vlan", nullable(integer(1, 4094)), "CFS"),
        A("mac_address", TEXT), A("fixed_ips", list_of(FIXED_IP)), A("status", TEXT), A("source", TEXT),
        A("refusal", nullable(TEXT)),
        *TIMES,
    ), wrapped_actions=True, actions={
        "attach_subnet": Action(record({"subnet_id": uuid}, {"ip_address": nullable(ip)}), layer3=True),
        "detach_subnet": Action(record({"subnet_id": uuid}), layer3=True),
        "statistics": Action(answer=STATISTICS),
    }),
    Collection("routes", "route", (
        *NAMED,
        A("source_subnet_id", uuid, "C!FS"),
        A("destination_subnet_id", uuid, "C!FS"),
        A("status", TEXT), A("routes", list_of(LEG)),
        *TIMES,
    ), layer3=True),
    Collection("segments", "segment", (
        A("id", TEXT, "FS"), A("network_id", uuid, "FS"),
        A("name", nullable(TEXT), "UFS"), A("description", TEXT, "UFS"),
        A("network_type", nullable(TEXT), "F"), A("physical_network", nullable(TEXT), "F"),
        A("segmentation_id", nullable(integer(1, (1 << 24) - 1)), "F"),
        *TIMES[:-1],
    ), verbs="U"),
    Collection("trunks", "trunk", TRUNK, actions={
        "add_subports": Action(SUB_PORTS, answer=BARE_TRUNK),
        "remove_subports": Action(NAMED_PORTS, answer=BARE_TRUNK),
        "get_subports": Action(answer=SUB_PORTS),
    }),
    Collection("bridges", "bridge", (
        *NAMED,
        A("network_id", uuid, "C!FS"),
        A("type", nullable(string(32, empty=False)), "CUFS", None),
        A("remote_endpoint", nullable(ip), "CUFS", None),
        A("udp_port", nullable(integer(1, 65535)), "CUFS", None),
        A("key", nullable(integer(0, 2**32 - 1)), "CUFS", None),
        A("port_id", nullable(uuid), "CF", None), A("plugged", boolean, "CF", False),
        A("status", TEXT), A("reason", nullable(TEXT)),
        *TIMES,
    ), wrapped_actions=True, actions={
        "plug_bridge": Action(record({}, {"port_id": nullable(uuid)})), "unplug_bridge": Action(free_record),
    }),
    Collection("security_groups", "security_group", (
        *NAMED,
        A("stateful", boolean, "CUF", True),
        A("shared", boolean, "F"),
        A("security_group_rules", list_of(RULE)),
        *TIMES,
    )),
    Collection("security_group_rules", "security_group_rule", (*OWNER, *RULE_ATTRIBUTES, *TIMES), verbs="CD"),
    Collection("default_security_group_rules", "default_security_group_rule", (
        A("id", TEXT, "FS"),
        *MATCHED,
        A("remote_group_id", nullable(choice("PARENT")), "CFS", None),
        A("used_in_default_sg", boolean, "CFS", False), A("used_in_non_default_sg", boolean, "CFS", True),
        A("description", TEXT, "CFS", ""),
        *TIMES[:-1],
    ), verbs="CD"),
    Collection("address_groups", "address_group", (
        *NAMED,
        A("addresses", list_of(string(64)), "C"),
        A("shared", boolean, "F"),
        *TIMES[:-1],
    ), actions={"add_addresses": Action(ADDRESSES), "remove_addresses": Action(ADDRESSES)}),
    Collection("quotas", "quota", (
        A("project_id", TEXT, "F"), A("tenant_id", TEXT, "F"),
        *(A(resource, NUMBER, "U") for resource in QUOTAS),
        A("force", boolean, "U"), A("check_limit", boolean, "U"),
    ), verbs="UD", key="project_id", actions={
        "default": Action(answer=record({"quota": record(dict.fromkeys(QUOTAS, NUMBER))})),
        "details": Action(answer=record({"quota": record(dict.fromkeys(QUOTAS, USE))})),
    }),
    Collection("network_ip_availabilities", "network_ip_availability", (
        A("network_id", TEXT, "FS"), A("network_name", TEXT, "FS"),
        A("project_id", TEXT, "FS"), A("tenant_id", TEXT, "FS"), A("ip_version", integer(4, 6), "F"),
        A("total_ips", integer(0, 2**128)), A("used_ips", INT32), A("subnet_ip_availability", list_of(free_record)),
    ), layer3=True, key="network_id"),
    Collection("statistics", "statistic", (
        A("port_id", TEXT, "FS"), A("network_id", TEXT, "FS"), A("project_id", TEXT, "FS"), A("tenant_id", TEXT, "FS"),
        A("name", TEXT, "FS"), A("bytes_in", COUNT), A("packets_in", COUNT), A("bytes_out", COUNT),
        A("packets_out", COUNT), A("dropped_packets", DROPPED), A("updated_at", nullable(TEXT)),
    ), key="port_id"),
    Collection("hypervisors", "hypervisor", (
        A("id", TEXT, "FS"), A("name", TEXT, "FS"), A("datapath_id", TEXT, "FS"), A("vtep", TEXT, "FS"),
        A("alive", boolean, "FS"), A("availability_zone", TEXT, "FS"), A("certificate", nullable(TEXT)),
        A("physical_networks", free_record),
        A("created_at", TEXT), A("updated_at", TEXT),
    )),
    Collection("agents", "agent", (
        A("id", TEXT, "FS"), A("agent_type", TEXT, "F"), A("binary", TEXT, "F"), A("topic", TEXT, "F"),
        A("host", TEXT, "FS"), A("admin_state_up", boolean, "UFS"), A("description", nullable(TEXT), "UF"),
        A("alive", boolean, "F"), A("availability_zone", TEXT, "F"), A("configurations", free_record),
        A("created_at", TEXT), A("started_at", TEXT), A("heartbeat_timestamp", TEXT),
        A("resources_synced", nullable(boolean)),
    ), verbs="UD"),
    Collection("availability_zones", "availability_zone", (
        A("name", TEXT, "F"), A("resource", TEXT, "F"), A("state", TEXT, "F"),
    ), verbs=""),
    Collection("qos/policies", "policy", (
        *NAMED,
        A("shared", boolean, "CUF", False),
        A("is_default", boolean, "CUF", False),
        A("rules", list_of(free_record)),
        *TIMES,
    )),
    *(Collection(f"qos/policies/{kind.member}s", kind.member, _rule(kind), parent="policy_id")
      for kind in KINDS.values()),
    *(Collection(f"qos/alias_{kind.member}s", f"alias_{kind.member}", _rule(kind), verbs="UD")
      for kind in KINDS.values()),
    Collection("service_providers", "service_provider", (
        A("service_type", TEXT, "F"), A("name", TEXT, "F"), A("default", boolean, "F"),
    ), verbs="", layer3=True),
    Collection("qos/rule_types", "rule_type", (
        A("type", TEXT, "F"), A("drivers", list_of(free_record)),
        A("all_supported", boolean, "F"), A("all_rules", boolean, "F"),
    ), verbs=""),
)

BY_PATH = {collection.path: collection for collection in COLLECTIONS}
