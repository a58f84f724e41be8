"""The rules by default, as data: Neutron's names, and NaaS's own for what Neutron has not.

A name is VERB_MEMBER, or VERB_MEMBER:ATTRIBUTE for what only some may say of it; actions have the name of the action.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from oslo_policy import policy

from naas_sdn.service.policy import Rules, compiled
from naas_sdn.service.qos_kinds import KINDS

ANY = "rule:regular_user"
ADMIN = "rule:admin_only"
SERVICE = "rule:service_api"
OWNER_READER = "(role:reader and rule:owner)"
OWNER_MEMBER = "(role:member and rule:owner)"
OWNER_MANAGER = "(role:manager and rule:owner)"
NETWORK_MEMBER = "(role:member and rule:network_owner)"
NETWORK_READER = "(role:reader and rule:network_owner)"
GROUP_MEMBER = "(role:member and rule:sg_owner)"
PARENT_MANAGER = "(role:manager and rule:ext_parent_owner)"


def either(*checks: str) -> str:
    return " or ".join(checks)


OPERATOR = either(ADMIN, SERVICE)
MEMBER = either(ADMIN, OWNER_MEMBER)
MANAGER = either(ADMIN, OWNER_MANAGER)
READER = either(ADMIN, SERVICE, OWNER_READER)
PORT_MEMBER = either(OPERATOR, OWNER_MEMBER)
"""The compute service makes, binds and deletes the ports of its users."""
ON_NETWORK = either(OPERATOR, NETWORK_MEMBER)

BASE: Mapping[str, tuple[str, str]] = {
    "context_is_admin": ("role:admin", "Who may everything, and sees all projects"),
    "service_api": ("role:service", "Who speaks for all projects, as the compute service does"),
    "context_with_global_access": ("!", "Who sees all projects beside those"),
    "through_service": ("rule:context_is_admin or rule:service_api or service_roles:service",
                        "A service, or a user that a service vouches for by X-Service-Token"),
    "admin_only": ("rule:context_is_admin", "The operator"),
    "owner": ("project_id:%(project_id)s", "The project that has the object"),
    "admin_or_owner": ("rule:context_is_admin or rule:owner", "The operator, or the project that has the object"),
    "network_owner": ("project_id:%(network:project_id)s", "The project that has the network"),
    "admin_or_network_owner": ("rule:context_is_admin or rule:network_owner",
                               "The operator, or the project that has the network"),
    "admin_owner_or_network_owner": ("rule:owner or rule:admin_or_network_owner",
                                     "The operator, or the project that has the object or its network"),
    "ext_parent_owner": ("project_id:%(ext_parent:project_id)s", "The project that has what the object is part of"),
    "admin_or_ext_parent_owner": ("rule:context_is_admin or rule:ext_parent_owner",
                                  "The operator, or the project that has what the object is part of"),
    "sg_owner": ("project_id:%(security_group:project_id)s", "The project that has the security group"),
    "regular_user": ("", "Whoever has any role"),
    "shared": ("field:networks:shared=True", "A network that is shared with the caller"),
    "external": ("field:networks:router:external=True", "A network that leads out of the cloud"),
    "shared_subnetpools": ("field:subnetpools:shared=True", "A subnet pool that is shared with the caller"),
    "shared_address_groups": ("field:address_groups:shared=True", "An address group that is shared with the caller"),
    "shared_address_scopes": ("field:address_scopes:shared=True", "An address scope that is shared with the caller"),
    "shared_security_group": ("field:security_groups:shared=True", "A security group that is shared with the caller"),
    "shared_policies": ("field:policies:shared=True", "A QoS policy that is shared with the caller"),
    "network_device": ("field:port:device_owner=~^network:", "A port of the cloud's own"),
    "restrict_wildcard": ("rule:admin_only or (not field:rbac_policy:target_tenant=* and "
                          "not field:rbac_policy:target_project=*)", "Sharing with everybody is the operator's"),
    "default": ("rule:admin_or_owner", "Not asked here: what no rule is about, nobody may"),
}

_CRUD = ("create", "update", "delete")


def _owned(member: str, attributes: Mapping[str, str] | None = None, *, who: str = MEMBER) -> dict[str, str]:
    """Made, changed and deleted by `who`; `attributes` by VERB:ATTRIBUTE."""
    return {**{f"{verb}_{member}": who for verb in _CRUD}, **_attributes(member, attributes or {})}


def _attributes(member: str, attributes: Mapping[str, str]) -> dict[str, str]:
    return {f"{verb}_{member}:{name}": check for (verb, _, name), check in (
        (said.partition(":"), check) for said, check in attributes.items())}


def _tags(member: str, who: str = MEMBER) -> dict[str, str]:
    return {f"{verb}_{member}:tags": who for verb in _CRUD}


def _both(attributes: Mapping[str, str]) -> dict[str, str]:
    """For POST and PUT."""
    return {f"{verb}:{name}": check for name, check in attributes.items() for verb in ("create", "update")}


PORT_ATTRIBUTES = {
    "device_id": PORT_MEMBER,
    "device_owner": either("not rule:network_device", ON_NETWORK),
    "mac_address": ON_NETWORK, "port_security_enabled": ON_NETWORK,
    "fixed_ips": ANY, "fixed_ips:ip_address": ON_NETWORK, "fixed_ips:subnet_id": ANY,
    "allowed_address_pairs": ON_NETWORK, "allowed_address_pairs:ip_address": ON_NETWORK,
    "allowed_address_pairs:mac_address": ON_NETWORK,
    "binding:host_id": OPERATOR, "binding:profile": OPERATOR, "binding:vnic_type": PORT_MEMBER,
}

GATEWAY_ATTRIBUTES = {
    "external_gateway_info": MEMBER, "external_gateway_info:network_id": MEMBER,
    "external_gateway_info:enable_snat": ADMIN, "external_gateway_info:external_fixed_ips": ADMIN,
}

COLLECTIONS: Mapping[str, Mapping[str, str]] = {
    "networks": {
        "get_network": either(READER, "rule:shared", "rule:external"),
        **_owned("network", _both({"shared": ADMIN, "router:external": ADMIN, "is_default": ADMIN,
                                   "isolated": ADMIN,
                                   "port_security_enabled": MEMBER})),
        **_tags("network"),
        "get_network_statistics": READER,
        **_attributes("network", {f"{verb}:provider:{name}": ADMIN for verb in ("create", "get") for name in (
            "network_type", "physical_network", "segmentation_id")}),
    },
    "subnets": {
        "get_subnet": either(READER, NETWORK_READER, "rule:shared"),
        "create_subnet": either(ADMIN, NETWORK_MEMBER),
        "update_subnet": either(MEMBER, NETWORK_MEMBER), "delete_subnet": either(MEMBER, NETWORK_MEMBER),
        **_attributes("subnet", _both({"service_types": ADMIN})), **_tags("subnet"),
    },
    "subnetpools": {
        "get_subnetpool": either(READER, "rule:shared_subnetpools"),
        **_owned("subnetpool", {"create:shared": ADMIN, "update:shared": ADMIN, **_both({"is_default": ADMIN})}),
        **_tags("subnetpool"),
        "add_prefixes": MEMBER, "remove_prefixes": MEMBER, "onboard_network_subnets": MEMBER,
    },
    "address-scopes": {
        "get_address_scope": either(READER, "rule:shared_address_scopes"),
        **_owned("address_scope", _both({"shared": ADMIN})),
    },
    "address-groups": {
        "get_address_group": either(READER, "rule:shared_address_groups"),
        **_owned("address_group", _both({"shared": ADMIN})), "add_addresses": MEMBER, "remove_addresses": MEMBER,
    },
    "rbac-policies": {
        "get_rbac_policy": READER,
        **_owned("rbac_policy", _both({"target_tenant": "rule:restrict_wildcard",
                                       "target_project": "rule:restrict_wildcard"})),
    },
    "ports": {
        "get_port": either(READER, NETWORK_READER),
        "create_port": PORT_MEMBER, "update_port": PORT_MEMBER, "delete_port": either(PORT_MEMBER, NETWORK_MEMBER),
        **_attributes("port", _both(PORT_ATTRIBUTES)), **_tags("port", PORT_MEMBER),
        **_attributes("port", {f"get:binding:{name}": OPERATOR for name in (
            "host_id", "profile", "vif_type", "vif_details")}),
        "plug": OPERATOR, "unplug": OPERATOR,
    },
    "ports/{port_id}/bindings": {
        "get_port_binding": OPERATOR, "create_port_binding": OPERATOR, "delete_port_binding": OPERATOR,
        "activate": OPERATOR,
    },
    "routers": {
        "get_router": READER,
        **_owned("router", _both(GATEWAY_ATTRIBUTES)), **_tags("router"),
        "add_router_interface": MEMBER, "remove_router_interface": MEMBER,
        "add_extraroutes": MEMBER, "remove_extraroutes": MEMBER,
    },
    "floatingips": {
        "get_floatingip": READER,
        **_owned("floatingip", {"create:floating_ip_address": MANAGER}), **_tags("floatingip"),
    },
    "auto-allocated-topology": {
        "get_auto_allocated_topology": READER, "delete_auto_allocated_topology": MEMBER,
    },
    "vifs": {
        "get_vif": either(READER, NETWORK_READER),
        "create_vif": OPERATOR, "delete_vif": OPERATOR, **_tags("vif"),
        "attach_subnet": MEMBER, "attach_subnet:ip_address": ON_NETWORK, "detach_subnet": MEMBER,
        **_attributes("vif", {f"get:{name}": OPERATOR for name in ("host", "interface", "source", "refusal")}),
    },
    "routes": {"get_route": READER, **_owned("route"), **_tags("route")},
    "segments": {"get_segment": ADMIN, "update_segment": ADMIN},
    "trunks": {
        "get_trunk": READER,
        **_owned("trunk"), **_tags("trunk"), "add_subports": MEMBER, "remove_subports": MEMBER,
        "get_subports": READER,
    },
    "bridges": {
        "get_bridge": READER,
        **_owned("bridge"), **_tags("bridge"), "plug_bridge": MEMBER, "unplug_bridge": MEMBER,
    },
    "security-groups": {
        "get_security_group": either(READER, "rule:shared_security_group"),
        **_owned("security_group", _both({"shared": ADMIN})), **_tags("security_group"),
    },
    "security-group-rules": {
        "get_security_group_rule": either(READER, "(role:reader and rule:sg_owner)", "rule:shared_security_group"),
        "create_security_group_rule": either(ADMIN, GROUP_MEMBER),
        "delete_security_group_rule": either(ADMIN, GROUP_MEMBER, OWNER_MEMBER), **_tags("security_group_rule"),
    },
    "default-security-group-rules": {
        "get_default_security_group_rule": ANY,
        "create_default_security_group_rule": ADMIN, "delete_default_security_group_rule": ADMIN,
    },
    "quotas": {
        "get_quotas": ADMIN, "get_quota": "rule:admin_or_owner", "update_quota": ADMIN, "delete_quota": ADMIN,
    },
    "network-ip-availabilities": {"get_network_ip_availability": OPERATOR},
    "statistics": {"get_statistic": ANY},
    "hypervisors": {"get_hypervisor": OPERATOR},
    "agents": {"get_agent": ADMIN, "update_agent": ADMIN, "delete_agent": ADMIN},
    "qos/policies": {
        "get_policy": either(READER, "rule:shared_policies"),
        **_owned("policy", _both({"shared": ADMIN}), who=MANAGER), **_tags("policy"),
    },
    **{f"qos/policies/{{policy_id}}/{kind.member}s": {
        f"get_policy_{kind.member}": ANY,
        **{f"{verb}_policy_{kind.member}": either(ADMIN, PARENT_MANAGER) for verb in _CRUD},
    } for kind in KINDS.values()},
    **{f"qos/alias_{kind.member}s": {f"get_alias_{kind.member}": ANY} for kind in KINDS.values()},
    "qos/rule-types": {"get_rule_type": ANY},
    "availability_zones": {"get_availability_zone": ANY},
}
"""By the path below /v2.0 that they are about."""

METHODS = {"create": "POST", "get": "GET", "update": "PUT", "delete": "DELETE"}


@cache
def defaults() -> Rules:
    """All of them, and nothing else."""
    return compiled(texts())


def listed() -> list[policy.RuleDefault]:
    """What oslo.policy's tools list (entry point `oslo.policy.policies`)."""
    base = [policy.RuleDefault(name, text, description) for name, (text, description) in BASE.items()]
    return base + [_documented(path, name, text) for path, rules in COLLECTIONS.items() for name, text in rules.items()]


def texts() -> dict[str, str]:
    """By name."""
    written = {name: text for name, (text, _) in BASE.items()}
    return written | {name: text for rules in COLLECTIONS.values() for name, text in rules.items()}


def _documented(path: str, name: str, text: str) -> policy.DocumentedRuleDefault:
    whole, _, attribute = name.partition(":")
    verb, _, member = whole.partition("_")
    one = f"/v2.0/{path}/{{id}}"
    if verb not in METHODS:
        verb, member, places = "do", whole, [("PUT", f"{one}/{whole}")]
    elif attribute == "tags":
        places = [({"create": "POST", "update": "PUT", "delete": "DELETE"}[verb], f"{one}/tags")]
    else:
        places = list(_places(verb, path, one))
    what = member.replace("_", " ")
    said = f"`{attribute}` of {what}" if attribute else what
    return policy.DocumentedRuleDefault(name, text, f"{verb.capitalize()} {said}", [
        {"method": method, "path": place} for method, place in places])


def _places(verb: str, path: str, one: str) -> Iterable[tuple[str, str]]:
    if verb in ("create", "get"):
        yield METHODS[verb], f"/v2.0/{path}"
    if verb != "create":
        yield METHODS[verb], one
